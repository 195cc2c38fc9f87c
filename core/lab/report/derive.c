/*
 * What follows from a run directory; see derive.h. Each file is a row of one table.
 */
#include "lab/report/derive.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/process.h"
#include "lab/judge/analyze.h"
#include "lab/report/export.h"
#include "lab/report/lineage.h"
#include "lab/report/recommend.h"
#include "lab/report/report.h"
#include "lab/run/samples.h"

enum {
	SAMPLE_MAX = 1024 * 1024,   /* bytes of a line of samples.jsonl */
	PIPELINE_MAX = 1024 * 1024, /* bytes of an effective pipeline */
};

struct bundle {
	const char *directory, *target;
	struct samples samples;
	const struct run *run;
	json_t *verified, *compared, *gate; /* verify.json, compare.json, gate.json; NULL: not there */
};

/* Opens TARGET/NAME to be written; close_file() ends it. */
static FILE *open_file(const struct bundle *bundle, const char *name, struct sluice_error *error)
{
	char *path = run_file(bundle->target, name);
	FILE *file = file_create(path);
	if (!file)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	free(path);
	return file;
}

static bool close_file(FILE *file, const char *name, bool ok, struct sluice_error *error)
{
	if (!file)
		return false;
	if (fclose(file) != 0 && ok)
		return sluice_error_set(error, "%s: cannot be written: %s", name, strerror(errno));
	return ok;
}

static bool write_text(const struct bundle *bundle, const char *name, const struct buffer *text,
                       struct sluice_error *error)
{
	FILE *file = open_file(bundle, name, error);
	bool ok = file && fwrite(text->data ? text->data : "", 1, text->size, file) == text->size;
	if (file && !ok)
		(void)sluice_error_set(error, "%s: cannot be written: %s", name, strerror(errno));
	return close_file(file, name, ok, error);
}

/* "latency-a.hgrm"; of a run without arms "latency.hgrm". */
static void name_of_arm(const struct bundle *bundle, size_t arm, const char *stem, const char *ending, char *name,
                        size_t room)
{
	if (bundle->samples.arm_count == 1)
		(void)snprintf(name, room, "%s.%s", stem, ending);
	else
		(void)snprintf(name, room, "%s-%c.%s", stem, (char)('a' + arm), ending);
}

static bool write_histograms(const struct bundle *bundle, struct sluice_error *error)
{
	for (size_t i = 0; i < bundle->samples.arm_count; i++) {
		char name[64];
		const struct sample_arm *arm = &bundle->samples.arms[i];
		name_of_arm(bundle, i, "latency", "hgrm", name, sizeof(name));
		FILE *file = open_file(bundle, name, error);
		bool ok = file && export_write(EXPORT_HGRM, &bundle->samples, &arm, 1, file, error);
		if (!close_file(file, name, ok, error))
			return false;
	}
	return true;
}

static json_t *row_to_json(const char *name, const struct analyze_row *row)
{
	return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "part", name, "count",
	                 (json_int_t)row->count, "p50_ms", (double)row->p50_ns / 1e6, "p95_ms",
	                 (double)row->p95_ns / 1e6, "p99_ms", (double)row->p99_ns / 1e6, "max_ms",
	                 (double)row->max_ns / 1e6, "tail_share", row->tail_share, "excess_share", row->excess_share,
	                 "dominant", row->dominant, "ceiling_ms", (double)row->ceiling_ns / 1e6);
}

static json_t *breakdown_of(const struct sample_arm *arm)
{
	struct analyze_result result;
	struct recommendation list[RECOMMEND_MAX];
	analyze_records(arm->records, arm->count, arm->names, &result);
	json_t *parts = json_array(), *spans = json_array();
	for (size_t i = 0; i < PARTS; i++)
		if (result.parts[i].count > 0)
			(void)json_array_append_new(parts, row_to_json(part_words[i].name, &result.parts[i]));
	for (size_t i = 0; i < ANALYZE_SPANS; i++)
		if (result.spans[i].count > 0)
			(void)json_array_append_new(spans,
			                            row_to_json(analyze_span_name(&result, i), &result.spans[i]));
	size_t count = recommend(&result, NULL, arm->optimizations, list);
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "arm", arm->label, "requests", (json_int_t)result.requests,
	                 "total", row_to_json("total", &result.total), "parts", parts, "database", spans,
	                 "recommendations", recommend_to_json(list, count, NULL));
}

