/*
 * A run directory while it is being written; docs/internals/run-directory.md says what is in it.
 *
 *     struct recording *recording = recording_begin("run-1", "replay", error);
 *     recording_put(recording, "schedule", about_schedule(…));
 *     recording_end(recording, records, count, names, error);
 */
#ifndef LAB_TRIAL_RECORDING_H
#define LAB_TRIAL_RECORDING_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <sluice/error.h>

#include "trace/trace.h"

struct recording;

/* Makes the directory of a run, which must be new or empty: what was measured is never written over. */
bool recording_make_directory(const char *directory, struct sluice_error *error);

/* Makes the directory, if that is still to be done. The clock of the run starts now. `command` is "replay" or
 * "compare". NULL and a sentence otherwise. */
struct recording *recording_begin(const char *directory, const char *command, struct sluice_error *error);

/* Monotonic: what the times of the records must count from; a prefix for request ids that no other run has; and where
 * it is written. */
int64_t recording_origin_ns(const struct recording *recording);
const char *recording_request_prefix(const struct recording *recording);
const char *recording_directory(const struct recording *recording);

/* As the header of requests.bin will have them: the two clocks at the origin. */
struct trace_header recording_header(const struct recording *recording);

/* Adds a member to run.json; takes the value. */
void recording_put(struct recording *recording, const char *key, json_t *value);

/* Writes requests.bin (sorted by intended time; `names` may be NULL) and run.json, and frees the recording. False and a
 * sentence if not everything could be written. */
bool recording_end(struct recording *recording, struct trace_record *records, size_t count,
                   const struct trace_names *names, struct sluice_error *error);

/* Frees it without writing; what is in the directory stays. NULL is allowed. */
void recording_abandon(struct recording *recording);

#endif
