/*
 * Parking and resuming; see resume.h.
 */
#include "runtime/resume.h"

#include "runtime/event_thread.h"

bool resume_park(struct event *event)
{
	int not_parked = PARKING_NOT;
	return atomic_compare_exchange_strong(&event->parking, &not_parked, PARKING_PARKED);
}

void resume_event(struct event_thread *thread, struct event *event, enum sluice_verdict verdict)
{
	event->resumed_with = verdict;
	if (atomic_exchange(&event->parking, PARKING_RESUMED) == PARKING_PARKED)
		event_thread_give(thread, event);
}
