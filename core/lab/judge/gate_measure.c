/*
 * The facts of a run, from its files: latencies, stages and answers from the records, the rest from what run.json,
 * verify.json and compare.json say. Where two arms ran, the last one is judged; the other is its baseline.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "lab/judge/gate.h"
#include "lab/judge/verify.h"
#include "lab/load/input.h"
#include "lab/load/replay.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"

static const json_t *find(const json_t *object, const char *group, const char *name)
{
	return json_object_get(json_object_get(object, group), name);
}

static bool is_there(const char *directory, const char *name)
{
	char *path = run_file(directory, name);
	bool there = access(path, F_OK) == 0;
	free(path);
	return there;
}

static uint8_t last_arm(const struct run *run)
{
	size_t arms = json_array_size(json_object_get(run->about, "arms"));
	return arms > 0 && arms <= RUN_ARMS_MAX ? (uint8_t)(arms - 1) : 0;
}

/* What is asked of a record: ns, −1 if it is not to be counted, INT64_MAX if nobody knows. */
typedef int64_t (*figure_fn)(const struct trace_record *record, size_t which);

static struct gate_sample collect(const struct run *run, uint8_t arm, figure_fn figure, size_t which)
{
	struct gate_sample sample = {must_calloc(run->count + 1, sizeof(*sample.sorted)), 0};
	for (size_t i = 0; i < run->count; i++) {
		int64_t ns = run->records[i].arm == arm ? figure(&run->records[i], which) : -1;
		if (ns >= 0)
			sample.sorted[sample.count++] = ns;
	}
	estimate_sort(sample.sorted, sample.count);
	return sample;
}

/* A request without an answer takes longer than any limit. */
static int64_t corrected(const struct trace_record *record, size_t which)
{
	(void)which;
	int64_t ns = run_corrected_ns(record);
	return ns < 0 ? INT64_MAX : ns;
}

static int64_t raw(const struct trace_record *record, size_t which)
{
	(void)which;
	int64_t ns = run_raw_ns(record);
	return ns < 0 ? INT64_MAX : ns;
}

/* Waiting and being parked included, as webhook_http_latency_by_stage_ms has it; −1: it did not run. */
static int64_t whole(const struct trace_record *record, enum sluice_kind kind)
{
	const struct trace_stage *stage = &record->stages[kind];
	if (stage->work_ns < 0)
		return -1;
	return stage->work_ns + (stage->wait_ns > 0 ? stage->wait_ns : 0) +
	       (stage->parked_ns > 0 ? stage->parked_ns : 0);
}

static int64_t stored(const struct trace_record *record)
{
	int64_t queue_ns = whole(record, SLUICE_KIND_QUEUE), persist_ns = whole(record, SLUICE_KIND_PERSIST);
	if (persist_ns < 0)
		return queue_ns;
	return persist_ns + (queue_ns > 0 ? queue_ns : 0);
}

static int64_t stage_ns(const struct trace_record *record, size_t which)
{
	static const enum sluice_kind kinds[GATE_STAGES] = {
		[0 /* GATE_AUTH */] = SLUICE_KIND_AUTH,
		[GATE_PARSE - GATE_AUTH] = SLUICE_KIND_PARSE,
		[GATE_IDEMPOTENCY - GATE_AUTH] = SLUICE_KIND_IDEMPOTENCY,
		[GATE_QUEUE - GATE_AUTH] = SLUICE_KIND_QUEUE,
		[GATE_PERSIST - GATE_AUTH] = SLUICE_KIND_PERSIST,
	};
	if (which == GATE_STORE - GATE_AUTH)
		return stored(record);
	if (which == GATE_RESPOND - GATE_AUTH)
		return record->respond_ns;
	return whole(record, kinds[which]);
}

static bool is_joined(const struct trace_record *record)
{
	bool joined = record->respond_ns >= 0;
	for (size_t i = 0; i < GATE_STAGES; i++)
		joined = joined || stage_ns(record, i) >= 0;
	return joined;
}

