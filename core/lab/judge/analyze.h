/*
 * Analysis: where the time of a run's requests went, in the body and in the tail. Pure functions of arrays of records.
 *
 * The tail is the slowest 5 % of the answered requests by their total (at least one), the body is the others. A part
 * that a request did not have counts as 0 there. How each figure is defined, and why, is in docs/internals/analysis.md.
 *
 * Percentiles of parts do not add up to that of the total: the slow requests of one part need not be those of another.
 * The shares do: they are of the same requests.
 */
#ifndef LAB_JUDGE_ANALYZE_H
#define LAB_JUDGE_ANALYZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/run/parts.h"
#include "trace/trace.h"

enum { ANALYZE_SPANS = SLUICE_SPANS_MAX + 1 /* and what is in none of them */ };

/* One line of the table. Of times in ns; shares are fractions. */
struct analyze_row {
	size_t count; /* requests that had it; 0: nothing below says anything */
	int64_t p50_ns, p95_ns, p99_ns, max_ns;
	int64_t body_mean_ns, tail_mean_ns; /* per request of the body, of the tail */
	double tail_share;                  /* of the time of the tail's requests */
	double server_share;                /* of that of their time that the server can change; 0 for other parts */
	double excess_share; /* of what the tail's requests took beyond the body's medians; may be below 0 */
	double dominant;     /* of the tail's requests, those of which it is the largest part; parts only */
	int64_t ceiling_ns;  /* the total's P95 if this never took longer than its P50 */
};

/* What a stage worked of its time: means per request of those whose processor time is known, ns. */
struct analyze_cpu {
	size_t count; /* requests; 0: not measured */
	double body_work_ns, body_cpu_ns, tail_work_ns, tail_cpu_ns;
};

/* From the first to the last third of the run, in the order of the records: estimate_shift(). */
struct analyze_growth {
	bool known; /* there were enough requests to tell */
	int64_t first_ns, last_ns;
	double growth; /* last / first − 1; 0 if the 95 % interval of the difference holds 0 */
};

struct analyze_batches {
	size_t count; /* requests of which it is known */
	int64_t p50, max;
	double full_share; /* of the tail's requests, those in a batch of `max` events */
};

struct analyze_result {
	size_t requests, answered, unanswered, refused; /* refused: by a server, before its time was taken */
	size_t with_status, good;                       /* whose status is known, and is 2xx */
	size_t tail_count;
	int64_t tail_from_ns; /* the total of the tail's quickest request */
	bool of_sender, has_stages;
	struct analyze_row parts[PARTS];
	struct analyze_cpu cpu[PARTS];
	struct analyze_row total, raw; /* times only; raw, from the sending, is of a sender's records only */
	struct analyze_row spans[ANALYZE_SPANS];
	struct trace_names names[SLUICE_KIND_SLOTS];
	int hotspot;                          /* enum part: the server's part with the largest tail share; -1: none */
	struct analyze_growth persist_growth; /* execute, where there is such a span, else persist */
	struct analyze_growth queue_growth;
	struct analyze_batches batches;
	double connected; /* of a sender's requests, those that a connection had to be made for */
};

/* `names`: SLUICE_KIND_SLOTS of them, copied; NULL: none are known. Any number of records, also none. */
void analyze_records(const struct trace_record *records, size_t count, const struct trace_names *names,
                     struct analyze_result *result_out);

/* The name of a span of persist, "pool_wait"; "span 2" where the trace does not name it, "other" for the last. */
const char *analyze_span_name(const struct analyze_result *result, size_t span);

/* The row of the span that persist calls so; NULL if it has none. */
const struct analyze_row *analyze_find_span(const struct analyze_result *result, const char *name);

#endif
