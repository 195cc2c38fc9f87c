/*
 * Retention; see retention.h.
 */
#include "runtime/retention.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/abi.h"
#include "runtime/config.h"
#include "runtime/host.h"

enum {
	STEP = 200,      /* events that a step looks at */
	EVERY_S = 600,   /* from one walk to the next */
	PAUSE_SHARE = 4, /* a step is followed by a pause so many times as long, … */
	PAUSE_MIN_MS = 10,
	PAUSE_MAX_MS = 5000, /* … within these */
};

struct retention {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool started, stopping;
	struct sluice_stage *persist;
	int64_t age_ns;
	_Atomic uint64_t *pruned;
};

bool retention_prune(struct sluice_stage *persist, struct retention_walk *walk, struct sluice_error *error)
{
	const struct sluice_store_retention *retention = abi_retention(persist->ops);
	struct sluice_pruning step = {.before_ns = walk->before_ns, .after_id = INT64_MIN, .max = STEP};
	for (bool more = true; more;) {
		int64_t began_ns = clock_now_ns();
		if (!retention->prune(persist, &step, error))
			return false;
		walk->looked += step.looked;
		walk->pruned += step.pruned;
		more = step.looked > 0 && (step.pruned > 0 || walk->to_the_end) &&
		       (!walk->pause || walk->pause(walk->context, clock_now_ns() - began_ns));
	}
	return true;
}

void retention_log(const struct retention_walk *walk)
{
	char before[CLOCK_TEXT_SIZE];
	if (walk->pruned == 0)
		return;
	clock_format_utc(walk->before_ns, before);
	log_event(SLUICE_LOG_INFO, NULL, "events_pruned", sluice_int("count", (int64_t)walk->pruned),
	          sluice_text("received_before", before));
}

static struct timespec in(int64_t ns)
{
	int64_t at_ns = clock_now_ns() + ns;
	return (struct timespec){.tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};
}

/* False: it is to stop. */
static bool wait_for(struct retention *retention, int64_t ns)
{
	const struct timespec until = in(ns);
	(void)pthread_mutex_lock(&retention->lock);
	while (!retention->stopping && pthread_cond_timedwait(&retention->changed, &retention->lock, &until) == 0)
		;
	bool goes_on = !retention->stopping;
	(void)pthread_mutex_unlock(&retention->lock);
	return goes_on;
}

static bool pause_between(void *context, int64_t took_ns)
{
	int64_t pause_ns = PAUSE_SHARE * took_ns;
	pause_ns = pause_ns < PAUSE_MIN_MS * NS_PER_MS ? PAUSE_MIN_MS * NS_PER_MS : pause_ns;
	return wait_for(context, pause_ns > PAUSE_MAX_MS * NS_PER_MS ? PAUSE_MAX_MS * NS_PER_MS : pause_ns);
}

static void walk_once(struct retention *retention)
{
	struct sluice_error error = {0};
	struct retention_walk walk = {
		.before_ns = clock_wall_ns() - retention->age_ns, .pause = pause_between, .context = retention};
	bool ok = retention_prune(retention->persist, &walk, &error);
	(void)atomic_fetch_add_explicit(retention->pruned, walk.pruned, memory_order_relaxed);
	retention_log(&walk);
	if (!ok)
		log_event(SLUICE_LOG_WARN, instance_of(retention->persist)->label, "pruning_failed",
		          sluice_text("reason", error.text));
}

static void *run(void *argument)
{
	struct retention *retention = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-retain");
	(void)pthread_mutex_lock(&retention->lock);
	while (!retention->started && !retention->stopping)
		(void)pthread_cond_wait(&retention->changed, &retention->lock);
	bool goes_on = !retention->stopping;
	(void)pthread_mutex_unlock(&retention->lock);
	while (goes_on) {
		walk_once(retention);
		goes_on = wait_for(retention, EVERY_S * NS_PER_S);
	}
	return NULL;
}

static void finish(struct retention *retention)
{
	(void)pthread_cond_destroy(&retention->changed);
	(void)pthread_mutex_destroy(&retention->lock);
	free(retention);
}

struct retention *retention_create(struct sluice_stage *persist, const struct config *config, _Atomic uint64_t *pruned,
                                   struct sluice_error *error)
{
	if (!persist || config->persist.retention.ns == 0)
		return NULL;
	struct retention *retention = must_calloc(1, sizeof(*retention));
	retention->persist = persist;
	retention->age_ns = config->persist.retention.ns;
	retention->pruned = pruned;
	pthread_condattr_t attributes;
	(void)pthread_mutex_init(&retention->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&retention->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	int problem = pthread_create(&retention->thread, NULL, run, retention);
	if (problem == 0)
		return retention;
	sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	finish(retention);
	return NULL;
}

static void signal_change(struct retention *retention, bool *flag)
{
	(void)pthread_mutex_lock(&retention->lock);
	*flag = true;
	(void)pthread_cond_signal(&retention->changed);
	(void)pthread_mutex_unlock(&retention->lock);
}

void retention_start(struct retention *retention)
{
	if (retention)
		signal_change(retention, &retention->started);
}

void retention_destroy(struct retention *retention)
{
	if (!retention)
		return;
	signal_change(retention, &retention->stopping);
	(void)pthread_join(retention->thread, NULL);
	finish(retention);
}