static bool write_breakdown(const struct bundle *bundle, struct sluice_error *error)
{
	json_t *document = json_array();
	for (size_t i = 0; i < bundle->samples.arm_count; i++)
		(void)json_array_append_new(document, breakdown_of(&bundle->samples.arms[i]));
	bool ok = run_write_json(bundle->target, "breakdown.json", document, error);
	json_decref(document);
	return ok;
}

/* json_equal() takes two that are not there for different. */
static bool agree_on(const json_t *a, const json_t *b, const char *member)
{
	const json_t *left = json_object_get(a, member), *right = json_object_get(b, member);
	return left == right || json_equal(left, right);
}

/* What a figure was before, of the same name and label; NULL: it was not there. */
static const json_t *find_before(const json_t *figures, const json_t *figure)
{
	size_t i;
	json_t *candidate;
	json_array_foreach (figures, i, candidate) {
		if (agree_on(candidate, figure, "name") && agree_on(candidate, figure, "label") &&
		    agree_on(candidate, figure, "of"))
			return json_object_get(candidate, "value");
	}
	return NULL;
}

static json_t *list_changes(const json_t *before, const json_t *after)
{
	json_t *list = json_array();
	size_t i;
	json_t *figure;
	json_array_foreach (after, i, figure) {
		json_t *row = json_copy(figure);
		const json_t *then = find_before(before, figure);
		if (json_is_number(then) && json_is_number(json_object_get(figure, "value")))
			(void)json_object_set_new(row, "change",
			                          json_real(json_number_value(json_object_get(figure, "value")) -
			                                    json_number_value(then)));
		(void)json_array_append_new(list, row);
	}
	return list;
}

static bool write_database(const struct bundle *bundle, struct sluice_error *error)
{
	const json_t *before = json_object_get(bundle->run->about, "stores_before");
	const json_t *after = json_object_get(bundle->run->about, "stores_after");
	json_t *document = json_array();
	for (size_t i = 0; i < json_array_size(after); i++)
		(void)json_array_append_new(document,
		                            list_changes(json_array_get(before, i), json_array_get(after, i)));
	bool ok = run_write_json(bundle->target, "database.json", document, error);
	json_decref(document);
	return ok;
}

/* Adds one sample's gauge to {"mean": …, "max": …, "samples": …}; the mean is still a sum. */
static void add_gauge(json_t *gauges, const char *name, double value)
{
	json_t *entry = json_object_get(gauges, name);
	if (!entry) {
		entry = json_pack("{s:f, s:f, s:i}", "mean", 0.0, "max", value, "samples", 0);
		(void)json_object_set_new(gauges, name, entry);
	}
	json_int_t samples = json_integer_value(json_object_get(entry, "samples"));
	(void)json_object_set_new(entry, "mean", json_real(json_number_value(json_object_get(entry, "mean")) + value));
	(void)json_object_set_new(entry, "max",
	                          json_real(fmax(json_number_value(json_object_get(entry, "max")), value)));
	(void)json_object_set_new(entry, "samples", json_integer(samples + 1));
}

static void finish_gauges(json_t *gauges)
{
	const char *name;
	json_t *entry;
	json_object_foreach (gauges, name, entry)
		(void)json_object_set_new(entry, "mean",
		                          json_real(json_number_value(json_object_get(entry, "mean")) /
		                                    (double)json_integer_value(json_object_get(entry, "samples"))));
}

/* Whether that arm was under load at that time: an idle one's gauges say nothing. */
static bool is_under_load(const json_t *blocks, json_int_t arm, double at_ms)
{
	size_t i;
	json_t *block;
	json_array_foreach (blocks, i, block) {
		if (json_integer_value(json_object_get(block, "arm")) == arm &&
		    at_ms >= json_number_value(json_object_get(block, "start_ms")) &&
		    at_ms <= json_number_value(json_object_get(block, "end_ms")))
			return true;
	}
	return false;
}

static void add_sample(json_t *arms, const json_t *sample, const json_t *blocks)
{
	json_int_t arm = json_integer_value(json_object_get(sample, "arm"));
	const char *name;
	json_t *value;
	if (arm < 0 || (size_t)arm >= json_array_size(arms) ||
	    !is_under_load(blocks, arm, json_number_value(json_object_get(sample, "at_ms"))))
		return;
	json_object_foreach (json_object_get(sample, "gauges"), name, value)
		add_gauge(json_array_get(arms, (size_t)arm), name, json_number_value(value));
}

