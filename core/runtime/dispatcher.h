/*
 * The dispatcher: the workers behind the queue, and what each may have.
 *
 * It takes what the queue stage keeps, sorts it into lanes, one per stream, and leases lanes to workers: while one
 * worker holds events of a stream no other gets any of it. A worker that is free takes all that waits, up to max_batch
 * events and max_bytes (natural batching); nobody waits for a batch to fill unless `linger` says so.
 *
 * What it has outlives its workers: a crew is the workers with their persist stage and what the pipeline says about
 * batches, and a dispatcher may be handed from one crew to the next. The leases of both are the same, so a stream keeps its
 * order: what a worker of the old crew holds, none of the new one gets.
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
struct crew;
struct workers;

/* Counted over all dispatchers that serve one after another. */
struct dispatcher_counts {
	_Atomic uint64_t retries; /* hand-overs that ended in another try */
	_Atomic uint64_t dead_letters;
	_Atomic uint64_t worker_restarts;
};

/* What a dispatcher works with; all of it outlives the dispatcher. */
struct dispatcher_setup {
	struct instance *queue; /* created */
	struct dispatcher_counts *counts;
	/* Ends an event that is through, or was rejected. */
	void (*finish)(struct event *event, enum sluice_verdict verdict);
};

struct dispatcher *dispatcher_create(const struct dispatcher_setup *setup);

/* Rejects all that waits; its crews have stopped. */
void dispatcher_reject_waiting(struct dispatcher *dispatcher);
void dispatcher_destroy(struct dispatcher *dispatcher);

/* Whose events are those that the queue has kept from an earlier life; before its crew is opened. */
void dispatcher_serve(struct dispatcher *dispatcher, struct pipeline *pipeline);

/* Inside take(): the pipeline of the events that are restored. */
struct pipeline *dispatcher_served(const struct dispatcher *dispatcher);

/* Whether all crews have stopped for good, so that what is taken is only rejected. */
bool dispatcher_is_stopped(const struct dispatcher *dispatcher);

struct crew_setup {
	struct dispatcher *dispatcher;
	const struct config *config;
	struct instance *persist; /* created */
	/* Runs the persist stage on a batch and leaves a valid verdict for each event. */
	void (*store)(struct instance *persist, struct sluice_batch *batch);
};

/* The workers that the config asks for; they take nothing yet. NULL and a sentence if one cannot work. */
struct crew *crew_create(const struct crew_setup *setup, struct sluice_error *error);

/* The workers take what waits. */
void crew_open(struct crew *crew);

/* They take nothing more than the batches they have; crew_stop() also waits for these. What waits stays where it is. */
void crew_dismiss(struct crew *crew);
void crew_stop(struct crew *crew);
void crew_destroy(struct crew *crew); /* stopped */
struct workers *crew_workers(const struct crew *crew);

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

#endif
