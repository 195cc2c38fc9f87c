/*
 * The host meter: a small process of the laboratory's own that measures how late the machine wakes it and how long its disk takes,
 * beside the servers under test, and what everybody has used meanwhile. It writes host.jsonl, a line a second;
 * docs/internals/host.md says what comes of it and docs/internals/run-directory.md what stands in a line.
 */
#ifndef LAB_TRIAL_HOST_METER_H
#define LAB_TRIAL_HOST_METER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

struct host_meter;

/* Starts it; it ends with the laboratory, whatever becomes of that. Times count from `origin_ns` (monotonic). To be called while the
 * process has one thread. NULL and a sentence if it cannot be done. */
struct host_meter *host_meter_start(const char *directory, int64_t origin_ns, struct sluice_error *error);

/* Lets it write its last line and waits for its end; NULL is allowed. False and a sentence if the record could not be written. */
bool host_meter_stop(struct host_meter *meter, struct sluice_error *error);

#endif
