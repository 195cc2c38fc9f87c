/*
 * The controlled test while it runs; see compare.h, whose parts share this: compare.c begins and concludes it, compare_life.c runs one
 * life of its servers, compare_blocks.c puts them under load.
 */
#ifndef LAB_TRIAL_COMPARISON_H
#define LAB_TRIAL_COMPARISON_H

#include <jansson.h>

#include "base/prng.h"
#include "lab/judge/host.h"
#include "lab/load/input.h"
#include "lab/trial/compare.h"
#include "lab/trial/host_meter.h"
#include "lab/trial/profiler.h"
#include "lab/trial/recording.h"
#include "lab/trial/sampler.h"

enum { COMPARISON_ARMS = 2 };

struct comparison {
	const struct compare_plan *plan;
	struct recording *recording;
	struct arm_plan arm_plans[COMPARISON_ARMS]; /* of this life */
	struct arm arms[COMPARISON_ARMS];
	size_t arm_count;
	json_t *pipelines,
		*abouts; /* what each arm's server says of itself, and what run.json says of it; of the first life */
	struct sampler *sampler;
	struct profiler *profiler; /* NULL: none was asked for, or this is not the first life */
	struct host_meter *meter;
	struct host_span idle;
	struct input input, warm_up; /* blocks of block_count, of warm_up_count lines */
	size_t block_count, warm_up_count;
	struct trace_record *records;
	size_t count, room;
	struct trace_names names[SLUICE_KIND_SLOTS];
	json_t *blocks;
	int64_t sender_cpu_ns, sending_ns;
	size_t sent; /* requests in all blocks so far */
	size_t life;
	struct prng coin;
	size_t first; /* the arm that came first in the last pair */
	struct compare_progress progress;
	compare_each_fn each;
	void *context;
	bool stopping, settled;
};

void comparison_tell(struct comparison *comparison, const char *phase);
const char *comparison_id_prefix(size_t arm);

/* How many pairs a life has. */
size_t comparison_pairs_of_life(const struct compare_plan *plan);

/* Blocks: the webhooks of all, and of the warm-up; both arms in turns until they are warm; one pair of them. */
bool comparison_make_webhooks(struct comparison *comparison, struct sluice_error *error);
bool comparison_warm_up(struct comparison *comparison, struct sluice_error *error);
bool comparison_run_pair(struct comparison *comparison, size_t pair, struct sluice_error *error);

/* A life of the servers, from their start to their end. */
bool comparison_live(struct comparison *comparison, struct sluice_error *error);

#endif
