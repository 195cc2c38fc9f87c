/*
 * A thread for events; see event_thread.h.
 */
#include "runtime/event_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/deferred.h"

enum { TOGETHER_NS = 100000 };

struct event_thread {
	void (*carry)(struct event *event);
	const char *name;
	bool (*is_quick)(const struct event *event);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct event *first, *last; /* by event->next_given */
	bool stopping;
};

/* The senders of those that are through soon are told together; see base/deferred.h. */
static struct event *carry_together(const struct event_thread *self, struct event *event)
{
	int64_t end_ns = clock_now_ns() + TOGETHER_NS;
	deferred_begin();
	do {
		struct event *next = event->next_given;
		self->carry(event);
		event = next;
	} while (event && self->is_quick(event) && clock_now_ns() < end_ns);
	deferred_end();
	return event;
}

static struct event *carry_one(const struct event_thread *self, struct event *event)
{
	struct event *next = event->next_given;
	self->carry(event);
	return next;
}

static bool carries_together(const struct event_thread *self, const struct event *event)
{
	return self->is_quick && self->is_quick(event);
}

static void *work(void *argument)
{
	struct event_thread *self = argument;
	(void)pthread_setname_np(pthread_self(), self->name);
	(void)pthread_mutex_lock(&self->lock);
	for (;;) {
		struct event *event = self->first;
		if (event) {
			self->first = NULL;
			(void)pthread_mutex_unlock(&self->lock);
			while (event)
				event = (carries_together(self, event) ? carry_together : carry_one)(self, event);
			(void)pthread_mutex_lock(&self->lock);
		} else if (self->stopping) {
			break;
		} else {
			(void)pthread_cond_wait(&self->some, &self->lock);
		}
	}
	(void)pthread_mutex_unlock(&self->lock);
	return NULL;
}

struct event_thread *event_thread_create(const char *name, void (*carry)(struct event *event),
                                         bool (*is_quick)(const struct event *event), struct sluice_error *error)
{
	struct event_thread *self = must_calloc(1, sizeof(*self));
	self->carry = carry;
	self->name = name;
	self->is_quick = is_quick;
	(void)pthread_mutex_init(&self->lock, NULL);
	(void)pthread_cond_init(&self->some, NULL);
	int problem = pthread_create(&self->thread, NULL, work, self);
	if (problem == 0)
		return self;
	sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	free(self);
	return NULL;
}

void event_thread_destroy(struct event_thread *self)
{
	(void)pthread_mutex_lock(&self->lock);
	self->stopping = true;
	(void)pthread_cond_signal(&self->some);
	(void)pthread_mutex_unlock(&self->lock);
	(void)pthread_join(self->thread, NULL);
	(void)pthread_cond_destroy(&self->some);
	(void)pthread_mutex_destroy(&self->lock);
	free(self);
}

void event_thread_give(struct event_thread *self, struct event *event)
{
	(void)pthread_mutex_lock(&self->lock);
	event->next_given = NULL;
	if (self->first)
		self->last->next_given = event;
	else
		self->first = event;
	self->last = event;
	(void)pthread_cond_signal(&self->some);
	(void)pthread_mutex_unlock(&self->lock);
}
