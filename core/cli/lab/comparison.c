/*
 * Comparisons; see comparison.h.
 */
#include "cli/lab/comparison.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "cli/lab/side.h"
#include "cli/sibling.h"
#include "lab/gate/gate.h"
#include "lab/judge/verdict.h"
#include "lab/load/corpus.h"
#include "lab/report/report.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"
#include "lab/trial/profiler.h"
#include "lab/trial/recording.h"

static const char *const together_names[] = {
	[TOGETHER_SOME] = "some", [TOGETHER_ALL] = "all", [TOGETHER_NONE] = "none", NULL};

const struct sluice_option comparison_options[] = {
	SLUICE_OPTION_STRING(
		struct comparison_settings, scenario, .name = "scenario", .unit = "FILE",
		.help = "a YAML file with any of these settings; flags win over it, paths are relative to it"),
	SLUICE_OPTION_STRING(struct comparison_settings, about, .name = "about", .help = "a sentence for the report"),
	SLUICE_OPTION_STRING(struct comparison_settings, pipeline, .name = "pipeline", .unit = "FILE",
                             .flags = SLUICE_OPTION_FILE, .help = "the pipeline, for scenarios"),
	SLUICE_OPTION_STRING(struct comparison_settings, pipeline_b, .name = "pipeline-b", .unit = "FILE",
                             .flags = SLUICE_OPTION_FILE, .help = "the pipeline of B, if it is another"),
	SLUICE_OPTION_STRING(struct comparison_settings, output, .name = "output", .unit = "RUN/",
                             .help = "the run directory to create"),
	SLUICE_OPTION_STRING(struct comparison_settings, a, .name = "a", .unit = "NAMES", .fallback = "none",
                             .help = "overlays of A: names, none, or file for those the file enables"),
	SLUICE_OPTION_STRING(struct comparison_settings, b, .name = "b", .unit = "NAMES", .fallback = "file",
                             .help = "overlays of B"),
	SLUICE_OPTION_BOOL(struct comparison_settings, aa, .name = "aa",
                           .help = "compare A with itself: a difference that is found is a false one"),
	SLUICE_OPTION_BOOL(struct comparison_settings, each, .name = "each",
                           .help = "every overlay alone, then the enabled set, then the set less one each"),
	SLUICE_OPTION_CHOICE(
		struct comparison_settings, together, .name = "together", .fallback = "some", .choices = together_names,
		.help = "with --each, which pairs of overlays to compare as well: of those that made a difference alone"),
	SLUICE_OPTION_BOOL(struct comparison_settings, duet, .name = "duet",
                           .help = "both at once, each webhook to one of them by coin"),
	SLUICE_OPTION_BOOL(struct comparison_settings, single, .name = "single",
                           .help = "no comparison: B alone for one block, for a gate to judge"),
	SLUICE_OPTION_INT(struct comparison_settings, pairs, .name = "pairs", .fallback = "20", .min = 2, .max = 1000,
                          .unit = "pairs", .help = "pairs of blocks"),
	SLUICE_OPTION_INT(struct comparison_settings, lives, .name = "lives", .fallback = "1", .min = 1, .max = 1000,
                          .unit = "lives",
                          .help = "spread the pairs over so many lives of both servers, each with fresh stores"),
	SLUICE_OPTION_BOOL(
		struct comparison_settings, sequential, .name = "sequential",
		.help = "look after 10, 20, 30 and 40 pairs, or lives, and stop where it is settled; means as many"),
	SLUICE_OPTION_DURATION(struct comparison_settings, block, .name = "block", .fallback = "3s",
                               .min = 100 * NS_PER_MS, .max = 3600 * NS_PER_S, .help = "how long one block is"),
	SLUICE_OPTION_INT(struct comparison_settings, rate, .name = "rate", .fallback = "500", .min = 1, .max = 1000000,
                          .unit = "requests per second", .help = "requests per second"),
	SLUICE_OPTION_INT(struct comparison_settings, concurrency, .name = "concurrency", .fallback = "50", .min = 1,
                          .max = 20000, .unit = "connections", .help = "connections"),
	SLUICE_OPTION_CHOICE(struct comparison_settings, arrivals, .name = "arrivals", .fallback = "uniform",
                             .choices = replay_arrivals_names, .help = "how they are spread over time"),
	SLUICE_OPTION_INT(struct comparison_settings, streams, .name = "streams", .fallback = "100", .min = 0,
                          .max = 10000000, .unit = "streams", .help = "streams the webhooks belong to"),
	SLUICE_OPTION_STRING(struct comparison_settings, size, .name = "size", .unit = "SIZE|A..B|real",
                             .fallback = "1KiB", .help = "of their payloads"),
	SLUICE_OPTION_PERCENT(struct comparison_settings, duplicates, .name = "duplicates", .fallback = "2%", .min = 0,
                              .max = 90, .help = "how many are sent again"),
	SLUICE_OPTION_STRING(struct comparison_settings, corpus, .name = "corpus", .unit = "FILE",
                             .flags = SLUICE_OPTION_FILE, .help = "draw payloads from it, a JSON text a line"),
	SLUICE_OPTION_INT(struct comparison_settings, seed, .name = "seed", .fallback = "1", .min = 0, .max = INT64_MAX,
                          .help = "of webhooks, arrivals and coins"),
	SLUICE_OPTION_STRING(struct comparison_settings, sign, .name = "sign", .unit = "SCHEME:SECRET",
                             .help = signer_help),
	SLUICE_OPTION_STRING(struct comparison_settings, form, .name = "template", .unit = "NAME=VALUE,…",
                             .help = "the options of auth/hmac's template, for --sign template:SECRET"),
	SLUICE_OPTION_STRING(struct comparison_settings, prepare, .name = "prepare", .unit = "COMMAND",
                             .help = "for the shell, once an arm's tables exist; sees SLUICE_ARM, SLUICE_LOCATION"),
	SLUICE_OPTION_DURATION(struct comparison_settings, timeout, .name = "timeout", .fallback = "60s",
                               .min = NS_PER_MS, .max = 3600 * NS_PER_S,
                               .help = "a response that takes longer counts as none"),
	SLUICE_OPTION_PERCENT(struct comparison_settings, margin, .name = "margin", .fallback = "5%", .min = 0,
                              .max = 100, .help = "a smaller change of P95 does not matter"),
	SLUICE_OPTION_PERCENT(struct comparison_settings, alpha, .name = "alpha", .fallback = "5%", .min = 0, .max = 50,
                              .help = "what the intervals leave to chance; with --sequential each look has its own"),
	SLUICE_OPTION_STRING(struct comparison_settings, gate, .name = "gate", .unit = "FILE",
                             .flags = SLUICE_OPTION_FILE, .help = "criteria to judge B by, for the report"),
	SLUICE_OPTION_BOOL(struct comparison_settings, rollback, .name = "rollback",
                           .help = "afterwards, start B with the kill switch and prove that it is the base again"),
	SLUICE_OPTION_BOOL(struct comparison_settings, keep_stores, .name = "keep-stores",
                           .help = "leave the arms' tables where they are"),
	SLUICE_OPTION_BOOL(
		struct comparison_settings, profile, .name = "profile",
		.help = "measure each stage's processor time and sample the servers by perf, for a flame graph of both"),
	SLUICE_OPTION_END,
};

