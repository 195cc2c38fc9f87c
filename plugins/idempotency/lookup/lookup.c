/*
 * idempotency/lookup: asks the database for each message id before the event goes on its way, as a service without a cache
 * does. What is in flight is claimed as in idempotency/memory; of what is stored nothing is remembered.
 */
#include <stdlib.h>

#include <sluice/stage.h>

#include "claims/claims.h"
#include "lookup/lookup.h"

struct state {
	struct claims *claims;
	struct lookup lookup;
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct state *state = calloc(1, sizeof(*state));
	if (!state || !(state->claims = claims_create(0, 0))) {
		free(state);
		return sluice_error_set(error, "out of memory");
	}
	if (lookup_open(&state->lookup, stage, error)) {
		stage->state = state;
		return true;
	}
	claims_destroy(state->claims);
	free(state);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	lookup_close(&state->lookup);
	claims_destroy(state->claims);
	free(state);
}

/* Whoever has the claim asks. The duplicates that wait for its fate take that for an answer, as do their heirs, for whom
 * the store decides. An acknowledged event is of a queue's backlog: its id is told, and nothing is to be said of it. */
static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct state *state = stage->state;
	enum sluice_verdict verdict = claims_process(state->claims, stage, event);
	return verdict == SLUICE_PASS && !event->acknowledged ? lookup_event(&state->lookup, event) : verdict;
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct state *state = stage->state;
	claims_settle(state->claims, stage, event, verdict);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct state *state = stage->state;
	claims_observe(state->claims, observer);
	pool_observe(&state->lookup.pool, "lookup", observer);
}

static const char *const spans[] = {LOOKUP_SPANS, NULL};

static const struct sluice_option options[] = {LOOKUP_OPTIONS, SLUICE_OPTION_END};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "lookup", .version = SLUICE_VERSION,
             .summary = "asks PostgreSQL for each message id; duplicates of events in flight wait for their outcome",
             .options = options, .config_size = sizeof(struct config), .spans = spans, .check = config_check,
             .create = create, .settle = settle, .observe = observe, .destroy = destroy);
