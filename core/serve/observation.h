/*
 * An observation: what the stages' observe() said at one moment, held for the metrics, the health and the log.
 */
#ifndef SERVE_OBSERVATION_H
#define SERVE_OBSERVATION_H

#include <stddef.h>

#include <sluice/stage.h>

#include "base/arena.h"
#include "runtime/pipeline.h"

struct gauge {
	const char *name;                /* without the prefix */
	const char *label, *label_value; /* NULL: none */
	const char *help;
	double value;
};

struct observation {
	struct sluice_observer observer; /* must be first */
	struct arena arena;
	struct gauge *gauges;
	size_t gauge_count, gauge_room;
	const char **reasons; /* why a stage cannot do its work */
	size_t reason_count, reason_room;
};

void observation_take(struct observation *observation, struct pipeline *pipeline);
void observation_finish(struct observation *observation);

/* Logs what stages say of their connections: `db_pool_stats` for gauges named db_pool_connections, and so on. */
void observation_log_pools(struct pipeline *pipeline);

#endif