/* Of a request that the server's trace does not have, no stage can be shown to have kept its limit. */
static int64_t stage_or_unknown(const struct trace_record *record, size_t which)
{
	return is_joined(record) ? stage_ns(record, which) : INT64_MAX;
}

static void measure_times(const struct run *run, uint8_t arm, struct gate_facts *facts)
{
	facts->latency = collect(run, arm, corrected, 0);
	facts->raw = collect(run, arm, raw, 0);
	facts->requests = facts->latency.count;
	for (size_t i = 0; i < GATE_STAGES; i++) {
		struct gate_sample *sample = &facts->stages[i];
		*sample = collect(run, arm, stage_or_unknown, i);
		if (sample->count > 0 && sample->sorted[0] == INT64_MAX)
			sample->count = 0; /* the stage never ran, or there was no trace */
	}
}

/* The reasons, one after the other. */
static void say_late(const json_t *generator, char *text, size_t room)
{
	size_t i, used = 0;
	json_t *reason;
	if (json_is_true(json_object_get(generator, "valid")))
		return;
	(void)snprintf(text, room, "the run does not say that its generator kept up");
	json_array_foreach (json_object_get(generator, "reasons"), i, reason) {
		int more = snprintf(text + used, room - used, "%s%s", i ? "; " : "",
		                    json_is_string(reason) ? json_string_value(reason) : "");
		used = more > 0 && (size_t)more < room - used ? used + (size_t)more : room - 1;
	}
}

static void measure_load(const struct run *run, struct gate_facts *facts)
{
	const json_t *schedule = json_object_get(run->about, "schedule");
	const char *design = json_string_value(json_object_get(schedule, "design"));
	facts->rate = json_number_value(json_object_get(schedule, "rate"));
	if (design && strcmp(design, "duet") == 0)
		facts->rate /= 2; /* each request goes to one of two */
	facts->connections = (size_t)json_integer_value(json_object_get(schedule, "connections"));
	facts->interrupted = json_is_true(json_object_get(run->about, "interrupted"));
	say_late(json_object_get(run->about, "generator"), facts->late, sizeof(facts->late));
}

static void count_answer(const struct trace_record *record, enum input_kind kind, bool is_signed,
                         struct gate_facts *facts)
{
	bool is_good = kind == INPUT_NEW || kind == INPUT_DUPLICATE;
	facts->expected_good += is_good;
	facts->accepted += is_good && record->status >= 200 && record->status < 300;
	facts->errors += !replay_answer_is_right(kind, record->status, is_signed);
}

static bool count_answers(const struct run *run, uint8_t arm, const struct input *input, struct gate_facts *facts,
                          struct sluice_error *error)
{
	bool is_signed = json_is_string(json_object_get(run->about, "sign"));
	for (size_t i = 0; i < run->count; i++) {
		const struct trace_record *record = &run->records[i];
		if (record->arm != arm)
			continue;
		if (record->input >= input->count)
			return sluice_error_set(error, "%s/" RUN_INPUT ": has %zu lines, and request %zu was line %u",
			                        run->path, input->count, i, record->input + 1);
		count_answer(record, input->events[record->input].kind, is_signed, facts);
	}
	facts->answers_known = true;
	return true;
}

/* Without the input only the sum is known, and only of a single arm. */
static void take_answers(const struct run *run, struct gate_facts *facts)
{
	const json_t *results = json_object_get(run->about, "results");
	if (!results || json_array_size(json_object_get(run->about, "arms")) > 1)
		return;
	facts->expected_good = (size_t)json_integer_value(json_object_get(results, "expected_good"));
	facts->accepted = (size_t)json_integer_value(json_object_get(results, "accepted"));
	facts->errors = (size_t)json_integer_value(json_object_get(results, "errors"));
	facts->answers_known = facts->accepted <= facts->expected_good && facts->expected_good <= facts->requests &&
	                       facts->errors <= facts->requests;
}

