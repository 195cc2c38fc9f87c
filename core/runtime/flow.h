/*
 * The flow: how one event goes through the stages. Shared by the parts of the runtime, not by others.
 *
 * An event has one holder at a time: the HTTP thread (for a large body, a thread of the pipeline) up to the queue, the queue stage, a lane of the dispatcher, a
 * worker, or a stage that parked it. Who hands it on does not touch it again.
 */
#ifndef RUNTIME_FLOW_H
#define RUNTIME_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/rate_limiter.h"
#include "runtime/dispatcher.h"
#include "runtime/event.h"
#include "runtime/generation.h"
#include "runtime/host.h"
#include "runtime/pipeline.h"
#include "runtime/store_health.h"
#include "runtime/store_identity.h"

struct crew;
struct dispatcher;
struct span_names;
struct retention;
struct split;
struct ticker;
struct event_thread;

/* What all generations of a pipeline share, from the first to the last. */
struct generations {
	struct recorder *recorder;
	struct event_pool *pool;
	struct event_thread *resume_thread; /* goes on with events that were parked */
	struct split *split;                /* between the arms of a canary */
	struct event_thread *large_thread;  /* takes large bodies through the stages before the queue */
	struct store_identity store_identity;
	struct span_names *span_names;
	struct rate_limiter rates;
	struct dispatcher_counts counts;
	_Atomic uint64_t outcomes[OUTCOME_COUNT];
	_Atomic uint64_t rejections[KIND_COUNT];
	_Atomic uint64_t pruned; /* events, since start */
	atomic_bool retains;     /* see pipeline_retain() */

	/* Each that lives has a slot, which later ones have after it. */
	struct generation_slot {
		atomic_size_t pins;        /* its events in flight, and who looks at it … */
		atomic_size_t counted;     /* … but for those admitted while a split counts them in buckets */
		struct pipeline *pipeline; /* NULL: the slot is free */
	} slots[GENERATIONS_MAX];
	atomic_uint current;       /* slot */
	struct pipeline *replaced; /* by the current one */
};

struct pipeline {
	const struct config *config;
	/* By kind; NULL: the pipeline has no such stage, or it lacks that. The two functions that every event calls
	 * stand here, side by side: in the stages' own tables each would be a cache miss. */
	struct instance *instances[KIND_COUNT];
	process_fn process[KIND_COUNT];
	void (*settle[KIND_COUNT])(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict);
	struct generations *shared;
	struct dispatcher *dispatcher;          /* of the queue; NULL without one */
	struct crew *crew;                      /* NULL likewise */
	struct ticker *ticker;                  /* NULL: no stage ticks */
	int64_t published_ns;                   /* monotonic */
	struct retention *retention;            /* NULL: events are kept for good */
	const struct sluice_sameness *sameness; /* of the parse stage; NULL: all of the content counts */
	int64_t number;                         /* of the order in which they were published */
	bool is_open;                           /* its queue's workers have begun */
	bool measures_cpu;                      /* processor time per stage */
	atomic_size_t *pins, *counted;          /* of its slot */
	bool is_candidate;                      /* the arm of a canary beside the one that serves */
	struct ticker *own_ticker;              /* of a candidate: for the stages that it has alone; NULL: none ticks */
	atomic_bool closing;                    /* what is inside is rejected with RETRY */
};

static inline void flow_pin(struct pipeline *pipeline)
{
	(void)atomic_fetch_add(pipeline->pins, 1);
}

static inline void flow_unpin(struct pipeline *pipeline)
{
	(void)atomic_fetch_sub(pipeline->pins, 1);
}

/* Takes the event through the stages from event->at on, until one keeps it or ends it. */
void flow_advance(struct event *event);

/* Begins with an event that has waited for a thread since event->entered_ns. */
void flow_begin(struct event *event);

/* Goes on with an event that was parked, with the verdict it was resumed with. */
void flow_carry_on(struct event *event);

/* Runs the persist stage on the batch; every verdict is one that the core can act on afterwards. */
void flow_store(struct instance *persist, struct sluice_batch *batch);

/* Behind the queue: the persist stage of a crew has the event. The one that knew it before, that of another generation, is
 * told that it comes no more. */
void flow_enter_store(struct event *event, struct instance *persist);

/* An event that waits for another try is still known to the stage that had it, which stays as long as the event holds it;
 * or it leaves that stage for good. */
void flow_hold_store(struct event *event);
void flow_leave_store(struct event *event);
/* Runs the parse stage on a part of a request (parts.h). */
enum sluice_verdict flow_parse(struct event *part);

/* It has waited behind the parse stage until now. */
void flow_await_part(struct event *part);

/* The end of an event that was split: settles the stages that it went through, and answers its sender. */
void flow_finish_carrier(struct event *carrier, struct event_answer *summary);

/* Why an event goes no further: one before it did not. */
extern const char flow_behind_lost[];

/* The end of an event: settles its stages, answers its sender, frees its place in the queue and its memory. */
void flow_finish(struct event *event, enum sluice_verdict verdict);

/* An event of an earlier life, from a durable queue; NULL when the pool is full. A few are let in beyond its bounds: newer
 * ones that wait behind them may have all of it. */
struct event *flow_restore(struct pipeline *pipeline, const struct sluice_record *record);

/* Idempotency learns of an event that an earlier life acknowledged, as if it had just been kept. */
void flow_tell_acknowledged(struct pipeline *pipeline, const struct sluice_record *record);

/* Stores the event of a record on this thread, in a pipeline without a queue; `on_answer` is called meanwhile. False: the
 * pool is full. */
bool flow_store_record(struct pipeline *pipeline, const struct sluice_record *record, event_answer_fn on_answer,
                       void *context);

#endif
