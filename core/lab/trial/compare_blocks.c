/*
 * Blocks of load; see comparison.h.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "lab/load/about.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"
#include "lab/trial/comparison.h"
#include "lab/trial/store_figures.h"

enum { ARMS = COMPARISON_ARMS, WARM_UP_LEAST = 2 };
#define STEADY 0.2         /* warm enough: P95 of one block and the next differ by less … */
#define STEADY_MEMORY 0.02 /* … and its memory grows by less: rings and pools are full */

/* One block after another, each self-contained, so that any of them may be left out. */
static bool fill_blocks(const struct comparison *comparison, struct input *input, size_t blocks, size_t count,
                        uint64_t first_number, struct sluice_error *error)
{
	struct generate_recipe recipe = comparison->plan->recipe;
	recipe.seed = comparison->plan->seed;
	recipe.count = count;
	input_init(input);
	for (size_t block = 0; block < blocks; block++) {
		recipe.first_number = first_number + block * recipe.count;
		if (!generate_fill(&recipe, input, error))
			return false;
	}
	return true;
}

bool comparison_make_webhooks(struct comparison *comparison, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	comparison->block_count = (size_t)lround((double)plan->block_ns / 1e9 * plan->rate);
	if (comparison->block_count < 20)
		return sluice_error_set(
			error, "a block of %zu requests is too short to compare P95s: raise the rate or the block",
			comparison->block_count);
	size_t warm_up_most = (size_t)lround(COMPARE_WARM_UP_S * plan->rate);
	comparison->warm_up_count = comparison->block_count < warm_up_most ? comparison->block_count : warm_up_most;
	if (!fill_blocks(comparison, &comparison->input, plan->pairs, comparison->block_count, 0, error) ||
	    !fill_blocks(comparison, &comparison->warm_up, COMPARE_WARM_UP_MAX, comparison->warm_up_count,
	                 comparison->input.count, error))
		return false;
	char *path = run_file(plan->directory, RUN_INPUT);
	bool ok = input_save(&comparison->input, path, error);
	free(path);
	return ok;
}

static bool maintain(const struct comparison *comparison, size_t arm, struct sluice_error *error)
{
	const struct arm_store *store = &comparison->arm_plans[arm].store;
	return !store->maintain || store->maintain(store->context, error);
}

/* What is seen of an arm from outside, before and after a block. */
struct snapshot {
	struct arm_usage usage;
	double wal_bytes; /* negative: the store does not say */
};

static bool take_snapshot(const struct comparison *comparison, size_t arm, struct snapshot *snapshot_out,
                          struct sluice_error *error)
{
	json_t *figures = store_figures(&comparison->arm_plans[arm].store, error);
	if (!figures)
		return false;
	snapshot_out->wal_bytes = store_figure(figures, "db_wal_written_bytes");
	json_decref(figures);
	return arm_get_usage(&comparison->arms[arm], &snapshot_out->usage) ||
	       sluice_error_set(error, "arm %s (%s) has ended; its log is %s", comparison->arm_plans[arm].letter,
	                        comparison->arm_plans[arm].label, comparison->arms[arm].log);
}

/* After a block. The server sees that the sender has closed its connections a moment later: that moment is waited for,
 * a second at most, or its descriptors would seem to grow. */
static bool take_last_snapshot(const struct comparison *comparison, size_t arm, const struct snapshot *before,
                               struct snapshot *after_out, struct sluice_error *error)
{
	int64_t until_ns = clock_now_ns() + NS_PER_S;
	struct timespec nap = {.tv_nsec = NS_PER_MS};
	struct arm_usage usage;
	while (arm_get_usage(&comparison->arms[arm], &usage) && usage.descriptors > before->usage.descriptors &&
	       clock_now_ns() < until_ns)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	return take_snapshot(comparison, arm, after_out, error);
}

