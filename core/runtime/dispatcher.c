/*
 * The workers and their leases; see dispatcher.h.
 */
#include "runtime/dispatcher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/deferred.h"
#include "base/log.h"
#include "runtime/abi.h"
#include "runtime/flow.h"
#include "runtime/lane.h"
#include "runtime/parts.h"
#include "runtime/worker.h"

enum { TAKE_CHUNK = 256, STARVED_NS = 20 * 1000 * 1000 };

/* What a stage may ask for at most. */
#define DELAY_MAX_NS (3600 * NS_PER_S)

struct dispatcher {
	struct dispatcher_setup setup;

	pthread_mutex_t lock;
	pthread_cond_t some;   /* something came, or a pause changed, or it is time to stop */
	pthread_cond_t opened; /* a crew may begin, or is to stop */
	struct lanes *lanes;
	size_t idle; /* of the crews that are open */
	bool hurried;
	struct pipeline *served; /* by it the next restored events are pinned … */
	struct pipeline *taking; /* … and those of the take() that runs, by whoever runs it */
	bool pulling;            /* a worker asks the queue, without the lock */
	bool more;               /* something came since it was asked */
	pthread_cond_t pulled;

	atomic_bool starved;  /* the queue had more than the pool had room for */
	_Atomic int64_t held; /* events taken from the queue and not done */
	_Atomic int64_t depth;
	atomic_bool stopped;
};

struct crew {
	struct dispatcher *dispatcher;
	struct instance *persist;
	void (*store)(struct instance *persist, struct sluice_batch *batch);
	struct lane_limit limit; /* of a batch */
	int64_t linger_ns, retry_min_ns, retry_max_ns;
	bool measures_cpu;
	bool open, stopping; /* under the dispatcher's lock */
	struct workers *workers;
};

/* Whether the queue has what take() did not yield: a part of its backlog that the pool has no room for, or that cannot be
 * read now. Nobody says when that changes. */
static bool keeps_back(struct dispatcher *dispatcher)
{
	struct sluice_stage *queue = &dispatcher->setup.queue->stage;
	const struct sluice_queue_backlog *backlog = abi_backlog(queue->ops);
	return atomic_load(&dispatcher->starved) ||
	       (backlog && (int64_t)backlog->count(queue) > atomic_load(&dispatcher->held));
}

/* The queue stage hands out one by one what it keeps, in order; the lanes take all of it at once, so that what is
 * behind a failed event is known. Called with the lock, which is let go while the stage is asked: it may read from a disk.
 * One worker asks at a time; to the others what it has not brought yet is not there. */
static void pull(struct dispatcher *dispatcher)
{
	struct sluice_event *events[TAKE_CHUNK];
	struct sluice_stage *queue = &dispatcher->setup.queue->stage;
	size_t count;
	if (dispatcher->pulling)
		return;
	struct pipeline *pipeline = dispatcher->served;
	dispatcher->pulling = true;
	dispatcher->taking = pipeline;
	if (pipeline)
		flow_pin(pipeline);
	atomic_store(&dispatcher->starved, false);
	do {
		dispatcher->more = false;
		(void)pthread_mutex_unlock(&dispatcher->lock);
		count = queue->ops->of.queue->take(queue, events, TAKE_CHUNK);
		atomic_fetch_add(&dispatcher->held, (int64_t)count);
		(void)pthread_mutex_lock(&dispatcher->lock);
		for (size_t i = 0; i < count; i++)
			lanes_add(dispatcher->lanes, event_of(events[i]));
		if (count == TAKE_CHUNK && dispatcher->idle > 0)
			(void)pthread_cond_signal(&dispatcher->some);
	} while (count > 0 || dispatcher->more);
	if (pipeline)
		flow_unpin(pipeline);
	dispatcher->pulling = false;
	(void)pthread_cond_broadcast(&dispatcher->pulled);
}

/* All that the queue accepted before this call is in the lanes, or was. */
static void pull_all(struct dispatcher *dispatcher)
{
	while (dispatcher->pulling)
		(void)pthread_cond_wait(&dispatcher->pulled, &dispatcher->lock);
	pull(dispatcher);
}

