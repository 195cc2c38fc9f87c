/*
 * Observations; see observation.h.
 */
#include "serve/observation.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char *keep(struct observation *observation, const char *text)
{
	return text ? arena_strdup(&observation->arena, text) : NULL;
}

/* Doubles the room of an array when it is full. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room ? *room * 2 : 16;
	return must_realloc(items, *room * size);
}

static void take_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                       double value, const char *help)
{
	struct observation *seen = (struct observation *)(void *)observer;
	seen->gauges = grow(seen->gauges, seen->gauge_count, &seen->gauge_room, sizeof(*seen->gauges));
	seen->gauges[seen->gauge_count++] = (struct gauge){
		.name = keep(seen, name),
		.label = keep(seen, label),
		.label_value = keep(seen, label_value ? label_value : ""),
		.help = keep(seen, help ? help : ""),
		.value = value,
	};
}

static void take_reason(struct sluice_observer *observer, const char *reason)
{
	struct observation *seen = (struct observation *)(void *)observer;
	seen->reasons = grow(seen->reasons, seen->reason_count, &seen->reason_room, sizeof(*seen->reasons));
	seen->reasons[seen->reason_count++] = keep(seen, reason);
}

void observation_take(struct observation *observation, struct pipeline *pipeline)
{
	enum { BLOCK = 1024 };
	*observation = (struct observation){.observer = {.gauge = take_gauge, .unhealthy = take_reason}};
	arena_init(&observation->arena, BLOCK, NULL);
	pipeline_observe(pipeline, &observation->observer);
}

void observation_finish(struct observation *observation)
{
	free(observation->gauges);
	free(observation->reasons);
	arena_finish(&observation->arena);
}

void observation_log_pools(struct pipeline *pipeline)
{
	enum { STATES_MAX = 8 };
	struct observation seen;
	observation_take(&seen, pipeline);
	struct sluice_field fields[STATES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < seen.gauge_count && count < STATES_MAX; i++)
		if (strcmp(seen.gauges[i].name, "db_pool_connections") == 0)
			fields[count++] = sluice_int(seen.gauges[i].label_value, (int64_t)seen.gauges[i].value);
	if (count > 0)
		log_fields(SLUICE_LOG_INFO, NULL, "db_pool_stats", fields, count);
	observation_finish(&seen);
}
