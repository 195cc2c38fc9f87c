/*
 * The controlled test; see compare.h. What it measures is written down as it is; nothing is judged here.
 */
#include "lab/trial/compare.h"

#include <stdlib.h>

#include "base/digest.h"
#include "lab/judge/verdict.h"
#include "lab/judge/verify.h"
#include "lab/load/about.h"
#include "lab/run/run.h"
#include "lab/run/seal.h"
#include "lab/trial/comparison.h"
#include "lab/trial/rollback.h"

enum { ARMS = COMPARISON_ARMS };

const char *const compare_design_names[] = {
	[COMPARE_PAIRED] = "paired", [COMPARE_DUET] = "duet", [COMPARE_SINGLE] = "single", NULL};

const char *comparison_id_prefix(size_t arm)
{
	return arm == 0 ? "a-" : "b-";
}

void comparison_tell(struct comparison *comparison, const char *phase)
{
	comparison->progress.phase = phase;
	if (comparison->each && !comparison->each(comparison->context, &comparison->progress))
		comparison->stopping = true;
}

size_t comparison_pairs_of_life(const struct compare_plan *plan)
{
	return plan->lives > 1 ? plan->pairs / plan->lives : plan->pairs;
}

static bool live_all(struct comparison *comparison, struct sluice_error *error)
{
	size_t lives = comparison->plan->lives > 1 ? comparison->plan->lives : 1;
	for (size_t life = 0; life < lives && !comparison->settled && !comparison->stopping; life++) {
		comparison->life = comparison->progress.life = life;
		if (!comparison_live(comparison, error))
			return false;
	}
	return comparison->count > 0 || sluice_error_set(error, "ended before the first pair was complete");
}

/* The meter sees all lives, and ends with the last. */
static bool live_metered(struct comparison *comparison, struct sluice_error *error)
{
	comparison->meter = host_meter_start(comparison->plan->directory, recording_origin_ns(comparison->recording),
	                                     error);
	bool ok = comparison->meter && comparison_make_webhooks(comparison, error) && live_all(comparison, error);
	bool metered = host_meter_stop(comparison->meter, error);
	comparison->meter = NULL;
	return ok && metered;
}

static void describe(struct comparison *comparison)
{
	const struct compare_plan *plan = comparison->plan;
	struct recording *recording = comparison->recording;
	size_t blocks = json_array_size(comparison->blocks);
	struct replay_plan shape = {.arrivals = plan->arrivals,
	                            .rate = plan->rate,
	                            .connections = plan->connections,
	                            .seed = plan->seed,
	                            .count = comparison->count};
	bool is_signed = plan->signer != NULL;
	recording_put(recording, "input", about_input(&comparison->input, RUN_INPUT, 0, comparison->input.count));
	recording_put(recording, "schedule",
	              about_schedule(&shape, compare_design_names[plan->design], blocks, (double)plan->block_ns / 1e9));
	recording_put(recording, "sign", is_signed ? json_string(signer_scheme(plan->signer)) : json_null());
	recording_put(recording, "retries", json_integer(0));
	recording_put(recording, "interrupted", json_boolean(comparison->stopping));
	recording_put(recording, "comparison",
	              json_pack("{s:f, s:f, s:f, s:I, s:b, s:I, s:I, s:b}", "alpha", plan->alpha, "margin",
	                        plan->margin, "timeout_ms", (double)plan->timeout_ns / 1e6, "seed",
	                        (json_int_t)plan->seed, "sequential", plan->sequential, "pairs",
	                        (json_int_t)plan->pairs, "lives", (json_int_t)(plan->lives > 1 ? plan->lives : 1),
	                        "profile", plan->profile));
	recording_put(recording, "arms", json_incref(comparison->abouts));
	recording_put(recording, "blocks", json_incref(comparison->blocks));
	recording_put(recording, "generator",
	              about_generator(comparison->records, comparison->count,
	                              about_cpu_share(comparison->sender_cpu_ns, comparison->sending_ns),
	                              about_processors()));
	recording_put(recording, "results",
	              about_results(&comparison->input, comparison->records, comparison->count, is_signed, 0,
	                            (double)comparison->sending_ns / 1e9));
	const char *key;
	json_t *value;
	json_object_foreach (plan->about, key, value)
		recording_put(recording, key, json_incref(value));
}

static bool verify_arm(const struct comparison *comparison, const struct run *run, size_t arm,
                       struct sluice_error *error)
{
	const struct arm_store *store = &comparison->arm_plans[arm].store;
	struct audit_source source = {.scan = store->scan, .store = store->context};
	struct verify_plan plan;
	struct verify_result result;
	if (!store->scan)
		return true;
	if (!verify_plan_init(&plan, run, (int)arm, &comparison->input, error))
		return false;
	bool ok = verify_store(&plan, &source, &result, error) && verify_save(run->path, &result, error);
	verify_result_finish(&result);
	return ok;
}

