/*
 * sluice analyze: where the time of a run's requests went, and what to try about it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/show_json.h"
#include "lab/report/breakdown.h"
#include "lab/report/export.h"
#include "lab/report/recommend.h"
#include "lab/report/tried.h"
#include "lab/run/samples.h"

struct flags {
	const char *export, *output, *trace, *arm, *pipeline, *tried;
};

struct request {
	const struct flags *flags;
	bool is_export;
	enum export_format format;
	char arm; /* 0: all */
	struct arena arena;
	const struct yaml_node *overlays;
	json_t *trials; /* of overlays; NULL: not asked for */
	bool several;   /* analyses to be told apart */
	json_t *list;   /* of the analyses, for --json; NULL: text */
};

static bool open_output(const struct flags *flags, FILE **file_out, struct sluice_error *error)
{
	*file_out = flags->output ? fopen(flags->output, "we") : stdout;
	return *file_out ? true : sluice_error_set(error, "%s: cannot write it: %s", flags->output, strerror(errno));
}

static bool close_output(const struct flags *flags, FILE *file, struct sluice_error *error)
{
	bool written = flags->output ? fclose(file) == 0 : fflush(file) == 0;
	return written ? true
	               : sluice_error_set(error, "%s: cannot write it: %s",
	                                  flags->output ? flags->output : "standard output", strerror(errno));
}

static void print_heading(const struct samples *samples, const struct sample_arm *arm)
{
	(void)printf("%s", samples->path);
	if (arm->arm >= 0)
		(void)printf(", arm %c", 'A' + arm->arm);
	(void)printf("%s", arm->label[0] ? ": " : "");
	printable_write(stdout, PRINTABLE_LINE, arm->label, strlen(arm->label));
	(void)printf("\n\n");
}

static void print_analysis(const struct analyze_result *result, const struct recommendation *list, size_t count,
                           const json_t *trials)
{
	struct buffer text = {0};
	breakdown_write_text(result, &text);
	if (result->answered > 0)
		recommend_write_text(result, list, count, trials, &text);
	printable_write(stdout, PRINTABLE_TEXT, text.data, text.size);
	buffer_finish(&text);
}

static json_t *analysis_to_json(const struct samples *samples, const struct sample_arm *arm,
                                const struct analyze_result *result, const struct recommendation *list, size_t count,
                                const json_t *trials)
{
	json_t *object = json_pack("{s:s, s:s}", "source", samples->path, "label", arm->label);
	(void)json_object_set_new(object, "arm", arm->arm < 0 ? json_null() : json_integer(arm->arm));
	(void)json_object_set_new(object, "joined", json_integer((json_int_t)samples->joined));
	(void)json_object_set_new(object, "broken_lines", json_integer((json_int_t)samples->log.broken));
	(void)json_object_update_new(object, breakdown_to_json(result));
	(void)json_object_set_new(object, "recommendations", recommend_to_json(list, count, trials));
	return object;
}

static void analyze_arm(struct request *request, const struct samples *samples, const struct sample_arm *arm)
{
	struct analyze_result result;
	struct recommendation list[RECOMMEND_MAX];
	analyze_records(arm->records, arm->count, arm->names, &result);
	size_t count = recommend(&result, request->overlays, arm->optimizations, list);
	if (request->list) {
		(void)json_array_append_new(request->list,
		                            analysis_to_json(samples, arm, &result, list, count, request->trials));
		return;
	}
	if (request->several || samples->arm_count > 1)
		print_heading(samples, arm);
	print_analysis(&result, list, count, request->trials);
}

/* What was asked for of one run: all its arms, or one. */
static bool choose_arms(const struct request *request, const struct samples *samples,
                        const struct sample_arm *chosen[RUN_ARMS_MAX], size_t *count_out, struct sluice_error *error)
{
	*count_out = samples->arm_count;
	for (size_t i = 0; i < samples->arm_count; i++)
		chosen[i] = &samples->arms[i];
	if (!request->arm)
		return true;
	*count_out = 1;
	chosen[0] = samples_get_arm(samples, request->arm, error);
	return chosen[0] != NULL;
}

static bool export_arms(const struct request *request, const struct samples *samples,
                        const struct sample_arm *const *arms, size_t count, struct sluice_error *error)
{
	FILE *file;
	if (!open_output(request->flags, &file, error))
		return false;
	bool written = export_write(request->format, samples, arms, count, file, error);
	return close_output(request->flags, file, error) && written;
}

