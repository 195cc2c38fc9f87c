/*
 * What generations share, and the change from one to the next; see generation.h.
 */
#include "runtime/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "runtime/abi.h"
#include "runtime/event_thread.h"
#include "runtime/flow.h"
#include "runtime/retention.h"
#include "runtime/span_names.h"
#include "runtime/split.h"
#include "runtime/ticker.h"

/* How long workers may wait for an earlier generation before health says so. */
#define HELD_UP_NS (2 * NS_PER_S)

/* Behind a queue nothing is stored on the resume thread. */
static bool is_quick(const struct event *event)
{
	return event->pipeline->dispatcher != NULL;
}

/* A body that grows may stand in memory twice for a moment. */
static size_t largest_event(const struct config *config)
{
	return (size_t)(2 * config->listen.max_body + config->listen.max_header + config->events.arena);
}

struct generations *generations_create(const struct config *config, struct sluice_error *error)
{
	struct generations *generations = must_calloc(1, sizeof(*generations));
	store_identity_init(&generations->store_identity);
	rate_limiter_init(&generations->rates);
	generations->recorder = recorder_create();
	generations->pool = event_pool_create(&config->events, largest_event(config));
	if (!generations->recorder)
		sluice_error_set(error, "out of thread-specific keys for the histograms");
	else if ((generations->resume_thread = event_thread_create("sluice-resume", flow_carry_on, is_quick, error)) &&
	         (generations->large_thread = event_thread_create("sluice-large", flow_begin, NULL, error))) {
		generations->split = split_create(generations->resume_thread);
		return generations;
	}
	generations_destroy(generations);
	return NULL;
}

void generations_stop_threads(struct generations *generations)
{
	if (generations->large_thread)
		event_thread_destroy(generations->large_thread);
	if (generations->resume_thread)
		event_thread_destroy(generations->resume_thread);
	generations->large_thread = generations->resume_thread = NULL;
}

void generations_destroy(struct generations *generations)
{
	generations_stop_threads(generations);
	event_pool_destroy(generations->pool);
	if (generations->recorder)
		recorder_destroy(generations->recorder);
	rate_limiter_finish(&generations->rates);
	store_identity_finish(&generations->store_identity);
	span_names_free(&generations->span_names);
	if (generations->split)
		split_destroy(generations->split);
	free(generations);
}

int64_t generations_limit(struct generations *generations, const struct listen_config *listen, enum rate_by by,
                          struct sluice_bytes key)
{
	if (listen->rate_requests == 0 || listen->rate_by != (int)by)
		return 0;
	const struct rate rate = {
		.interval_ns = listen->rate_per.ns / listen->rate_requests,
		.burst = listen->rate_burst ? listen->rate_burst : listen->rate_requests,
	};
	return rate_limiter_take(&generations->rates, &rate, key.data ? key.data : "", key.size, clock_now_ns());
}

struct event *generations_receive(struct generations *generations)
{
	return event_pool_get(generations->pool, NULL);
}

size_t generations_excess(const struct generations *generations)
{
	return event_pool_excess(generations->pool);
}

/* A slot that is current after its pins were counted stays what it is until they are gone. */
static void pin_current(struct generations *generations, struct event *event)
{
	for (;;) {
		unsigned current = atomic_load(&generations->current);
		struct generation_slot *slot = &generations->slots[current];
		atomic_size_t *pins = split_is_on(generations->split) ? &slot->counted : &slot->pins;
		(void)atomic_fetch_add(pins, 1);
		if (atomic_load(&generations->current) == current) {
			event->pipeline = slot->pipeline;
			event->pins = pins;
			return;
		}
		(void)atomic_fetch_sub(pins, 1);
	}
}

bool generations_admit(struct generations *generations, struct event *event)
{
	if (!event_pool_admit(generations->pool, event))
		return false;
	pin_current(generations, event);
	return true;
}

static struct generation_slot *free_slot(struct generations *generations)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		if (!generations->slots[i].pipeline)
			return &generations->slots[i];
	return NULL;
}

bool generations_have_room(const struct generations *generations)
{
	return generations_live(generations) < GENERATIONS_MAX;
}

void generations_lend_slot(struct generations *generations, struct pipeline *pipeline)
{
	struct generation_slot *slot = free_slot(generations);
	pipeline->pins = &slot->pins;
	pipeline->counted = &slot->counted;
}

struct pipeline *generations_current(const struct generations *generations)
{
	return generations->slots[atomic_load(&generations->current)].pipeline;
}

size_t generations_live(const struct generations *generations)
{
	size_t count = 0;
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		count += generations->slots[i].pipeline != NULL;
	return count;
}

