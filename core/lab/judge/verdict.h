/*
 * The verdict on a comparison: computed from a run directory and nothing else, so that whoever doubts it can compute it
 * again.
 *
 * The unit is the pair of blocks. Per pair and metric d = ln(B / A); over the pairs Student's t gives the interval and
 * a sign-flip test the p. Requests whose answer is not the right one count as if it had come at the end of the
 * timeout, so that refusing quickly is no way to be fast. docs/internals/statistics.md has the reasons.
 */
#ifndef LAB_JUDGE_VERDICT_H
#define LAB_JUDGE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>

#include "lab/judge/host.h"
#include "lab/judge/outcome.h"
#include "lab/load/input.h"
#include "lab/run/run.h"

/* What an interval of ln(B / A) of a time says, given the margin (a share): see docs/internals/run-directory.md. */
enum verdict_outcome verdict_of_interval(double mean, double low, double high, double margin);

#define VERDICT_ALPHA_MIN 1e-9 /* far below any that is meant; what is smaller is lost in 1 - alpha */

/* What is asked of a comparison. */
struct verdict_terms {
	double alpha, margin;
	int64_t timeout_ns;
	uint64_t seed;
	size_t pairs_of_life; /* 0: all pairs are of one life, and each counts by itself */
	bool is_signed, sequential, is_duet;
};

/* Whether a look is planned after so many pairs: after 10, 20, 30 and 40 of them, or of the lives. */
bool verdict_is_look(const struct verdict_terms *terms, size_t pairs);

/* Whether the look after `pairs` pairs allows to stop: the P95s of those pairs alone decide, but for those in which the host stalled. It
 * does where the outcome at the look's own alpha is no longer open: equivalent, or better or worse with a p below its threshold. */
bool verdict_is_settled(const struct verdict_terms *terms, const struct trace_record *records, size_t count,
                        const struct input *input, const struct host *host, size_t pairs);

/* The whole of compare.json, computed with the timeout, margin, alpha and seed that run.json has. `verified` is
 * verify.json, NULL if there is none. NULL and a sentence if the run is no comparison or a part of it is missing. */
json_t *verdict_compute(const struct run *run, const struct input *input, const json_t *verified,
                        struct sluice_error *error);

#endif
