/*
 * A life of the servers; see comparison.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lab/judge/verdict.h"
#include "lab/load/about.h"
#include "lab/run/run.h"
#include "lab/trial/comparison.h"
#include "lab/trial/store_figures.h"

#define IDLE_NS (2 * NS_PER_S) /* how long the host is watched while the servers have no load */

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
	                          comparison_id_prefix(number));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		(void)json_object_set(about, wanted[i], json_object_get(pipeline, wanted[i]));
	return about;
}

/* The first life says what the arms are; the others differ in where their rows are. */
static bool start_arm(struct comparison *comparison, size_t number, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	struct arm *arm = &comparison->arms[number];
	if (comparison->life > 0)
		arm_remove_state(&comparison->arm_plans[number], plan->directory);
	if (!arm_start(arm, &comparison->arm_plans[number], plan->directory, error))
		return false;
	if (comparison->life > 0)
		return true;
	json_t *pipeline = arm_ask(arm, "/api/pipeline", error);
	if (!pipeline)
		return false;
	(void)json_array_set_new(comparison->pipelines, number, pipeline);
	(void)json_array_set_new(comparison->abouts, number, describe_arm(comparison, number, pipeline));
	return write_effective(comparison, arm, pipeline, error);
}

/* In an order drawn by coin. */
static bool start_arms(struct comparison *comparison, struct sluice_error *error)
{
	size_t first = (size_t)prng_below(&comparison->coin, comparison->arm_count);
	bool ok = true;
	comparison_tell(comparison, "starting");
	for (size_t i = 0; ok && i < comparison->arm_count; i++)
		ok = start_arm(comparison, (first + i) % comparison->arm_count, error);
	return ok;
}

/* How quick the machine is before the load: what a disturbance of the host is told by. */
static void watch_idle(struct comparison *comparison)
{
	int64_t origin_ns = recording_origin_ns(comparison->recording), from_ns = clock_now_ns();
	int64_t to_ns = from_ns + IDLE_NS;
	struct timespec until = {.tv_sec = to_ns / NS_PER_S, .tv_nsec = to_ns % NS_PER_S};
	comparison_tell(comparison, "watching the host");
	while (!comparison->stopping && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		comparison_tell(comparison, "watching the host");
	comparison->idle = (struct host_span){from_ns - origin_ns, to_ns - origin_ns};
	recording_put(comparison->recording, "host_idle", host_idle_to_json(comparison->idle));
}

/* Whether a planned look has settled it. */
static bool look(struct comparison *comparison, size_t pairs, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	struct verdict_terms terms = {.margin = plan->margin,
	                              .timeout_ns = plan->timeout_ns,
	                              .seed = plan->seed,
	                              .pairs_of_life = plan->lives > 1 ? comparison_pairs_of_life(plan) : 0,
	                              .is_signed = plan->signer != NULL};
	struct host host = {0};
	if (!plan->sequential || !verdict_is_look(&terms, pairs))
		return true;
	bool good = host_read(plan->directory, comparison->idle, &host, error);
	comparison->settled = good && verdict_is_settled(&terms, comparison->records, comparison->count,
	                                                 &comparison->input, &host, pairs);
	host_finish(&host);
	return good;
}

static bool run_pairs(struct comparison *comparison, struct sluice_error *error)
{
	size_t pairs = comparison_pairs_of_life(comparison->plan), from = comparison->life * pairs;
	for (size_t pair = from; pair < from + pairs && !comparison->settled && !comparison->stopping; pair++) {
		comparison->progress.pair = pair + 1;
		comparison_tell(comparison, "pair");
		if (!comparison_run_pair(comparison, pair, error) || !look(comparison, pair + 1, error))
			return false;
	}
	return true;
}

/* One life says where the time goes. */
static bool start_profiler(struct comparison *comparison, struct sluice_error *error)
{
	if (!comparison->plan->profile || comparison->life > 0)
		return true;
	comparison->profiler = profiler_start(comparison->arms, comparison->arm_count, comparison->plan->directory,
	                                      error);
	return comparison->profiler != NULL;
}

static bool stop_profiler(struct comparison *comparison, struct sluice_error *error)
{
	bool ok = profiler_stop(comparison->profiler, error);
	comparison->profiler = NULL;
	return ok;
}

static bool run_sampled(struct comparison *comparison, struct sluice_error *error)
{
	comparison->sampler = sampler_start(comparison->arms, comparison->arm_count, comparison->plan->directory,
	                                    recording_origin_ns(comparison->recording), error);
	bool ok = comparison->sampler && start_profiler(comparison, error) && run_pairs(comparison, error);
	bool sampled = sampler_stop(comparison->sampler, error);
	comparison->sampler = NULL;
	return ok && sampled && stop_profiler(comparison, error);
}

static bool keep_figures(struct comparison *comparison, const char *key, struct sluice_error *error)
{
	json_t *all = json_array();
	for (size_t i = 0; i < comparison->arm_count; i++) {
		json_t *figures = store_figures(&comparison->arm_plans[i].store, error);
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
static bool stop_and_join(struct comparison *comparison, struct sluice_error *error)
{
	struct trace_header header = recording_header(comparison->recording);
	for (size_t i = 0; i < comparison->arm_count; i++) {
		struct sluice_error cause = {0};
		struct arm *arm = &comparison->arms[i];
		if (!arm_stop(arm, error))
			return false;
		(void)run_join(comparison->records, comparison->count, &header, arm->trace, comparison->names, &cause);
		if (cause.text[0])
			return sluice_error_set(error, "%s", cause.text);
		(void)remove(arm->trace); /* all of it is in requests.bin now */
		arm_finish(arm);
	}
	return true;
}

/* Fresh stores, names and files for every life but the first, which has its own. */
static bool renew(struct comparison *comparison, struct sluice_error *error)
{
	const struct compare_plan *plan = comparison->plan;
	return comparison->life == 0 || plan->renew(plan->renew_context, comparison->arm_plans, error);
}

bool comparison_live(struct comparison *comparison, struct sluice_error *error)
{
	if (!renew(comparison, error) || !start_arms(comparison, error) ||
	    !keep_figures(comparison, "stores_before", error))
		return false;
	if (comparison->life == 0)
		watch_idle(comparison);
	return comparison_warm_up(comparison, error) && run_sampled(comparison, error) &&
	       keep_figures(comparison, "stores_after", error) && stop_and_join(comparison, error);
}
