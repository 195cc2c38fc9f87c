/*
 * Schedules; see schedule.h.
 */
#include "lab/load/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash_table.h"
#include "base/prng.h"

/* Streams seen so far, of each target apart. */
struct streams {
	struct stream {
		struct sluice_bytes name;
		uint8_t target;
	} * list;
	struct hash_table numbers; /* in the list, each one more than it is */
	uint32_t count;
};

static void streams_init(struct streams *streams, size_t most)
{
	*streams = (struct streams){.list = must_calloc(most + 1, sizeof(*streams->list))};
}

static void streams_finish(struct streams *streams)
{
	hash_table_finish(&streams->numbers);
	free(streams->list);
}

struct wanted {
	const struct streams *streams;
	struct stream stream;
};

static bool matches(const void *key, uintptr_t number)
{
	const struct wanted *wanted = key;
	const struct stream *known = &wanted->streams->list[number - 1];
	return known->target == wanted->stream.target && sluice_bytes_equal(known->name, wanted->stream.name);
}

static uint32_t streams_number(struct streams *streams, struct sluice_bytes name, uint8_t target)
{
	struct wanted wanted = {streams, {name, target}};
	uint64_t hash = trace_key(name.data, name.size) + target;
	uintptr_t found = hash_table_find(&streams->numbers, hash, matches, &wanted);
	if (found)
		return (uint32_t)(found - 1);
	streams->list[streams->count++] = wanted.stream;
	hash_table_add(&streams->numbers, hash, streams->count);
	return streams->count - 1;
}

/* Only what must not overtake waits for its stream: see replay.h. */
static bool keeps_its_place(const struct input_event *event)
{
	return event->stream.data && (event->kind == INPUT_NEW || event->kind == INPUT_CONFLICT);
}

/* By message id, so that all that concerns one event goes the same way. */
static uint8_t assign(const struct replay_plan *plan, const struct input_event *event, size_t i)
{
	uint64_t about = event->message_id.data ? trace_key(event->message_id.data, event->message_id.size) : i;
	struct prng coin;
	prng_init(&coin, prng_seed(plan->seed, about));
	return (uint8_t)prng_below(&coin, plan->target_count);
}

/* Poisson: exponential gaps make arrivals that know nothing of each other. Uniform: a product, not a sum of roundings.
 */
static void set_times(struct schedule *schedule, const struct replay_plan *plan)
{
	struct prng random;
	prng_init(&random, plan->seed);
	double poisson_s = 0;
	for (size_t i = 0; i < plan->count && plan->rate > 0; i++) {
		double uniform_s = (double)i / plan->rate;
		double at_s = plan->arrivals == REPLAY_POISSON ? poisson_s : uniform_s;
		schedule->items[i].due_ns = (int64_t)(at_s * 1e9);
		poisson_s -= log1p(-prng_unit(&random)) / plan->rate;
	}
}

void schedule_init(struct schedule *schedule, const struct replay_plan *plan)
{
	struct streams streams;
	streams_init(&streams, plan->count);
	*schedule = (struct schedule){.items = must_calloc(plan->count ? plan->count : 1, sizeof(*schedule->items))};
	for (size_t i = 0; i < plan->count; i++) {
		const struct input_event *event = &plan->input->events[plan->first + i];
		struct schedule_item *item = &schedule->items[i];
		item->target = assign(plan, event, i);
		item->stream = keeps_its_place(event) ? streams_number(&streams, event->stream, item->target)
		                                      : SCHEDULE_NO_STREAM;
	}
	schedule->stream_count = streams.count;
	streams_finish(&streams);
	set_times(schedule, plan);
}

void schedule_finish(struct schedule *schedule)
{
	free(schedule->items);
	*schedule = (struct schedule){0};
}

size_t schedule_due_before(const struct schedule *schedule, size_t count, int64_t due_ns)
{
	size_t due = 0;
	while (due < count && schedule->items[due].due_ns < due_ns)
		due++;
	return due;
}
