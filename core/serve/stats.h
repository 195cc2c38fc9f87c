/*
 * Statistics: what the recorder holds, since the start and over the last 10 seconds.
 *
 * Once a second the histograms are copied; the last 10 seconds are what has been recorded since the tenth copy before
 * the last, so they are 10 to 11.
 */
#ifndef SERVE_STATS_H
#define SERVE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "runtime/pipeline.h"

enum { STATS_WINDOW_S = 10 };

/* One histogram of the recorder, and what it is of. */
struct series {
	size_t id;         /* in the recorder */
	const char *stage; /* "auth" …, "respond", "total" */
	const char *part;  /* "work" "wait" "parked" "whole", or the name of a span */
	int kind;          /* enum sluice_kind; -1 for "respond" and "total" */
	bool is_span;
};

struct stats;
struct json_writer;

struct stats *stats_create(struct pipeline *pipeline);
void stats_destroy(struct stats *stats);

/* From here on they are of this pipeline, which goes on recording where the last one did. Beside it nobody reads the list of
 * series. */
void stats_follow(struct stats *stats, struct pipeline *pipeline);

/* Once a second, by one thread. */
void stats_tick(struct stats *stats);

/* All series of the pipeline's stages, by stage, then respond and total. Stays as it is until
 * stats_follow(). */
const struct series *stats_series(const struct stats *stats, size_t *count_out);

/* Of one series, by its place in the list: everything, or the last 10 s (fewer, soon after the start) with the seconds
 * they span. Into *histogram_out, whatever it held. From any thread. */
void stats_get(struct stats *stats, size_t place, struct histogram *histogram_out);
double stats_get_recent(struct stats *stats, size_t place, struct histogram *histogram_out);

/* The share of the last 10 s that the worker has worked, 0–100. From any thread. */
double stats_worker_utilization(struct stats *stats, size_t id);

/* Writes the stages with their percentiles as an array. */
void stats_write_stages(struct stats *stats, struct json_writer *json, const char *key);

#endif
