/*
 * sluice compare: two configurations under a controlled test, with a verdict.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/lab/compare_each.h"
#include "cli/lab/comparison.h"
#include "cli/lab/print_comparison.h"
#include "cli/lab/print_run.h"
#include "cli/show_json.h"
#include "lab/run/figure.h"
#include "lab/run/run.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

struct watch {
	bool is_terminal;
	/* Of the last line. */
	const char *phase;
	size_t pair;
};

/* A terminal shows every step in one line, a pipe gets a line for each phase and pair. */
static bool is_due(struct watch *watch, const struct compare_progress *progress)
{
	bool is_new = watch->phase != progress->phase || watch->pair != progress->pair;
	watch->phase = progress->phase;
	watch->pair = progress->pair;
	return watch->is_terminal || is_new;
}

static bool show_progress(void *context, const struct compare_progress *progress)
{
	struct watch *watch = context;
	if (!is_due(watch, progress))
		return !interrupted;
	(void)fprintf(stderr, "%s%s", watch->is_terminal ? "\r\033[K" : "", progress->phase);
	if (strcmp(progress->phase, "pair") == 0)
		(void)fprintf(stderr, " %zu of %zu", progress->pair, progress->pairs);
	if (strcmp(progress->phase, "pair") == 0 && progress->lives > 1)
		(void)fprintf(stderr, ", life %zu of %zu", progress->life + 1, progress->lives);
	if (progress->a_p95_ms > 0 && progress->b_p95_ms > 0)
		(void)fprintf(stderr, ", P95 %s and %s in the last", figure_of(progress->a_p95_ms, "ms").text,
		              figure_of(progress->b_p95_ms, "ms").text);
	if (interrupted)
		(void)fprintf(stderr, ": stopping after this pair");
	if (!watch->is_terminal)
		(void)fputc('\n', stderr);
	return !interrupted;
}

/* What the gate has said of B; its exit status. */
static int report_gate(const char *directory, bool quietly)
{
	struct sluice_error error = {0};
	json_t *document = run_read_json(directory, RUN_GATE, &error);
	if (!document) {
		say(error.text);
		return STATUS_CANNOT;
	}
	json_t *gate = show_json_plain(document);
	json_decref(document);
	if (!quietly)
		(void)printf("\n%s: %s\n%s\n", json_string_value(json_object_get(gate, "gate")),
		             json_string_value(json_object_get(gate, "sentence")),
		             json_string_value(json_object_get(gate, "next")));
	int status = (int)json_integer_value(json_object_get(gate, "status"));
	json_decref(gate);
	return status;
}

/* NULL and a sentence on stderr if it could not be done. */
static json_t *compare(const struct comparison_request *request, struct watch *watch)
{
	struct sluice_error error = {0};
	json_t *document = comparison_run(request, show_progress, watch, &error);
	if (watch->is_terminal)
		(void)fprintf(stderr, "\r\033[K");
	if (!document)
		say(error.text);
	return document;
}

static void print_document(const struct comparison_settings *settings, const json_t *document, bool as_json)
{
	json_t *plain = as_json ? NULL : show_json_plain(document);
	if (as_json)
		(void)show_json_print(document, RUN_DIGITS);
	else if (settings->single)
		print_run(json_object_get(plain, "results"), json_object_get(plain, "generator"), settings->output);
	else
		print_comparison(plain, settings->output);
	json_decref(plain);
}

/* A single has no verdict of its own: that is its gate's, or that of its answers. */
static int compare_once(const struct comparison_request *request, bool as_json)
{
	const struct comparison_settings *settings = request->settings;
	struct watch watch = {.is_terminal = isatty(STDERR_FILENO) == 1};
	json_t *document = compare(request, &watch);
	if (!document)
		return STATUS_CANNOT;
	print_document(settings, document, as_json);
	int status = settings->single ? status_of_run(json_object_get(document, "results"),
	                                              json_object_get(document, "generator"))
	                              : comparison_status(document);
	int gate = comparison_gate(settings) ? report_gate(settings->output, as_json) : status;
	json_decref(document);
	return settings->single ? gate : status;
}

/* For --each. */
static json_t *compare_next(void *context, const struct comparison_request *request)
{
	return compare(request, context);
}

static int compare_overlays(const struct comparison_request *request, bool as_json)
{
	struct watch watch = {.is_terminal = isatty(STDERR_FILENO) == 1};
	const struct each_runner runner = {.compare = compare_next, .context = &watch, .is_over = &interrupted};
	return compare_each(request, &runner, as_json);
}

int cmd_compare(int argc, char **argv)
{
	struct comparison_settings settings;
	struct command command = {
		.usage = "compare [PIPELINE [PIPELINE]]",
		.about =
			"Puts two configurations, A and B, under the same load in interleaved pairs of blocks, each with "
			"a server and tables of its own, and says whether B is better. Two overlay sets of one pipeline, "
			"or two files. Everything that was measured goes into a run directory, with a report for people. "
			"Ctrl-C ends it after the pair. Exit status: 0 better, 1 worse or no difference beyond the margin, 2 "
			"it could not be done, 11 inconclusive, 30 invalid; with --each 0 if every one is better; with "
			"--single and --gate that of `sluice gate`.",
		.example = "sluice compare pipelines/postgres.yaml --a none --b pool-tuning --output run-1/",
		.options = comparison_options,
		.config = &settings,
		.file_option = "scenario",
		.common = FLAGS_STAGE_PATH | FLAGS_SET | FLAGS_JSON,
		.operands_max = 2,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct comparison_request request;
	struct sluice_error error = {0};
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	if (!comparison_request_init(&request, &settings, &arguments, &error)) {
		(void)fprintf(stderr, "sluice compare: %s\n", error.text);
		status = STATUS_CANNOT;
	} else if (settings.each) {
		status = compare_overlays(&request, arguments.json);
	} else {
		status = compare_once(&request, arguments.json);
	}
	arguments_finish(&arguments);
	return status;
}
