/*
 * sluice gate: judges a run by the criteria of a gate file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/show_json.h"
#include "lab/gate/criteria.h"
#include "lab/run/run.h"

/* Columns count characters, and ≤ is three bytes of one. */
static void print_cell(const char *text, int width)
{
	for (const char *c = text; *c; c++)
		width -= ((unsigned char)*c & 0xc0) != 0x80;
	(void)printf("%s%*s", text, width > 0 ? width : 1, "");
}

static void print_row(const char *title, const char *value, const char *bound, const char *limit, const char *verdict)
{
	print_cell(title, 26);
	print_cell(value, 13);
	print_cell(bound, 13);
	print_cell(limit, 13);
	(void)printf("%s\n", verdict);
}

static void print_line(const char *text)
{
	printable_write(stdout, PRINTABLE_LINE, text, strlen(text));
	(void)printf("\n");
}

static const char *verdict_of(const struct gate_row *row)
{
	if (row->is_target && row->verdict == GATE_FAILED)
		return "target missed";
	return row->proven ? "failed, proven" : gate_verdicts[row->verdict].name;
}

static void print_result(const struct gate_spec *spec, const struct gate_facts *facts, const struct gate_result *result)
{
	printable_write(stdout, PRINTABLE_LINE, spec->name, strlen(spec->name));
	(void)printf("%s", spec->about[0] ? ": " : "");
	print_line(spec->about);
	(void)printf("%zu requests, %g/s scheduled, %zu connections; figures over all of them, bounds at %g %%\n\n",
	             facts->requests, facts->rate, facts->connections, 100 * spec->confidence);
	print_row("criterion", "value", "bound", "limit", "verdict");
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		struct gate_row_texts texts = gate_row_texts(row);
		print_row(row->criterion->title, texts.value, texts.bound, texts.limit, verdict_of(row));
	}
	(void)printf("\n");
	print_line(result->sentence);
	print_line(result->next);
}

/* What is sealed by a manifest stays as it is. */
static bool record(const char *run, const char *baseline, const struct gate_facts *facts, const json_t *document,
                   struct sluice_error *error)
{
	char *manifest = run_file(run, RUN_MANIFEST);
	bool sealed = access(manifest, F_OK) == 0;
	free(manifest);
	if (!sealed)
		return gate_record(run, baseline, facts, document, error);
	(void)fprintf(stderr, "%s has a " RUN_MANIFEST ": " RUN_GATE " is left as it is\n", run);
	return true;
}

static bool judge(const struct arguments *arguments, const char *baseline, struct gate_spec *spec,
                  struct gate_facts *facts, int *status_out, struct sluice_error *error)
{
	const char *run = arguments->operands[0], *file = arguments->operands[1];
	struct gate_result result;
	if (!gate_spec_read(file, spec, error) || !gate_measure(run, baseline, facts, error))
		return false;
	gate_judge(spec, facts, &result);
	json_t *document = gate_result_to_json(file, spec, facts, &result);
	bool good = record(run, baseline, facts, document, error);
	if (good && arguments->json)
		(void)show_json_print(document, 15);
	else if (good)
		print_result(spec, facts, &result);
	json_decref(document);
	*status_out = gate_outcomes[result.outcome].status;
	return good;
}

int cmd_gate(int argc, char **argv)
{
	const char *baseline = NULL;
	const struct flag flags[] = {
		{"baseline", "RUN2/", "the run, or the comparison, that P95 must not be worse than", NULL, &baseline},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "gate RUN/ GATE.yaml",
		.about =
			"Judges a run by the criteria of a gate file, writes the verdict into the run directory and "
			"says what to do next. Limits are certified by bounds, not by point estimates: a limit is met "
			"when the bound meets it. Exit status: 0 PASS, 1 ROLLBACK, 2 the run cannot be judged, 10 "
			"PROCEED (clean, go on to the next test), 11 CONDITIONAL (a target missed, not certified or not "
			"measured), 12 FLAG (unlikely to meet a target, or a trade-off), 30 INVALID (the run was not "
			"what the gate requires).",
		.example = "sluice gate run-1/ gates/final-30k.yaml --baseline compare-1/",
		.flags = flags,
		.common = FLAGS_JSON,
		.operands_min = 2,
		.operands_max = 2,
	};
	struct arguments arguments;
	struct sluice_error error = {0};
	struct gate_spec spec = {0};
	struct gate_facts facts = {0};
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	if (!judge(&arguments, baseline, &spec, &facts, &status, &error)) {
		say(error.text);
		status = STATUS_CANNOT;
	}
	gate_facts_finish(&facts);
	gate_spec_finish(&spec);
	arguments_finish(&arguments);
	return status;
}
