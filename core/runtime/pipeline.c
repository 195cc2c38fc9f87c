/*
 * A pipeline alive; see pipeline.h.
 */
#include "runtime/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/dispatcher.h"
#include "runtime/event_thread.h"
#include "runtime/flow.h"
#include "runtime/ticker.h"
#include "runtime/worker.h"

/* From this size on a body is checked, hashed and parsed (up to 10 ns a byte) on a thread of its own, so that small ones
 * do not wait for it. The hop costs about 60 µs. */
enum { LARGE_BODY = 64 * 1024 };

static struct instance *create_instance(const struct config *config, unsigned kind, struct pipeline *pipeline,
                                        bool read_only, struct sluice_error *error)
{
	const struct stage_config *stage = &config->stages[kind];
	const struct sluice_stage_ops *ops = &stage->plugin->ops;
	struct instance *instance = must_calloc(1, sizeof(*instance));
	instance->stage.host = &host_table;
	instance->stage.ops = ops;
	instance->stage.config = stage->options;
	instance->stage.read_only = read_only;
	instance->pipeline = pipeline;
	(void)snprintf(instance->label, sizeof(instance->label), "%s/%s", kind_names[kind], ops->name);
	struct sluice_error cause = {0};
	if (ops->self_test && !ops->self_test(&cause)) {
		sluice_error_set(error, "%s: its self-test failed: %s", instance->label, cause.text);
	} else if (ops->create && !ops->create(&instance->stage, &cause)) {
		sluice_error_set(error, "%s: %s", instance->label, cause.text);
	} else {
		return instance;
	}
	free(instance);
	return NULL;
}

static void destroy_instance(struct instance *instance)
{
	if (!instance)
		return;
	if (instance->stage.ops->destroy)
		instance->stage.ops->destroy(&instance->stage);
	free(instance);
}

/* The store comes first: stages before it may ask it. */
static bool create_stages(struct pipeline *pipeline, struct sluice_error *error)
{
	for (unsigned kind = KIND_COUNT; kind-- > 0;) {
		if (!pipeline->config->stages[kind].present)
			continue;
		pipeline->instances[kind] = create_instance(pipeline->config, kind, pipeline, false, error);
		if (!pipeline->instances[kind])
			return false;
		pipeline->process[kind] = abi_process(pipeline->instances[kind]->stage.ops);
		pipeline->settle[kind] = pipeline->instances[kind]->stage.ops->settle;
	}
	return true;
}

static bool start_queue(struct pipeline *pipeline, struct sluice_error *error)
{
	struct instance *queue = pipeline->instances[SLUICE_KIND_QUEUE];
	struct instance *persist = pipeline->instances[SLUICE_KIND_PERSIST];
	if (!queue)
		return true;
	if (!persist)
		return sluice_error_set(error, "%s: the queue requires a persist stage", queue->label);
	bool (*recover)(struct sluice_stage *, struct sluice_error *) = queue->stage.ops->of.queue->recover;
	if ((pipeline->config->ack == ACK_QUEUED || recover) && !persist->stage.ops->of.persist->dead_letter)
		return sluice_error_set(error, "%s keeps no dead letters, which %s requires", persist->label,
		                        queue->label);
	pipeline->dispatcher = dispatcher_create(&(struct dispatcher_setup){.config = pipeline->config,
	                                                                    .queue = queue,
	                                                                    .persist = persist,
	                                                                    .store = flow_store,
	                                                                    .finish = flow_finish});
	struct sluice_error cause = {0};
	if (recover && !recover(&queue->stage, &cause)) {
		dispatcher_destroy(pipeline->dispatcher); /* or it would take() what was never recovered */
		pipeline->dispatcher = NULL;
		return sluice_error_set(error, "%s: %s", queue->label, cause.text);
	}
	return dispatcher_start(pipeline->dispatcher, error);
}

static bool start_ticker(struct pipeline *pipeline, struct sluice_error *error)
{
	struct sluice_stage *stages[KIND_COUNT] = {NULL};
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		stages[kind] = pipeline->instances[kind] ? &pipeline->instances[kind]->stage : NULL;
	struct sluice_error cause = {0};
	pipeline->ticker = ticker_create(stages, &cause);
	return pipeline->ticker || !cause.text[0] || sluice_error_set(error, "%s", cause.text);
}

