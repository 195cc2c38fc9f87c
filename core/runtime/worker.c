/* Threads and their states; see worker.h. */
#include "runtime/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"

#define RESTART_MIN_NS (100 * NS_PER_MS)
#define RESTART_MAX_NS (30 * NS_PER_S)

struct thread {
	struct job job;
	struct workers *workers;
	pthread_t id;
	bool started;
	enum { THREAD_STARTING, THREAD_RUNNING, THREAD_REFUSED } state; /* under the lock */
	struct sluice_error error;
	unsigned idle_batches; /* that the stage could do nothing with, in a row */

	/* For utilization: written by the thread, read by who asks. */
	_Atomic int64_t busy_ns;       /* in batches that have ended */
	_Atomic int64_t busy_since_ns; /* start of the batch it is in; 0: idle */
	int64_t last_busy_ns;
};

struct workers {
	struct workers_setup setup;
	size_t count, jobs; /* jobs of each */
	struct thread *threads;
	int64_t *last_asked_ns; /* by worker */
	_Atomic uint64_t restarts;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a state, or `stopping` */
	bool stopping;
};

static struct sluice_stage *persist_of(const struct thread *thread)
{
	return &thread->workers->setup.persist->stage;
}

/* The worker's number, as in webhook_worker_utilization; a stage sees those of the threads. */
static int64_t worker_id(const struct thread *thread)
{
	return (int64_t)(thread->job.pub.id / thread->workers->jobs);
}

static const struct sluice_persist_ops *ops_of(const struct thread *thread)
{
	return persist_of(thread)->ops->of.persist;
}

static bool create_state(struct thread *thread)
{
	const struct sluice_persist_ops *ops = ops_of(thread);
	thread->job.pub.state = NULL;
	thread->error = (struct sluice_error){0};
	return !ops->worker_create || ops->worker_create(persist_of(thread), &thread->job.pub, &thread->error);
}

static void destroy_state(struct thread *thread)
{
	if (ops_of(thread)->worker_destroy)
		ops_of(thread)->worker_destroy(persist_of(thread), &thread->job.pub);
}

static bool enter(struct thread *thread)
{
	struct workers *workers = thread->workers;
	bool entered = create_state(thread);
	(void)pthread_mutex_lock(&workers->lock);
	thread->state = entered ? THREAD_RUNNING : THREAD_REFUSED;
	(void)pthread_cond_broadcast(&workers->changed);
	(void)pthread_mutex_unlock(&workers->lock);
	return entered;
}

/* False: they are to stop. */
static bool rest(struct workers *workers, int64_t pause_ns)
{
	int64_t until_ns = clock_now_ns() + pause_ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	(void)pthread_mutex_lock(&workers->lock);
	while (!workers->stopping && clock_now_ns() < until_ns)
		(void)pthread_cond_timedwait(&workers->changed, &workers->lock, &until);
	bool goes_on = !workers->stopping;
	(void)pthread_mutex_unlock(&workers->lock);
	return goes_on;
}

/* A new state in place of one that does not work. False: stopped meanwhile, without one. */
static bool restart(struct thread *thread)
{
	struct workers *workers = thread->workers;
	const char *label = workers->setup.persist->label;
	int64_t pause_ns = RESTART_MIN_NS, id = worker_id(thread);
	log_event(SLUICE_LOG_WARN, label, "worker_died", sluice_int("worker_id", id),
	          sluice_text("reason", "the stage could store nothing that it was given"));
	destroy_state(thread);
	while (!create_state(thread)) {
		log_event(SLUICE_LOG_WARN, label, "worker_restart_failed", sluice_int("worker_id", id),
		          sluice_text("reason", thread->error.text), sluice_int("retry_in_ms", pause_ns / NS_PER_MS));
		if (!rest(workers, pause_ns))
			return false;
		pause_ns = pause_ns < RESTART_MAX_NS / 2 ? 2 * pause_ns : RESTART_MAX_NS;
	}
	thread->idle_batches = 0;
	atomic_fetch_add_explicit(&workers->restarts, 1, memory_order_relaxed);
	if (workers->setup.restarts)
		atomic_fetch_add_explicit(workers->setup.restarts, 1, memory_order_relaxed);
	log_event(SLUICE_LOG_INFO, label, "worker_restarted", sluice_int("worker_id", id));
	return true;
}

static bool is_ill(const struct thread *thread)
{
	return ops_of(thread)->worker_create && thread->idle_batches >= WORKER_PATIENCE;
}

static void work_batch(struct thread *thread, size_t count)
{
	const struct workers_setup *setup = &thread->workers->setup;
	int64_t start_ns = clock_now_ns();
	atomic_store_explicit(&thread->busy_since_ns, start_ns, memory_order_relaxed);
	thread->idle_batches = setup->work(setup->context, &thread->job, count) ? 0 : thread->idle_batches + 1;
	int64_t spent_ns = clock_now_ns() - start_ns;
	atomic_store_explicit(&thread->busy_since_ns, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&thread->busy_ns, spent_ns, memory_order_relaxed);
}

