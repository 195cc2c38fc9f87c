/*
 * The event pool; see event.h.
 */
#include "runtime/event.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/host.h"

enum { BEYOND_MAX = 16 };

struct event_pool {
	struct arena_budget budget, receiving;
	atomic_size_t max;
	atomic_size_t arena_size;
	atomic_size_t resting_max;         /* more are freed, so that a burst does not hold its memory forever */
	atomic_size_t in_flight, received; /* admitted; not yet */
	atomic_size_t beyond;              /* admitted beyond the bounds */
	_Atomic uint64_t hits, misses, growths;

	pthread_mutex_t lock;
	pthread_cond_t emptied;
	struct event *resting;
	size_t resting_count;
};

static void add_resting(struct event_pool *pool, struct event *event)
{
	event->next = pool->resting;
	pool->resting = event;
	pool->resting_count++;
}

static void free_event(struct event *event)
{
	arena_finish(&event->arena);
	free(event);
}

/* Written to, so that the system has given its pages before the first event needs them. */
static struct event *allocate(size_t size)
{
	struct event *event = must_calloc(1, sizeof(*event));
	arena_init(&event->arena, size, NULL);
	memset(arena_must(&event->arena, size), 0, size);
	arena_empty(&event->arena);
	return event;
}

static bool rest(struct event_pool *pool, struct event *event, size_t most)
{
	(void)pthread_mutex_lock(&pool->lock);
	bool rests = pool->resting_count < most;
	if (rests)
		add_resting(pool, event);
	(void)pthread_mutex_unlock(&pool->lock);
	return rests;
}

/* From the start, or when a pool that is in use is made larger: nobody waits for the lock while memory is prepared. */
static void preallocate(struct event_pool *pool, const struct events_config *config)
{
	struct event *event = NULL;
	do
		event = config->preallocate ? allocate((size_t)config->arena) : NULL;
	while (event && rest(pool, event, (size_t)config->pool_count));
	if (event)
		free_event(event);
}

void event_pool_resize(struct event_pool *pool, const struct events_config *config, size_t largest)
{
	size_t max_bytes = (size_t)config->max_bytes, half = max_bytes / 2;
	atomic_store_explicit(&pool->max, (size_t)config->max, memory_order_relaxed);
	atomic_store_explicit(&pool->arena_size, arena_block_size((size_t)config->arena), memory_order_relaxed);
	atomic_store_explicit(&pool->budget.limit, max_bytes, memory_order_relaxed);
	atomic_store_explicit(&pool->receiving.limit,
	                      largest < half        ? half
	                      : largest < max_bytes ? largest
	                                            : max_bytes,
	                      memory_order_relaxed);
	atomic_store_explicit(&pool->resting_max, (size_t)config->pool_count, memory_order_relaxed);
	preallocate(pool, config);
}

struct event_pool *event_pool_create(const struct events_config *config, size_t largest)
{
	struct event_pool *pool = must_calloc(1, sizeof(*pool));
	pool->receiving.parent = &pool->budget;
	(void)pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&pool->emptied, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	event_pool_resize(pool, config, largest);
	return pool;
}