/* Whether one that came before it has another queue: its events go first. Between the arms of a canary buckets see to that. */
static bool has_to_wait(const struct generations *generations, const struct pipeline *pipeline)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *other = generations->slots[i].pipeline;
		if (other && !other->is_candidate && !pipeline->is_candidate && other->number < pipeline->number &&
		    other->dispatcher != pipeline->dispatcher)
			return true;
	}
	return false;
}

/* The queue's workers begin; what it has kept from an earlier life is of this pipeline. */
static void open_queues(struct generations *generations)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		struct pipeline *pipeline = generations->slots[i].pipeline;
		if (!pipeline || pipeline->is_open || has_to_wait(generations, pipeline))
			continue;
		pipeline->is_open = true;
		if (!pipeline->dispatcher)
			continue;
		dispatcher_serve(pipeline->dispatcher, pipeline);
		crew_open(pipeline->crew);
	}
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *span_name(const struct pipeline *pipeline, unsigned kind, unsigned span)
{
	const struct instance *instance = pipeline->instances[kind];
	const char *const *spans = instance ? instance->stage.ops->spans : NULL;
	for (unsigned i = 0; spans && spans[i] && i < span; i++)
		if (!spans[i + 1])
			return NULL;
	return spans ? spans[span] : NULL;
}

/* A span of another name is another figure. */
static void restart_spans(const struct pipeline *pipeline, const struct pipeline *previous)
{
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		for (unsigned span = 0; span < SLUICE_SPANS_MAX; span++)
			if (!same_text(span_name(pipeline, kind, span), span_name(previous, kind, span)))
				recorder_restart(pipeline->shared->recorder,
				                 series_of((enum sluice_kind)kind, PART_SPAN + span));
}

static struct generation_slot *slot_of(struct generations *generations, const struct pipeline *pipeline)
{
	struct generation_slot *slot = generations->slots;
	while (slot->pipeline != pipeline)
		slot++;
	return slot;
}

struct split *generations_split(struct generations *generations)
{
	return generations->split;
}

struct pipeline *generations_candidate(const struct generations *generations)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		if (generations->slots[i].pipeline && generations->slots[i].pipeline->is_candidate)
			return generations->slots[i].pipeline;
	return NULL;
}

bool generations_may_split(const struct generations *generations)
{
	return atomic_load(generations_current(generations)->counted) == 0;
}

bool generations_may_move(const struct generations *generations)
{
	return atomic_load(generations_current(generations)->pins) == 0;
}

/* Its queue is its own, and buckets keep the order: so its workers begin at once. */
void generations_try(struct generations *generations, struct pipeline *candidate)
{
	candidate->number = generations_current(generations)->number + 1;
	candidate->published_ns = clock_now_ns();
	candidate->is_candidate = true;
	free_slot(generations)->pipeline = candidate;
	open_queues(generations);
	ticker_start(candidate->own_ticker);
	split_begin(generations->split, candidate);
}

static void stop_own_ticks(struct pipeline *candidate)
{
	ticker_destroy(candidate->own_ticker);
	candidate->own_ticker = NULL;
}

void generations_promote(struct generations *generations)
{
	struct pipeline *candidate = generations_candidate(generations);
	struct pipeline *previous = generations_current(generations);
	candidate->is_candidate = false;
	stop_own_ticks(candidate);
	restart_spans(candidate, previous);
	atomic_store(&generations->current, (unsigned)(slot_of(generations, candidate) - generations->slots));
	generations->replaced = previous;
}

void generations_dismiss(struct generations *generations)
{
	struct pipeline *candidate = generations_candidate(generations);
	candidate->is_candidate = false;
	stop_own_ticks(candidate);
}

void generations_publish(struct generations *generations, struct pipeline *pipeline)
{
	struct generation_slot *slot = free_slot(generations);
	struct pipeline *previous = generations_current(generations);
	pipeline->number = previous ? previous->number + 1 : 1;
	pipeline->published_ns = clock_now_ns();
	slot->pipeline = pipeline;
	if (previous) {
		event_pool_resize(generations->pool, &pipeline->config->events, largest_event(pipeline->config));
		restart_spans(pipeline, previous);
	}
	atomic_store(&generations->current, (unsigned)(slot - generations->slots));
	open_queues(generations);
	if (previous && previous->crew && previous->dispatcher == pipeline->dispatcher &&
	    previous->crew != pipeline->crew)
		crew_dismiss(previous->crew);
	generations->replaced = previous;
}

/* A stage that both have ticks for one of them. */
void generations_hand_over(struct generations *generations)
{
	struct pipeline *pipeline = generations_current(generations), *previous = generations->replaced;
	if (previous) {
		ticker_destroy(previous->ticker);
		retention_destroy(previous->retention);
		previous->ticker = NULL;
		previous->retention = NULL;
		pipeline_hurry(previous, pipeline);
	}
	ticker_start(pipeline->ticker);
	if (atomic_load(&generations->retains))
		retention_start(pipeline->retention);
}

