/*
 * idempotency/memory: knows what is stored and what is on its way, so that a duplicate costs no write.
 */
#include <sluice/stage.h>

#include "claims/claims.h"

struct config {
	int64_t capacity;
	struct sluice_duration ttl;
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	stage->state = claims_create((size_t)config->capacity, config->ttl.ns);
	return stage->state || sluice_error_set(error, "out of memory");
}

static void destroy(struct sluice_stage *stage)
{
	claims_destroy(stage->state);
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	return claims_process(stage->state, stage, event);
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	claims_settle(stage->state, stage, event, verdict);
}

static int64_t tick(struct sluice_stage *stage)
{
	return claims_tick(stage->state, stage);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	claims_observe(stage->state, observer);
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "100000", .min = 1, .max = 100000000,
                          .unit = "message ids", .help = "stored ids remembered at most; the oldest are dropped"),
	SLUICE_OPTION_DURATION(struct config, ttl, .name = "ttl", .fallback = "24h", .min = 1000000,
                               .max = INT64_C(31536000000000000), .help = "how long a stored id is remembered"),
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "memory", .version = SLUICE_VERSION,
             .summary = "remembers stored message ids; duplicates of events in flight wait for their outcome",
             .options = options, .config_size = sizeof(struct config), .create = create, .settle = settle, .tick = tick,
             .observe = observe, .destroy = destroy);