/* Line by line, which are bounded: it may be somebody else's file. */
static bool add_samples(json_t *arms, FILE *file, const json_t *blocks, struct sluice_error *error)
{
	char *line = must_alloc(SAMPLE_MAX);
	bool ok = true;
	while (ok && fgets(line, SAMPLE_MAX, file)) {
		json_t *sample = json_loads(line, 0, NULL);
		ok = sample || sluice_error_set(error, RUN_SAMPLES ": expected a JSON value of at most %d bytes a line",
		                                SAMPLE_MAX - 1);
		if (sample)
			add_sample(arms, sample, blocks);
		json_decref(sample);
	}
	free(line);
	return ok;
}

/* Of every gauge its mean and its highest value while the arm was under load. */
static bool write_utilization(const struct bundle *bundle, struct sluice_error *error)
{
	struct sluice_error absent = {0};
	char *path = run_file(bundle->directory, RUN_SAMPLES);
	FILE *file = file_open(path, &absent);
	json_t *arms = json_pack("[{}, {}]");
	free(path);
	bool ok = !file || add_samples(arms, file, json_object_get(bundle->run->about, "blocks"), error);
	for (size_t i = 0; i < json_array_size(arms); i++)
		finish_gauges(json_array_get(arms, i));
	ok = ok && (!file || run_write_json(bundle->target, "utilization.json", arms, error));
	if (file)
		(void)fclose(file);
	json_decref(arms);
	return ok;
}

static bool write_lineages(const struct bundle *bundle, struct sluice_error *error)
{
	struct buffer text = {0};
	lineage_append_random(bundle->run, DERIVED_LINEAGES, &text);
	bool ok = write_text(bundle, "lineages.txt", &text, error);
	buffer_finish(&text);
	return ok;
}

/* The share of errors that the gate of this run allows; NULL: none says so. */
static json_t *find_error_budget(const json_t *gate)
{
	size_t i;
	json_t *row;
	json_array_foreach (json_object_get(gate, "rows"), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));
		if (name && strcmp(name, "errors") == 0)
			return json_object_get(json_object_get(row, "figures"), "limit");
	}
	return NULL;
}

static bool write_error_budget(const struct bundle *bundle, struct sluice_error *error)
{
	const json_t *results = json_object_get(bundle->run->about, "results");
	double requests = json_number_value(json_object_get(results, "requests"));
	double errors = json_number_value(json_object_get(results, "errors"));
	double rate = requests > 0 ? errors / requests : 0;
	json_t *budget = find_error_budget(bundle->gate);
	double allowed = json_number_value(budget);
	json_t *document = json_pack(
		"{s:O, s:O, s:f, s:O?, s:o, s:O, s:O}", "requests", json_object_get(results, "requests"), "errors",
		json_object_get(results, "errors"), "rate", rate, "budget", budget, "consumed",
		allowed > 0 ? json_real(rate / allowed) : json_null(), "statuses", json_object_get(results, "statuses"),
		"by_kind", json_object_get(results, "by_kind"));
	bool ok = run_write_json(bundle->target, "error-budget.json", document, error);
	json_decref(document);
	return ok;
}

/* One member of every arm of verify.json, and what was sent to provoke a fault. */
static bool write_findings(const struct bundle *bundle, const char *name, const char *const members[],
                           struct sluice_error *error)
{
	json_t *document = json_array();
	size_t i;
	json_t *arm;
	json_array_foreach (json_object_get(bundle->verified, "arms"), i, arm) {
		json_t *row = json_object();
		for (size_t m = 0; members[m]; m++)
			(void)json_object_set(row, members[m], json_object_get(arm, members[m]));
		(void)json_array_append_new(document, row);
	}
	json_t *whole = json_pack("{s:o, s:O?}", "arms", document, "sent",
	                          json_object_get(json_object_get(bundle->run->about, "results"), "by_kind"));
	bool ok = run_write_json(bundle->target, name, whole, error);
	json_decref(whole);
	return ok;
}

static bool write_idempotency(const struct bundle *bundle, struct sluice_error *error)
{
	static const char *const members[] = {"arm",     "answered", "stored",     "lost",           "doubled",
	                                      "altered", "foreign",  "unanswered", "accepted_twice", "dead_letters",
	                                      NULL};
	return !bundle->verified || write_findings(bundle, "idempotency.json", members, error);
}

static bool write_ordering(const struct bundle *bundle, struct sluice_error *error)
{
	static const char *const members[] = {"arm", "stored", "reordered", NULL};
	return !bundle->verified || write_findings(bundle, "ordering.json", members, error);
}

