/*
 * What a run says about itself; see about.h.
 */
#include "lab/load/about.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/arena.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"

json_t *about_ms(int64_t ns)
{
	return json_real(round((double)ns / 1e3) / 1e3);
}

/* The text behind `key` and its colon in a file of /proc; "" if it is not there. */
static void read_proc(const char *path, const char *key, char *text, size_t room)
{
	char line[512];
	FILE *file = fopen(path, "re");
	text[0] = '\0';
	while (file && !text[0] && fgets(line, sizeof(line), file)) {
		const char *value = strncmp(line, key, strlen(key)) == 0 ? strchr(line, ':') : NULL;
		if (value)
			(void)snprintf(text, room, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
	}
	if (file)
		(void)fclose(file);
}

json_t *about_host(void)
{
	struct utsname system;
	char model[128];
	(void)uname(&system);
	read_proc("/proc/cpuinfo", "model name", model, sizeof(model));
	return json_pack("{s:i, s:s, s:I, s:s++}", "cpus", (int)about_processors(), "cpu", model, "memory_bytes",
	                 (json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), "kernel", system.sysname, " ",
	                 system.release);
}

json_t *about_input(const struct input *input, const char *file, size_t first, size_t count)
{
	return json_pack("{s:s?, s:s, s:I, s:I, s:I}", "file", file, "sha256", input->sha256, "lines",
	                 (json_int_t)input->count, "first", (json_int_t)first, "count", (json_int_t)count);
}

json_t *about_schedule(const struct replay_plan *plan, const char *design, size_t blocks, double block_seconds)
{
	return json_pack("{s:s, s:f, s:I, s:I, s:I, s:s, s:I, s:f}", "arrivals", replay_arrivals_names[plan->arrivals],
	                 "rate", plan->rate, "connections", (json_int_t)plan->connections, "seed",
	                 (json_int_t)plan->seed, "requests", (json_int_t)plan->count, "design", design, "blocks",
	                 (json_int_t)blocks, "block_seconds", block_seconds);
}

json_t *about_quantiles(int64_t *latencies_ns, size_t count)
{
	estimate_sort(latencies_ns, count);
	size_t missing = 0;
	while (missing < count && latencies_ns[missing] < 0)
		missing++;
	const int64_t *sorted = latencies_ns + missing;
	size_t answered = count - missing;
	return json_pack("{s:o, s:o, s:o, s:o}", "p50_ms", about_ms(estimate_quantile(sorted, answered, 0.50)),
	                 "p95_ms", about_ms(estimate_quantile(sorted, answered, 0.95)), "p99_ms",
	                 about_ms(estimate_quantile(sorted, answered, 0.99)), "max_ms",
	                 about_ms(estimate_quantile(sorted, answered, 1)));
}

/* The quantiles of one figure of every record. */
static json_t *quantiles_of(const struct trace_record *records, size_t count,
                            int64_t (*figure)(const struct trace_record *))
{
	int64_t *values = must_calloc(count + 1, sizeof(*values));
	for (size_t i = 0; i < count; i++)
		values[i] = figure(&records[i]);
	json_t *quantiles = about_quantiles(values, count);
	free(values);
	return quantiles;
}

static double member(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* One answer about a message. */
struct outcome {
	uint64_t message;
	bool may_have_stored; /* before it was known: it was the first, or nobody can tell */
};

static bool may_have_stored(const struct trace_record *record)
{
	return record->status == 202 || record->status == 0 || record->status >= 500 || record->tries > 1;
}

/* By message, and within one those first that may have stored it. */
static int by_message(const void *a, const void *b)
{
	const struct outcome *left = a, *right = b;
	if (left->message != right->message)
		return left->message < right->message ? -1 : 1;
	return right->may_have_stored - left->may_have_stored;
}

/* Messages that were known, though no request of this run can have stored them: the store had them before it. */
static size_t count_stale(const struct trace_record *records, size_t count)
{
	struct outcome *outcomes = must_calloc(count + 1, sizeof(*outcomes));
	size_t known = 0, stale = 0;
	for (size_t i = 0; i < count; i++)
		if (records[i].message && (records[i].status == 200 || may_have_stored(&records[i])))
			outcomes[known++] = (struct outcome){records[i].message, may_have_stored(&records[i])};
	qsort(outcomes, known, sizeof(*outcomes), by_message);
	for (size_t i = 0; i < known; i++)
		stale += !outcomes[i].may_have_stored && (i == 0 || outcomes[i - 1].message != outcomes[i].message);
	free(outcomes);
	return stale;
}

/* How the generator did. */
struct quality {
	double lag_p95_ms, p95_ms; /* both 0 if nothing was answered */
	double busy_share;         /* of its one processor */
	double cpu_share;          /* of all there are */
	size_t stale;
};

static json_t *reasons_against(const struct quality *quality)
{
	json_t *reasons = json_array();
	if (quality->stale > 0)
		(void)json_array_append_new(
			reasons,
			json_sprintf(
				"%zu events were in the store before they were sent: give them fresh ids (--fresh), or start with an empty store",
				quality->stale));
	if (quality->lag_p95_ms > ABOUT_LAG_MAX * quality->p95_ms)
		(void)json_array_append_new(
			reasons,
			json_sprintf(
				"the generator was late: its lag has a P95 of %.3f ms, more than %.0f %% of the measured P95 of %.3f ms",
				quality->lag_p95_ms, 100 * ABOUT_LAG_MAX, quality->p95_ms));
	if (quality->cpu_share > ABOUT_CPU_SHARE_MAX)
		(void)json_array_append_new(
			reasons,
			json_sprintf(
				"the generator took %.0f %% of the machine's processors, more than %.0f %%: what it measured is also itself",
				100 * quality->cpu_share, 100 * ABOUT_CPU_SHARE_MAX));
	else if (quality->busy_share > ABOUT_BUSY_SHARE_MAX)
		(void)json_array_append_new(
			reasons,
			json_sprintf(
				"the generator was busy %.0f %% of the time, more than %.0f %%: it could not have sent much more",
				100 * quality->busy_share, 100 * ABOUT_BUSY_SHARE_MAX));
	return reasons;
}

static bool has_answers(const struct trace_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (records[i].status != 0)
			return true;
	return false;
}

size_t about_processors(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (size_t)online : 1;
}

double about_cpu_share(int64_t cpu_ns, int64_t wall_ns)
{
	return wall_ns > 0 ? (double)cpu_ns / (double)wall_ns / (double)about_processors() : 0;
}

json_t *about_generator(const struct trace_record *records, size_t count, double cpu_share, size_t processors)
{
	json_t *lag = quantiles_of(records, count, replay_lag_ns);
	json_t *corrected = quantiles_of(records, count, run_corrected_ns);
	bool measured = has_answers(records, count);
	struct quality quality = {
		.lag_p95_ms = measured ? member(lag, "p95_ms") : 0,
		.p95_ms = measured ? member(corrected, "p95_ms") : 0,
		.busy_share = cpu_share * (double)processors,
		.cpu_share = cpu_share,
		.stale = count_stale(records, count),
	};
	json_t *reasons = reasons_against(&quality);
	json_t *generator = json_pack("{s:b, s:O, s:O, s:O, s:O, s:f}", "valid", json_array_size(reasons) == 0,
	                              "reasons", reasons, "lag_p50_ms", json_object_get(lag, "p50_ms"), "lag_p95_ms",
	                              json_object_get(lag, "p95_ms"), "lag_p99_ms", json_object_get(lag, "p99_ms"),
	                              "cpu_share", quality.cpu_share);
	json_decref(reasons);
	json_decref(lag);
	json_decref(corrected);
	return generator;
}

/* Requests by what they were meant to be. */
struct tally {
	size_t requests, right;
};

static json_t *by_kind(const struct tally tallies[INPUT_KINDS])
{
	json_t *kinds = json_object();
	for (size_t kind = 0; kind < INPUT_KINDS; kind++)
		if (tallies[kind].requests > 0)
			(void)json_object_set_new(kinds, input_kind_names[kind],
			                          json_pack("{s:I, s:I}", "requests",
			                                    (json_int_t)tallies[kind].requests, "right",
			                                    (json_int_t)tallies[kind].right));
	return kinds;
}

static void count_status(json_t *statuses, int status)
{
	char key[8];
	(void)snprintf(key, sizeof(key), "%d", status);
	(void)json_object_set_new(statuses, key, json_integer(json_integer_value(json_object_get(statuses, key)) + 1));
}

json_t *about_results(const struct input *input, const struct trace_record *records, size_t count, bool is_signed,
                      size_t retried, double seconds)
{
	struct tally tallies[INPUT_KINDS] = {{0}};
	size_t answered = 0, expected_good = 0, accepted = 0, right = 0;
	json_t *statuses = json_object();
	for (size_t i = 0; i < count; i++) {
		enum input_kind kind = input->events[records[i].input].kind;
		int status = records[i].status;
		bool is_good = kind == INPUT_NEW || kind == INPUT_DUPLICATE;
		bool is_right = replay_answer_is_right(kind, status, is_signed);
		tallies[kind].requests++;
		tallies[kind].right += is_right;
		right += is_right;
		answered += status != 0;
		expected_good += is_good;
		accepted += is_good && status >= 200 && status < 300;
		count_status(statuses, status);
	}
	return json_pack(
		"{s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "requests", (json_int_t)count, "answered",
		(json_int_t)answered, "statuses", statuses, "by_kind", by_kind(tallies), "expected_good",
		(json_int_t)expected_good, "accepted", (json_int_t)accepted, "errors", (json_int_t)(count - right),
		"retried", (json_int_t)retried, "rate", seconds > 0 ? (double)answered / seconds : 0, "corrected",
		quantiles_of(records, count, run_corrected_ns), "raw", quantiles_of(records, count, run_raw_ns));
}