static void *run(void *argument)
{
	struct thread *thread = argument;
	const struct workers_setup *setup = &thread->workers->setup;
	char name[16];
	(void)snprintf(name, sizeof(name), "sluice-work%u", thread->job.pub.id % 1000);
	(void)pthread_setname_np(pthread_self(), name);
	if (!enter(thread))
		return NULL;
	log_event(SLUICE_LOG_DEBUG, NULL, "worker_started", sluice_int("worker_id", worker_id(thread)));
	size_t count;
	while ((count = setup->take(setup->context, &thread->job)) > 0) {
		work_batch(thread, count);
		if (is_ill(thread) && !restart(thread))
			return NULL;
	}
	destroy_state(thread);
	return NULL;
}

struct workers *workers_create(const struct workers_setup *setup)
{
	struct workers *workers = must_calloc(1, sizeof(*workers));
	size_t max_batch = (size_t)setup->config->persist.max_batch;
	workers->setup = *setup;
	workers->count = config_workers(&setup->config->queue);
	workers->jobs = (size_t)setup->config->queue.jobs;
	workers->threads = must_calloc(workers->count * workers->jobs, sizeof(*workers->threads));
	workers->last_asked_ns = must_calloc(workers->count, sizeof(*workers->last_asked_ns));
	for (size_t i = 0; i < workers->count * workers->jobs; i++) {
		struct thread *thread = &workers->threads[i];
		thread->workers = workers;
		thread->job = (struct job){.pub = {.id = (unsigned)i},
		                           .events = must_calloc(max_batch, sizeof(*thread->job.events)),
		                           .verdicts = must_calloc(max_batch, sizeof(*thread->job.verdicts))};
	}
	for (size_t i = 0; i < workers->count; i++)
		workers->last_asked_ns[i] = clock_now_ns();
	(void)pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&workers->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	return workers;
}

static bool start_threads(struct workers *workers, struct sluice_error *error)
{
	for (size_t i = 0; i < workers->count * workers->jobs; i++) {
		struct thread *thread = &workers->threads[i];
		int problem = pthread_create(&thread->id, NULL, run, thread);
		if (problem != 0)
			return sluice_error_set(error, "cannot start worker %zu: %s", i, strerror(problem));
		thread->started = true;
	}
	return true;
}

bool workers_start(struct workers *workers, struct sluice_error *error)
{
	if (!start_threads(workers, error))
		return false;
	bool all = true;
	(void)pthread_mutex_lock(&workers->lock);
	for (size_t i = 0; i < workers->count * workers->jobs; i++) {
		struct thread *thread = &workers->threads[i];
		while (thread->state == THREAD_STARTING)
			(void)pthread_cond_wait(&workers->changed, &workers->lock);
		if (thread->state == THREAD_REFUSED)
			all = sluice_error_set(error, "%s: worker %zu: %s", workers->setup.persist->label, i,
			                       thread->error.text);
	}
	(void)pthread_mutex_unlock(&workers->lock);
	if (all)
		log_event(SLUICE_LOG_INFO, NULL, "workers_started", sluice_int("count", (int64_t)workers->count),
		          sluice_int("jobs", (int64_t)workers->jobs));
	return all;
}

void workers_stop(struct workers *workers)
{
	(void)pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	(void)pthread_cond_broadcast(&workers->changed);
	(void)pthread_mutex_unlock(&workers->lock);
	for (size_t i = 0; i < workers->count * workers->jobs; i++) {
		struct thread *thread = &workers->threads[i];
		if (thread->started)
			(void)pthread_join(thread->id, NULL);
		thread->started = false;
	}
}

void workers_destroy(struct workers *workers)
{
	for (size_t i = 0; i < workers->count * workers->jobs; i++) {
		free(workers->threads[i].job.events);
		free(workers->threads[i].job.verdicts);
	}
	free(workers->threads);
	free(workers->last_asked_ns);
	(void)pthread_cond_destroy(&workers->changed);
	(void)pthread_mutex_destroy(&workers->lock);
	free(workers);
}

size_t workers_count(const struct workers *workers)
{
	return workers->count;
}

uint64_t workers_restarts(const struct workers *workers)
{
	return atomic_load_explicit(&workers->restarts, memory_order_relaxed);
}

/* Since the last call. */
static int64_t busy_ns(struct thread *thread, int64_t now)
{
	int64_t since = atomic_load_explicit(&thread->busy_since_ns, memory_order_relaxed);
	int64_t busy = atomic_load_explicit(&thread->busy_ns, memory_order_relaxed) + (since ? now - since : 0);
	int64_t more = busy - thread->last_busy_ns;
	thread->last_busy_ns = busy;
	return more;
}

double workers_utilization(struct workers *workers, size_t id)
{
	int64_t now = clock_now_ns(), asked = now - workers->last_asked_ns[id], busy = 0;
	for (size_t i = 0; i < workers->jobs; i++)
		busy += busy_ns(&workers->threads[id * workers->jobs + i], now);
	workers->last_asked_ns[id] = now;
	double share = asked > 0 ? 100.0 * (double)busy / ((double)asked * (double)workers->jobs) : 0;
	return share < 0 ? 0 : share > 100 ? 100 : share;
}
