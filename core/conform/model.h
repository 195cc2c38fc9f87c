/*
 * A model against a stage: random operations by seed, each compared with what a small model expects. What fails is made
 * shorter as long as it still fails, and comes out as a script that `conform --only model --replay SCRIPT` repeats:
 *
 *     send.0.a send.0.b settle.0.FAIL settle.0.PASS send.0.a
 *
 * A script runs in a process of its own, or in several: an operation that crashes ends its process, and the next goes on
 * with what the model has kept where that does not reach.
 */
#ifndef CONFORM_MODEL_H
#define CONFORM_MODEL_H

#include "conform/check.h"

enum { MODEL_ARGUMENTS = 2, MODEL_OPERATIONS_MAX = 200 };

struct model_operation {
	uint8_t which; /* of the kind's table */
	uint8_t arguments[MODEL_ARGUMENTS];
};

/* What a script is run with. */
struct model {
	struct check *check;
	struct bench *bench;  /* of begin() */
	void *kept;           /* of the whole script, zeroed at first; in memory that all of its processes share */
	unsigned long number; /* of the script, for ids that no other has */
};

struct model_kind {
	const struct model_step {
		const char *name; /* in scripts */
		/* For each argument how it is written and what it stays below: 'n' a number, 'c' a letter, 'v' a verdict. */
		const char *forms;
		uint8_t limits[MODEL_ARGUMENTS];
		unsigned weight; /* how often it comes, of the sum of all */
		void (*run)(struct model *model, const uint8_t *arguments);
	} * steps; /* up to a NULL name */
	size_t kept_size;
	void (*begin)(struct model *model); /* of each process */
	void (*end)(struct model *model);   /* of the script */
};

/* The check: `scripts` of 100 operations each, or the one given with --replay. */
void model_check(struct check *check, const struct model_kind *kind, size_t scripts);

/* Ends the process: the script goes on behind this operation in another. By a power cut: what was not synced is lost. */
_Noreturn void model_crash(bool by_power_cut);

extern const struct model_kind model_of_idempotency, model_of_queue, model_of_persist;

#endif
