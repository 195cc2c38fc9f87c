/*
 * The dispatcher: the workers behind the queue, and what each may have.
 *
 * It takes what the queue stage keeps, sorts it into lanes, one per stream, and leases lanes to workers: while one
 * worker holds events of a stream no other gets any of it. A worker that is free takes all that waits, up to max_batch
 * events and max_bytes (natural batching); nobody waits for a batch to fill unless `linger` says so.
 *
 * A RETRY before the ack point holds the lane and tries again while the event's deadline allows; then the event and all
 * of its lane behind it are rejected, so that a stream never overtakes. After the ack point it tries without end.
 */
#ifndef RUNTIME_DISPATCHER_H
#define RUNTIME_DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/config.h"
#include "runtime/event.h"
#include "runtime/host.h"

struct dispatcher;
struct workers;

/* What a dispatcher works with; all of it outlives the dispatcher. */
struct dispatcher_setup {
	const struct config *config;
	struct instance *queue, *persist; /* created */
	/* Runs the persist stage on a batch and leaves a valid verdict for each event. */
	void (*store)(struct instance *persist, struct sluice_batch *batch);
	/* Ends an event that is through, or was rejected. */
	void (*finish)(struct event *event, enum sluice_verdict verdict);
};

/* No worker runs yet. */
struct dispatcher *dispatcher_create(const struct dispatcher_setup *setup);

/* Starts the workers that the config asks for. Failing, some may run: dispatcher_stop(). */
bool dispatcher_start(struct dispatcher *dispatcher, struct sluice_error *error);

/* Stops the workers after the batches they have; what waits stays where it is. Then rejects all that waits. */
void dispatcher_stop(struct dispatcher *dispatcher);
void dispatcher_reject_waiting(struct dispatcher *dispatcher);
void dispatcher_destroy(struct dispatcher *dispatcher);

/* Before put(): one more is to come (or -1: it was not kept after all). Counts the depth. */
void dispatcher_expect(struct dispatcher *dispatcher, int events);

/* After put(): the queue has something to take. From any thread. */
void dispatcher_wake(struct dispatcher *dispatcher);

/* Inside take(): the pool has no room for what the queue would yield; it is asked again soon, event or no event. */
void dispatcher_starve(struct dispatcher *dispatcher);

/* After done(): an event that was taken is not in the queue any more. */
void dispatcher_forget(struct dispatcher *dispatcher);

/* Nobody lingers any more. */
void dispatcher_hurry(struct dispatcher *dispatcher);

size_t dispatcher_depth(const struct dispatcher *dispatcher);
uint64_t dispatcher_retries(const struct dispatcher *dispatcher); /* hand-overs that ended in another try */
uint64_t dispatcher_dead_letters(const struct dispatcher *dispatcher);
struct workers *dispatcher_workers(const struct dispatcher *dispatcher);

#endif