static void wait_until(struct dispatcher *dispatcher, int64_t until_ns)
{
	dispatcher->idle++;
	if (until_ns == INT64_MAX) {
		(void)pthread_cond_wait(&dispatcher->some, &dispatcher->lock);
	} else {
		struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
		                         .tv_nsec = (long)(until_ns % NS_PER_S)};
		(void)pthread_cond_timedwait(&dispatcher->some, &dispatcher->lock, &until);
	}
	dispatcher->idle--;
}

/* With the lock. A crew that is not open yet has no part in what is signalled. False: it is to stop. */
static bool await_opening(struct crew *crew)
{
	while (!crew->open && !crew->stopping)
		(void)pthread_cond_wait(&crew->dispatcher->opened, &crew->dispatcher->lock);
	return !crew->stopping;
}

/* With the lock. Whoever goes, or takes a part, leaves nothing unsaid: each wakes the next, nobody wakes all. */
static void pass_on(struct dispatcher *dispatcher)
{
	if (lanes_ready(dispatcher->lanes) > 0 && dispatcher->idle > 0)
		(void)pthread_cond_signal(&dispatcher->some);
}

static size_t take_batch(void *context, struct job *job)
{
	struct crew *crew = context;
	struct dispatcher *dispatcher = crew->dispatcher;
	size_t count = 0;
	(void)pthread_mutex_lock(&dispatcher->lock);
	while (await_opening(crew)) {
		pull(dispatcher);
		if (crew->stopping) /* while the lock was let go */
			break;
		int64_t wake_ns = lanes_wake_held(dispatcher->lanes, clock_now_ns());
		size_t ready = lanes_ready(dispatcher->lanes);
		bool lingers = crew->linger_ns && !dispatcher->hurried && ready > 0 && ready < crew->limit.events;
		int64_t full_ns = lingers ? lanes_oldest_ready_ns(dispatcher->lanes) + crew->linger_ns : 0;
		if (ready > 0 && full_ns <= clock_now_ns()) {
			count = lanes_lease(dispatcher->lanes, job->events, crew->limit);
			break;
		}
		if (wake_ns > clock_now_ns() + STARVED_NS && keeps_back(dispatcher))
			wake_ns = clock_now_ns() + STARVED_NS;
		wait_until(dispatcher, ready > 0 && full_ns < wake_ns ? full_ns : wake_ns);
	}
	if (count > 0)
		pass_on(dispatcher);
	else if (dispatcher->idle > 0) /* it may have been woken for what another crew is to do */
		(void)pthread_cond_broadcast(&dispatcher->some);
	(void)pthread_mutex_unlock(&dispatcher->lock);
	atomic_fetch_sub_explicit(&dispatcher->depth, (int64_t)count, memory_order_relaxed);
	return count;
}

/* Waiting ends and work begins for all of the batch at one stamp, and work ends at another. */
static void stamp_start(struct sluice_batch *batch, const struct crew *crew, int64_t now)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct event *event = event_of(batch->events[i]);
		flow_enter_store(event, crew->persist);
		struct stage_times *queue = &event->times.stages[SLUICE_KIND_QUEUE];
		queue->wait_ns += now - event->entered_ns;
		queue->exit_ns = now;
		event->entered_ns = now;
		event->at = SLUICE_KIND_PERSIST;
		event->times.stages[SLUICE_KIND_PERSIST].ran = true;
		event->times.batch_size = (uint32_t)batch->count;
		event->times.attempts = ++event->pub.attempt;
	}
}

static void stamp_end(struct sluice_batch *batch, int64_t now, bool has_cpu, int64_t cpu_ns)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct event *event = event_of(batch->events[i]);
		struct stage_times *persist = &event->times.stages[SLUICE_KIND_PERSIST];
		persist->work_ns += now - event->entered_ns;
		persist->cpu_ns += cpu_ns;
		persist->has_cpu |= has_cpu;
		persist->exit_ns = now;
		event->entered_ns = now;
	}
}

