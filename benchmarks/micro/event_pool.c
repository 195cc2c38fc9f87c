/*
 * bench-event-pool ROUNDS EVENTS SIZE COUNT:ARENA:PREALLOCATE…: what the memory of an event costs, without HTTP and stages.
 * Events are received, admitted and released with 50 in flight, each with a body of SIZE bytes, whose pages are touched, and 20 small
 * allocations. Every pool has its turn in each round, and gets a line with the fastest round's time for an event. ROUNDS 1
 * with one pool is what instructions and allocations can be counted around.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/event.h"

enum { POOLS_MAX = 8, IN_FLIGHT = 50, SMALL = 20, SMALL_SIZE = 40, PAGE = 4096 };

struct contender {
	struct event_pool *pool;
	double best_ns;
};

static struct event *receive(struct event_pool *pool, size_t size)
{
	struct event *event = event_pool_get(pool, NULL);
	char *body = event_alloc(event, size);
	if (!body || !event_pool_admit(pool, event))
		exit(2);
	for (size_t i = 0; i < size; i += PAGE)
		body[i] = 'x';
	for (int i = 0; i < SMALL; i++)
		memset(event_alloc(event, SMALL_SIZE), 'y', SMALL_SIZE);
	return event;
}

static double round_ns(struct event_pool *pool, size_t events, size_t size)
{
	struct event *in_flight[IN_FLIGHT] = {NULL};
	int64_t start_ns = clock_now_ns();
	for (size_t i = 0; i < events; i++) {
		struct event **place = &in_flight[i % IN_FLIGHT];
		if (*place)
			event_release(*place);
		*place = receive(pool, size);
	}
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		if (in_flight[i])
			event_release(in_flight[i]);
	}
	return (double)(clock_now_ns() - start_ns) / (double)events;
}

static bool create(struct contender *contender, const char *text, size_t size)
{
	long count, arena;
	int preallocate;
	if (sscanf(text, "%ld:%ld:%d", &count, &arena, &preallocate) != 3)
		return false;
	const struct events_config config = {.max = 2 * IN_FLIGHT,
	                                     .max_bytes = 256 << 20,
	                                     .arena = (uint64_t)arena,
	                                     .pool_count = count,
	                                     .preallocate = preallocate};
	*contender = (struct contender){event_pool_create(&config, size + (size_t)arena), 1e12};
	return true;
}

int main(int argc, char **argv)
{
	struct contender contenders[POOLS_MAX];
	size_t count = argc > 4 ? (size_t)argc - 4 : 0, rounds = 0, events = 0, size = 0;
	bool good = count > 0 && count <= POOLS_MAX;
	if (good) {
		rounds = strtoul(argv[1], NULL, 10);
		events = strtoul(argv[2], NULL, 10);
		size = strtoul(argv[3], NULL, 10);
	}
	for (size_t i = 0; good && i < count; i++)
		good = create(&contenders[i], argv[4 + i], size);
	if (!good) {
		(void)fprintf(stderr, "usage: %s ROUNDS EVENTS SIZE COUNT:ARENA:PREALLOCATE…\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < rounds * count; i++) {
		struct contender *contender = &contenders[i % count];
		double ns = round_ns(contender->pool, events, size);
		contender->best_ns = ns < contender->best_ns ? ns : contender->best_ns;
	}
	for (size_t i = 0; i < count; i++) {
		struct event_pool_counts counts = event_pool_counts(contenders[i].pool);
		(void)printf("event_ns=%.1f hits=%llu misses=%llu growths=%llu\n", contenders[i].best_ns,
		             (unsigned long long)counts.hits, (unsigned long long)counts.misses,
		             (unsigned long long)counts.growths);
		event_pool_destroy(contenders[i].pool);
	}
	return 0;
}
