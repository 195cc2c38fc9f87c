/*
 * The recorder: one set of histograms per thread, recorded without a lock, merged when somebody looks.
 *
 * A thread's set is made at its first record and lives until the recorder's end; a set is taken over by a later thread
 * when its own has ended, so threads that come and go cost nothing.
 */
#ifndef RUNTIME_RECORDER_H
#define RUNTIME_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "base/histogram.h"
#include "runtime/event.h"

/* What is recorded: for each kind work, wait, parked, whole (all three together) and its spans; then respond and total.
 */
enum series_part {
	PART_WORK,
	PART_WAIT,
	PART_PARKED,
	PART_WHOLE,
	PART_SPAN,
	PART_UNDELAYED = PART_SPAN +
	                 SLUICE_SPANS_MAX, /* not for readers: work that was also the whole, see recorder.c */
	PART_COUNT
};
enum {
	SERIES_RESPOND = KIND_COUNT * PART_COUNT, /* from the ack point until the answer is sent */
	SERIES_TOTAL,                             /* from the complete request until the answer is sent */
	SERIES_COUNT,
};

/* Side by side lies what an event adds to in one go: one part of all kinds. */
static inline size_t series_of(enum sluice_kind kind, unsigned part)
{
	return (size_t)part * KIND_COUNT + kind;
}

struct recorder;

struct recorder *recorder_create(void);
void recorder_destroy(struct recorder *recorder);

/* From any thread. */
void recorder_record(struct recorder *recorder, size_t series, int64_t ns);

/* An event's time in each of the stages `first` to `last` that it ran through: as PART_WORK, PART_WHOLE, and PART_WAIT
 * and PART_PARKED where there were any. A queue's PART_WORK is left out: its put() returns after the event has gone, so
 * that is recorded where it was measured. */
void recorder_record_stages(struct recorder *recorder, const struct event_times *times, unsigned first, unsigned last);

/* From here on the series is what is recorded after this call: it is of something else than before. Not beside
 * recorder_merge(). */
void recorder_restart(struct recorder *recorder, size_t series);

/* Adds what all threads have recorded to *into, which starts zeroed. From any thread. */
void recorder_merge(struct recorder *recorder, size_t series, struct histogram *into);

#endif