struct pipeline *pipeline_create(const struct config *config, struct sluice_error *error)
{
	struct pipeline *pipeline = must_calloc(1, sizeof(*pipeline));
	pipeline->config = config;
	store_identity_init(&pipeline->store_identity);
	store_health_init(&pipeline->store_health);
	pipeline->recorder = recorder_create();
	const bool has_queue =
		config->stages[SLUICE_KIND_QUEUE].present; /* then nothing is stored on the resume thread */
	/* A body that grows may stand in memory twice for a moment. */
	const size_t largest = (size_t)(2 * config->listen.max_body + config->listen.max_header + config->events.arena);
	pipeline->pool = event_pool_create(&config->events, largest, pipeline);
	if (!pipeline->recorder)
		sluice_error_set(error, "out of thread-specific keys for the histograms");
	else if ((pipeline->resume_thread = event_thread_create("sluice-resume", flow_carry_on, has_queue, error)) &&
	         (pipeline->large_thread = event_thread_create("sluice-large", flow_begin, false, error)) &&
	         create_stages(pipeline, error) && start_queue(pipeline, error) && start_ticker(pipeline, error))
		return pipeline;
	pipeline_destroy(pipeline);
	return NULL;
}

struct sluice_stage *pipeline_open_store(const struct config *config, struct sluice_error *error)
{
	if (!config->stages[SLUICE_KIND_PERSIST].present) {
		sluice_error_set(error, "%s: the pipeline has no persist stage, so there is no store to read",
		                 config->file);
		return NULL;
	}
	struct instance *instance = create_instance(config, SLUICE_KIND_PERSIST, NULL, true, error);
	return instance ? &instance->stage : NULL;
}

void pipeline_close_store(struct sluice_stage *stage)
{
	destroy_instance(instance_of(stage));
}

static void forget_stages_before(struct config *config, unsigned first)
{
	for (unsigned kind = 0; kind < first; kind++)
		config->stages[kind].present = false;
}

struct pipeline *pipeline_create_delivery(struct config *config, struct sluice_error *error)
{
	forget_stages_before(config, SLUICE_KIND_QUEUE);
	return pipeline_create(config, error);
}

struct sluice_stage *pipeline_queue(struct pipeline *pipeline)
{
	return &pipeline->instances[SLUICE_KIND_QUEUE]->stage;
}

struct pipeline *pipeline_create_store(struct config *config, struct sluice_error *error)
{
	if (!config->stages[SLUICE_KIND_PERSIST].present) {
		sluice_error_set(error, "%s: the pipeline has no persist stage, so there is no store", config->file);
		return NULL;
	}
	forget_stages_before(config, SLUICE_KIND_PERSIST);
	config->ack = ACK_STORED;
	return pipeline_create(config, error);
}

struct sluice_stage *pipeline_store(struct pipeline *pipeline)
{
	return &pipeline->instances[SLUICE_KIND_PERSIST]->stage;
}

static void note_stored(void *context, const struct event_answer *answer)
{
	struct pipeline_stored *stored = context;
	stored->verdict = answer->verdict;
	(void)snprintf(stored->detail, sizeof(stored->detail), "%s", answer->detail);
}

void pipeline_store_record(struct pipeline *pipeline, const struct sluice_record *record,
                           struct pipeline_stored *stored_out)
{
	*stored_out = (struct pipeline_stored){.verdict = SLUICE_RETRY, .detail = "it is larger than events.max_bytes"};
	(void)flow_store_record(pipeline, record, note_stored, stored_out);
}

struct event *pipeline_receive(struct pipeline *pipeline)
{
	return event_pool_get(pipeline->pool);
}

bool pipeline_admit(struct event *event)
{
	return event_pool_admit(event->pipeline->pool, event);
}

size_t pipeline_excess(const struct pipeline *pipeline)
{
	return event_pool_excess(pipeline->pool);
}

void pipeline_discard(struct event *event)
{
	event_release(event->pipeline->pool, event);
}

void pipeline_submit(struct event *event)
{
	/* What a parse stage may overrule: without one the payload is the whole body. */
	if (!event->pub.payload.data)
		event->pub.payload = event->pub.body;
	event->times.start_ns = event->entered_ns = clock_now_ns();
	event->times.wall_ns = event->pub.received_at_ns;
	if (event->pub.body.size >= LARGE_BODY)
		event_thread_give(event->pipeline->large_thread, event);
	else
		flow_advance(event);
}

