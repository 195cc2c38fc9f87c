/*
 * Exemplars; see exemplars.h.
 */
#include "serve/exemplars.h"

#include <string.h>

#include "base/clock.h"

const double exemplar_bounds[EXEMPLAR_BOUNDS] = {0.05, 0.1, 0.25, 0.5, 1,   2.5, 5,    10,
                                                 20,   50,  100,  120, 200, 500, 1000, 2000};

enum { RESPOND = KIND_COUNT, TOTAL };

void exemplars_init(struct exemplars *exemplars)
{
	memset(exemplars, 0, sizeof(*exemplars));
	(void)pthread_mutex_init(&exemplars->lock, NULL);
}

void exemplars_finish(struct exemplars *exemplars)
{
	(void)pthread_mutex_destroy(&exemplars->lock);
}

static void put(struct exemplar series[EXEMPLAR_BOUNDS + 1], int64_t ns, const char *trace_id, int64_t wall_ns)
{
	const double ms = (double)ns / (double)NS_PER_MS;
	size_t bucket = 0;
	while (bucket < EXEMPLAR_BOUNDS && ms > exemplar_bounds[bucket])
		bucket++;
	struct exemplar *exemplar = &series[bucket];
	memcpy(exemplar->trace_id, trace_id, sizeof(exemplar->trace_id));
	exemplar->value_ms = ms;
	exemplar->wall_ns = wall_ns;
}

void exemplars_add(struct exemplars *exemplars, const struct lineage_entry *entry)
{
	const struct event_times *times = &entry->times;
	const int64_t wall_ns = times->wall_ns + (entry->sent_ns - times->start_ns);
	char trace_id[TRACE_ID_TEXT_SIZE];
	trace_context_id(&entry->trace, trace_id);
	(void)pthread_mutex_lock(&exemplars->lock);
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		const struct stage_times *stage = &times->stages[kind];
		if (stage->ran)
			put(exemplars->items[kind], stage->work_ns + stage->wait_ns + stage->parked_ns, trace_id,
			    wall_ns);
	}
	if (times->ack_ns)
		put(exemplars->items[RESPOND], entry->sent_ns - times->ack_ns, trace_id, wall_ns);
	put(exemplars->items[TOTAL], entry->sent_ns - times->start_ns, trace_id, wall_ns);
	(void)pthread_mutex_unlock(&exemplars->lock);
}

static int series_named(const char *stage)
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (strcmp(kind_names[kind], stage) == 0)
			return kind;
	return strcmp(stage, "respond") == 0 ? RESPOND : strcmp(stage, "total") == 0 ? TOTAL : -1;
}

bool exemplars_get(struct exemplars *exemplars, const char *stage, size_t bucket, struct exemplar *exemplar_out)
{
	int series = series_named(stage);
	if (series < 0 || bucket > EXEMPLAR_BOUNDS)
		return false;
	(void)pthread_mutex_lock(&exemplars->lock);
	*exemplar_out = exemplars->items[series][bucket];
	(void)pthread_mutex_unlock(&exemplars->lock);
	return exemplar_out->trace_id[0];
}