static void say_what_was_read(const struct request *request, const struct samples *samples)
{
	if (request->flags->trace)
		(void)fprintf(stderr, "%s: %zu of %zu requests are in the server's trace\n", samples->path,
		              samples->joined, samples->run->count);
	if (samples->log.broken > 0)
		(void)fprintf(stderr, "%s: skipped %zu unreadable lines; the first: %s\n", samples->path,
		              samples->log.broken, samples->log.first.text);
}

static bool handle_run(struct request *request, const char *path, struct sluice_error *error)
{
	struct samples samples;
	const struct sample_arm *arms[RUN_ARMS_MAX];
	size_t count;
	if (!samples_open(path, request->flags->trace, &samples, error))
		return false;
	say_what_was_read(request, &samples);
	bool done = choose_arms(request, &samples, arms, &count, error);
	if (done && request->is_export)
		done = export_arms(request, &samples, arms, count, error);
	else if (done)
		for (size_t i = 0; i < count; i++)
			analyze_arm(request, &samples, arms[i]);
	samples_finish(&samples);
	return done;
}

static bool read_flags(struct request *request, int run_count, struct sluice_error *error)
{
	const struct flags *flags = request->flags;
	if (flags->export && !export_format_from_text(flags->export, &request->format))
		return sluice_error_set(error, "--export: expected csv, jsonl, perfetto or hgrm, got '%s'",
		                        flags->export);
	if (flags->arm && strcmp(flags->arm, "a") != 0 && strcmp(flags->arm, "b") != 0)
		return sluice_error_set(error, "--arm: expected a or b, got '%s'", flags->arm);
	if (flags->output && !flags->export)
		return sluice_error_set(error, "--output: goes with --export");
	if (run_count > 1 && (flags->export || flags->trace))
		return sluice_error_set(error, "--%s: expected one run, got %d", flags->export ? "export" : "trace",
		                        run_count);
	request->is_export = flags->export != NULL;
	request->arm = flags->arm ? flags->arm[0] : '\0';
	request->several = run_count > 1;
	if (flags->tried && !flags->pipeline)
		return sluice_error_set(error, "--tried: goes with --pipeline");
	if (flags->tried && !(request->trials = tried_read(flags->tried, error)))
		return false;
	return !flags->pipeline || recommend_read_overlays(flags->pipeline, &request->arena, &request->overlays, error);
}

static bool print_list(const struct request *request, struct sluice_error *error)
{
	if (!request->list || request->is_export)
		return true;
	json_t *document = json_pack("{s:i, s:O}", "format", 1, "analyses", request->list);
	bool printed = show_json_print(document, 15);
	json_decref(document);
	return printed ? true : sluice_error_set(error, "standard output: cannot write it: %s", strerror(errno));
}

static int analyze(const struct flags *flags, const struct arguments *arguments)
{
	struct sluice_error error = {0};
	struct request request = {.flags = flags, .list = arguments->json ? json_array() : NULL};
	arena_init(&request.arena, 4096, NULL);
	bool done = read_flags(&request, arguments->operand_count, &error);
	for (int i = 0; done && i < arguments->operand_count; i++)
		done = handle_run(&request, arguments->operands[i], &error);
	done = done && print_list(&request, &error);
	if (!done)
		say(error.text);
	json_decref(request.list);
	json_decref(request.trials);
	arena_finish(&request.arena);
	return done ? STATUS_YES : STATUS_CANNOT;
}

int cmd_analyze(int argc, char **argv)
{
	struct flags values = {0};
	const struct flag flags[] = {
		{"export", "FORMAT", "write the requests as csv, jsonl, perfetto or hgrm instead", NULL,
	         &values.export},
		{"output", "FILE", "the file to export to; default: standard output", NULL, &values.output},
		{"trace", "FILE", "the server's trace, to join with the run's requests", NULL, &values.trace},
		{"arm", "a|b", "analyze one arm only", NULL, &values.arm},
		{"pipeline", "FILE", "recommend the overlays of this pipeline by their names", NULL, &values.pipeline},
		{"tried", "DIR", "say how these overlays did in the comparisons in DIR", NULL, &values.tried},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "analyze RUN…",
		.about =
			"Says where the time of requests went: per stage, in the body and over the slowest 5 %, waiting "
			"apart from work, and which optimization to try, or that no stage stands out. RUN is a run "
			"directory of `replay` or `compare`, a trace of `run --trace`, or a log with lines of "
			"LATENCY_PROFILE. Exit status: 0 done, 2 it cannot be read.",
		.example = "sluice analyze runs/today --pipeline pipelines/postgres.yaml\n"
			   "  sluice analyze runs/today --export perfetto --output today.json",
		.flags = flags,
		.common = FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 64,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = analyze(&values, &arguments);
	arguments_finish(&arguments);
	return status;
}