const char *comparison_gate(const struct comparison_settings *settings)
{
	return settings->gate && settings->gate[0] ? settings->gate : NULL;
}

static bool refuse_contradictions(const struct comparison_settings *settings, struct sluice_error *error)
{
	const struct {
		bool both;
		const char *one, *other;
	} pairs[] = {
		{settings->aa && settings->each, "aa", "each"},
		{settings->aa && settings->single, "aa", "single"},
		{settings->each && settings->single, "each", "single"},
		{settings->duet && settings->single, "duet", "single"},
		{settings->sequential && settings->single, "sequential", "single"},
		{settings->lives > 1 && settings->single, "lives", "single"},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].both)
			return sluice_error_set(error, "--%s and --%s contradict each other", pairs[i].one,
			                        pairs[i].other);
	return true;
}

bool comparison_request_init(struct comparison_request *request_out, const struct comparison_settings *settings,
                             struct arguments *arguments, struct sluice_error *error)
{
	const char *first = arguments->operand_count > 0 ? arguments->operands[0] : settings->pipeline;
	const char *second = arguments->operand_count > 1 ? arguments->operands[1] : settings->pipeline_b;
	*request_out = (struct comparison_request){
		.settings = settings,
		.arguments = arguments,
		.pipelines = {first, second ? second : first},
		.program = sibling_path(SIBLING_SERVER, &arguments->arena),
	};
	if (!first)
		return sluice_error_set(error, "expected a pipeline, or a --scenario that names one");
	if (!settings->output)
		return sluice_error_set(error, "something is missing: --output RUN/");
	if (settings->profile && !profiler_is_there(error))
		return false;
	if (settings->alpha < VERDICT_ALPHA_MIN)
		return sluice_error_set(
			error, "--alpha must be above 0 %%: an interval that leaves nothing to chance is infinite");
	if (second && (settings->aa || settings->each))
		return sluice_error_set(error, "--%s is about one pipeline, got a second: %s",
		                        settings->aa ? "aa" : "each", second);
	if (settings->pairs % settings->lives != 0)
		return sluice_error_set(error, "--pairs %" PRId64 " cannot be spread evenly over --lives %" PRId64,
		                        settings->pairs, settings->lives);
	return refuse_contradictions(settings, error);
}