/* An acknowledged event that is refused for good goes to the dead letters; if even that fails, it is tried again. */
static enum sluice_verdict dead_letter_if_refused(const struct crew *crew, struct event *event,
                                                  enum sluice_verdict verdict)
{
	if (!event->pub.acknowledged || (verdict != SLUICE_REJECT && verdict != SLUICE_FAIL))
		return verdict;
	struct instance *persist = crew->persist;
	struct sluice_error error = {0};
	if (!persist->stage.ops->of.persist->dead_letter(&persist->stage, &event->pub, event->detail, &error)) {
		log_event(SLUICE_LOG_ERROR, persist->label, "dead_letter_failed", sluice_text("reason", error.text));
		return SLUICE_RETRY;
	}
	atomic_fetch_add(&crew->dispatcher->setup.counts->dead_letters, 1);
	log_event(SLUICE_LOG_ERROR, persist->label, "dead_letter", sluice_text("reason", event->detail));
	return verdict;
}

/* Growing from retry.min to retry.max with the number of tries, jittered over its upper half so that writers do not
 * come back in step; not shorter than what the stage asked for. */
static int64_t pause_ns(const struct crew *crew, const struct event *event)
{
	int64_t pause = crew->retry_min_ns;
	for (uint32_t i = 1; i < event->pub.attempt && pause < crew->retry_max_ns; i++)
		pause *= 2;
	if (pause > crew->retry_max_ns)
		pause = crew->retry_max_ns;
	int64_t half = pause / 2;
	uint32_t jitter;
	digest_random(&jitter, sizeof(jitter));
	pause = half + (int64_t)((double)half * jitter / UINT32_MAX);
	int64_t asked = event->delay_ns < DELAY_MAX_NS ? event->delay_ns : DELAY_MAX_NS;
	return pause > asked ? pause : asked;
}

static bool may_try_again(const struct event *event, int64_t at_ns)
{
	return event->pub.acknowledged || event->pub.deadline_ns == 0 || at_ns < event->pub.deadline_ns ||
	       !parts_may_reject(event);
}

static void finish_all(const struct dispatcher *dispatcher, struct event_list *list, const char *why)
{
	struct event *event;
	while ((event = event_list_take(list))) {
		enum sluice_verdict verdict = why ? sluice_retry(&event->pub, 0, "%s", why) : SLUICE_RETRY;
		int64_t now = clock_now_ns();
		event->times.stages[SLUICE_KIND_QUEUE].wait_ns += now - event->entered_ns;
		event->entered_ns = now;
		dispatcher->setup.finish(event, verdict);
	}
}

/* A crew that was dismissed does not come back to what it could not store, and its stage may be gone before that is tried
 * again. */
static void hold_or_leave_store(const struct crew *crew, const struct event_list *again)
{
	(void)pthread_mutex_lock(&crew->dispatcher->lock);
	const bool comes_back = !crew->stopping;
	for (struct event *event = again->first; event && comes_back; event = event->next)
		flow_hold_store(event);
	(void)pthread_mutex_unlock(&crew->dispatcher->lock);
	for (struct event *event = again->first; event && !comes_back; event = event->next)
		flow_leave_store(event);
}

