/*
 * The controlled test; see compare.h. What it measures is written down as it is; nothing is judged here.
 */
#include "lab/trial/compare.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/prng.h"
#include "lab/judge/verdict.h"
#include "lab/judge/verify.h"
#include "lab/load/about.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"
#include "lab/run/seal.h"
#include "lab/trial/recording.h"
#include "lab/trial/rollback.h"
#include "lab/trial/sampler.h"
#include "lab/trial/store_figures.h"

enum { ARMS = 2, WARM_UP_LEAST = 2 };
#define STEADY 0.2         /* warm enough: P95 of one block and the next differ by less … */
#define STEADY_MEMORY 0.02 /* … and its memory grows by less: rings and pools are full */

const char *const compare_design_names[] = {
	[COMPARE_PAIRED] = "paired", [COMPARE_DUET] = "duet", [COMPARE_SINGLE] = "single", NULL};

struct comparison {
	const struct compare_plan *plan;
	struct recording *recording;
	struct arm arms[ARMS];
	size_t arm_count;
	json_t *pipelines; /* what each arm's server says of itself */
	struct sampler *sampler;
	struct input input, warm_up; /* blocks of block_count, of warm_up_count lines */
	size_t block_count, warm_up_count;
	struct trace_record *records;
	size_t count, room;
	json_t *blocks;
	int64_t sender_cpu_ns, sending_ns;
	size_t sent; /* requests in all blocks so far */
	struct prng coin;
	struct compare_progress progress;
	compare_each_fn each;
	void *context;
	bool stopping;
};

static const char *id_prefix_of(size_t arm)
{
	return arm == 0 ? "a-" : "b-";
}

static void tell(struct comparison *comparison, const char *phase)
{
	comparison->progress.phase = phase;
	if (comparison->each && !comparison->each(comparison->context, &comparison->progress))
		comparison->stopping = true;
}

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

static bool make_webhooks(struct comparison *comparison, struct sluice_error *error)
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

static bool write_effective(const struct comparison *comparison, const struct arm *arm, const json_t *pipeline,
                            struct sluice_error *error)
{
	char name[32];
	(void)snprintf(name, sizeof(name), "effective-%s.yaml", arm->plan->letter);
	char *path = run_file(comparison->plan->directory, name);
	const char *text = json_string_value(json_object_get(pipeline, "effective"));
	FILE *file = fopen(path, "we");
	bool ok = file && fputs(text ? text : "", file) >= 0;
	bool closed = file && fclose(file) == 0;
	if (!ok || !closed)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	free(path);
	return ok && closed;
}

/* What run.json says of an arm. */
static json_t *describe_arm(const struct comparison *comparison, size_t number, const json_t *pipeline)
{
	static const char *const wanted[] = {"pipeline", "file", "sha256", "optimizations", "stages"};
	const struct arm *arm = &comparison->arms[number];
	json_t *about = json_pack("{s:s, s:s, s:s}", "label", arm->plan->label, "url", arm->url, "id_prefix",
	                          id_prefix_of(number));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		(void)json_object_set(about, wanted[i], json_object_get(pipeline, wanted[i]));
	return about;
}

static bool start_arm(struct comparison *comparison, size_t number, json_t *abouts, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	struct arm *arm = &comparison->arms[number];
	json_t *pipeline = arm_start(arm, &plan->arms[number], plan->directory, error)
	                           ? arm_ask(arm, "/api/pipeline", error)
	                           : NULL;
	if (!pipeline)
		return false;
	(void)json_array_append_new(comparison->pipelines, pipeline);
	(void)json_array_append_new(abouts, describe_arm(comparison, number, pipeline));
	return write_effective(comparison, arm, pipeline, error);
}

static bool start_arms(struct comparison *comparison, struct sluice_error *error)
{
	bool ok = true;
	json_t *abouts = json_array();
	tell(comparison, "starting");
	for (size_t i = 0; ok && i < comparison->arm_count; i++)
		ok = start_arm(comparison, i, abouts, error);
	recording_put(comparison->recording, "arms", abouts);
	return ok;
}

