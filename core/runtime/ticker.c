/*
 * The ticker; see ticker.h.
 */
#include "runtime/ticker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/host.h"

#define TICK_MIN_NS (10 * NS_PER_MS)
#define TICK_MAX_NS (3600 * NS_PER_S)

struct ticker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool started, stopping, stopped;
	struct sluice_stage *_Atomic ticking;
	size_t count;
	struct due {
		struct sluice_stage *stage;
		int64_t at_ns;
	} due[KIND_COUNT];
};

static int64_t tick(struct ticker *ticker, struct sluice_stage *stage)
{
	atomic_store(&ticker->ticking, stage);
	int64_t pause_ns = stage->ops->tick(stage);
	atomic_store(&ticker->ticking, NULL);
	return pause_ns < TICK_MIN_NS ? TICK_MIN_NS : pause_ns > TICK_MAX_NS ? TICK_MAX_NS : pause_ns;
}

/* Calls who is due. Returns when the next one is. */
static int64_t tick_due(struct ticker *ticker)
{
	int64_t next_ns = INT64_MAX;
	for (size_t i = 0; i < ticker->count; i++) {
		struct due *due = &ticker->due[i];
		if (due->at_ns <= clock_now_ns()) {
			int64_t pause_ns = tick(ticker, due->stage);
			due->at_ns = clock_now_ns() + pause_ns;
		}
		if (due->at_ns < next_ns)
			next_ns = due->at_ns;
	}
	return next_ns;
}

static void *run(void *argument)
{
	struct ticker *ticker = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-tick");
	(void)pthread_mutex_lock(&ticker->lock);
	while (!ticker->started && !ticker->stopping)
		(void)pthread_cond_wait(&ticker->changed, &ticker->lock);
	while (!ticker->stopping) {
		(void)pthread_mutex_unlock(&ticker->lock);
		int64_t next_ns = tick_due(ticker);
		struct timespec next = {.tv_sec = (time_t)(next_ns / NS_PER_S), .tv_nsec = (long)(next_ns % NS_PER_S)};
		(void)pthread_mutex_lock(&ticker->lock);
		if (!ticker->stopping)
			(void)pthread_cond_timedwait(&ticker->changed, &ticker->lock, &next);
	}
	ticker->stopped = true;
	(void)pthread_cond_signal(&ticker->changed);
	(void)pthread_mutex_unlock(&ticker->lock);
	return NULL;
}

static void init(struct ticker *ticker)
{
	(void)pthread_mutex_init(&ticker->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&ticker->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

static void finish(struct ticker *ticker)
{
	(void)pthread_cond_destroy(&ticker->changed);
	(void)pthread_mutex_destroy(&ticker->lock);
	free(ticker);
}

struct ticker *ticker_create(struct sluice_stage *const stages[KIND_COUNT], struct sluice_error *error)
{
	struct ticker *ticker = must_calloc(1, sizeof(*ticker));
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		if (stages[kind] && stages[kind]->ops->tick)
			ticker->due[ticker->count++].stage = stages[kind];
	if (ticker->count == 0) {
		free(ticker);
		return NULL;
	}
	init(ticker);
	int problem = pthread_create(&ticker->thread, NULL, run, ticker);
	if (problem == 0)
		return ticker;
	sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	finish(ticker);
	return NULL;
}

void ticker_start(struct ticker *ticker)
{
	if (!ticker)
		return;
	(void)pthread_mutex_lock(&ticker->lock);
	ticker->started = true;
	(void)pthread_cond_signal(&ticker->changed);
	(void)pthread_mutex_unlock(&ticker->lock);
}

/* With the lock. Whoever waits for the exit is told which stage holds it up. */
static void await_stop(struct ticker *ticker)
{
	int64_t until_ns = clock_now_ns() + NS_PER_S;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	int waited = 0;
	while (!ticker->stopped && waited == 0)
		waited = pthread_cond_timedwait(&ticker->changed, &ticker->lock, &until);
	struct sluice_stage *stage = atomic_load(&ticker->ticking);
	if (!ticker->stopped && stage)
		log_event(SLUICE_LOG_WARN, instance_of(stage)->label, "tick_delays_exit", sluice_int("seconds", 1));
}

void ticker_destroy(struct ticker *ticker)
{
	if (!ticker)
		return;
	(void)pthread_mutex_lock(&ticker->lock);
	ticker->stopping = true;
	(void)pthread_cond_signal(&ticker->changed);
	await_stop(ticker);
	(void)pthread_mutex_unlock(&ticker->lock);
	(void)pthread_join(ticker->thread, NULL);
	finish(ticker);
}
