/*
 * Events that are known by their number, and what is seen of them in a state.
 */
#ifndef CRASH_NUMBERED_H
#define CRASH_NUMBERED_H

#include <sluice/event.h>

#include "crash/crash.h"

struct bench;
struct plugin;

/* A stage of the build, such as "plugins/queue/journal.so". Exits without it. */
const struct plugin *built_stage(const char *file);

struct sluice_event *numbered_event(struct bench *bench, int64_t number);

/* The events in a state, in the order in which they are seen. */
struct sighting {
	const struct promise *promise;
	struct findings *findings;
	uint8_t seen[EVENTS_MAX];
	uint32_t last_acknowledged;
};

void sighting_add(struct sighting *sighting, int64_t number, struct sluice_bytes id, struct sluice_bytes payload);

/* There are no more. */
void sighting_end(struct sighting *sighting);

/* Likewise, with one event more, which was acknowledged last. */
struct promise promise_one_more(const struct promise *promise);

/* How long something may be refused. */
struct patience {
	int64_t until_ns;
};
struct patience patience_begin(void);

/* Waits a little before the next try; exits with the sentence after a minute of them. */
void patience_wait(const struct patience *patience, const char *what);

#endif
