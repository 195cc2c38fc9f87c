/*
 * A pipeline alive: stages created, workers running, events going through.
 *
 *     server thread:  pipeline_receive() → fill event->pub → pipeline_admit() → pipeline_submit()
 *     any thread:     event->answer() once, when the event reaches its ack point or its failure
 *
 * The answer belongs to the HTTP side, the event to the pipeline: once submitted, an event goes its way whether
 * somebody still waits for it or not.
 */
#ifndef RUNTIME_PIPELINE_H
#define RUNTIME_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "runtime/config.h"
#include "runtime/event.h"
#include "runtime/recorder.h"

struct pipeline;

/* Creates the stages in order and starts the workers. Failing, it leaves nothing behind. The config must outlive it, or be
 * one that can be shared. */
struct pipeline *pipeline_create(const struct config *config, struct sluice_error *error);

/* The generation to come after `previous`, which goes on serving; see runtime/generation.h. Failing, it leaves nothing
 * behind and `previous` as it was. */
struct pipeline *pipeline_create_next(const struct config *config, struct pipeline *previous,
                                      struct sluice_error *error);
struct generations *pipeline_generations(struct pipeline *pipeline);

/* One that is to take a part of the traffic of `baseline`, for generations_try(). It has a queue of its own and shares what
 * else is the same. Refuses what would lose the order or the ids of events, or cannot be tried on a part of the traffic. */
struct pipeline *pipeline_create_candidate(const struct config *config, struct pipeline *baseline,
                                           struct sluice_error *error);

int64_t pipeline_number(const struct pipeline *pipeline); /* of those published in this process, from 1 */

/* Whether both have the same stage of that kind, with all it knows. */
bool pipeline_shares_stage(const struct pipeline *pipeline, const struct pipeline *other, enum sluice_kind kind);

/* Destroys what no later generation has taken over. It has been taken from generations_take_retired(). */
void pipeline_retire(struct pipeline *pipeline);

/* Creates one stage of the config alone, read_only; NULL and a sentence if it cannot be created. Closed as a store is. */
struct sluice_stage *pipeline_open_stage(const struct config *config, enum sluice_kind kind,
                                         struct sluice_error *error);

/* Creates the persist stage alone, to be read: for verify and audit. NULL in *stage_out's place if there is none. */
struct sluice_stage *pipeline_open_store(const struct config *config, struct sluice_error *error);
void pipeline_close_store(struct sluice_stage *stage);

/* Queue and persist stage of the config alone, to deliver what the queue has; the config forgets its other stages. */
struct pipeline *pipeline_create_delivery(struct config *config, struct sluice_error *error);
struct sluice_stage *pipeline_queue(struct pipeline *pipeline);

/* The persist stage of the config alone, to be written to beside a server; the config forgets its other stages. Destroyed
 * with pipeline_destroy(). */
struct pipeline *pipeline_create_store(struct config *config, struct sluice_error *error);
struct sluice_stage *pipeline_store(struct pipeline *pipeline);

/* What came of a record that was handed to it to be stored. */
struct pipeline_stored {
	enum sluice_verdict verdict;
	char detail[SLUICE_DETAIL_MAX]; /* why it is not stored */
};
void pipeline_store_record(struct pipeline *pipeline, const struct sluice_record *record,
                           struct pipeline_stored *stored_out);

/* An event from the pool, empty but for `host`, to receive a request into. It has no place yet, so that a sender who is
 * slow takes none from others; only its bytes are bounded, with those of all that are being received. */
struct event *pipeline_receive(struct pipeline *pipeline);

/* The request is complete: the event takes a place. False when the bound on events is reached (answer 503). */
bool pipeline_admit(struct event *event);

/* Gives back an event that was never submitted. */
void pipeline_discard(struct event *event);

/* Sends the event down, which has a place; the caller has it no longer. answer() may be called before this returns, on
 * this thread or, for a large body and behind a queue, on another. */
void pipeline_submit(struct event *event);

/* The stages and workers that `other` (may be NULL) has not: no more events come to them. */
void pipeline_hurry(struct pipeline *pipeline, const struct pipeline *other);

/* No more events will be submitted: waits until all inside are through, at most until `until_ns` (monotonic). Returns
 * how many were still inside. */
size_t pipeline_drain(struct pipeline *pipeline, int64_t until_ns);

/* Stops the workers and destroys the stages, with those of a generation before it that is not retired. After a drain that left events inside, they are abandoned: unanswered ones
 * were not acknowledged. */
void pipeline_destroy(struct pipeline *pipeline);

/* From here on, in this generation and those to come, what is older than persist.retention is removed: for who serves. Once, on the
 * thread that builds generations. */
void pipeline_retain(struct pipeline *pipeline);

/* What is going on, for metrics and health. */
struct pipeline_stats {
	size_t in_flight;       /* events admitted and not yet gone */
	size_t receiving;       /* requests whose bodies are not complete */
	size_t in_flight_bytes; /* of these and of requests that are being received */
	size_t queue_depth;     /* kept by the queue, not yet in a worker's hands */
	size_t workers;
	uint64_t worker_restarts;
	uint64_t outcomes[OUTCOME_COUNT]; /* since start, by enum event_outcome */
	uint64_t rejections[KIND_COUNT];  /* of them rejected and conflict, by the stage that refused */
	uint64_t retries;                 /* hand-overs that ended in another try */
	uint64_t dead_letters;
	uint64_t pruned; /* events removed because they had grown old */
	struct event_pool_counts pool;
};
void pipeline_get_stats(const struct pipeline *pipeline, struct pipeline_stats *stats_out);

/* Share of the time since the last call that worker `id` has worked, 0–100. One caller. */
double pipeline_worker_utilization(struct pipeline *pipeline, size_t id);

/* Calls observe() of every stage that has it. */
void pipeline_observe(struct pipeline *pipeline, struct sluice_observer *observer);

const struct config *pipeline_config(const struct pipeline *pipeline);
struct recorder *pipeline_recorder(struct pipeline *pipeline);

#endif