static json_t *describe_block(const struct comparison *comparison, size_t pair, size_t arm, bool first,
                              const struct replay_result *result, const struct snapshot *before,
                              const struct snapshot *after)
{
	int64_t origin_ns = recording_origin_ns(comparison->recording);
	json_t *block = json_pack("{s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "block",
	                          (json_int_t)pair, "life", (json_int_t)comparison->life, "arm", (json_int_t)arm,
	                          "first", first, "start_ms", about_ms(result->start_ns - origin_ns), "end_ms",
	                          about_ms(result->end_ns - origin_ns), "cpu_ms",
	                          about_ms(after->usage.cpu_ns - before->usage.cpu_ns), "rss_before_bytes",
	                          (json_int_t)before->usage.rss_bytes, "rss_bytes", (json_int_t)after->usage.rss_bytes,
	                          "descriptors_before", (json_int_t)before->usage.descriptors, "descriptors",
	                          (json_int_t)after->usage.descriptors, "threads", (json_int_t)after->usage.threads);
	if (before->wal_bytes >= 0 && after->wal_bytes >= 0 && comparison->plan->design != COMPARE_DUET)
		(void)json_object_set_new(block, "store",
		                          json_pack("{s:f}", "wal_bytes", after->wal_bytes - before->wal_bytes));
	return block;
}

static void keep_records(struct comparison *comparison, const struct replay_result *result)
{
	if (comparison->count + result->count > comparison->room) {
		comparison->room = 2 * comparison->room + result->count;
		comparison->records = must_realloc(comparison->records,
		                                   comparison->room * sizeof(*comparison->records));
	}
	memcpy(comparison->records + comparison->count, result->records, result->count * sizeof(*result->records));
	comparison->count += result->count;
	comparison->sender_cpu_ns += result->cpu_ns;
	comparison->sending_ns += result->end_ns - result->start_ns;
}

static void set_target(const struct comparison *comparison, size_t arm, struct replay_target *target_out)
{
	(void)replay_target_from_url(comparison->arms[arm].url, target_out,
	                             NULL); /* the server's own words: they fit */
	target_out->arm = (uint8_t)arm;
	target_out->id_prefix = comparison_id_prefix(arm);
}

/* The plan of one block for the arms from `arm` on. The seed is the block's, so that both arms have the same schedule.
 */
static struct replay_plan plan_block(struct comparison *comparison, const struct input *input, size_t block, size_t arm,
                                     size_t arm_count)
{
	const struct compare_plan *plan = comparison->plan;
	struct replay_plan replay = {
		.input = input,
		.first = block * comparison->block_count,
		.count = comparison->block_count,
		.target_count = arm_count,
		.connections = plan->connections,
		.rate = plan->rate,
		.arrivals = plan->arrivals,
		.seed = plan->seed + block,
		.block = (uint32_t)block,
		.signer = plan->signer,
		.request_prefix = recording_request_prefix(comparison->recording),
		.request_first = comparison->sent,
		.timeout_ns = plan->timeout_ns,
		.origin_ns = recording_origin_ns(comparison->recording),
	};
	for (size_t i = 0; i < arm_count; i++)
		set_target(comparison, arm + i, &replay.targets[i]);
	return replay;
}

static bool go_on(void *context, const struct replay_progress *progress)
{
	struct comparison *comparison = context;
	(void)progress;
	comparison_tell(comparison, comparison->progress.phase);
	return true; /* a block is finished in any case: half of one says nothing */
}

/* No answer counts as the whole timeout. */
static double p95_ms(const struct comparison *comparison, const struct replay_result *result, size_t arm)
{
	int64_t *latencies = must_calloc(result->count + 1, sizeof(*latencies));
	size_t count = 0;
	for (size_t i = 0; i < result->count; i++) {
		int64_t latency_ns = run_corrected_ns(&result->records[i]);
		if (result->records[i].arm == arm)
			latencies[count++] = latency_ns < 0 ? comparison->plan->timeout_ns : latency_ns;
	}
	estimate_sort(latencies, count);
	double p95 = (double)estimate_quantile(latencies, count, 0.95) / 1e6;
	free(latencies);
	return p95;
}

