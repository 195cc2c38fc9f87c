/*
 * gate.json: everything that the gate has decided from, so that it can be held against the raw samples.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "lab/gate/criteria.h"
#include "lab/run/run.h"
#include "lab/run/seal.h"

static const char *const unit_names[] = {
	[GATE_MS] = "ms", [GATE_SHARE] = "share", [GATE_CHANGE] = "change", [GATE_NUMBER] = "number"};

/* JSON has no infinity; what was not even answered is null, as is what is unknown. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *figures_of(const struct gate_row *row)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I}", "unit", unit_names[row->criterion->unit], "value",
	                 number(row->point), "limit", number(row->limit), "low", number(row->low), "high",
	                 number(row->high), "bad", (json_int_t)row->bad, "count", (json_int_t)row->count);
}

static json_t *row_to_json(const struct gate_row *row)
{
	const struct gate_criterion *criterion = row->criterion;
	struct gate_row_texts texts = gate_row_texts(row);
	return json_pack("{s:s, s:s, s:b, s:s, s:b, s:s, s:s, s:s, s:s, s:o}", "name", gate_criterion_name(criterion),
	                 "title", criterion->title, "target", row->is_target, "verdict",
	                 gate_verdicts[row->verdict].name, "proven", row->proven, "outcome",
	                 gate_outcomes[row->outcome].name, "value", texts.value, "limit", texts.limit, "bound",
	                 texts.bound, "figures", figures_of(row));
}

/* What the row of P95 leaves open. */
static json_t *outcomes_between(enum gate_outcome best, enum gate_outcome worst)
{
	json_t *possible = json_array();
	for (enum gate_outcome i = best; i <= worst; i++)
		(void)json_array_append_new(possible, json_string(gate_outcomes[i].name));
	return possible;
}

static json_t *rows_of(const struct gate_result *result)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < result->row_count; i++)
		(void)json_array_append_new(rows, row_to_json(&result->rows[i]));
	return rows;
}

static json_t *describe_host(const struct gate_host *host, enum gate_outcome calm)
{
	if (!host->is_known)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "stalls", (json_int_t)host->stalls, "requests",
	                 (json_int_t)host->share.requests, "in_stalls", (json_int_t)host->share.held, "slowest",
	                 (json_int_t)host->share.slowest, "slowest_in_stalls", (json_int_t)host->share.slowest_held,
	                 "without_them", gate_outcomes[calm].name);
}

json_t *gate_result_to_json(const char *file, const struct gate_spec *spec, const struct gate_facts *facts,
                            const struct gate_result *result)
{
	const struct outcome *outcome = &gate_outcomes[result->outcome];
	json_t *gate = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:f}", "format", 1, "gate", spec->name, "about",
	                         spec->about, "file", file, "sha256", spec->sha256, "kind", gate_kind_names[spec->kind],
	                         "confidence", spec->confidence);
	json_t *verdict = json_pack("{s:s, s:i, s:s, s:s, s:s, s:o}", "outcome", outcome->name, "status",
	                            outcome->status, "sentence", result->sentence, "next", result->next, "invalid",
	                            result->invalid, "p95_may_be", outcomes_between(result->best, result->worst));
	json_t *run = json_pack("{s:I, s:f, s:I}", "requests", (json_int_t)facts->requests, "rate", facts->rate,
	                        "connections", (json_int_t)facts->connections);
	(void)json_object_update(gate, verdict);
	(void)json_object_set_new(gate, "run", run);
	(void)json_object_set_new(gate, "host", describe_host(&facts->host, result->calm));
	run_mark(gate);
	(void)json_object_set_new(gate, "rows", rows_of(result));
	json_decref(verdict);
	return gate;
}

static bool copy(FILE *from, FILE *to)
{
	char part[4096];
	size_t size;
	while ((size = fread(part, 1, sizeof(part), from)) > 0) {
		if (fwrite(part, 1, size, to) != size)
			return false;
	}
	return !ferror(from);
}

static bool copy_file(const char *from_path, const char *to_path, struct sluice_error *error)
{
	char *same = realpath(to_path, NULL), *given = realpath(from_path, NULL);
	bool is_there = same && given && strcmp(same, given) == 0;
	free(same);
	free(given);
	if (is_there)
		return true;
	FILE *from = fopen(from_path, "re"), *to = from ? file_create(to_path) : NULL;
	bool good = to && copy(from, to);
	if (from)
		(void)fclose(from);
	if (to && fclose(to) != 0)
		good = false;
	return good || sluice_error_set(error, "%s: cannot be written: %s", to_path, strerror(errno));
}

static json_t *baseline_to_json(const char *from, const struct gate_change *change)
{
	return json_pack("{s:i, s:s, s:b, s:o, s:o, s:o, s:o}", "format", 1, "from", from, "apart", change->apart,
	                 "change", number(change->change), "low", number(change->low), "high", number(change->high),
	                 "margin", number(change->margin));
}

/* One that says nothing takes the place of an earlier one, too. */
static bool keep_baseline(const char *run, const char *from, const struct gate_figure *figure,
                          struct sluice_error *error)
{
	if (!from)
		return true;
	if (!figure->measured) {
		char *path = run_file(run, RUN_BASELINE);
		(void)unlink(path);
		free(path);
		return seal_file(run, RUN_BASELINE, error);
	}
	json_t *document = baseline_to_json(from, &figure->change);
	bool good = run_write_json(run, RUN_BASELINE, document, error) && seal_file(run, RUN_BASELINE, error);
	json_decref(document);
	return good;
}

bool gate_record(const char *run, const char *baseline, const struct gate_facts *facts, const json_t *result,
                 struct sluice_error *error)
{
	const struct gate_figure *figure = &facts->figures[gate_criterion_index("baseline")];
	char *path = run_file(run, RUN_GATE_FILE);
	bool good = copy_file(json_string_value(json_object_get(result, "file")), path, error) &&
	            seal_file(run, RUN_GATE_FILE, error) && keep_baseline(run, baseline, figure, error) &&
	            run_write_json(run, RUN_GATE, result, error) && seal_file(run, RUN_GATE, error);
	free(path);
	return good;
}

json_t *gate_judge_again(const char *run, struct sluice_error *error)
{
	struct gate_spec spec = {0};
	struct gate_facts facts = {0};
	struct gate_result result;
	json_t *written = run_read_json(run, RUN_GATE, error), *again = NULL;
	const char *file = json_string_value(json_object_get(written, "file"));
	char *path = run_file(run, RUN_GATE_FILE);
	if (written && !file)
		(void)sluice_error_set(error, "%s/" RUN_GATE ": file: expected a text", run);
	if (file && gate_spec_read(path, &spec, error) && gate_measure(run, NULL, &facts, error)) {
		gate_judge(&spec, &facts, &result);
		again = gate_result_to_json(file, &spec, &facts, &result);
	}
	gate_facts_finish(&facts);
	gate_spec_finish(&spec);
	free(path);
	json_decref(written);
	return again;
}
