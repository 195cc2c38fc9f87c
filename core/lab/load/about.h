/*
 * What a run says about itself: the members of run.json, as docs/internals/run-directory.md describes them. Each
 * function returns a new reference.
 */
#ifndef LAB_LOAD_ABOUT_H
#define LAB_LOAD_ABOUT_H

#include <jansson.h>

#include "lab/load/input.h"
#include "lab/load/replay.h"
#include "trace/trace.h"

/* A generator that is late, or takes this much of the machine, measures itself. */
#define ABOUT_LAG_MAX 0.10       /* P95 of the lag, of the measured P95 */
#define ABOUT_CPU_SHARE_MAX 0.25 /* of all processors */
#define ABOUT_BUSY_SHARE_MAX 0.8 /* of the one it runs on: where there are many, it cannot take much of them all */

json_t *about_host(void);
json_t *about_input(const struct input *input, const char *file, size_t first, size_t count);
json_t *about_schedule(const struct replay_plan *plan, const char *design, size_t blocks, double block_seconds);

/* Whether the run measures what it is meant to, with reasons where it does not: the generator kept up, with that share
 * of the machine's processors, and the ids were new to the store. */
json_t *about_generator(const struct trace_record *records, size_t count, double cpu_share, size_t processors);
size_t about_processors(void);
double about_cpu_share(int64_t cpu_ns, int64_t wall_ns);

/* What the requests came to. */
json_t *about_results(const struct input *input, const struct trace_record *records, size_t count, bool is_signed,
                      size_t retried, double seconds);

/* {"p50_ms": …, "p95_ms": …, "p99_ms": …, "max_ms": …} of `count` latencies, which are sorted; those without an answer
 * (−1) are left out. */
json_t *about_quantiles(int64_t *latencies_ns, size_t count);

/* ns as ms with three decimals beyond the point; what a JSON figure of a time is. */
json_t *about_ms(int64_t ns);

#endif