static bool measure_answers(const struct run *run, uint8_t arm, struct gate_facts *facts, struct sluice_error *error)
{
	struct input input = {0};
	if (!is_there(run->path, RUN_INPUT)) {
		take_answers(run, facts);
		return true;
	}
	input_init(&input);
	bool good = verify_read_input(run, NULL, &input, error) && count_answers(run, arm, &input, facts, error);
	input_finish(&input);
	return good;
}

/* What verify.json says of an arm; NULL: that one was not verified. */
static const json_t *find_verified(const json_t *verified, uint8_t arm)
{
	size_t i;
	json_t *each;
	json_array_foreach (json_object_get(verified, "arms"), i, each) {
		const json_t *number = json_object_get(each, "arm");
		if (json_is_integer(number) && json_integer_value(number) == arm)
			return each;
	}
	return NULL;
}

static bool measure_violations(const struct run *run, uint8_t arm, struct gate_facts *facts, struct sluice_error *error)
{
	if (!is_there(run->path, RUN_VERIFY))
		return true;
	json_t *verified = run_read_json(run->path, RUN_VERIFY, error);
	if (!verified)
		return false;
	const json_t *counts = find_verified(verified, arm);
	bool good = true;
	for (size_t i = 0; counts && i < VERIFY_VIOLATIONS; i++) {
		const json_t *count = json_object_get(counts, verify_violation_names[i]);
		if (!json_is_integer(count) || json_integer_value(count) < 0)
			good = sluice_error_set(error, "%s/" RUN_VERIFY ": %s of arm %u: expected how many", run->path,
			                        verify_violation_names[i], arm);
		facts->violations += (uint64_t)json_integer_value(count);
	}
	facts->verified = counts != NULL;
	json_decref(verified);
	return good;
}

static void take_gauge(struct gate_gauge *gauge, double value)
{
	if (value <= 0)
		return;
	gauge->measured = gauge->highest > 0;
	gauge->first = gauge->measured ? gauge->first : value;
	gauge->last = value;
	gauge->highest = value > gauge->highest ? value : gauge->highest;
}

/* Before the first block of the arm, after each of them. */
static struct gate_gauge measure_gauge(const struct run *run, uint8_t arm, const char *before, const char *after)
{
	struct gate_gauge gauge = {false, 0, 0, 0};
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(run->about, "blocks"), i, block) {
		if (json_integer_value(json_object_get(block, "arm")) != arm)
			continue;
		if (gauge.highest == 0)
			take_gauge(&gauge, json_number_value(json_object_get(block, before)));
		take_gauge(&gauge, json_number_value(json_object_get(block, after)));
	}
	return gauge;
}

/* A comparison that does not count says nothing about the baseline either. */
static void take_comparison(const json_t *compare, struct gate_baseline *baseline)
{
	const char *outcome = json_string_value(find(compare, "verdict", "outcome"));
	size_t i;
	json_t *metric;
	if (!outcome || strcmp(outcome, "invalid") == 0)
		return;
	json_array_foreach (json_object_get(compare, "metrics"), i, metric) {
		const char *name = json_string_value(json_object_get(metric, "name"));
		const json_t *low = json_object_get(metric, "low"), *high = json_object_get(metric, "high");
		if (!name || strcmp(name, "p95") != 0 || !json_is_number(low) || !json_is_number(high))
			continue;
		*baseline = (struct gate_baseline){
			.measured = true,
			.change = json_number_value(json_object_get(metric, "change")),
			.low = json_number_value(low),
			.high = json_number_value(high),
			.margin = json_number_value(json_object_get(compare, "margin")),
		};
	}
}

static double ratio(int64_t a_ns, int64_t b_ns)
{
	return b_ns == INT64_MAX ? INFINITY : (double)b_ns / (double)a_ns - 1;
}

