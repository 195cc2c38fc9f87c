/*
 * Latencies and answers come from the records, the rest from what run.json says.
 */
#include "lab/gate/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/judge/verify.h"
#include "lab/load/input.h"
#include "lab/load/replay.h"
#include "lab/run/estimate.h"

bool gate_has_file(const char *directory, const char *name)
{
	char *path = run_file(directory, name);
	bool exists = access(path, F_OK) == 0;
	free(path);
	return exists;
}

uint8_t gate_last_arm(const struct run *run)
{
	size_t arms = json_array_size(json_object_get(run->about, "arms"));
	return arms > 0 && arms <= RUN_ARMS_MAX ? (uint8_t)(arms - 1) : 0;
}

struct gate_sample gate_collect(const struct run *run, gate_time_fn time,
                                bool (*known)(const struct trace_record *record), struct arena *arena)
{
	uint8_t arm = gate_last_arm(run);
	struct gate_sample sample = {arena_must(arena, (run->count + 1) * sizeof(*sample.sorted)), 0};
	for (size_t i = 0; i < run->count; i++) {
		const struct trace_record *record = &run->records[i];
		if (record->arm != arm)
			continue;
		int64_t ns = !known || known(record) ? time(record) : INT64_MAX;
		if (ns >= 0)
			sample.sorted[sample.count++] = ns;
	}
	estimate_sort(sample.sorted, sample.count);
	return sample;
}

int64_t gate_latency_ns(const struct trace_record *record)
{
	int64_t ns = run_corrected_ns(record);
	return ns < 0 ? INT64_MAX : ns;
}

static int64_t raw_ns(const struct trace_record *record)
{
	int64_t ns = run_raw_ns(record);
	return ns < 0 ? INT64_MAX : ns;
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
                         struct gate_source *source)
{
	bool is_good = kind == INPUT_NEW || kind == INPUT_DUPLICATE;
	source->expected_good += is_good;
	source->accepted += is_good && record->status >= 200 && record->status < 300;
	source->errors += !replay_answer_is_right(kind, record->status, is_signed);
}

static bool count_answers(const struct input *input, struct gate_source *source, struct sluice_error *error)
{
	const struct run *run = source->run;
	bool is_signed = json_is_string(json_object_get(run->about, "sign"));
	for (size_t i = 0; i < run->count; i++) {
		const struct trace_record *record = &run->records[i];
		if (record->arm != source->arm)
			continue;
		if (record->input >= input->count)
			return sluice_error_set(error, "%s/" RUN_INPUT ": has %zu lines, and request %zu was line %u",
			                        run->path, input->count, i, record->input + 1);
		count_answer(record, input->events[record->input].kind, is_signed, source);
	}
	source->answers_known = true;
	return true;
}

/* Without the input only the sum is known, and only of a single arm. */
static void take_answers(struct gate_source *source)
{
	const json_t *results = json_object_get(source->run->about, "results");
	if (!results || json_array_size(json_object_get(source->run->about, "arms")) > 1)
		return;
	source->expected_good = (size_t)json_integer_value(json_object_get(results, "expected_good"));
	source->accepted = (size_t)json_integer_value(json_object_get(results, "accepted"));
	source->errors = (size_t)json_integer_value(json_object_get(results, "errors"));
	source->answers_known = source->accepted <= source->expected_good &&
	                        source->expected_good <= source->facts->requests &&
	                        source->errors <= source->facts->requests;
}

static bool measure_answers(struct gate_source *source, struct sluice_error *error)
{
	struct input input = {0};
	if (!gate_has_file(source->run->path, RUN_INPUT)) {
		take_answers(source);
		return true;
	}
	input_init(&input);
	bool good = verify_read_input(source->run, NULL, &input, error) && count_answers(&input, source, error);
	input_finish(&input);
	return good;
}

bool gate_source_open(const struct run *run, const char *baseline, struct gate_facts *facts,
                      struct gate_source *source_out, struct sluice_error *error)
{
	if (!run->about)
		return sluice_error_set(error, "%s: is a trace; a gate judges a run directory with its run.json",
		                        run->path);
	*source_out = (struct gate_source){.run = run, .arm = gate_last_arm(run), .baseline = baseline, .facts = facts};
	facts->latency = gate_collect(run, gate_latency_ns, NULL, &facts->arena);
	facts->raw = gate_collect(run, raw_ns, NULL, &facts->arena);
	facts->requests = facts->latency.count;
	measure_load(run, facts);
	return measure_answers(source_out, error);
}