/* All events of one lane in a batch: ends those that are through, and decides about those that are not. */
static void conclude_lane(const struct crew *crew, const struct job *job, size_t from, size_t to)
{
	struct dispatcher *dispatcher = crew->dispatcher;
	struct lane *lane = event_of(job->events[from])->lane;
	struct event_list again = {0}, lost = {0}, behind = {0};
	int64_t held_until_ns = 0;
	bool rejects = false;
	for (size_t i = from; i < to; i++) {
		struct event *event = event_of(job->events[i]);
		enum sluice_verdict verdict = dead_letter_if_refused(crew, event, job->verdicts[i]);
		if (verdict != SLUICE_RETRY) {
			dispatcher->setup.finish(event, verdict);
			continue;
		}
		/* The first that must be tried again decides for all of the lane behind it. */
		if (!held_until_ns) {
			held_until_ns = clock_now_ns() + pause_ns(crew, event);
			rejects = !may_try_again(event, held_until_ns);
		}
		event_list_append(rejects ? &lost : &again, event);
	}
	size_t retries = 0;
	for (const struct event *event = again.first; event; event = event->next)
		retries++;
	if (retries > 0)
		hold_or_leave_store(crew, &again);
	atomic_fetch_add_explicit(&dispatcher->setup.counts->retries, retries, memory_order_release);
	atomic_fetch_add_explicit(&dispatcher->depth, (int64_t)retries, memory_order_relaxed);

	(void)pthread_mutex_lock(&dispatcher->lock);
	if (rejects) {
		pull_all(dispatcher);
		behind = lanes_take_waiting(lane);
	}
	lanes_release(dispatcher->lanes, lane, &again, held_until_ns);
	if (dispatcher->idle > 0)
		(void)pthread_cond_signal(&dispatcher->some);
	(void)pthread_mutex_unlock(&dispatcher->lock);

	/* Only now: a duplicate that takes the place of a lost event, or a sender who tries again, comes behind. */
	for (struct event *event; (event = event_list_take(&lost));)
		dispatcher->setup.finish(event, SLUICE_RETRY);
	for (const struct event *event = behind.first; event; event = event->next)
		atomic_fetch_sub_explicit(&dispatcher->depth, 1, memory_order_relaxed);
	finish_all(dispatcher, &behind, flow_behind_lost);
}

static bool work_batch(void *context, struct job *job, size_t count)
{
	struct crew *crew = context;
	struct sluice_batch batch = {
		.events = job->events, .verdicts = job->verdicts, .count = count, .worker = &job->pub};
	bool has_cpu = crew->measures_cpu;
	stamp_start(&batch, crew, clock_now_ns());
	int64_t cpu_ns = has_cpu ? clock_thread_ns() : 0;
	crew->store(crew->persist, &batch);
	stamp_end(&batch, clock_now_ns(), has_cpu, has_cpu ? clock_thread_ns() - cpu_ns : 0);
	size_t retries = 0;
	for (size_t i = 0; i < count; i++)
		retries += job->verdicts[i] == SLUICE_RETRY;

	deferred_begin();
	for (size_t from = 0; from < count;) {
		const struct lane *lane = event_of(job->events[from])->lane;
		size_t to = from + 1;
		while (to < count && event_of(job->events[to])->lane == lane)
			to++;
		conclude_lane(crew, job, from, to);
		from = to;
	}
	deferred_end();
	return retries < count;
}

