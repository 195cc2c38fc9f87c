/*
 * Parking: an event that a stage keeps with SLUICE_WAIT, and the thread that takes it on when it is resumed.
 *
 * Parking is atomic. process() returning WAIT and sluice_resume() may come in either order and on different threads;
 * who comes second carries the event on: the thread that ran the stage if the resume was first, else the
 * resume thread. So no stage ever runs on the stack of who resumes.
 */
#ifndef RUNTIME_RESUME_H
#define RUNTIME_RESUME_H

#include <stdbool.h>

#include "runtime/event.h"

struct event_thread;

enum parking { PARKING_NOT, PARKING_PARKED, PARKING_RESUMED }; /* event->parking */

/* Before a stage's process(). */
static inline void resume_expect(struct event *event)
{
	atomic_store_explicit(&event->parking, PARKING_NOT, memory_order_relaxed);
}

/* After it returned WAIT: true: the event is parked and in other hands; false: it was resumed already, with
 * event->resumed_with. */
bool resume_park(struct event *event);

/* What sluice_resume() does: a parked event is given to the thread, which carries it on with event->resumed_with. */
void resume_event(struct event_thread *thread, struct event *event, enum sluice_verdict verdict);

#endif
