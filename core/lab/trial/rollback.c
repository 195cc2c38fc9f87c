/*
 * Rolling back, tried; see rollback.h.
 */
#include "lab/trial/rollback.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/load/about.h"
#include "lab/load/replay.h"
#include "lab/run/run.h"
#include "lab/run/seal.h"

enum { CONNECTIONS = 10, RATE = 50, TIMEOUT_S = 60 };

struct attempt {
	const struct rollback_plan *plan;
	struct arm arm;
	int64_t start_ns;
	json_t *findings; /* rollback.json */
	json_t *reasons;
};

/* A text without the one difference that there must be: where the rows are. */
static char *without_location(const char *text, const char *location)
{
	struct buffer out = {0};
	size_t length = strlen(location);
	for (const char *found; length > 0 && (found = strstr(text, location)) != NULL; text = found + length)
		buffer_add(&out, text, (size_t)(found - text));
	buffer_add_text(&out, text);
	return buffer_take(&out);
}

/* What is run, and how: the stages with the hashes of their files, then the effective pipeline. */
static char *describe_pipeline(const json_t *pipeline, const char *location)
{
	char *stages = json_dumps(json_object_get(pipeline, "stages"), JSON_SORT_KEYS | JSON_COMPACT);
	const char *effective = json_string_value(json_object_get(pipeline, "effective"));
	struct buffer text = {0};
	buffer_printf(&text, "%s\n%s", stages ? stages : "", effective ? effective : "");
	char *plain = without_location(text.data, location);
	buffer_finish(&text);
	free(stages);
	return plain;
}

static bool is_base(const struct attempt *attempt, const json_t *pipeline)
{
	const struct rollback_plan *plan = attempt->plan;
	char *now = describe_pipeline(pipeline, plan->changed->location);
	char *base = describe_pipeline(plan->base_pipeline, plan->base->location);
	bool same = strcmp(now, base) == 0;
	free(now);
	free(base);
	return same;
}

/* Only then is it what the kill switch leads to. */
static bool base_is_bare(const struct attempt *attempt)
{
	const json_t *base = attempt->plan->base_pipeline;
	return base && json_array_size(json_object_get(base, "optimizations")) == 0;
}

static void object_to(struct attempt *attempt, bool fits, const char *reason)
{
	if (fits)
		return;
	json_t *said = json_string(reason); /* NULL if a log that is quoted in it is not UTF-8 */
	(void)json_array_append_new(attempt->reasons, said ? said : json_string("see server-rollback.log"));
}

static bool look_at_pipeline(struct attempt *attempt, struct sluice_error *error)
{
	json_t *pipeline = arm_ask(&attempt->arm, "/api/pipeline", error);
	if (!pipeline)
		return false;
	const json_t *enabled = json_object_get(pipeline, "optimizations");
	(void)json_object_set(attempt->findings, "optimizations", (json_t *)(uintptr_t)enabled);
	object_to(attempt, json_array_size(enabled) == 0, "optimizations are still on");
	if (base_is_bare(attempt)) {
		bool same = is_base(attempt, pipeline);
		(void)json_object_set_new(attempt->findings, "is_base", json_boolean(same));
		object_to(attempt, same, "what runs is not the base");
	}
	json_decref(pipeline);
	return true;
}

static bool look_at_health(struct attempt *attempt, struct sluice_error *error)
{
	json_t *health = arm_ask(&attempt->arm, "/api/health", error);
	if (!health)
		return false;
	const char *status = json_string_value(json_object_get(health, "status"));
	object_to(attempt, status && strcmp(status, "ok") == 0, "it is not healthy");
	(void)json_object_set(attempt->findings, "health", json_object_get(health, "status"));
	json_decref(health);
	return true;
}

static void count_answers(struct attempt *attempt, const struct input *input, const struct replay_result *result)
{
	json_t *results = about_results(input, result->records, result->count, attempt->plan->signer != NULL, 0,
	                                (double)(result->end_ns - result->start_ns) / 1e9);
	json_int_t requests = json_integer_value(json_object_get(results, "requests"));
	json_int_t right = requests - json_integer_value(json_object_get(results, "errors"));
	(void)json_object_set_new(attempt->findings, "requests", json_integer(requests));
	(void)json_object_set_new(attempt->findings, "right", json_integer(right));
	(void)json_object_set(attempt->findings, "p95_ms",
	                      json_object_get(json_object_get(results, "corrected"), "p95_ms"));
	object_to(attempt, right == requests && requests == ROLLBACK_EVENTS, "not every webhook got its answer");
	json_decref(results);
}

static bool send_webhooks(struct attempt *attempt, struct sluice_error *error)
{
	struct input input;
	struct replay_result result = {0};
	struct replay_plan replay = {.input = &input,
	                             .count = ROLLBACK_EVENTS,
	                             .target_count = 1,
	                             .connections = CONNECTIONS,
	                             .rate = RATE,
	                             .signer = attempt->plan->signer,
	                             .request_prefix = "rollback-",
	                             .timeout_ns = TIMEOUT_S * NS_PER_S,
	                             .origin_ns = attempt->start_ns};
	struct generate_recipe recipe = attempt->plan->recipe;
	recipe.count = ROLLBACK_EVENTS;
	input_init(&input);
	bool ok = generate_fill(&recipe, &input, error) &&
	          replay_target_from_url(attempt->arm.url, &replay.targets[0], error) &&
	          replay_run(&replay, NULL, NULL, &result, error);
	if (ok)
		count_answers(attempt, &input, &result);
	replay_free(&result);
	input_finish(&input);
	return ok;
}

static bool write_findings(struct attempt *attempt, struct sluice_error *error)
{
	double seconds = (double)(clock_now_ns() - attempt->start_ns) / 1e9;
	object_to(attempt, seconds <= ROLLBACK_LIMIT_S, "it took longer than five minutes");
	(void)json_object_set_new(attempt->findings, "seconds", json_real(seconds));
	(void)json_object_set_new(attempt->findings, "ok", json_boolean(json_array_size(attempt->reasons) == 0));
	(void)json_object_set(attempt->findings, "reasons", attempt->reasons);
	return run_write_json(attempt->plan->directory, RUN_ROLLBACK, attempt->findings, error) &&
	       seal_file(attempt->plan->directory, RUN_ROLLBACK, error);
}

static bool go_back(struct attempt *attempt, const struct arm_plan *server, struct sluice_error *error)
{
	return arm_start(&attempt->arm, server, attempt->plan->directory, error) && look_at_pipeline(attempt, error) &&
	       look_at_health(attempt, error) && send_webhooks(attempt, error) && arm_stop(&attempt->arm, error);
}

bool rollback_try(const struct rollback_plan *plan, struct sluice_error *error)
{
	struct sluice_error trouble = {0};
	struct arm_plan server = *plan->changed;
	server.letter = "rollback";
	server.optimizations = "false";
	server.prepare = NULL; /* what it would do to the tables has been done */
	struct attempt attempt = {.plan = plan,
	                          .arm = {.process = -1},
	                          .start_ns = clock_now_ns(),
	                          .findings = json_object(),
	                          .reasons = json_array()};
	object_to(&attempt, go_back(&attempt, &server, &trouble), trouble.text);
	bool ok = write_findings(&attempt, error);
	if (attempt.arm.trace)
		(void)remove(attempt.arm.trace); /* of no use to anybody */
	arm_finish(&attempt.arm);
	json_decref(attempt.reasons);
	json_decref(attempt.findings);
	return ok;
}