struct dispatcher *dispatcher_create(const struct dispatcher_setup *setup)
{
	struct dispatcher *dispatcher = must_calloc(1, sizeof(*dispatcher));
	dispatcher->setup = *setup;
	dispatcher->lanes = lanes_create();
	(void)pthread_mutex_init(&dispatcher->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&dispatcher->some, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_cond_init(&dispatcher->pulled, NULL);
	(void)pthread_cond_init(&dispatcher->opened, NULL);
	return dispatcher;
}

void dispatcher_serve(struct dispatcher *dispatcher, struct pipeline *pipeline)
{
	(void)pthread_mutex_lock(&dispatcher->lock);
	dispatcher->served = pipeline;
	(void)pthread_mutex_unlock(&dispatcher->lock);
}

struct pipeline *dispatcher_served(const struct dispatcher *dispatcher)
{
	return dispatcher->taking;
}

bool dispatcher_is_stopped(const struct dispatcher *dispatcher)
{
	return atomic_load(&dispatcher->stopped);
}

struct crew *crew_create(const struct crew_setup *setup, struct sluice_error *error)
{
	const struct persist_config *config = &setup->config->persist;
	struct crew *crew = must_calloc(1, sizeof(*crew));
	*crew = (struct crew){
		.dispatcher = setup->dispatcher,
		.persist = setup->persist,
		.store = setup->store,
		.limit = {.events = (size_t)config->max_batch, .bytes = (size_t)config->max_bytes},
		.linger_ns = config->linger.ns,
		.retry_min_ns = config->retry_min.ns,
		.retry_max_ns = config->retry_max.ns,
		.measures_cpu = config_measures_cpu(setup->config),
	};
	crew->workers = workers_create(
		&(struct workers_setup){.config = setup->config,
	                                .persist = setup->persist,
	                                .restarts = &setup->dispatcher->setup.counts->worker_restarts,
	                                .context = crew,
	                                .take = take_batch,
	                                .work = work_batch});
	if (workers_start(crew->workers, error))
		return crew;
	crew_stop(crew);
	crew_destroy(crew);
	return NULL;
}

void crew_open(struct crew *crew)
{
	struct dispatcher *dispatcher = crew->dispatcher;
	(void)pthread_mutex_lock(&dispatcher->lock);
	crew->open = true;
	(void)pthread_cond_broadcast(&dispatcher->opened);
	(void)pthread_mutex_unlock(&dispatcher->lock);
}

void crew_dismiss(struct crew *crew)
{
	struct dispatcher *dispatcher = crew->dispatcher;
	(void)pthread_mutex_lock(&dispatcher->lock);
	crew->stopping = true;
	(void)pthread_cond_broadcast(&dispatcher->some);
	(void)pthread_cond_broadcast(&dispatcher->opened);
	(void)pthread_mutex_unlock(&dispatcher->lock);
}

void crew_stop(struct crew *crew)
{
	crew_dismiss(crew);
	workers_stop(crew->workers);
}

void crew_destroy(struct crew *crew)
{
	workers_destroy(crew->workers);
	free(crew);
}

struct workers *crew_workers(const struct crew *crew)
{
	return crew->workers;
}

void dispatcher_reject_waiting(struct dispatcher *dispatcher)
{
	atomic_store(&dispatcher->stopped, true);
	(void)pthread_mutex_lock(&dispatcher->lock);
	pull_all(dispatcher);
	struct event_list all = lanes_take_all(dispatcher->lanes);
	(void)pthread_mutex_unlock(&dispatcher->lock);
	finish_all(dispatcher, &all, "shutting down");
}

void dispatcher_destroy(struct dispatcher *dispatcher)
{
	lanes_destroy(dispatcher->lanes);
	(void)pthread_cond_destroy(&dispatcher->opened);
	(void)pthread_cond_destroy(&dispatcher->pulled);
	(void)pthread_cond_destroy(&dispatcher->some);
	(void)pthread_mutex_destroy(&dispatcher->lock);
	free(dispatcher);
}

void dispatcher_expect(struct dispatcher *dispatcher, int events)
{
	atomic_fetch_add_explicit(&dispatcher->depth, events, memory_order_relaxed);
}

void dispatcher_wake(struct dispatcher *dispatcher)
{
	(void)pthread_mutex_lock(&dispatcher->lock);
	dispatcher->more = true;
	if (dispatcher->idle > 0)
		(void)pthread_cond_signal(&dispatcher->some);
	(void)pthread_mutex_unlock(&dispatcher->lock);
}

void dispatcher_starve(struct dispatcher *dispatcher)
{
	atomic_store(&dispatcher->starved, true);
}

void dispatcher_forget(struct dispatcher *dispatcher)
{
	atomic_fetch_sub(&dispatcher->held, 1);
}

void dispatcher_hurry(struct dispatcher *dispatcher)
{
	(void)pthread_mutex_lock(&dispatcher->lock);
	dispatcher->hurried = true;
	(void)pthread_cond_broadcast(&dispatcher->some);
	(void)pthread_mutex_unlock(&dispatcher->lock);
}

size_t dispatcher_depth(const struct dispatcher *dispatcher)
{
	int64_t depth = atomic_load_explicit(&dispatcher->depth, memory_order_relaxed);
	return depth > 0 ? (size_t)depth : 0;
}
