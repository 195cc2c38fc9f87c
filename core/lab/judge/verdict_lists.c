/*
 * The lists of compare.json; see verdict_lists.h.
 */
#include "lab/judge/verdict_lists.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "lab/judge/analyze.h"

enum { SLOWEST = 5 /* of each arm */ };

/* The interval of a single pair has no ends. */
static json_t *write_change(const struct change *change)
{
	const struct estimate_pairs *found = &change->pairs;
	bool has_interval = isfinite(found->low) && isfinite(found->high);
	json_t *document = json_pack("{s:f, s:f, s:f, s:f}", "a", change->a, "b", change->b, "change",
	                             expm1(found->mean), "p", found->p);
	(void)json_object_set_new(document, "low", has_interval ? json_real(expm1(found->low)) : json_null());
	(void)json_object_set_new(document, "high", has_interval ? json_real(expm1(found->high)) : json_null());
	(void)json_object_set_new(document, "detectable", has_interval ? json_real(change->detectable) : json_null());
	return document;
}

json_t *verdict_list_metrics(const struct pairs *pairs, double alpha, uint64_t seed)
{
	json_t *list = json_array();
	for (const struct metric *metric = pair_metrics; metric->name; metric++) {
		struct change change;
		if (!pairs_measure(pairs, pairs->count, metric->figure, alpha, seed, &change))
			continue;
		json_t *row = write_change(&change);
		(void)json_object_set_new(row, "name", json_string(metric->name));
		(void)json_object_set_new(row, "title", json_string(metric->title));
		(void)json_object_set_new(row, "unit", json_string(metric->unit));
		(void)json_array_append_new(list, row);
	}
	return list;
}

json_t *verdict_list_quantiles(const struct pairs *pairs, double alpha, uint64_t seed)
{
	static const double quantiles[] = {0.05, 0.1,  0.2, 0.3,   0.4,  0.5,   0.6,  0.7,   0.75,
	                                   0.8,  0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		struct change change;
		struct figure_of figure = {NULL, quantiles[i]};
		if (!pairs_measure(pairs, pairs->count, figure, alpha, seed, &change))
			continue;
		json_t *row = write_change(&change);
		(void)json_object_set_new(row, "q", json_real(quantiles[i]));
		(void)json_array_append_new(list, row);
	}
	return list;
}

static double quantile_ms(const struct cell *cell, double fraction)
{
	return (double)estimate_quantile(cell->corrected_ns, cell->count, fraction) / 1e6;
}

json_t *verdict_list_blocks(const struct pairs *pairs)
{
	json_t *list = json_array();
	for (size_t i = 0; i < PAIRS_ARMS * pairs->count; i++) {
		const struct cell *cell = &pairs->cells[i];
		(void)json_array_append_new(
			list, json_pack("{s:I, s:I, s:b, s:b, s:f, s:f, s:f, s:f, s:I, s:I}", "pair",
		                        (json_int_t)(i / PAIRS_ARMS), "arm", (json_int_t)(i % PAIRS_ARMS), "first",
		                        cell->first, "dropped", pairs->is_dropped[i / PAIRS_ARMS], "start_s",
		                        (double)cell->first_ns / 1e9, "p50_ms", quantile_ms(cell, 0.50), "p95_ms",
		                        quantile_ms(cell, 0.95), "p99_ms", quantile_ms(cell, 0.99), "requests",
		                        (json_int_t)cell->count, "errors", (json_int_t)(cell->count - cell->right)));
	}
	return list;
}

/* One arm's records side by side, as analyze_records() takes them. */
static struct trace_record *select_arm(const struct run *run, size_t arm, size_t *count_out)
{
	struct trace_record *selected = must_calloc(run->count + 1, sizeof(*selected));
	*count_out = 0;
	for (size_t i = 0; i < run->count; i++)
		if (run->records[i].arm == arm)
			selected[(*count_out)++] = run->records[i];
	return selected;
}

static json_t *describe_cpu(const struct analyze_cpu *cpu)
{
	if (cpu->count == 0)
		return json_null();
	return json_pack("{s:f, s:f, s:f, s:f}", "body_work_ms", cpu->body_work_ns / 1e6, "body_cpu_ms",
	                 cpu->body_cpu_ns / 1e6, "tail_work_ms", cpu->tail_work_ns / 1e6, "tail_cpu_ms",
	                 cpu->tail_cpu_ns / 1e6);
}

/* A and B, where the servers measured it. */
static void add_cpu(json_t *row, const struct analyze_cpu *a, const struct analyze_cpu *b)
{
	if (a->count > 0 || b->count > 0)
		(void)json_object_set_new(row, "processor", json_pack("[oo]", describe_cpu(a), describe_cpu(b)));
}

