/*
 * The verdict on a comparison: computed from a run directory and nothing else, so that whoever doubts it can compute it
 * again.
 *
 * The unit is the pair of blocks. Per pair and metric d = ln(B / A); over the pairs Student's t gives the interval and
 * a sign-flip test the p. Requests whose answer is not the right one count as if it had come at the end of the sender's
 * patience, so that refusing quickly is no way to be fast. docs/internals/statistics.md has the reasons.
 */
#ifndef LAB_VERDICT_H
#define LAB_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>

#include "lab/input.h"
#include "lab/run.h"

enum verdict_outcome { VERDICT_BETTER, VERDICT_WORSE, VERDICT_EQUIVALENT, VERDICT_INCONCLUSIVE, VERDICT_INVALID };
extern const char *const verdict_outcome_names[];

/* What an interval of ln(B / A) of a time says, given the margin (a share): see docs/internals/run-directory.md. */
enum verdict_outcome verdict_of_interval(double mean, double low, double high, double margin);

/* Whether a look that is planned after `pairs` pairs allows to stop: the P95s of those pairs alone decide. */
bool verdict_is_settled(const struct trace_record *records, size_t count, size_t pairs, int64_t patience_ns,
                        uint64_t seed);

/* The whole of compare.json. `verified` is verify.json, NULL if there is none. NULL and a sentence if the run is no
 * comparison or a part of it is missing. */
json_t *verdict_compute(const struct run *run, const struct input *input, const json_t *verified,
                        struct sluice_error *error);

#endif
