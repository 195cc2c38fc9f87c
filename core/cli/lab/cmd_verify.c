/*
 * sluice verify: holds the store of a pipeline against what a run was answered.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/lab/store.h"
#include "lab/judge/verify.h"
#include "runtime/sameness.h"

enum { EXAMPLES_SHOWN = 20 };

static void print_bytes(struct sluice_bytes text)
{
	printable_write(stdout, PRINTABLE_LINE, text.data, text.size);
}

static void print_example(const struct verify_example *example)
{
	printf("%-9s ", verify_violation_names[example->violation]);
	print_bytes(example->message_id);
	if (example->stream.data) {
		printf(" of stream ");
		print_bytes(example->stream);
	}
	printf(": %s\n", example->detail);
}

static void print_result(const struct verify_result *result, const char *directory)
{
	const struct {
		const char *name;
		uint64_t count;
	} lines[] = {
		{"answered", result->answered},
		{"stored", result->stored},
		{"unanswered", result->unanswered},
		{"accepted twice", result->accepted_twice},
		{"dead letters", result->dead},
		{"foreign", result->foreign},
		{verify_violation_names[VERIFY_LOST], result->violations[VERIFY_LOST]},
		{verify_violation_names[VERIFY_DOUBLED], result->violations[VERIFY_DOUBLED]},
		{verify_violation_names[VERIFY_ALTERED], result->violations[VERIFY_ALTERED]},
		{verify_violation_names[VERIFY_REORDERED], result->violations[VERIFY_REORDERED]},
	};
	for (size_t i = 0; i < result->example_count && i < EXAMPLES_SHOWN; i++)
		print_example(&result->examples[i]);
	if (result->violation_count > EXAMPLES_SHOWN)
		printf("… and %" PRIu64 " more, see %s/" RUN_VERIFY "\n", result->violation_count - EXAMPLES_SHOWN,
		       directory);
	if (result->pruned)
		printf("%-14s %10" PRIu64 "\n", "removed, old", result->pruned);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		printf("%-14s %10" PRIu64 "\n", lines[i].name, lines[i].count);
	puts(result->violation_count ? "The responses and the stored events do NOT match."
	     : result->dead
	             ? "Every acknowledged event is stored, once, as it was sent and in order, or a dead letter: see `sluice dead list`."
	             : "Every acknowledged event is stored: once, as it was sent, and in order.");
}

static void print_json(const struct verify_result *result)
{
	json_t *document = verify_to_json(result);
	(void)json_dumpf(document, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(document);
}

/* "a" is 0, "b" is 1; -1: it was not said which. */
static bool read_arm(const char *text, int *arm)
{
	*arm = !text ? -1 : *text - 'a';
	if (!text || strcmp(text, "a") == 0 || strcmp(text, "b") == 0)
		return true;
	fprintf(stderr, "sluice verify: --arm: expected a or b, got \"%s\"\n", text);
	return false;
}

static bool counts_as_same(void *stage, const struct sluice_record *stored, const struct sluice_record *sent)
{
	return stage_sameness_holds(stage, stored, sent);
}

/* A retry may differ from what it repeats, where the pipeline says so. */
static bool verify_opened(struct verify_plan *plan, const struct store *store, struct verify_result *result,
                          struct sluice_error *error)
{
	plan->is_same = store->sameness ? counts_as_same : NULL;
	plan->same_context = store->sameness;
	return verify_store(plan, &store->source, result, error);
}

static bool verify(const struct arguments *arguments, const struct run *run, const char *input_path, int arm,
                   struct verify_result *result, struct sluice_error *error)
{
	struct input input;
	struct verify_plan plan;
	struct store store = {0};
	struct config_request request = arguments->request;
	request.file = arguments->operands[1];
	input_init(&input);
	bool good = verify_read_input(run, input_path, &input, error) &&
	            verify_plan_init(&plan, run, arm, &input, error) && store_open(&store, &request, error) &&
	            verify_opened(&plan, &store, result, error) && verify_save(run->path, result, error);
	store_close(&store);
	input_finish(&input);
	return good;
}

static int run_verify(const struct arguments *arguments, const char *input_path, const char *arm_name)
{
	int arm, status = STATUS_CANNOT;
	struct sluice_error error = {0};
	struct verify_result result = {0};
	if (!read_arm(arm_name, &arm))
		return status;
	struct run *run = run_open(arguments->operands[0], &error);
	if (run && verify(arguments, run, input_path, arm, &result, &error)) {
		status = result.violation_count ? STATUS_NO : STATUS_YES;
		if (arguments->json)
			print_json(&result);
		else
			print_result(&result, run->path);
	} else {
		say(error.text);
	}
	verify_result_finish(&result);
	run_close(run);
	return status;
}

int cmd_verify(int argc, char **argv)
{
	const char *input = NULL, *arm = NULL;
	const struct flag flags[] = {
		{"input", "FILE", "the input that was sent, if the run did not keep it", NULL, &input},
		{"arm", "a|b", "the arm whose store this is, if the run has two", NULL, &arm},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "verify RUN PIPELINE",
		.about =
			"Holds the store of a pipeline, beside a running server or without one, against what a run was "
			"answered: what is lost, doubled, altered or out of order within its stream, each with its "
			"message id. Leaves verify.json in the run directory. Exit status: 0 they match, 1 they do not, 2 "
			"it cannot be told.",
		.example = "sluice verify runs/today pipelines/quickstart.yaml",
		.flags = flags,
		.common = FLAGS_PIPELINE | FLAGS_JSON,
		.operands_min = 2,
		.operands_max = 2,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = run_verify(&arguments, input, arm);
	arguments_finish(&arguments);
	return status;
}