/* A difference that is found between two that are the same is a false one; who wants to know asks for it. */
static bool differ(const struct comparison_request *request, const struct side sides[2], struct sluice_error *error)
{
	if (request->settings->single || request->settings->aa || strcmp(sides[0].sha256, sides[1].sha256) != 0)
		return true;
	return sluice_error_set(
		error,
		"A (%s) and B (%s) are the same effective pipeline, so there is nothing to compare; --aa compares one with itself",
		sides[0].plan.label, sides[1].plan.label);
}

/* What of the request is worth remembering and is in no other member of run.json. */
static json_t *describe(const struct comparison_settings *settings)
{
	json_t *about = json_object();
	(void)json_object_set_new(about, "scenario",
	                          settings->scenario ? json_string(settings->scenario) : json_null());
	(void)json_object_set_new(about, "about", settings->about ? json_string(settings->about) : json_null());
	(void)json_object_set_new(about, "prepare", settings->prepare ? json_string(settings->prepare) : json_null());
	return about;
}

static enum compare_design design_of(const struct comparison_settings *settings)
{
	return settings->single ? COMPARE_SINGLE : settings->duet ? COMPARE_DUET : COMPARE_PAIRED;
}

/* What looks are planned after is a life where there are several, and as many pairs in each as were asked for. */
static size_t count_lives(const struct comparison_settings *settings)
{
	bool looks_at_lives = settings->sequential && settings->lives > 1;
	return looks_at_lives ? estimate_look_pairs[ESTIMATE_LOOKS - 1] : (size_t)settings->lives;
}

static size_t count_pairs(const struct comparison_settings *settings)
{
	size_t of_life = (size_t)(settings->pairs / settings->lives);
	if (settings->single)
		return 1;
	if (settings->lives > 1)
		return of_life * count_lives(settings);
	return settings->sequential ? estimate_look_pairs[ESTIMATE_LOOKS - 1] : (size_t)settings->pairs;
}

static bool fill_plan(const struct comparison_settings *settings, const struct corpus *corpus,
                      const struct signer *signer, struct compare_plan *plan, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	*plan = (struct compare_plan){
		.directory = settings->output,
		.design = design_of(settings),
		.pairs = count_pairs(settings),
		.lives = count_lives(settings),
		.sequential = settings->sequential,
		.block_ns = settings->block.ns,
		.rate = (double)settings->rate,
		.connections = (size_t)settings->concurrency,
		.arrivals = (enum replay_arrivals)settings->arrivals,
		.seed = (uint64_t)settings->seed,
		.recipe = {.duplicates = settings->duplicates, .streams = (size_t)settings->streams, .corpus = corpus},
		.signer = signer,
		.timeout_ns = settings->timeout.ns,
		.margin = settings->margin,
		.alpha = settings->alpha,
		.rollback = settings->rollback,
		.keep_stores = settings->keep_stores,
		.profile = settings->profile,
	};
	return generate_sizes_parse(settings->size, &plan->recipe.sizes, &cause) ||
	       sluice_error_set(error, "--size: %s", cause.text);
}