static json_t *effect_of(const json_t *compared, const char *metric)
{
	size_t i;
	json_t *row;
	json_array_foreach (json_object_get(compared, "metrics"), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));
		if (name && strcmp(name, metric) == 0)
			return json_incref(row);
	}
	return json_null();
}

/* What was switched on in B, and what that did. */
static bool write_changelog(const struct bundle *bundle, struct sluice_error *error)
{
	const json_t *arms = json_object_get(bundle->run->about, "arms");
	if (!bundle->compared)
		return true;
	json_t *document = json_pack(
		"{s:O?, s:O?, s:O?, s:o, s:o, s:o}", "from", json_object_get(json_array_get(arms, 0), "optimizations"),
		"to", json_object_get(json_array_get(arms, 1), "optimizations"), "verdict",
		json_object_get(bundle->compared, "verdict"), "p95", effect_of(bundle->compared, "p95"), "throughput",
		effect_of(bundle->compared, "throughput"), "cpu_per_event",
		effect_of(bundle->compared, "cpu_per_event"));
	bool ok = run_write_json(bundle->target, "changelog.json", document, error);
	json_decref(document);
	return ok;
}

/* A regular file of a sane size: diff(1) would wait for a pipe that nobody writes to. */
static bool is_readable(const struct bundle *bundle, const char *name)
{
	struct sluice_error absent = {0};
	char *path = run_file(bundle->directory, name);
	FILE *file = file_open(path, &absent);
	bool readable = file && fseek(file, 0, SEEK_END) == 0 && ftell(file) <= PIPELINE_MAX;
	if (file)
		(void)fclose(file);
	free(path);
	return readable;
}

/* diff(1), which every Debian has; its status is 1 where there is a difference. */
static bool write_difference(const struct bundle *bundle, struct sluice_error *error)
{
	if (!is_readable(bundle, "effective-a.yaml") ||
	    !is_readable(bundle, "effective-b.yaml")) /* a single has one side */
		return true;
	FILE *file = open_file(bundle, "effective.diff", error);
	int status = 0;
	if (!file)
		return false;
	pid_t child = fork();
	if (child == 0) {
		if (setenv("LC_ALL", "C", 1) == 0 && chdir(bundle->directory) == 0 &&
		    dup2(fileno(file), STDOUT_FILENO) >= 0)
			(void)execlp("diff", "diff", "-u", "--label", "effective-a.yaml", "--label", "effective-b.yaml",
			             "effective-a.yaml", "effective-b.yaml", (char *)NULL);
		_exit(127);
	}
	bool ok = child > 0 && process_wait(child, &status) && WIFEXITED(status) && WEXITSTATUS(status) < 2;
	if (!ok)
		(void)sluice_error_set(error, "effective.diff: diff(1) could not compare the two pipelines");
	return close_file(file, "effective.diff", ok, error);
}

static bool write_report(const struct bundle *bundle, struct sluice_error *error)
{
	return report_write_to(bundle->directory, bundle->target, error);
}

static bool (*const writers[])(const struct bundle *bundle, struct sluice_error *error) = {
	write_histograms,  write_breakdown, write_database,  write_utilization, write_lineages, write_error_budget,
	write_idempotency, write_ordering,  write_changelog, write_difference,  write_report,
};

const char *const derived_names[] = {
	"latency.hgrm",     "latency-a.hgrm",
	"latency-b.hgrm",   "breakdown.json",
	"database.json",    "utilization.json",
	"lineages.txt",     "error-budget.json",
	"idempotency.json", "ordering.json",
	"changelog.json",   "effective.diff",
	RUN_REPORT,         NULL,
};

bool derive_files(const char *directory, const char *target, struct sluice_error *error)
{
	struct bundle bundle = {.directory = directory, .target = target};
	if (!samples_open(directory, NULL, &bundle.samples, error))
		return false;
	bundle.run = bundle.samples.run;
	bool ok = (bundle.run && bundle.run->about) || sluice_error_set(error, "%s: not a run directory", directory);
	bundle.verified = ok ? run_read_json(directory, RUN_VERIFY, NULL) : NULL;
	bundle.compared = ok ? run_read_json(directory, RUN_COMPARE, NULL) : NULL;
	bundle.gate = ok ? run_read_json(directory, RUN_GATE, NULL) : NULL;
	for (size_t i = 0; ok && i < sizeof(writers) / sizeof(writers[0]); i++)
		ok = writers[i](&bundle, error);
	json_decref(bundle.verified);
	json_decref(bundle.compared);
	json_decref(bundle.gate);
	samples_finish(&bundle.samples);
	return ok;
}