void event_pool_destroy(struct event_pool *pool)
{
	while (pool->resting) {
		struct event *event = pool->resting;
		pool->resting = event->next;
		free_event(event);
	}
	(void)pthread_cond_destroy(&pool->emptied);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static struct event *wake_one(struct event_pool *pool)
{
	if (atomic_load_explicit(&pool->resting_max, memory_order_relaxed) == 0)
		return NULL;
	(void)pthread_mutex_lock(&pool->lock);
	struct event *event = pool->resting;
	if (event) {
		pool->resting = event->next;
		pool->resting_count--;
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return event;
}

struct event *event_pool_get(struct event_pool *pool, struct pipeline *pipeline)
{
	struct event *event = wake_one(pool);
	const size_t arena_size = atomic_load_explicit(&pool->arena_size, memory_order_relaxed);
	struct arena arena;
	if (event)
		arena = event->arena;
	else
		arena_init(&arena, arena_size, NULL);
	if (arena.block_size != arena_size) { /* the pool was resized while it rested */
		arena_finish(&arena);
		arena_init(&arena, arena_size, NULL);
	}
	(void)atomic_fetch_add_explicit(arena_kept(&arena) ? &pool->hits : &pool->misses, 1, memory_order_relaxed);
	arena.budget = &pool->receiving;
	(void)atomic_fetch_add_explicit(&pool->received, 1, memory_order_relaxed);
	if (!event)
		event = must_alloc(sizeof(*event));
	*event = (struct event){
		.pub = {.host = &host_table, .parts = 1}, .pipeline = pipeline, .pool = pool, .arena = arena};
	atomic_init(&event->references, 1);
	return event;
}

bool event_pool_admit(struct event_pool *pool, struct event *event)
{
	/* Never above the truth: the release that brings it to 0 is the one that wakes who waits for that. */
	size_t out = atomic_load(&pool->in_flight);
	do
		if (out >= atomic_load_explicit(&pool->max, memory_order_relaxed))
			return false;
	while (!atomic_compare_exchange_weak(&pool->in_flight, &out, out + 1));
	arena_leave_budget(&event->arena);
	(void)atomic_fetch_sub_explicit(&pool->received, 1, memory_order_relaxed);
	return event->admitted = true;
}

bool event_pool_admit_beyond(struct event_pool *pool, struct event *event)
{
	size_t out = atomic_load(&pool->beyond);
	do
		if (out >= BEYOND_MAX)
			return false;
	while (!atomic_compare_exchange_weak(&pool->beyond, &out, out + 1));
	(void)atomic_fetch_add(&pool->in_flight, 1);
	(void)atomic_fetch_sub_explicit(&pool->received, 1, memory_order_relaxed);
	event->arena.budget = NULL;
	return event->admitted = event->beyond = true;
}

void event_reference(struct event *event)
{
	atomic_fetch_add_explicit(&event->references, 1, memory_order_relaxed);
}

void event_release(struct event *event)
{
	if (atomic_fetch_sub(&event->references, 1) != 1)
		return;
	struct event_pool *pool = event->pool;
	atomic_size_t *pins = event->pins;
	struct event *carrier = event->carrier;
	if (event->arena.charged > event->arena.block_size)
		(void)atomic_fetch_add_explicit(&pool->growths, 1, memory_order_relaxed);
	arena_empty(&event->arena);
	/* What a large first allocation has left behind is not worth keeping. */
	if (arena_kept(&event->arena) > event->arena.block_size)
		arena_finish(&event->arena);
	const bool admitted = event->admitted;
	if (event->beyond)
		(void)atomic_fetch_sub(&pool->beyond, 1);
	if (!admitted)
		(void)atomic_fetch_sub_explicit(&pool->received, 1, memory_order_relaxed);
	(void)pthread_mutex_lock(&pool->lock);
	bool rests = pool->resting_count < atomic_load_explicit(&pool->resting_max, memory_order_relaxed);
	if (rests)
		add_resting(pool, event);
	if (admitted && atomic_fetch_sub(&pool->in_flight, 1) == 1)
		(void)pthread_cond_broadcast(&pool->emptied);
	(void)pthread_mutex_unlock(&pool->lock);
	if (!rests)
		free_event(event);
	if (pins)
		(void)atomic_fetch_sub(pins, 1);
	if (carrier)
		event_release(carrier);
}

size_t event_pool_in_flight(const struct event_pool *pool)
{
	return atomic_load_explicit(&pool->in_flight, memory_order_relaxed);
}

size_t event_pool_receiving(const struct event_pool *pool)
{
	return atomic_load_explicit(&pool->received, memory_order_relaxed);
}

size_t event_pool_bytes(const struct event_pool *pool)
{
	return atomic_load_explicit(&pool->budget.used, memory_order_relaxed);
}

struct event_pool_counts event_pool_counts(const struct event_pool *pool)
{
	return (struct event_pool_counts){
		.hits = atomic_load_explicit(&pool->hits, memory_order_relaxed),
		.misses = atomic_load_explicit(&pool->misses, memory_order_relaxed),
		.growths = atomic_load_explicit(&pool->growths, memory_order_relaxed),
	};
}

size_t event_pool_excess(const struct event_pool *pool)
{
	size_t used = atomic_load_explicit(&pool->receiving.used, memory_order_relaxed);
	size_t enough = atomic_load_explicit(&pool->receiving.limit, memory_order_relaxed) / 4 * 3;
	return used > enough ? used - enough / 4 * 3 : 0;
}

size_t event_pool_wait_empty(struct event_pool *pool, int64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	(void)pthread_mutex_lock(&pool->lock);
	while (atomic_load(&pool->in_flight) > 0)
		if (pthread_cond_timedwait(&pool->emptied, &pool->lock, &until) != 0)
			break;
	(void)pthread_mutex_unlock(&pool->lock);
	return atomic_load(&pool->in_flight);
}

void *event_alloc(struct event *event, size_t size)
{
	return arena_alloc(&event->arena, size);
}
