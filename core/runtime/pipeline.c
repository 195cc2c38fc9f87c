/*
 * A pipeline alive; see pipeline.h.
 */
#include "runtime/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/candidate.h"
#include "runtime/dispatcher.h"
#include "runtime/event_thread.h"
#include "runtime/flow.h"
#include "runtime/generation.h"
#include "runtime/retention.h"
#include "runtime/sameness.h"
#include "runtime/span_names.h"
#include "runtime/ticker.h"
#include "runtime/worker.h"

/* From this size on, and of any size where it has to be inflated, a body is checked, hashed and parsed (up to 10 ns a byte) on a thread of its own, so that small ones
 * do not wait for it. The hop costs about 60 µs. */
enum { LARGE_BODY = 64 * 1024 };

static struct instance *create_instance(const struct config *config, unsigned kind, struct pipeline *pipeline,
                                        struct sluice_error *error)
{
	const struct stage_config *stage = &config->stages[kind];
	const struct sluice_stage_ops *ops = &stage->plugin->ops;
	struct instance *instance = must_calloc(1, sizeof(*instance));
	instance->stage.host = &host_table;
	instance->stage.ops = ops;
	instance->stage.config = stage->options;
	instance->stage.read_only = !pipeline;
	instance->creator = pipeline;
	instance->shared = pipeline ? pipeline->shared : NULL;
	(void)snprintf(instance->label, sizeof(instance->label), "%s/%s", kind_names[kind], ops->name);
	struct sluice_error cause = {0};
	if (ops->self_test && !ops->self_test(&cause)) {
		sluice_error_set(error, "%s: its self-test failed: %s", instance->label, cause.text);
	} else if (ops->create && !ops->create(&instance->stage, &cause)) {
		sluice_error_set(error, "%s: %s", instance->label, cause.text);
	} else {
		instance->config = config_share(config);
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
	if (instance->dispatcher)
		dispatcher_destroy(instance->dispatcher);
	if (instance->health)
		store_health_finish(instance->health);
	free(instance->health);
	config_free(instance->config);
	free(instance);
}

static void equip(struct instance *instance)
{
	instance->spans = span_names_keep(&instance->shared->span_names, instance->stage.ops->spans);
	if (instance->stage.ops->kind == SLUICE_KIND_PERSIST) {
		instance->health = must_alloc(sizeof(*instance->health));
		store_health_init(instance->health);
	} else if (instance->stage.ops->kind == SLUICE_KIND_QUEUE) {
		instance->dispatcher = dispatcher_create(&(struct dispatcher_setup){
			.queue = instance, .counts = &instance->shared->counts, .finish = flow_finish});
	}
}

/* What a stage knows is still true under the new config if its code and options are the same; for idempotency, whose claims
 * are about what lies below it, if all of that is the same. An authentication stage reads its keys again. */
static bool may_take_over(const struct pipeline *pipeline, const struct pipeline *previous, unsigned kind)
{
	if (!previous || !config_same_stage(pipeline->config, previous->config, (enum sluice_kind)kind))
		return false;
	if (pipeline->is_candidate) /* both arms are above one store */
		return kind != SLUICE_KIND_QUEUE;
	if (kind == SLUICE_KIND_IDEMPOTENCY)
		return pipeline->instances[SLUICE_KIND_QUEUE] == previous->instances[SLUICE_KIND_QUEUE] &&
		       pipeline->instances[SLUICE_KIND_PERSIST] == previous->instances[SLUICE_KIND_PERSIST];
	return kind != SLUICE_KIND_AUTH;
}

/* The store comes first: stages before it may ask it. */
static bool create_stages(struct pipeline *pipeline, const struct pipeline *previous, struct sluice_error *error)
{
	for (unsigned kind = KIND_COUNT; kind-- > 0;) {
		if (!pipeline->config->stages[kind].present)
			continue;
		struct instance *instance = may_take_over(pipeline, previous, kind)
		                                    ? previous->instances[kind]
		                                    : create_instance(pipeline->config, kind, pipeline, error);
		if (!instance)
			return false;
		pipeline->instances[kind] = instance;
		pipeline->process[kind] = abi_process(instance->stage.ops);
		pipeline->settle[kind] = instance->stage.ops->settle;
		if (instance->creator == pipeline)
			equip(instance);
	}
	const struct instance *parse = pipeline->instances[SLUICE_KIND_PARSE];
	pipeline->sameness = parse ? stage_sameness_of(&parse->stage) : NULL;
	return true;
}

static bool recover(struct instance *queue, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	if (!queue->stage.ops->of.queue->recover || queue->stage.ops->of.queue->recover(&queue->stage, &cause))
		return true;
	return sluice_error_set(error, "%s: %s", queue->label, cause.text);
}

/* The workers of the previous generation go on where nothing that they know has changed. */
static bool may_keep_crew(const struct pipeline *pipeline, const struct pipeline *previous)
{
	return previous && pipeline->dispatcher == previous->dispatcher &&
	       pipeline->instances[SLUICE_KIND_PERSIST] == previous->instances[SLUICE_KIND_PERSIST] &&
	       config_same_workers(pipeline->config, previous->config);
}

static bool start_queue(struct pipeline *pipeline, const struct pipeline *previous, struct sluice_error *error)
{
	struct instance *queue = pipeline->instances[SLUICE_KIND_QUEUE];
	struct instance *persist = pipeline->instances[SLUICE_KIND_PERSIST];
	if (!queue)
		return !previous || !previous->dispatcher ||
		       sluice_error_set(error, "a pipeline cannot lose its queue while it runs: restart the server");
	if (!persist)
		return sluice_error_set(error, "%s: the queue requires a persist stage", queue->label);
	bool keeps = pipeline->config->ack == ACK_QUEUED || queue->stage.ops->of.queue->recover;
	if (keeps && !persist->stage.ops->of.persist->dead_letter)
		return sluice_error_set(error, "%s keeps no dead letters, which %s requires", persist->label,
		                        queue->label);
	pipeline->dispatcher = queue->dispatcher;
	if (queue->creator == pipeline && !recover(queue, error))
		return false;
	pipeline->crew = may_keep_crew(pipeline, previous)
	                         ? previous->crew
	                         : crew_create(&(struct crew_setup){.dispatcher = queue->dispatcher,
	                                                            .config = pipeline->config,
	                                                            .persist = persist,
	                                                            .store = flow_store},
	                                       error);
	return pipeline->crew != NULL;
}

/* For all stages, or for those that the pipeline has alone. */
static bool create_ticker(const struct pipeline *pipeline, bool own, struct ticker **ticker_out,
                          struct sluice_error *error)
{
	struct sluice_stage *stages[KIND_COUNT] = {NULL};
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		struct instance *instance = pipeline->instances[kind];
		stages[kind] = instance && (!own || instance->creator == pipeline) ? &instance->stage : NULL;
	}
	struct sluice_error cause = {0};
	*ticker_out = ticker_create(stages, &cause);
	return *ticker_out || !cause.text[0] || sluice_error_set(error, "%s", cause.text);
}

