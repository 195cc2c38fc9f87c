/*
 * What generations share, and the change from one to the next; see generation.h.
 */
#include "runtime/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "runtime/abi.h"
#include "runtime/event_thread.h"
#include "runtime/flow.h"
#include "runtime/ticker.h"

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
	generations->recorder = recorder_create();
	generations->pool = event_pool_create(&config->events, largest_event(config));
	atomic_init(&generations->current, 1);
	if (!generations->recorder)
		sluice_error_set(error, "out of thread-specific keys for the histograms");
	else if ((generations->resume_thread = event_thread_create("sluice-resume", flow_carry_on, is_quick, error)) &&
	         (generations->large_thread = event_thread_create("sluice-large", flow_begin, NULL, error)))
		return generations;
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
	store_identity_finish(&generations->store_identity);
	free(generations);
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
static struct generation_slot *pin_current(struct generations *generations)
{
	for (;;) {
		unsigned current = atomic_load(&generations->current);
		struct generation_slot *slot = &generations->slots[current];
		(void)atomic_fetch_add(&slot->pins, 1);
		if (atomic_load(&generations->current) == current)
			return slot;
		(void)atomic_fetch_sub(&slot->pins, 1);
	}
}

bool generations_admit(struct generations *generations, struct event *event)
{
	if (!event_pool_admit(generations->pool, event))
		return false;
	struct generation_slot *slot = pin_current(generations);
	event->pipeline = slot->pipeline;
	event->pins = &slot->pins;
	return true;
}

static struct generation_slot *free_slot(struct generations *generations)
{
	return &generations->slots[1 - atomic_load(&generations->current)];
}

atomic_size_t *generations_free_pins(struct generations *generations)
{
	return &free_slot(generations)->pins;
}

struct pipeline *generations_current(const struct generations *generations)
{
	return generations->slots[atomic_load(&generations->current)].pipeline;
}

bool generations_are_two(const struct generations *generations)
{
	return generations_current(generations)->previous != NULL;
}

/* The queue's workers begin; what it has kept from an earlier life is of this pipeline. */
static void open_queue(struct pipeline *pipeline)
{
	if (!pipeline->dispatcher)
		return;
	dispatcher_serve(pipeline->dispatcher, pipeline);
	crew_open(pipeline->crew);
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

void generations_publish(struct generations *generations, struct pipeline *pipeline)
{
	struct generation_slot *slot = free_slot(generations);
	struct pipeline *previous = generations_current(generations);
	slot->pipeline = pipeline;
	pipeline->previous = previous;
	if (previous) {
		event_pool_resize(generations->pool, &pipeline->config->events, largest_event(pipeline->config));
		restart_spans(pipeline, previous);
	}
	atomic_store(&generations->current, 1 - atomic_load(&generations->current));
	if (!previous || previous->dispatcher == pipeline->dispatcher)
		open_queue(pipeline);
	if (previous && previous->crew && previous->dispatcher == pipeline->dispatcher &&
	    previous->crew != pipeline->crew)
		crew_dismiss(previous->crew);
}

/* A stage that both have ticks for one of them. */
void generations_hand_over(struct generations *generations)
{
	struct pipeline *pipeline = generations_current(generations), *previous = pipeline->previous;
	if (previous) {
		ticker_destroy(previous->ticker);
		previous->ticker = NULL;
		pipeline_hurry(previous, pipeline);
	}
	ticker_start(pipeline->ticker);
}

static size_t backlog_count(const struct pipeline *pipeline, const struct pipeline *next)
{
	struct instance *queue = pipeline->instances[SLUICE_KIND_QUEUE];
	const struct sluice_queue_backlog *backlog = queue ? abi_backlog(queue->stage.ops) : NULL;
	return backlog && pipeline->dispatcher != next->dispatcher ? backlog->count(&queue->stage) : 0;
}

size_t generations_left(const struct generations *generations)
{
	const struct pipeline *next = generations_current(generations), *pipeline = next->previous;
	if (!pipeline)
		return 0;
	size_t backlog = backlog_count(pipeline, next), pins = atomic_load(pipeline->pins);
	return backlog > pins ? backlog : pins;
}

struct pipeline *generations_take_retired(struct generations *generations)
{
	struct pipeline *next = generations_current(generations), *pipeline = next->previous;
	/* Its last event may have left the queue and not yet the pipeline: so the backlog is looked at before the pins. */
	if (!pipeline || generations_left(generations) > 0)
		return NULL;
	if (pipeline->dispatcher != next->dispatcher)
		open_queue(next);
	next->previous = NULL;
	return pipeline;
}