static void hurry(struct pipeline *pipeline)
{
	if (pipeline->dispatcher)
		dispatcher_hurry(pipeline->dispatcher);
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		struct instance *instance = pipeline->instances[kind];
		if (instance && instance->stage.ops->drain)
			instance->stage.ops->drain(&instance->stage);
	}
}

size_t pipeline_drain(struct pipeline *pipeline, int64_t until_ns)
{
	hurry(pipeline);
	return event_pool_wait_empty(pipeline->pool, until_ns);
}

/* Rejecting one event may resume another that waited for its fate, which then comes back to the queue: until all are
 * out. */
static void reject_all(struct pipeline *pipeline)
{
	atomic_store(&pipeline->closing, true);
	if (pipeline->dispatcher)
		dispatcher_stop(pipeline->dispatcher);
	atomic_store(&pipeline->stopped, true);
	int64_t until_ns = clock_now_ns() + 5 * NS_PER_S;
	size_t left;
	do {
		if (pipeline->dispatcher)
			dispatcher_reject_waiting(pipeline->dispatcher);
		left = event_pool_wait_empty(pipeline->pool, clock_now_ns() + 10 * NS_PER_MS);
	} while (left > 0 && clock_now_ns() < until_ns);
	if (left > 0)
		log_event(SLUICE_LOG_ERROR, NULL, "events_left_behind", sluice_int("count", (int64_t)left));
}

void pipeline_destroy(struct pipeline *pipeline)
{
	reject_all(pipeline);
	ticker_destroy(pipeline->ticker);
	if (pipeline->large_thread)
		event_thread_destroy(pipeline->large_thread);
	if (pipeline->resume_thread)
		event_thread_destroy(pipeline->resume_thread);
	for (unsigned kind = KIND_COUNT; kind-- > 0;)
		destroy_instance(pipeline->instances[kind]);
	if (pipeline->dispatcher)
		dispatcher_destroy(pipeline->dispatcher);
	event_pool_destroy(pipeline->pool);
	if (pipeline->recorder)
		recorder_destroy(pipeline->recorder);
	store_health_finish(&pipeline->store_health);
	store_identity_finish(&pipeline->store_identity);
	free(pipeline);
}

void pipeline_get_stats(const struct pipeline *pipeline, struct pipeline_stats *stats_out)
{
	*stats_out = (struct pipeline_stats){
		.in_flight = event_pool_in_flight(pipeline->pool),
		.receiving = event_pool_receiving(pipeline->pool),
		.in_flight_bytes = event_pool_bytes(pipeline->pool),
		.pool = event_pool_counts(pipeline->pool),
		.queue_depth = pipeline->dispatcher ? dispatcher_depth(pipeline->dispatcher) : 0,
		.workers = pipeline->dispatcher ? workers_count(dispatcher_workers(pipeline->dispatcher)) : 0,
		.worker_restarts = pipeline->dispatcher ? workers_restarts(dispatcher_workers(pipeline->dispatcher))
	                                                : 0,
		.retries = pipeline->dispatcher ? dispatcher_retries(pipeline->dispatcher) : 0,
		.dead_letters = pipeline->dispatcher ? dispatcher_dead_letters(pipeline->dispatcher) : 0,
	};
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		stats_out->outcomes[i] = atomic_load_explicit(&pipeline->outcomes[i], memory_order_relaxed);
	for (size_t i = 0; i < KIND_COUNT; i++)
		stats_out->rejections[i] = atomic_load_explicit(&pipeline->rejections[i], memory_order_relaxed);
}

double pipeline_worker_utilization(struct pipeline *pipeline, size_t id)
{
	return workers_utilization(dispatcher_workers(pipeline->dispatcher), id);
}

void pipeline_observe(struct pipeline *pipeline, struct sluice_observer *observer)
{
	for (unsigned kind = 0; kind < SLUICE_KIND_PERSIST; kind++) {
		struct instance *instance = pipeline->instances[kind];
		if (instance && instance->stage.ops->observe)
			instance->stage.ops->observe(&instance->stage, observer);
	}
	struct instance *persist = pipeline->instances[SLUICE_KIND_PERSIST];
	if (persist)
		store_health_observe(&pipeline->store_health, &persist->stage, observer);
}

const struct config *pipeline_config(const struct pipeline *pipeline)
{
	return pipeline->config;
}

struct recorder *pipeline_recorder(struct pipeline *pipeline)
{
	return pipeline->recorder;
}