static bool create_tickers(struct pipeline *pipeline, struct sluice_error *error)
{
	return create_ticker(pipeline, false, &pipeline->ticker, error) &&
	       (!pipeline->is_candidate || create_ticker(pipeline, true, &pipeline->own_ticker, error));
}

static bool create_retention(struct pipeline *pipeline, struct sluice_error *error)
{
	struct instance *persist = pipeline->instances[SLUICE_KIND_PERSIST];
	struct sluice_error cause = {0};
	pipeline->retention = retention_create(persist ? &persist->stage : NULL, pipeline->config,
	                                       &pipeline->shared->pruned, &cause);
	return pipeline->retention || !cause.text[0] || sluice_error_set(error, "%s", cause.text);
}

/* Frees what no other generation has. No event is inside. */
static void release(struct pipeline *pipeline)
{
	const struct generations *shared = pipeline->shared;
	ticker_destroy(pipeline->own_ticker);
	ticker_destroy(pipeline->ticker);
	retention_destroy(pipeline->retention);
	if (pipeline->crew && !generations_share_crew(shared, pipeline)) {
		crew_stop(pipeline->crew);
		crew_destroy(pipeline->crew);
	}
	for (unsigned kind = KIND_COUNT; kind-- > 0;)
		if (!generations_share(shared, pipeline, kind))
			destroy_instance(pipeline->instances[kind]);
	config_free((struct config *)(uintptr_t)pipeline->config);
	free(pipeline);
}

