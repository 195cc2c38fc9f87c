/*
 * Lanes: the events behind the queue, one lane per stream, and which of them may be handed out.
 *
 * A lane is ready (has events, nobody holds it, no pause runs), leased (a worker has events of it), or held (paused
 * after a RETRY). Events without a stream have a lane each. The caller locks.
 */
#ifndef RUNTIME_LANE_H
#define RUNTIME_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/event.h"

struct lanes;

struct lanes *lanes_create(void);
void lanes_destroy(struct lanes *lanes); /* all events are out */

/* Appends the event to the lane of its stream. */
void lanes_add(struct lanes *lanes, struct event *event);

/* How much goes into a batch; one event always does. */
struct lane_limit {
	size_t events;
	size_t bytes; /* of payload */
};

/* Leases ready lanes, those ready longest first, and moves their events into `batch` up to the limit, lane by lane and in
 * order within each. Returns how many. The lane of each is event->lane. */
size_t lanes_lease(struct lanes *lanes, struct sluice_event **batch, struct lane_limit limit);

/* Ends the lease of a lane. `again` are its events to be tried again, in order, put before all that waits; the lane is
 * then held until `held_until_ns`. The lane may be gone afterwards. */
void lanes_release(struct lanes *lanes, struct lane *lane, struct event_list *again, int64_t held_until_ns);

/* Takes out all that waits in a lane; the lane stays leased. */
struct event_list lanes_take_waiting(struct lane *lane);

/* Takes out all that waits in all lanes that no worker holds. */
struct event_list lanes_take_all(struct lanes *lanes);

/* Makes held lanes ready whose pause is over. Returns when the next one ends, INT64_MAX if none runs. */
int64_t lanes_wake_held(struct lanes *lanes, int64_t now_ns);

/* Events that could be leased now, and when the first one of the lane that is next came. */
size_t lanes_ready(const struct lanes *lanes);
int64_t lanes_oldest_ready_ns(const struct lanes *lanes);

#endif