static bool maintain(const struct comparison *comparison, size_t arm, struct sluice_error *error)
{
	const struct arm_store *store = &comparison->plan->arms[arm].store;
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
	json_t *figures = store_figures(&comparison->plan->arms[arm].store, error);
	if (!figures)
		return false;
	snapshot_out->wal_bytes = store_figure(figures, "db_wal_written_bytes");
	json_decref(figures);
	return arm_get_usage(&comparison->arms[arm], &snapshot_out->usage) ||
	       sluice_error_set(error, "arm %s (%s) has ended; its log is %s", comparison->plan->arms[arm].letter,
	                        comparison->plan->arms[arm].label, comparison->arms[arm].log);
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
	json_t *block = json_pack(
		"{s:I, s:I, s:b, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "block", (json_int_t)pair, "arm",
		(json_int_t)arm, "first", first, "start_ms", about_ms(result->start_ns - origin_ns), "end_ms",
		about_ms(result->end_ns - origin_ns), "cpu_ms", about_ms(after->usage.cpu_ns - before->usage.cpu_ns),
		"rss_before_bytes", (json_int_t)before->usage.rss_bytes, "rss_bytes",
		(json_int_t)after->usage.rss_bytes, "descriptors_before", (json_int_t)before->usage.descriptors,
		"descriptors", (json_int_t)after->usage.descriptors, "threads", (json_int_t)after->usage.threads);
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
	target_out->id_prefix = id_prefix_of(arm);
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
	tell(comparison, comparison->progress.phase);
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
static bool warm_up(struct comparison *comparison, struct sluice_error *error)
{
	struct warmth before[ARMS] = {{0, 0}};
	bool steady = false;
	tell(comparison, "warming up");
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

static bool run_pair(struct comparison *comparison, size_t pair, struct sluice_error *error)
{
	if (comparison->plan->design != COMPARE_PAIRED)
		return run_block(comparison, pair, 0, comparison->arm_count, true, error);
	size_t first = (size_t)prng_below(&comparison->coin, ARMS);
	return run_block(comparison, pair, first, 1, true, error) &&
	       run_block(comparison, pair, 1 - first, 1, false, error);
}

/* Whether a planned look has settled it. */
static bool is_settled(const struct comparison *comparison, size_t pairs)
{
	const struct compare_plan *plan = comparison->plan;
	struct verdict_terms terms = {.margin = plan->margin,
	                              .timeout_ns = plan->timeout_ns,
	                              .seed = plan->seed,
	                              .is_signed = plan->signer != NULL};
	return plan->sequential &&
	       verdict_is_settled(&terms, comparison->records, comparison->count, &comparison->input, pairs);
}

static bool run_all_pairs(struct comparison *comparison, struct sluice_error *error)
{
	for (size_t pair = 0; pair < comparison->plan->pairs && !comparison->stopping; pair++) {
		comparison->progress.pair = pair + 1;
		tell(comparison, "pair");
		if (!run_pair(comparison, pair, error))
			return false;
		if (is_settled(comparison, pair + 1))
			break;
	}
	return comparison->count > 0 || sluice_error_set(error, "ended before the first pair was complete");
}

static bool run_pairs(struct comparison *comparison, struct sluice_error *error)
{
	comparison->sampler = sampler_start(comparison->arms, comparison->arm_count, comparison->plan->directory,
	                                    recording_origin_ns(comparison->recording), error);
	bool ok = comparison->sampler && run_all_pairs(comparison, error);
	bool sampled = sampler_stop(comparison->sampler, error);
	comparison->sampler = NULL;
	return ok && sampled;
}

static bool keep_figures(struct comparison *comparison, const char *key, struct sluice_error *error)
{
	json_t *all = json_array();
	for (size_t i = 0; i < comparison->arm_count; i++) {
		json_t *figures = store_figures(&comparison->plan->arms[i].store, error);
		if (!figures) {
			json_decref(all);
			return false;
		}
		(void)json_array_append_new(all, figures);
	}
	recording_put(comparison->recording, key, all);
	return true;
}

/* The servers' traces are complete when the servers have ended. */
static bool stop_and_join(struct comparison *comparison, struct trace_names *names, struct sluice_error *error)
{
	struct trace_header header = recording_header(comparison->recording);
	for (size_t i = 0; i < comparison->arm_count; i++) {
		struct sluice_error cause = {0};
		struct arm *arm = &comparison->arms[i];
		if (!arm_stop(arm, error))
			return false;
		(void)run_join(comparison->records, comparison->count, &header, arm->trace, names, &cause);
		if (cause.text[0])
			return sluice_error_set(error, "%s", cause.text);
		(void)remove(arm->trace); /* all of it is in requests.bin now */
	}
	return true;
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
	              json_pack("{s:f, s:f, s:f, s:I, s:b, s:I}", "alpha", plan->alpha, "margin", plan->margin,
	                        "timeout_ms", (double)plan->timeout_ns / 1e6, "seed", (json_int_t)plan->seed,
	                        "sequential", plan->sequential, "pairs", (json_int_t)plan->pairs));
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
	const struct arm_store *store = &comparison->plan->arms[arm].store;
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
		const struct arm_store *store = &comparison->plan->arms[i].store;
		if (store->drop && !store->drop(store->context, error))
			ok = false;
		arm_remove_state(&comparison->plan->arms[i], comparison->plan->directory);
	}
	return ok;
}

