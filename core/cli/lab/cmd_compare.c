/*
 * sluice compare: two configurations under a controlled test, with a verdict.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/lab/comparison.h"
#include "cli/lab/print_run.h"
#include "cli/show_json.h"
#include "lab/judge/outcome.h"
#include "lab/run/figure.h"
#include "lab/run/run.h"
#include "yaml/yaml.h"

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

/* Three figures that mean something. */
static void print_figure(double value)
{
	double size = fabs(value);
	(void)printf(" %12.*f", size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3, value);
}

/* One pair alone has no interval. */
static void print_change(const json_t *row)
{
	(void)printf("  %+7.1f %%", 100 * json_number_value(json_object_get(row, "change")));
	if (json_is_number(json_object_get(row, "low")))
		(void)printf("  [%+.1f, %+.1f]", 100 * json_number_value(json_object_get(row, "low")),
		             100 * json_number_value(json_object_get(row, "high")));
}

static void print_metric(const json_t *row)
{
	char title[64];
	(void)snprintf(title, sizeof(title), "%s, %s", json_string_value(json_object_get(row, "title")),
	               json_string_value(json_object_get(row, "unit")));
	(void)printf("%-38s", title);
	print_figure(json_number_value(json_object_get(row, "a")));
	print_figure(json_number_value(json_object_get(row, "b")));
	print_change(row);
	(void)printf("\n");
}

static const char *label_of(const json_t *document, size_t arm)
{
	const json_t *entry = json_array_get(json_object_get(document, "arms"), arm);
	return json_string_value(json_object_get(entry, "label"));
}

static const json_t *find_p95(const json_t *document)
{
	const json_t *metrics = json_object_get(document, "metrics");
	for (size_t i = 0; i < json_array_size(metrics); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(metrics, i), "name")), "p95") == 0)
			return json_array_get(metrics, i);
	return NULL;
}

static void print_detectable(const json_t *document)
{
	const json_t *detectable = json_object_get(find_p95(document), "detectable");
	if (json_is_number(detectable))
		(void)printf("\nDetectable change of P95 with this many pairs: %s (80 %% power)\n",
		             figure_share(json_number_value(detectable)).text);
}

static void print_comparison(const json_t *document, const char *directory)
{
	const json_t *verdict = json_object_get(document, "verdict");
	size_t i;
	json_t *entry;
	(void)printf("%-38s %12.12s %12.12s  %9s  %.4g %% interval\n", "", label_of(document, 0), label_of(document, 1),
	             "change", 100 * (1 - json_number_value(json_object_get(document, "alpha"))));
	json_array_foreach (json_object_get(document, "metrics"), i, entry)
		print_metric(entry);
	print_detectable(document);
	json_array_foreach (json_object_get(document, "notes"), i, entry)
		(void)printf("%s%s\n", i == 0 ? "\n" : "", json_string_value(entry));
	(void)printf("\n%s: %s\n%s/report.html\n", json_string_value(json_object_get(verdict, "outcome")),
	             json_string_value(json_object_get(verdict, "sentence")), directory);
}

static int status_of(const json_t *document)
{
	const char *name = json_string_value(json_object_get(json_object_get(document, "verdict"), "outcome"));
	const struct outcome *outcome = name ? outcome_find(name) : NULL;
	return outcome ? outcome->status : STATUS_CANNOT;
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
	                              : status_of(document);
	int gate = comparison_gate(settings) ? report_gate(settings->output, as_json) : status;
	json_decref(document);
	return settings->single ? gate : status;
}

/* What one of the comparisons of --each is called, and its sides. */
struct trial {
	const char *name, *a, *b;
};

enum { TRIALS_MAX = 64 };

static const char *join_without(const struct yaml_node *enabled, const char *left_out, struct arena *arena)
{
	const char *joined = NULL;
	for (const struct yaml_node *name = enabled->first; name; name = name->next) {
		if (left_out && strcmp(name->text, left_out) == 0)
			continue;
		joined = joined ? arena_printf(arena, "%s,%s", joined, name->text) : name->text;
	}
	return joined ? joined : "none";
}