static bool erase_stores(const struct comparison *comparison, struct sluice_error *error)
{
	bool ok = true;
	for (size_t i = 0; i < comparison->arm_count && !comparison->plan->keep_stores; i++) {
		const struct arm_store *store = &comparison->arm_plans[i].store;
		if (store->drop && !store->drop(store->context, error))
			ok = false;
		arm_remove_state(&comparison->arm_plans[i], comparison->plan->directory);
	}
	return ok;
}

/* The way back is tried on what B has left behind. */
static bool try_rollback(const struct comparison *comparison, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	bool has_base = comparison->arm_count == ARMS;
	struct rollback_plan rollback = {.changed = &comparison->arm_plans[comparison->arm_count - 1],
	                                 .base = has_base ? &comparison->arm_plans[0] : NULL,
	                                 .base_pipeline = has_base ? json_array_get(comparison->pipelines, 0) : NULL,
	                                 .recipe = plan->recipe,
	                                 .signer = plan->signer,
	                                 .directory = plan->directory};
	rollback.recipe.seed = plan->seed;
	rollback.recipe.first_number = comparison->input.count + comparison->warm_up.count;
	return !plan->rollback || rollback_try(&rollback, error);
}

/* From here on everything comes out of the files that were just written. */
static bool judge(const struct comparison *comparison, struct sluice_error *error)
{
	const char *directory = comparison->plan->directory;
	struct sluice_error unverified = {0}; /* no store, no verify.json: the verdict says so */
	struct run *run = run_open(directory, error);
	bool ok = run != NULL;
	for (size_t i = 0; ok && i < comparison->arm_count; i++)
		ok = verify_arm(comparison, run, i, error);
	json_t *verified = ok ? run_read_json(directory, RUN_VERIFY, &unverified) : NULL;
	if (ok && comparison->arm_count == ARMS) {
		json_t *verdict = verdict_compute(run, &comparison->input, verified, error);
		ok = verdict && run_write_json(directory, RUN_COMPARE, verdict, error);
		json_decref(verdict);
	}
	json_decref(verified);
	run_close(run);
	return ok;
}

static bool conclude(struct comparison *comparison, struct sluice_error *error)
{
	comparison->progress.phase = "verifying";
	if (comparison->each)
		(void)comparison->each(comparison->context, &comparison->progress);
	describe(comparison);
	struct recording *recording = comparison->recording;
	comparison->recording = NULL;
	return recording_end(recording, comparison->records, comparison->count, comparison->names, error) &&
	       judge(comparison, error) && try_rollback(comparison, error) && erase_stores(comparison, error) &&
	       seal_rest(comparison->plan->directory, error);
}

/* What did not come to its end leaves no server and no tables behind, as far as there were any. */
static void finish(struct comparison *comparison, bool is_complete)
{
	struct sluice_error absent = {0};
	profiler_abandon(comparison->profiler);
	for (size_t i = 0; i < comparison->arm_count; i++)
		arm_finish(&comparison->arms[i]);
	if (!is_complete)
		(void)erase_stores(comparison, &absent);
	recording_abandon(comparison->recording);
	input_finish(&comparison->input);
	input_finish(&comparison->warm_up);
	json_decref(comparison->blocks);
	json_decref(comparison->pipelines);
	json_decref(comparison->abouts);
	free(comparison->records);
}

bool compare_run(const struct compare_plan *plan, compare_each_fn each, void *context, struct sluice_error *error)
{
	uint64_t tosses;
	size_t arm_count = plan->design == COMPARE_SINGLE ? 1 : ARMS;
	struct comparison comparison = {
		.plan = plan,
		.arm_count = arm_count,
		.recording = recording_begin(plan->directory, "compare", error),
		.blocks = json_array(),
		.pipelines = arm_count == ARMS ? json_pack("[n, n]") : json_pack("[n]"),
		.abouts = arm_count == ARMS ? json_pack("[n, n]") : json_pack("[n]"),
		.each = each,
		.context = context,
		.progress = {.pairs = plan->pairs, .lives = plan->lives},
	};
	for (size_t i = 0; i < arm_count; i++)
		comparison.arm_plans[i] = plan->arms[i];
	/* Not of the seed: tests that are repeated would all have the same order. */
	digest_random(&tosses, sizeof(tosses));
	prng_init(&comparison.coin, tosses);
	bool ok = comparison.recording && live_metered(&comparison, error) && conclude(&comparison, error);
	finish(&comparison, ok);
	return ok;
}
