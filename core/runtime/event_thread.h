/*
 * A thread that is given events and takes each on, in the order given.
 */
#ifndef RUNTIME_EVENT_THREAD_H
#define RUNTIME_EVENT_THREAD_H

#include "runtime/event.h"

struct event_thread;

/* `carry` is called on the thread for each event. `name`: of the thread, at most 15 characters. `is_quick`: whether carry()
 * never waits with this event, so that the senders of several may be told at once, within 0.1 ms; NULL: no. */
struct event_thread *event_thread_create(const char *name, void (*carry)(struct event *event),
                                         bool (*is_quick)(const struct event *event), struct sluice_error *error);

/* Ends when all that it was given is through; nothing more is given. */
void event_thread_destroy(struct event_thread *thread);

/* From any thread. The caller has the event no longer. */
void event_thread_give(struct event_thread *thread, struct event *event);

#endif
