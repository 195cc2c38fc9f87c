/*
 * Exemplars: for each bucket of the histograms by stage, the last traced request that fell into it, so that whoever sees a slow bucket
 * finds a trace of it.
 */
#ifndef SERVE_EXEMPLARS_H
#define SERVE_EXEMPLARS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "otlp/trace_context.h"
#include "serve/lineage.h"

enum {
	EXEMPLAR_BOUNDS = 16,
	EXEMPLAR_SERIES = KIND_COUNT + 2, /* the stages by kind, respond, total */
};

/* Upper bounds of the buckets of all histograms, ms, in ascending order. */
extern const double exemplar_bounds[EXEMPLAR_BOUNDS];

struct exemplars {
	pthread_mutex_t lock;
	struct exemplar {
		char trace_id[TRACE_ID_TEXT_SIZE]; /* "": none yet */
		double value_ms;
		int64_t wall_ns;
	} items[EXEMPLAR_SERIES][EXEMPLAR_BOUNDS + 1];
};

void exemplars_init(struct exemplars *exemplars);
void exemplars_finish(struct exemplars *exemplars);

/* A traced request is over. From any thread. */
void exemplars_add(struct exemplars *exemplars, const struct lineage_entry *entry);

/* Of the series called `stage` in the histogram, and the bucket; false: none. */
bool exemplars_get(struct exemplars *exemplars, const char *stage, size_t bucket, struct exemplar *exemplar_out);

#endif
