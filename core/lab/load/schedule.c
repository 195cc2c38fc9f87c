/*
 * Schedules; see schedule.h.
 */
#include "lab/load/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/prng.h"

/* Streams seen so far, in a table of open addresses. */
struct streams {
	struct stream {
		struct sluice_bytes name; /* absent: the place is free */
		uint8_t target;
		uint32_t number;
	} * places;
	size_t mask;
	uint32_t count;
};

static void streams_init(struct streams *streams, size_t most)
{
	size_t size = 16;
	while (size < 2 * most)
		size *= 2;
	*streams = (struct streams){.places = must_calloc(size, sizeof(*streams->places)), .mask = size - 1};
}

static uint32_t streams_number(struct streams *streams, struct sluice_bytes name, uint8_t target)
{
	for (size_t at = trace_key(name.data, name.size) + target;; at++) {
		struct stream *place = &streams->places[at & streams->mask];
		if (!place->name.data)
			*place = (struct stream){name, target, streams->count++};
		if (place->target == target && sluice_bytes_equal(place->name, name))
			return place->number;
	}
}

/* Only what must not overtake waits for its stream: see replay.h. */
static bool keeps_its_place(const struct input_event *event)
{
	return event->stream.data && (event->kind == INPUT_NEW || event->kind == INPUT_CONFLICT);
}

/* By message id, so that all that concerns one event goes the same way. */
static uint8_t toss(const struct replay_plan *plan, const struct input_event *event, size_t i)
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
		item->target = toss(plan, event, i);
		item->stream = keeps_its_place(event) ? streams_number(&streams, event->stream, item->target)
		                                      : SCHEDULE_NO_STREAM;
	}
	schedule->stream_count = streams.count;
	free(streams.places);
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