static struct pipeline *build(struct generations *shared, const struct config *config, struct pipeline *previous,
                              bool is_candidate, struct sluice_error *error)
{
	struct pipeline *pipeline = must_calloc(1, sizeof(*pipeline));
	pipeline->config = config_share(config);
	pipeline->measures_cpu = config_measures_cpu(config);
	pipeline->shared = shared;
	pipeline->is_candidate = is_candidate;
	generations_lend_slot(shared, pipeline);
	if (create_stages(pipeline, previous, error) && start_queue(pipeline, previous, error) &&
	    create_tickers(pipeline, error) && create_retention(pipeline, error)) {
		for (unsigned kind = 0; kind < KIND_COUNT; kind++)
			if (pipeline->instances[kind])
				pipeline->instances[kind]->creator = NULL;
		return pipeline;
	}
	release(pipeline);
	return NULL;
}

struct pipeline *pipeline_create(const struct config *config, struct sluice_error *error)
{
	struct generations *shared = generations_create(config, error);
	if (!shared)
		return NULL;
	struct pipeline *pipeline = build(shared, config, NULL, false, error);
	if (!pipeline) {
		generations_destroy(shared);
		return NULL;
	}
	generations_publish(shared, pipeline);
	generations_hand_over(shared);
	return pipeline;
}

struct pipeline *pipeline_create_next(const struct config *config, struct pipeline *previous,
                                      struct sluice_error *error)
{
	return build(previous->shared, config, previous, false, error);
}

struct pipeline *pipeline_create_candidate(const struct config *config, struct pipeline *baseline,
                                           struct sluice_error *error)
{
	return candidate_check(config, baseline->config, error) ? build(baseline->shared, config, baseline, true, error)
	                                                        : NULL;
}

void pipeline_retire(struct pipeline *pipeline)
{
	release(pipeline);
}

struct sluice_stage *pipeline_open_stage(const struct config *config, enum sluice_kind kind, struct sluice_error *error)
{
	struct instance *instance = create_instance(config, kind, NULL, error);
	return instance ? &instance->stage : NULL;
}

struct sluice_stage *pipeline_open_store(const struct config *config, struct sluice_error *error)
{
	if (!config->stages[SLUICE_KIND_PERSIST].present) {
		sluice_error_set(error, "%s: the pipeline has no persist stage, so there is no store to read",
		                 config->file);
		return NULL;
	}
	return pipeline_open_stage(config, SLUICE_KIND_PERSIST, error);
}

void pipeline_close_store(struct sluice_stage *stage)
{
	destroy_instance(instance_of(stage));
}

/* The parse stage stays: by what it was told two events are the same. */
static void forget_stages_before(struct config *config, unsigned first)
{
	for (unsigned kind = 0; kind < first; kind++)
		config->stages[kind].present &= kind == SLUICE_KIND_PARSE;
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
	return event_pool_get(pipeline->shared->pool, pipeline);
}

bool pipeline_admit(struct event *event)
{
	if (!event_pool_admit(event->pool, event))
		return false;
	flow_pin(event->pipeline);
	event->pins = event->pipeline->pins;
	return true;
}

void pipeline_discard(struct event *event)
{
	event_release(event);
}

void pipeline_submit(struct event *event)
{
	/* What a parse stage may overrule: without one the payload is the whole body. */
	if (!event->pub.payload.data)
		event->pub.payload = event->pub.body;
	event->times.start_ns = event->entered_ns = clock_now_ns();
	event->times.wall_ns = event->pub.received_at_ns;
	if (event->pub.body.size >= LARGE_BODY || event->coding != CODING_IDENTITY)
		event_thread_give(event->pipeline->shared->large_thread, event);
	else
		flow_advance(event);
}

void pipeline_hurry(struct pipeline *pipeline, const struct pipeline *other)
{
	if (pipeline->dispatcher && !(other && other->dispatcher == pipeline->dispatcher))
		dispatcher_hurry(pipeline->dispatcher);
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		struct instance *instance = pipeline->instances[kind];
		if (instance && instance->stage.ops->drain && !(other && other->instances[kind] == instance))
			instance->stage.ops->drain(&instance->stage);
	}
}

size_t pipeline_drain(struct pipeline *pipeline, int64_t until_ns)
{
	pipeline_hurry(pipeline, NULL);
	return event_pool_wait_empty(pipeline->shared->pool, until_ns);
}

