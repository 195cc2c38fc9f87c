/*
 * The controlled test: two configurations, each with a server and tables of its own, under the same load in interleaved
 * pairs of blocks; everything that was seen goes into a run directory, and the verdict is computed from that
 * (lab/verdict.h).
 *
 * A pair is two blocks with the same webhooks (the ids fresh per arm) on the same schedule, in an order drawn by coin;
 * before each block its store is brought to rest. In a duet both arms are under load at once and each webhook goes to
 * one of them by coin: closer in time, but only for arms that do not disturb each other.
 */
#ifndef LAB_TRIAL_COMPARE_H
#define LAB_TRIAL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>

#include "lab/load/generate.h"
#include "lab/load/replay.h"
#include "lab/load/sign.h"
#include "lab/trial/arm.h"

enum {
	COMPARE_WARM_UP_MAX = 8, /* blocks per arm */
	COMPARE_WARM_UP_S = 5,   /* how long one is, at most */
};

enum compare_design { COMPARE_PAIRED, COMPARE_DUET, COMPARE_SINGLE };
extern const char *const compare_design_names[]; /* NULL-terminated */

struct compare_plan {
	struct arm_plan arms[2]; /* of a single: the first */
	const char *directory;   /* the run directory to create */
	enum compare_design design;
	size_t pairs;    /* at most, of all lives */
	size_t lives;    /* of both servers, each with as many of the pairs; 0 and 1: one */
	bool sequential; /* stop at a planned look that settles it */
	int64_t block_ns;
	double rate; /* requests a second while a block lasts, of both arms together in a duet; above 0 */
	size_t connections;
	enum replay_arrivals arrivals;
	uint64_t seed;
	struct generate_recipe recipe; /* of the webhooks; count, seed and first_number are set here */
	const struct signer *signer;   /* NULL: nothing is signed */
	int64_t timeout_ns;
	double margin; /* a change of P95 smaller than this share does not matter */
	double alpha;  /* of the intervals */
	bool rollback; /* afterwards, prove that there is a way back: lab/rollback.h */
	bool keep_stores;
	bool profile;  /* sample where the servers spend their processor time: lab/trial/profiler.h */
	json_t *about; /* more members for run.json, borrowed; NULL: none */

	/* Gives the arms fresh stores for another life; those of all lives are scanned and dropped by the new plans' stores. Of more than one
	 * life. */
	bool (*renew)(void *context, struct arm_plan arms[2], struct sluice_error *error);
	void *renew_context;
};

struct compare_progress {
	const char *phase;         /* "starting", "watching the host", "warming up", "pair", "verifying" */
	size_t pair, pairs;        /* of phase "pair": from 1 */
	size_t life, lives;        /* from 0 */
	double a_p95_ms, b_p95_ms; /* of the last pair; 0 before the first */
};

/* Told at each step; false ends the test after the block, with a verdict on the pairs that are complete. */
typedef bool (*compare_each_fn)(void *context, const struct compare_progress *progress);

/* Runs all of it. False and a sentence if it could not be done; the directory then keeps what there is. */
bool compare_run(const struct compare_plan *plan, compare_each_fn each, void *context, struct sluice_error *error);

#endif