json_t *verdict_list_stages(const struct run *run)
{
	struct analyze_result results[PAIRS_ARMS];
	json_t *list = json_array();
	for (size_t arm = 0; arm < PAIRS_ARMS; arm++) {
		size_t count;
		struct trace_record *records = select_arm(run, arm, &count);
		analyze_records(records, count, run->header.names, &results[arm]);
		free(records);
	}
	for (size_t part = 0; part < PARTS; part++) {
		const struct analyze_row *a = &results[0].parts[part], *b = &results[1].parts[part];
		if (a->count == 0 && b->count == 0)
			continue;
		json_t *row = json_pack("{s:s, s:s, s:[ff], s:[ff]}", "stage", part_words[part].name, "title",
		                        part_words[part].title, "body_ms", (double)a->body_mean_ns / 1e6,
		                        (double)b->body_mean_ns / 1e6, "tail_ms", (double)a->tail_mean_ns / 1e6,
		                        (double)b->tail_mean_ns / 1e6);
		add_cpu(row, &results[0].cpu[part], &results[1].cpu[part]);
		(void)json_array_append_new(list, row);
	}
	return list;
}

static json_t *list_steps(const struct parts *parts)
{
	struct part_step steps[PARTS];
	size_t count = parts_steps(parts, steps);
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "name", part_words[steps[i].part].title,
		                                            "start_ms", (double)steps[i].start_ns / 1e6, "took_ms",
		                                            (double)steps[i].took_ns / 1e6));
	return list;
}

static int slowest_first(const void *a, const void *b)
{
	int64_t left = run_corrected_ns(*(const struct trace_record *const *)a);
	int64_t right = run_corrected_ns(*(const struct trace_record *const *)b);
	return (left < right) - (left > right);
}

static void append_slowest(json_t *list, const struct run *run, const struct trace_record *record)
{
	struct parts parts;
	const char *prefix = json_string_value(json_object_get(run->about, "request_prefix"));
	if (parts_of(record, &parts) != PARTS_KNOWN)
		return;
	(void)json_array_append_new(list,
	                            json_pack("{s:i, s:o, s:i, s:f, s:f, s:o}", "arm", record->arm, "request_id",
	                                      json_sprintf("%s%u", prefix ? prefix : "", record->number), "status",
	                                      record->status, "at_s", (double)record->intended_ns / 1e9, "total_ms",
	                                      (double)parts.total_ns / 1e6, "steps", list_steps(&parts)));
}

json_t *verdict_list_slowest(const struct run *run)
{
	const struct trace_record **slowest = must_calloc(run->count + 1, sizeof(struct trace_record *));
	size_t taken[PAIRS_ARMS] = {0, 0};
	json_t *list = json_array();
	for (size_t i = 0; i < run->count; i++)
		slowest[i] = &run->records[i];
	qsort(slowest, run->count, sizeof(struct trace_record *), slowest_first);
	for (size_t i = 0; i < run->count; i++)
		if (slowest[i]->arm < PAIRS_ARMS && taken[slowest[i]->arm]++ < SLOWEST)
			append_slowest(list, run, slowest[i]);
	free(slowest);
	return list;
}

json_t *verdict_list_violations(const json_t *verified)
{
	static const char *const kinds[] = {"lost", "doubled", "altered", "reordered"};
	json_t *list = json_array();
	size_t arm;
	json_t *entry;
	json_array_foreach (json_object_get(verified, "arms"), arm, entry) {
		json_t *row = json_pack("{s:I}", "arm", (json_int_t)arm);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			(void)json_object_set(row, kinds[i], json_object_get(entry, kinds[i]));
		(void)json_array_append_new(list, row);
	}
	return list;
}

json_t *verdict_list_host(const struct run *run, const struct host *host)
{
	if (!host->is_known)
		return json_null();
	json_t *document = host_to_json(host), *arms = json_array();
	for (size_t arm = 0; arm < PAIRS_ARMS; arm++) {
		struct host_share share = host_share(host, run->records, run->count, (uint8_t)arm);
		(void)json_array_append_new(
			arms, json_pack("{s:I, s:I, s:I, s:I}", "requests", (json_int_t)share.requests, "in_stalls",
		                        (json_int_t)share.held, "slowest", (json_int_t)share.slowest,
		                        "slowest_in_stalls", (json_int_t)share.slowest_held));
	}
	(void)json_object_set_new(document, "arms", arms);
	return document;
}
