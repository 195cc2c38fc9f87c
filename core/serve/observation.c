/*
 * Observations; see observation.h.
 */
#include "serve/observation.h"

#include <stdio.h>
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

/* The gauges from the first of a pool on that have its name; how many there are. */
static size_t log_pool(const struct observation *seen, size_t first)
{
	enum { STATES_MAX = 8, NAME_SIZE = 64 };
	struct sluice_field fields[STATES_MAX];
	char name[NAME_SIZE];
	size_t count = 0;
	const char *pool = seen->gauges[first].name;
	for (size_t i = first; i < seen->gauge_count && count < STATES_MAX && strcmp(seen->gauges[i].name, pool) == 0;
	     i++)
		fields[count++] = sluice_int(seen->gauges[i].label_value, (int64_t)seen->gauges[i].value);
	(void)snprintf(name, sizeof(name), "%.*s_stats", (int)(strlen(pool) - strlen("_connections")), pool);
	log_fields(SLUICE_LOG_INFO, NULL, name, fields, count);
	return count;
}

static bool is_pool(const char *gauge)
{
	static const char ending[] = "_pool_connections";
	size_t size = strlen(gauge);
	return size >= sizeof(ending) && strcmp(gauge + size - (sizeof(ending) - 1), ending) == 0;
}

void observation_log_pools(struct pipeline *pipeline)
{
	struct observation seen;
	observation_take(&seen, pipeline);
	for (size_t i = 0; i < seen.gauge_count;)
		i += is_pool(seen.gauges[i].name) ? log_pool(&seen, i) : 1;
	observation_finish(&seen);
}