static bool is_shared_dispatcher(const struct generations *generations, const struct pipeline *pipeline)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *other = generations->slots[i].pipeline;
		if (other && other != pipeline && other->dispatcher == pipeline->dispatcher)
			return true;
	}
	return false;
}

static size_t backlog_count(const struct generations *generations, const struct pipeline *pipeline)
{
	struct instance *queue = pipeline->instances[SLUICE_KIND_QUEUE];
	const struct sluice_queue_backlog *backlog = queue ? abi_backlog(queue->stage.ops) : NULL;
	return backlog && !is_shared_dispatcher(generations, pipeline) ? backlog->count(&queue->stage) : 0;
}

/* Events of later generations that its workers could not store and no others have tried yet. */
static size_t held_count(const struct generations *generations, const struct pipeline *pipeline)
{
	const struct instance *persist = pipeline->instances[SLUICE_KIND_PERSIST];
	return persist && !generations_share(generations, pipeline, SLUICE_KIND_PERSIST) ? atomic_load(&persist->held)
	                                                                                 : 0;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Its last event may have left the queue and not yet the pipeline: so the backlog is looked at before the pins. */
static size_t count_left(const struct generations *generations, const struct pipeline *pipeline)
{
	size_t backlog = backlog_count(generations, pipeline);
	return larger(larger(backlog, held_count(generations, pipeline)),
	              atomic_load(pipeline->pins) + atomic_load(pipeline->counted));
}

size_t generations_left(const struct generations *generations)
{
	const struct pipeline *current = generations_current(generations);
	size_t left = 0;
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *pipeline = generations->slots[i].pipeline;
		left += pipeline && pipeline != current ? count_left(generations, pipeline) : 0;
	}
	return left;
}

/* Passes on what is bad and nothing else: gauges are those of the generation that serves. */
struct bad_news {
	struct sluice_observer observer; /* must be first */
	struct sluice_observer *to;
};

static void drop_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                       double value, const char *help)
{
	(void)observer, (void)name, (void)label, (void)label_value, (void)value, (void)help;
}

static void pass_reason(struct sluice_observer *observer, const char *reason)
{
	struct sluice_observer *to = ((struct bad_news *)(void *)observer)->to;
	to->unhealthy(to, reason);
}

void generations_observe(const struct generations *generations, struct sluice_observer *observer)
{
	const struct pipeline *current = generations_current(generations);
	struct bad_news news = {.observer = {.gauge = drop_gauge, .unhealthy = pass_reason}, .to = observer};
	char reason[160];
	if (current->is_open || clock_now_ns() - current->published_ns < HELD_UP_NS)
		return;
	(void)snprintf(
		reason, sizeof(reason),
		"workers wait for the events of an earlier generation, which has another queue: %zu are not stored",
		generations_left(generations));
	observer->unhealthy(observer, reason);
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *other = generations->slots[i].pipeline;
		struct instance *persist = other ? other->instances[SLUICE_KIND_PERSIST] : NULL;
		if (persist && other != current && persist != current->instances[SLUICE_KIND_PERSIST])
			store_health_observe(persist->health, &persist->stage, &news.observer);
	}
}

static struct generation_slot *find_retired(struct generations *generations)
{
	const struct pipeline *current = generations_current(generations);
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *pipeline = generations->slots[i].pipeline;
		if (pipeline && pipeline != current && !pipeline->is_candidate &&
		    count_left(generations, pipeline) == 0)
			return &generations->slots[i];
	}
	return NULL;
}

bool generations_have_retired(struct generations *generations)
{
	return find_retired(generations) != NULL;
}

struct pipeline *generations_take_retired(struct generations *generations)
{
	struct generation_slot *slot = find_retired(generations);
	struct pipeline *pipeline = slot ? slot->pipeline : NULL;
	if (!pipeline)
		return NULL;
	slot->pipeline = NULL;
	open_queues(generations);
	return pipeline;
}

bool generations_share(const struct generations *generations, const struct pipeline *pipeline, unsigned kind)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *other = generations->slots[i].pipeline;
		if (other && other != pipeline && other->instances[kind] == pipeline->instances[kind])
			return true;
	}
	return false;
}

bool generations_share_crew(const struct generations *generations, const struct pipeline *pipeline)
{
	for (size_t i = 0; i < GENERATIONS_MAX; i++) {
		const struct pipeline *other = generations->slots[i].pipeline;
		if (other && other != pipeline && other->crew == pipeline->crew)
			return true;
	}
	return false;
}
