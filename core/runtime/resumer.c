/*
 * Parking and resuming; see resumer.h.
 */
#include "runtime/resumer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/flow.h"

struct resumer {
	void (*carry_on)(struct event *event, enum sluice_verdict verdict);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct event *first, *last; /* resumed, by event->next_resumed */
	bool stopping;
};

static void *carry(void *argument)
{
	struct resumer *resumer = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-resume");
	(void)pthread_mutex_lock(&resumer->lock);
	for (;;) {
		struct event *event = resumer->first;
		if (event) {
			resumer->first = event->next_resumed;
			(void)pthread_mutex_unlock(&resumer->lock);
			resumer->carry_on(event, event->resumed_with);
			(void)pthread_mutex_lock(&resumer->lock);
		} else if (resumer->stopping) {
			break;
		} else {
			(void)pthread_cond_wait(&resumer->some, &resumer->lock);
		}
	}
	(void)pthread_mutex_unlock(&resumer->lock);
	return NULL;
}

struct resumer *resumer_create(void (*carry_on)(struct event *event, enum sluice_verdict verdict),
                               struct sluice_error *error)
{
	struct resumer *resumer = must_calloc(1, sizeof(*resumer));
	resumer->carry_on = carry_on;
	(void)pthread_mutex_init(&resumer->lock, NULL);
	(void)pthread_cond_init(&resumer->some, NULL);
	int problem = pthread_create(&resumer->thread, NULL, carry, resumer);
	if (problem == 0)
		return resumer;
	sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
	free(resumer);
	return NULL;
}

void resumer_destroy(struct resumer *resumer)
{
	(void)pthread_mutex_lock(&resumer->lock);
	resumer->stopping = true;
	(void)pthread_cond_signal(&resumer->some);
	(void)pthread_mutex_unlock(&resumer->lock);
	(void)pthread_join(resumer->thread, NULL);
	(void)pthread_cond_destroy(&resumer->some);
	(void)pthread_mutex_destroy(&resumer->lock);
	free(resumer);
}

bool resumer_park(struct event *event)
{
	int not_parked = PARKING_NOT;
	return atomic_compare_exchange_strong(&event->parking, &not_parked, PARKING_PARKED);
}

void resumer_resume(struct event *event, enum sluice_verdict verdict)
{
	struct resumer *resumer = flow_resumer(event->pipeline);
	event->resumed_with = verdict;
	if (atomic_exchange(&event->parking, PARKING_RESUMED) != PARKING_PARKED)
		return;
	(void)pthread_mutex_lock(&resumer->lock);
	event->next_resumed = NULL;
	if (resumer->first)
		resumer->last->next_resumed = event;
	else
		resumer->first = event;
	resumer->last = event;
	(void)pthread_cond_signal(&resumer->some);
	(void)pthread_mutex_unlock(&resumer->lock);
}