/* Every overlay alone against the base, then the enabled set, then the set against itself less one each. */
static size_t list_trials(const char *pipeline, struct trial trials[TRIALS_MAX], struct arena *arena,
                          struct sluice_error *error)
{
	size_t count = 0;
	const struct yaml_node *top = yaml_read_file(pipeline, arena, error);
	const struct yaml_node *overlays = yaml_get(top, "optimizations"), *enabled = yaml_get(top, "enable");
	if (top && (!overlays || !overlays->first))
		(void)yaml_fail(top, error, "the pipeline has no overlays to compare");
	for (const struct yaml_node *one = overlays ? overlays->first : NULL; one && count < TRIALS_MAX;
	     one = one->next)
		trials[count++] = (struct trial){one->key, "none", one->key};
	if (!enabled || !enabled->first || !enabled->first->next)
		return count;
	const char *all = join_without(enabled, NULL, arena);
	if (count < TRIALS_MAX)
		trials[count++] = (struct trial){"enabled", "none", all};
	for (const struct yaml_node *one = enabled->first; one && count < TRIALS_MAX; one = one->next)
		trials[count++] = (struct trial){arena_printf(arena, "enabled-without-%s", one->text),
		                                 join_without(enabled, one->text, arena), all};
	return count;
}

static void print_trial(const struct trial *trial, const json_t *document)
{
	const json_t *row = find_p95(document);
	(void)printf("%-34s %-12s", trial->name,
	             json_string_value(json_object_get(json_object_get(document, "verdict"), "outcome")));
	print_change(row);
	(void)printf("  %s → %s\n", figure_of(json_number_value(json_object_get(row, "a")), "ms").text,
	             figure_of(json_number_value(json_object_get(row, "b")), "ms").text);
	(void)fflush(stdout);
}

/* One that cannot be done is said so, and does not keep the others from being done. */
static int compare_trial(const struct comparison_request *request, const struct trial *trial, struct watch *watch,
                         struct arena *arena)
{
	struct comparison_settings settings = *request->settings;
	struct comparison_request one = *request;
	settings.a = trial->a;
	settings.b = trial->b;
	settings.output = arena_printf(arena, "%s/%s", request->settings->output, trial->name);
	one.settings = &settings;
	json_t *document = compare(&one, watch);
	if (!document) {
		(void)printf("%-34s failed to run\n", trial->name);
		return STATUS_CANNOT;
	}
	int status = status_of(document);
	print_trial(trial, document);
	json_decref(document);
	return status;
}

static int compare_each(const struct comparison_request *request, struct arena *arena)
{
	struct trial trials[TRIALS_MAX];
	struct sluice_error error = {0};
	struct watch watch = {.is_terminal = isatty(STDERR_FILENO) == 1};
	size_t count = list_trials(request->pipelines[0], trials, arena, &error);
	if (count == 0 || (mkdir(request->settings->output, 0777) != 0 && errno != EEXIST)) {
		say(count == 0 ? error.text : strerror(errno));
		return STATUS_CANNOT;
	}
	int status = STATUS_YES;
	(void)printf("%-34s %-13s %9s  %s\n", "B against A", "verdict", "P95", "interval");
	for (size_t i = 0; i < count && !interrupted; i++) {
		int one = compare_trial(request, &trials[i], &watch, arena);
		if (one == STATUS_CANNOT || (one != STATUS_YES && status == STATUS_YES))
			status = one == STATUS_CANNOT ? STATUS_CANNOT : STATUS_NO;
	}
	return status;
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
		status = compare_each(&request, &arguments.arena);
	} else {
		status = compare_once(&request, arguments.json);
	}
	arguments_finish(&arguments);
	return status;
}
