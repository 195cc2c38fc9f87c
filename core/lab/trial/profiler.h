/*
 * The profiler: samples where the servers under test spend their processor time, by perf(1), while the load runs. Of each arm
 * it leaves stacks-a.folded, stacks-b.folded in the run directory.
 */
#ifndef LAB_TRIAL_PROFILER_H
#define LAB_TRIAL_PROFILER_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

#include "lab/trial/arm.h"

struct profiler;

/* Whether there is a perf to run; false and a sentence that says what to install. */
bool profiler_is_there(struct sluice_error *error);

/* Samples all arms from here on. NULL and a sentence, with what perf said, if one cannot be sampled. */
struct profiler *profiler_start(const struct arm *arms, size_t count, const char *directory,
                                struct sluice_error *error);

/* Ends it and writes the stacks. NULL is allowed. False and a sentence if they could not be written. */
bool profiler_stop(struct profiler *profiler, struct sluice_error *error);

/* Ends it, and leaves nothing. NULL is allowed. */
void profiler_abandon(struct profiler *profiler);

#endif