/* What shows whether an arm has warmed up. */
struct warmth {
	double p95_ms, rss_bytes;
};

static bool warm_up_once(struct comparison *comparison, size_t arm, size_t block, struct warmth *warmth_out,
                         struct sluice_error *error)
{
	struct replay_result result = {0};
	struct arm_usage usage = {0};
	struct replay_plan replay = plan_block(comparison, &comparison->warm_up, block, arm, 1);
	replay.first = block * comparison->warm_up_count;
	replay.count = comparison->warm_up_count;
	replay.request_prefix = "warm-up-";
	bool ok = replay_run(&replay, go_on, comparison, &result, error);
	(void)arm_get_usage(&comparison->arms[arm], &usage); /* one that has ended shows at the first block */
	*warmth_out = (struct warmth){ok ? p95_ms(comparison, &result, arm) : 0, (double)usage.rss_bytes};
	replay_free(&result);
	return ok;
}

static bool is_steady(const struct warmth *before, const struct warmth *now)
{
	return fabs(now->p95_ms - before->p95_ms) < STEADY * before->p95_ms &&
	       now->rss_bytes - before->rss_bytes < STEADY_MEMORY * before->rss_bytes;
}

/* In turns, so that the arms' tables grow alike. */
bool comparison_warm_up(struct comparison *comparison, struct sluice_error *error)
{
	struct warmth before[ARMS] = {{0, 0}};
	bool steady = false;
	comparison_tell(comparison, "warming up");
	for (size_t block = 0; block < COMPARE_WARM_UP_MAX && !steady && !comparison->stopping; block++) {
		steady = block + 1 >= WARM_UP_LEAST;
		for (size_t arm = 0; arm < comparison->arm_count; arm++) {
			struct warmth now;
			if (!warm_up_once(comparison, arm, block, &now, error))
				return false;
			steady = steady && is_steady(&before[arm], &now);
			before[arm] = now;
		}
	}
	return true;
}

/* Puts `arm_count` arms from `arm` on under one block of load. */
static bool run_block(struct comparison *comparison, size_t pair, size_t arm, size_t arm_count, bool first,
                      struct sluice_error *error)
{
	struct snapshot before[ARMS], after[ARMS];
	struct replay_result result = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < arm_count; i++)
		ok = maintain(comparison, arm + i, error) && take_snapshot(comparison, arm + i, &before[i], error);
	if (!ok)
		return false;
	struct replay_plan replay = plan_block(comparison, &comparison->input, pair, arm, arm_count);
	comparison->sent += replay.count;
	ok = replay_run(&replay, go_on, comparison, &result, error);
	for (size_t i = 0; ok && i < arm_count; i++)
		ok = take_last_snapshot(comparison, arm + i, &before[i], &after[i], error);
	for (size_t i = 0; ok && i < arm_count; i++) {
		double *p95 = arm + i == 0 ? &comparison->progress.a_p95_ms : &comparison->progress.b_p95_ms;
		*p95 = p95_ms(comparison, &result, arm + i);
		(void)json_array_append_new(comparison->blocks, describe_block(comparison, pair, arm + i, first,
		                                                               &result, &before[i], &after[i]));
	}
	if (ok)
		keep_records(comparison, &result);
	replay_free(&result);
	return ok;
}

/* Who goes first is drawn by coin, and who went second then goes first in the next pair: what going first costs is no difference between
 * the arms. */
bool comparison_run_pair(struct comparison *comparison, size_t pair, struct sluice_error *error)
{
	if (comparison->plan->design != COMPARE_PAIRED)
		return run_block(comparison, pair, 0, comparison->arm_count, true, error);
	size_t first = pair % 2 == 0 ? (size_t)prng_below(&comparison->coin, ARMS) : 1 - comparison->first;
	comparison->first = first;
	return run_block(comparison, pair, first, 1, true, error) &&
	       run_block(comparison, pair, 1 - first, 1, false, error);
}
