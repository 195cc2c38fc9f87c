/*
 * A thread for work that may hang; see disk_thread.h.
 */
#include "serve/disk_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"

struct disk_thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*work)(void *context); /* NULL: idle */
	void *context;
	bool stopping;
};

static void *run(void *argument)
{
	struct disk_thread *thread = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-disk");
	(void)pthread_mutex_lock(&thread->lock);
	while (!thread->stopping) {
		if (!thread->work) {
			(void)pthread_cond_wait(&thread->changed, &thread->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&thread->lock);
		thread->work(thread->context);
		(void)pthread_mutex_lock(&thread->lock);
		thread->work = NULL;
		(void)pthread_cond_broadcast(&thread->changed);
	}
	(void)pthread_mutex_unlock(&thread->lock);
	return NULL;
}

static void free_thread(struct disk_thread *thread)
{
	(void)pthread_cond_destroy(&thread->changed);
	(void)pthread_mutex_destroy(&thread->lock);
	free(thread);
}

struct disk_thread *disk_thread_start(struct sluice_error *error)
{
	struct disk_thread *thread = must_calloc(1, sizeof(*thread));
	(void)pthread_mutex_init(&thread->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&thread->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	int problem = pthread_create(&thread->id, NULL, run, thread);
	if (problem == 0)
		return thread;
	(void)sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	free_thread(thread);
	return NULL;
}

void disk_thread_begin(struct disk_thread *thread, void (*work)(void *context), void *context)
{
	(void)pthread_mutex_lock(&thread->lock);
	thread->work = work;
	thread->context = context;
	(void)pthread_cond_broadcast(&thread->changed);
	(void)pthread_mutex_unlock(&thread->lock);
}

bool disk_thread_wait(struct disk_thread *thread, int64_t patience_ns)
{
	const int64_t until_ns = clock_now_ns() + patience_ns;
	const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	(void)pthread_mutex_lock(&thread->lock);
	while (thread->work && clock_now_ns() < until_ns)
		(void)pthread_cond_timedwait(&thread->changed, &thread->lock, &until);
	const bool is_idle = !thread->work;
	(void)pthread_mutex_unlock(&thread->lock);
	return is_idle;
}

void disk_thread_stop(struct disk_thread *thread)
{
	(void)pthread_mutex_lock(&thread->lock);
	thread->stopping = true;
	(void)pthread_cond_broadcast(&thread->changed);
	(void)pthread_mutex_unlock(&thread->lock);
	(void)pthread_join(thread->id, NULL);
	free_thread(thread);
}
