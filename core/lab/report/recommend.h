/*
 * Recommendations: which optimization to try, by conditions that the analysis shows to hold. Each is a row of one table
 * in recommend.c; an overlay of the pipeline answers one by naming it as what it `treats`.
 *
 * Shares are of the time of the tail's requests that the server can change: what a request waits to be sent follows
 * from the rest. Those that may gain most come first.
 *
 * Whether connections are reused is known of a sender's records only.
 */
#ifndef LAB_REPORT_RECOMMEND_H
#define LAB_REPORT_RECOMMEND_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <sluice/error.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "lab/judge/analyze.h"
#include "yaml/yaml.h"

enum { RECOMMEND_MAX = 16 };

/* All texts behind pointers are static or the overlays'. */
struct recommendation {
	const char *name;       /* of the condition: "pool_wait" */
	char condition[160];    /* what holds: "of the server's time in the tail is parsing" */
	const char *advice;     /* what to try, in words */
	double seen, threshold; /* fractions */
	double gain;            /* the excess share of the part it is about */
	const char *overlay;    /* of the pipeline; NULL: none treats it */
	const char *already;    /* an overlay that treats it and was on; NULL: none */
};

/* The overlays of a pipeline file: its `optimizations`. An overlay may treat a condition, a part of the server ("auth")
 * or a span of the store ("persist.fsync"). False and a sentence if the file cannot be read or an overlay treats
 * something else; a file without any gives NULL. All is in the arena. */
bool recommend_read_overlays(const char *path, struct arena *arena, const struct yaml_node **overlays_out,
                             struct sluice_error *error);

/* Fills up to RECOMMEND_MAX and returns how many conditions hold. `overlays`: NULL: none; `enabled`: an array of the
 * names that were on, NULL: none. */
size_t recommend(const struct analyze_result *result, const struct yaml_node *overlays, const json_t *enabled,
                 struct recommendation out[RECOMMEND_MAX]);

/* As sentences, a line each; that no stage stands out where there are none. `trials`: of tried_read(), what came of the
 * overlays before; NULL: not known. */
void recommend_write_text(const struct analyze_result *result, const struct recommendation *list, size_t count,
                          const json_t *trials, struct buffer *out);
json_t *recommend_to_json(const struct recommendation *list, size_t count, const json_t *trials);

#endif
