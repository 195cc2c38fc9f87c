/*
 * Pairs of blocks as figures: what one arm did in its part of a pair, and what all pairs together say about B against
 * A.
 */
#ifndef LAB_JUDGE_PAIRS_H
#define LAB_JUDGE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lab/judge/host.h"
#include "lab/load/input.h"
#include "lab/run/estimate.h"
#include "trace/trace.h"

enum { PAIRS_ARMS = 2 };

/* One arm's part of a pair. Of latencies: sorted; a wrong answer counts as if it had come at the end of the timeout.
 */
struct cell {
	int64_t *corrected_ns, *raw_ns;
	size_t count, right;
	int64_t first_ns, last_ns; /* the first intended time, the last answer */
	int64_t last_due_ns;       /* the last intended time */
	double early_ms, late_ms;  /* corrected medians of the first and of the last quarter of the requests */
	/* Seen from outside; NAN: not known. */
	double cpu_ns, rss_bytes, wal_bytes;
	bool first; /* it ran before the other arm */
};

struct pairs {
	struct cell *cells; /* pair by pair, A then B */
	bool *is_dropped;   /* by pair: it counts for no figure */
	size_t count, dropped;
	size_t unit; /* pairs whose mean is one observation: those of a life; usually 1 */
};

/* Sorts the records of the first `count` pairs into cells. `input` says which answers are right; NULL: every 2xx is. */
void pairs_init(struct pairs *pairs, size_t count, const struct trace_record *records, size_t record_count,
                const struct input *input, bool is_signed, int64_t timeout_ns);
void pairs_finish(struct pairs *pairs);

/* How many there are in the records. */
size_t pairs_count(const struct trace_record *records, size_t record_count);

/* Adds what run.json's "blocks" knows. */
void pairs_add_snapshots(struct pairs *pairs, const json_t *blocks);

/* Leaves out the pairs in which the host stalled for too long, both arms of each; by when their requests were due alone, so that it
 * makes no difference how either arm fared. docs/internals/host.md has the rule. */
void pairs_drop_stalled(struct pairs *pairs, const struct host *host);

const struct cell *pairs_cell(const struct pairs *pairs, size_t pair, size_t arm);

/* A figure of a cell. Not finite or not above zero: not known there. */
struct figure_of {
	double (*of)(const struct cell *cell); /* NULL: the corrected latency's quantile, in ms */
	double quantile;
};

/* What the pairs say of one figure: geometric means of both arms, and d = ln(B / A). */
struct change {
	double a, b;
	struct estimate_pairs pairs;
	double detectable; /* a share of A: what as many pairs find four times in five */
};

/* Of the first `count` pairs, those that are not dropped and know it in both arms, by units. False if none does. */
bool pairs_measure(const struct pairs *pairs, size_t count, struct figure_of figure, double alpha, uint64_t seed,
                   struct change *change_out);

/* What is compared, in the order of the report. */
enum metric_number {
	METRIC_P50,
	METRIC_P95,
	METRIC_P99,
	METRIC_P95_RAW,
	METRIC_THROUGHPUT,
	METRIC_CPU_PER_EVENT,
	METRIC_MEMORY,
	METRIC_WAL_PER_EVENT,
	METRICS,
};

struct metric {
	const char *name, *title, *unit;
	struct figure_of figure;
};
extern const struct metric pair_metrics[METRICS + 1]; /* the last has a NULL name */
extern const struct metric *const pair_primary;       /* P95, which decides */

#endif
