/*
 * The proof that there is a way back: B's pipeline is started with the kill switch (ENABLE_OPTIMIZATIONS=false) on B's
 * own tables, must then be the base, be healthy, and take a hundred webhooks; within five minutes.
 */
#ifndef LAB_TRIAL_ROLLBACK_H
#define LAB_TRIAL_ROLLBACK_H

#include <stdbool.h>

#include <jansson.h>
#include <sluice/error.h>

#include "lab/load/generate.h"
#include "lab/load/sign.h"
#include "lab/trial/arm.h"

enum { ROLLBACK_EVENTS = 100, ROLLBACK_LIMIT_S = 300 };

struct rollback_plan {
	const struct arm_plan *changed; /* B, whose server has been stopped */
	const struct arm_plan *base;    /* A; NULL: there was none, so that what runs is the base is not checked */
	const json_t *base_pipeline;    /* what A's /api/pipeline said */
	struct generate_recipe recipe;  /* of webhooks that B has not seen */
	const struct signer *signer;    /* NULL: nothing is signed */
	const char *directory;
};

/* Tries it and writes DIR/rollback.json: {"ok": …, "seconds": …, "reasons": [], "optimizations": [], "is_base": …,
 * "health": "ok", "requests": 100, "right": 100, "p95_ms": …}. What fails on the way is a reason; then the members of
 * what was not reached are missing. False and a sentence only if the findings cannot be written. */
bool rollback_try(const struct rollback_plan *plan, struct sluice_error *error);

#endif