/* The way back is tried on what B has left behind. */
static bool try_rollback(const struct comparison *comparison, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	bool has_base = comparison->arm_count == ARMS;
	struct rollback_plan rollback = {.changed = &plan->arms[comparison->arm_count - 1],
	                                 .base = has_base ? &plan->arms[0] : NULL,
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
	struct trace_names names[SLUICE_KIND_SLOTS] = {{.use = ""}};
	comparison->progress.phase = "verifying";
	if (comparison->each)
		(void)comparison->each(comparison->context, &comparison->progress);
	if (!keep_figures(comparison, "stores_after", error) || !stop_and_join(comparison, names, error))
		return false;
	describe(comparison);
	struct recording *recording = comparison->recording;
	comparison->recording = NULL;
	return recording_end(recording, comparison->records, comparison->count, names, error) &&
	       judge(comparison, error) && try_rollback(comparison, error) && erase_stores(comparison, error) &&
	       seal_rest(comparison->plan->directory, error);
}

/* What did not come to its end leaves no server and no tables behind, as far as there were any. */
static void finish(struct comparison *comparison, bool is_complete)
{
	struct sluice_error absent = {0};
	for (size_t i = 0; i < comparison->arm_count; i++)
		arm_finish(&comparison->arms[i]);
	if (!is_complete)
		(void)erase_stores(comparison, &absent);
	recording_abandon(comparison->recording);
	input_finish(&comparison->input);
	input_finish(&comparison->warm_up);
	json_decref(comparison->blocks);
	json_decref(comparison->pipelines);
	free(comparison->records);
}

bool compare_run(const struct compare_plan *plan, compare_each_fn each, void *context, struct sluice_error *error)
{
	struct comparison comparison = {
		.plan = plan,
		.arm_count = plan->design == COMPARE_SINGLE ? 1 : ARMS,
		.recording = recording_begin(plan->directory, "compare", error),
		.blocks = json_array(),
		.pipelines = json_array(),
		.each = each,
		.context = context,
		.progress = {.pairs = plan->pairs},
	};
	prng_init(&comparison.coin, plan->seed);
	bool ok = comparison.recording && make_webhooks(&comparison, error) && start_arms(&comparison, error) &&
	          keep_figures(&comparison, "stores_before", error) && warm_up(&comparison, error) &&
	          run_pairs(&comparison, error) && conclude(&comparison, error);
	finish(&comparison, ok);
	return ok;
}
