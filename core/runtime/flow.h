/*
 * The flow: how one event goes through the stages. Shared by the parts of the runtime, not by others.
 *
 * An event has one holder at a time: the HTTP thread up to the queue, the queue stage, a lane of the dispatcher, a
 * worker, or a stage that parked it. Who hands it on does not touch it again.
 */
#ifndef RUNTIME_FLOW_H
#define RUNTIME_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/event.h"
#include "runtime/host.h"
#include "runtime/pipeline.h"

struct dispatcher;
struct resumer;

struct pipeline {
	const struct config *config;
	/* By kind; NULL: the pipeline has no such stage, or it lacks that. The two functions that every event calls
	 * stand here, side by side: in the stages' own tables each would be a cache miss. */
	struct slot *slots[KIND_COUNT];
	enum sluice_verdict (*process[KIND_COUNT])(struct sluice_stage *stage, struct sluice_event *event);
	void (*settle[KIND_COUNT])(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict);
	struct recorder *recorder;
	struct event_pool *pool;
	struct resumer *resumer;
	struct dispatcher *dispatcher; /* NULL without a queue */
	atomic_bool closing;           /* what is inside is turned away with RETRY */
	_Atomic uint64_t outcomes[OUTCOME_COUNT];
	_Atomic uint64_t retries;
	_Atomic uint64_t dead_letters;
};

static inline struct recorder *flow_recorder(struct pipeline *pipeline)
{
	return pipeline->recorder;
}

static inline struct resumer *flow_resumer(struct pipeline *pipeline)
{
	return pipeline->resumer;
}

/* Takes the event through the stages from event->at on, until one keeps it or ends it. */
void flow_advance(struct event *event);

/* Goes on with an event that was parked, with the verdict it was resumed with. */
void flow_carry_on(struct event *event, enum sluice_verdict verdict);

/* Runs the persist stage on the batch; every verdict is one that the core can act on afterwards. */
void flow_process_batch(struct slot *slot, struct sluice_batch *batch);

/* The end of an event: settles its stages, answers its sender, frees its place in the queue and its memory. */
void flow_finish(struct event *event, enum sluice_verdict verdict);

/* An event of an earlier life, from a durable queue; NULL when the pool is full. */
struct event *flow_restore(struct pipeline *pipeline, const struct sluice_record *record);

#endif