static void close_pipeline(struct pipeline *pipeline)
{
	atomic_store(&pipeline->closing, true);
	if (pipeline->crew)
		crew_stop(pipeline->crew);
}

/* Rejecting one event may resume another that waited for its fate, which then comes back to the queue: until all are
 * out. */
static void reject_all(struct generations *shared)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		if (shared->slots[i].pipeline)
			close_pipeline(shared->slots[i].pipeline);
	int64_t until_ns = clock_now_ns() + 5 * NS_PER_S;
	size_t left;
	do {
		for (size_t i = 0; i < GENERATIONS_MAX; i++)
			if (shared->slots[i].pipeline && shared->slots[i].pipeline->dispatcher)
				dispatcher_reject_waiting(shared->slots[i].pipeline->dispatcher);
		left = event_pool_wait_empty(shared->pool, clock_now_ns() + 10 * NS_PER_MS);
	} while (left > 0 && clock_now_ns() < until_ns);
	if (left > 0)
		log_event(SLUICE_LOG_ERROR, NULL, "events_left_behind", sluice_int("count", (int64_t)left));
}

void pipeline_destroy(struct pipeline *pipeline)
{
	struct generations *shared = pipeline->shared;
	reject_all(shared);
	generations_stop_threads(shared);
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		struct pipeline *each = shared->slots[i].pipeline;
		if (each)
			release(each);
		shared->slots[i].pipeline = NULL;
	}
	generations_destroy(shared);
}

void pipeline_retain(struct pipeline *pipeline)
{
	atomic_store(&pipeline->shared->retains, true);
	retention_start(pipeline->retention);
}

static size_t queue_depth(const struct generations *shared)
{
	const struct dispatcher *counted[GENERATIONS_MAX] = {NULL};
	size_t depth = 0;
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *pipeline = shared->slots[i].pipeline;
		const struct dispatcher *dispatcher = pipeline ? pipeline->dispatcher : NULL;
		bool is_new = dispatcher != NULL;
		for (size_t j = 0; j < i; j++)
			is_new &= counted[j] != dispatcher;
		counted[i] = dispatcher;
		depth += is_new ? dispatcher_depth(dispatcher) : 0;
	}
	return depth;
}

void pipeline_get_stats(const struct pipeline *pipeline, struct pipeline_stats *stats_out)
{
	const struct generations *shared = pipeline->shared;
	const struct dispatcher_counts *counts = &shared->counts;
	*stats_out = (struct pipeline_stats){
		.in_flight = event_pool_in_flight(shared->pool),
		.receiving = event_pool_receiving(shared->pool),
		.in_flight_bytes = event_pool_bytes(shared->pool),
		.pool = event_pool_counts(shared->pool),
		.queue_depth = queue_depth(shared),
		.workers = pipeline->crew ? workers_count(crew_workers(pipeline->crew)) : 0,
		.worker_restarts = atomic_load_explicit(&counts->worker_restarts, memory_order_relaxed),
		.retries = atomic_load_explicit(&counts->retries, memory_order_relaxed),
		.dead_letters = atomic_load_explicit(&counts->dead_letters, memory_order_relaxed),
	};
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		stats_out->outcomes[i] = atomic_load_explicit(&shared->outcomes[i], memory_order_relaxed);
	for (size_t i = 0; i < KIND_COUNT; i++)
		stats_out->rejections[i] = atomic_load_explicit(&shared->rejections[i], memory_order_relaxed);
	stats_out->pruned = atomic_load_explicit(&shared->pruned, memory_order_relaxed);
}

double pipeline_worker_utilization(struct pipeline *pipeline, size_t id)
{
	return workers_utilization(crew_workers(pipeline->crew), id);
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
		store_health_observe(persist->health, &persist->stage, observer);
	generations_observe(pipeline->shared, observer);
}

const struct config *pipeline_config(const struct pipeline *pipeline)
{
	return pipeline->config;
}

struct recorder *pipeline_recorder(struct pipeline *pipeline)
{
	return pipeline->shared->recorder;
}

struct generations *pipeline_generations(struct pipeline *pipeline)
{
	return pipeline->shared;
}

bool pipeline_shares_stage(const struct pipeline *pipeline, const struct pipeline *other, enum sluice_kind kind)
{
	return pipeline->instances[kind] && pipeline->instances[kind] == other->instances[kind];
}

int64_t pipeline_number(const struct pipeline *pipeline)
{
	return pipeline->number;
}