/* Two runs apart: from the interval of the one to that of the other. */
static void take_apart(const struct gate_sample *a, const struct gate_sample *b, struct gate_baseline *baseline)
{
	size_t a_low, a_high, b_low, b_high;
	if (!estimate_quantile_ranks(a->count, 0.95, 0.95, &a_low, &a_high) ||
	    !estimate_quantile_ranks(b->count, 0.95, 0.95, &b_low, &b_high) || a->sorted[a_high - 1] == INT64_MAX ||
	    a->sorted[a_low - 1] == 0)
		return;
	*baseline = (struct gate_baseline){
		.measured = true,
		.apart = true,
		.change = ratio(estimate_quantile(a->sorted, a->count, 0.95),
	                        estimate_quantile(b->sorted, b->count, 0.95)),
		.low = ratio(a->sorted[a_high - 1], b->sorted[b_low - 1]),
		.high = ratio(a->sorted[a_low - 1], b->sorted[b_high - 1]),
	};
}

static bool measure_apart(const char *directory, struct gate_facts *facts, struct sluice_error *error)
{
	struct run *run = run_open(directory, error);
	if (!run)
		return false;
	struct gate_sample sample = collect(run, last_arm(run), corrected, 0);
	take_apart(&sample, &facts->latency, &facts->baseline);
	free(sample.sorted);
	run_close(run);
	return true;
}

/* What gate_record() has kept of a baseline that was named. */
static void take_kept(const json_t *kept, struct gate_baseline *baseline)
{
	const json_t *high = json_object_get(kept, "high"), *change = json_object_get(kept, "change");
	*baseline = (struct gate_baseline){
		.measured = json_is_number(json_object_get(kept, "low")),
		.apart = json_is_true(json_object_get(kept, "apart")),
		.change = json_is_number(change) ? json_number_value(change) : INFINITY,
		.low = json_number_value(json_object_get(kept, "low")),
		.high = json_is_number(high) ? json_number_value(high) : INFINITY,
		.margin = json_number_value(json_object_get(kept, "margin")),
	};
}

static bool take_document(const char *directory, const char *name,
                          void (*take)(const json_t *document, struct gate_baseline *baseline),
                          struct gate_baseline *baseline, struct sluice_error *error)
{
	json_t *document = run_read_json(directory, name, error);
	if (!document)
		return false;
	take(document, baseline);
	json_decref(document);
	return true;
}

static bool measure_baseline(const char *run, const char *named, struct gate_facts *facts, struct sluice_error *error)
{
	const char *directory = named ? named : run;
	if (!named && is_there(run, RUN_BASELINE))
		return take_document(run, RUN_BASELINE, take_kept, &facts->baseline, error);
	if (is_there(directory, RUN_COMPARE))
		return take_document(directory, RUN_COMPARE, take_comparison, &facts->baseline, error);
	return !named || measure_apart(named, facts, error);
}

static bool measure(const struct run *run, const char *baseline, struct gate_facts *facts, struct sluice_error *error)
{
	uint8_t arm = last_arm(run);
	if (!run->about)
		return sluice_error_set(error, "%s: is a trace; a gate judges a run directory with its run.json",
		                        run->path);
	measure_times(run, arm, facts);
	measure_load(run, facts);
	facts->memory = measure_gauge(run, arm, "rss_before_bytes", "rss_bytes");
	facts->descriptors = measure_gauge(run, arm, "descriptors_before", "descriptors");
	facts->memory_total = json_number_value(find(run->about, "host", "memory_bytes"));
	return measure_answers(run, arm, facts, error) && measure_violations(run, arm, facts, error) &&
	       measure_baseline(run->path, baseline, facts, error);
}

bool gate_measure(const char *run_path, const char *baseline, struct gate_facts *facts_out, struct sluice_error *error)
{
	*facts_out = (struct gate_facts){0};
	struct run *run = run_open(run_path, error);
	bool good = run && measure(run, baseline, facts_out, error);
	run_close(run);
	return good;
}

void gate_facts_finish(struct gate_facts *facts)
{
	free(facts->latency.sorted);
	free(facts->raw.sorted);
	for (size_t i = 0; i < GATE_STAGES; i++)
		free(facts->stages[i].sorted);
}
