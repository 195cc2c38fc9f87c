/*
 * Parking and resuming; see resume.h.
 */
#include "runtime/resume.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct resume_thread {
	void (*carry_on)(struct event *event, enum sluice_verdict verdict);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct event *first, *last; /* resumed, by event->next_resumed */
	bool stopping;
};

static void *carry(void *argument)
{
	struct resume_thread *self = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-resume");
	(void)pthread_mutex_lock(&self->lock);
	for (;;) {
		struct event *event = self->first;
		if (event) {
			self->first = event->next_resumed;
			(void)pthread_mutex_unlock(&self->lock);
			self->carry_on(event, event->resumed_with);
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

struct resume_thread *resume_thread_create(void (*carry_on)(struct event *event, enum sluice_verdict verdict),
                                           struct sluice_error *error)
{
	struct resume_thread *self = must_calloc(1, sizeof(*self));
	self->carry_on = carry_on;
	(void)pthread_mutex_init(&self->lock, NULL);
	(void)pthread_cond_init(&self->some, NULL);
	int problem = pthread_create(&self->thread, NULL, carry, self);
	if (problem == 0)
		return self;
	sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	free(self);
	return NULL;
}

void resume_thread_destroy(struct resume_thread *self)
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

bool resume_park(struct event *event)
{
	int not_parked = PARKING_NOT;
	return atomic_compare_exchange_strong(&event->parking, &not_parked, PARKING_PARKED);
}

void resume_event(struct resume_thread *self, struct event *event, enum sluice_verdict verdict)
{
	event->resumed_with = verdict;
	if (atomic_exchange(&event->parking, PARKING_RESUMED) != PARKING_PARKED)
		return;
	(void)pthread_mutex_lock(&self->lock);
	event->next_resumed = NULL;
	if (self->first)
		self->last->next_resumed = event;
	else
		self->first = event;
	self->last = event;
	(void)pthread_cond_signal(&self->some);
	(void)pthread_mutex_unlock(&self->lock);
}