static bool load_sides(const struct comparison_request *request, struct side sides[2], struct sluice_error *error)
{
	size_t count = request->settings->single ? 1 : 2;
	for (size_t i = 0; i < count; i++)
		if (!side_load(request, &sides[i], i, error))
			return false;
	return differ(request, sides, error);
}

/* The run directory is there by now: files of rows lie in it. */
static bool separate_sides(const struct comparison_request *request, struct side sides[2], struct compare_plan *plan,
                           struct sluice_error *error)
{
	char mark[SIDE_MARK_SIZE];
	size_t count = request->settings->single ? 1 : 2;
	side_mark(mark);
	for (size_t i = 0; i < count; i++) {
		if (!side_separate(request, &sides[i], mark, error))
			return false;
		plan->arms[i] = sides[i].plan;
	}
	return true;
}

struct renewal {
	const struct comparison_request *request;
	struct side *sides;
};

static bool renew_sides(void *context, struct arm_plan arms[2], struct sluice_error *error)
{
	const struct renewal *renewal = context;
	char mark[SIDE_MARK_SIZE];
	side_mark(mark);
	for (size_t i = 0; i < 2; i++) {
		if (!side_renew(renewal->request, &renewal->sides[i], mark, error))
			return false;
		arms[i] = renewal->sides[i].plan;
	}
	return true;
}

/* Holds B against the gate, so that the report shows it. */
static bool judge_by_gate(const struct comparison_settings *settings, const struct gate_spec *spec,
                          struct sluice_error *error)
{
	struct gate_facts facts;
	struct gate_result result;
	bool ok = gate_measure(settings->output, NULL, &facts, error);
	if (ok) {
		gate_judge(spec, &facts, &result);
		json_t *document = gate_result_to_json(settings->gate, spec, &facts, &result);
		ok = gate_record(settings->output, NULL, &facts, document, error);
		json_decref(document);
	}
	gate_facts_finish(&facts);
	return ok;
}

/* Everything that may be wrong with what was asked for is found before the directory is made. */
static json_t *run(const struct comparison_request *request, struct side sides[2], struct compare_plan *plan,
                   const struct gate_spec *gate, compare_each_fn each, void *context, struct sluice_error *error)
{
	const struct comparison_settings *settings = request->settings;
	bool ok = load_sides(request, sides, error) && recording_make_directory(settings->output, error) &&
	          separate_sides(request, sides, plan, error) && compare_run(plan, each, context, error) &&
	          (!comparison_gate(settings) || judge_by_gate(settings, gate, error)) &&
	          report_write(settings->output, error);
	return ok ? run_read_json(settings->output, settings->single ? RUN_ABOUT : RUN_COMPARE, error) : NULL;
}

json_t *comparison_run(const struct comparison_request *request, compare_each_fn each, void *context,
                       struct sluice_error *error)
{
	const struct comparison_settings *settings = request->settings;
	struct signer *signer = settings->sign ? signer_create(settings->sign, settings->form, error) : NULL;
	struct corpus *corpus = settings->corpus ? corpus_read(settings->corpus, error) : NULL;
	struct side *sides = must_calloc(2, sizeof(*sides));
	struct renewal renewal = {request, sides};
	struct gate_spec gate = {0};
	struct compare_plan plan;
	json_t *document = NULL;
	if ((!settings->sign || signer) && (!settings->corpus || corpus) &&
	    (!comparison_gate(settings) || gate_spec_read(settings->gate, &gate, error)) &&
	    fill_plan(settings, corpus, signer, &plan, error)) {
		plan.about = describe(settings);
		plan.renew = renew_sides;
		plan.renew_context = &renewal;
		document = run(request, sides, &plan, &gate, each, context, error);
		json_decref(plan.about);
	}
	for (size_t i = 0; i < 2; i++)
		side_free(&sides[i]);
	free(sides);
	gate_spec_finish(&gate);
	corpus_free(corpus);
	signer_free(signer);
	return document;
}
