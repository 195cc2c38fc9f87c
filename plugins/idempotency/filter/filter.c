/*
 * idempotency/filter: recognizes most new message ids without asking the database: a filter of a fixed size has all
 * that are stored. What it may have is looked up, as by idempotency/lookup, and so is everything while it
 * is not whole or the store is in doubt. What is in flight is claimed as in idempotency/memory.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <sluice/stage.h>

#include "bloom.h"
#include "builder.h"
#include "claims/claims.h"
#include "lookup/lookup.h"

struct filter_config {
	struct config postgres; /* must be first */
	uint64_t size;
};

struct state {
	struct claims *claims;
	struct lookup lookup;
	struct bloom bloom;
	struct builder builder;
	_Atomic uint64_t passed, looked_up, mistaken; /* events: without a look-up, with one, with one in vain */
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct filter_config *config = stage->config;
	struct state *state = calloc(1, sizeof(*state));
	if (!state || !(state->claims = claims_create(0, 0))) {
		free(state);
		return sluice_error_set(error, "out of memory");
	}
	if (!bloom_init(&state->bloom, config->size)) {
		sluice_error_set(error, "size: not enough memory for %llu bytes", (unsigned long long)config->size);
		goto destroy_claims;
	}
	if (!lookup_open(&state->lookup, stage, error))
		goto finish_bloom;
	if (!builder_start(&state->builder, &state->lookup, &state->bloom, error))
		goto close_lookup;
	stage->state = state;
	return true;

close_lookup:
	lookup_close(&state->lookup);
finish_bloom:
	bloom_finish(&state->bloom);
destroy_claims:
	claims_destroy(state->claims);
	free(state);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	builder_stop(&state->builder);
	lookup_close(&state->lookup);
	bloom_finish(&state->bloom);
	claims_destroy(state->claims);
	free(state);
}

static void count(_Atomic uint64_t *events)
{
	(void)atomic_fetch_add_explicit(events, 1, memory_order_relaxed);
}

/* An id is in the filter before its event can be stored. Heirs of the event have the same one. An acknowledged event is of
 * a queue's backlog: its id is told, and nothing is to be said of it. */
static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct state *state = stage->state;
	enum sluice_verdict verdict = claims_process(state->claims, stage, event);
	if (verdict != SLUICE_PASS)
		return verdict;
	uint64_t hash = stage->host->hash(event->message_id.data, event->message_id.size);
	bool is_whole = builder_is_whole(&state->builder), may_have = bloom_may_have(&state->bloom, hash);
	bloom_add(&state->bloom, hash);
	if (event->acknowledged)
		return SLUICE_PASS;
	if (is_whole && !may_have) {
		count(&state->passed);
		return SLUICE_PASS;
	}
	verdict = lookup_event(&state->lookup, event);
	count(is_whole && verdict == SLUICE_PASS ? &state->mistaken : &state->looked_up);
	return verdict;
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct state *state = stage->state;
	claims_settle(state->claims, stage, event, verdict);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct state *state = stage->state;
	const char *name = "idempotency_filter_events";
	claims_observe(state->claims, observer);
	pool_observe(&state->lookup.pool, "lookup", observer);
	observer->gauge(observer, "idempotency_filter_whole", NULL, NULL, builder_is_whole(&state->builder),
	                "1 while the filter has all ids of the store, 0 while each id is looked up.");
	observer->gauge(observer, "idempotency_filter_false_positive_rate", NULL, NULL,
	                bloom_false_positive_rate(&state->bloom), "Share of new ids that are looked up all the same.");
	observer->gauge(observer, name, "way", "surely_new", (double)state->passed, "Events since the start, by way.");
	observer->gauge(observer, name, "way", "looked_up", (double)state->looked_up, NULL);
	observer->gauge(observer, name, "way", "looked_up_in_vain", (double)state->mistaken, NULL);
}

static const char *const spans[] = {LOOKUP_SPANS, NULL};

static const struct sluice_option options[] = {
	LOOKUP_OPTIONS,
	SLUICE_OPTION_SIZE(struct filter_config, size, .name = "size", .fallback = "64MiB", .min = 4096,
                           .max = INT64_C(1) << 32,
                           .help = "memory of the filter; at 17 bits for each stored id it looks up 1 new id in 1000"),
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "filter", .version = SLUICE_VERSION,
             .summary = "recognizes most new message ids by a filter in memory, and asks PostgreSQL for the others",
             .options = options, .config_size = sizeof(struct filter_config), .spans = spans, .check = config_check,
             .create = create, .settle = settle, .observe = observe, .destroy = destroy);
