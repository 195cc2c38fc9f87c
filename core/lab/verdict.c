/*
 * The verdict; see verdict.h. From the records to cells (one arm's part of a pair), from cells to figures, from the
 * figures of both arms of every pair to changes with their intervals, from those to a word and a sentence.
 */
#include "lab/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/analyze.h"
#include "lab/estimate.h"
#include "lab/replay.h"

enum { ARMS = 2, SLOWEST = 5 };

const char *const verdict_outcome_names[] = {
	[VERDICT_BETTER] = "better",         [VERDICT_WORSE] = "worse",
	[VERDICT_EQUIVALENT] = "equivalent", [VERDICT_INCONCLUSIVE] = "inconclusive",
	[VERDICT_INVALID] = "invalid",       NULL,
};

/* One arm's part of a pair. */
struct cell {
	int64_t *latencies_ns; /* corrected, sorted; a wrong answer counts as the patience */
	size_t count, right;
	int64_t first_ns, last_ns; /* the first intended time, the last answer */
	double early_ms, late_ms;  /* medians of the first and of the last quarter of the requests */
	/* Seen from outside; NAN: not known. */
	double cpu_ns, rss_bytes, wal_bytes;
	bool first;
};

struct table {
	struct cell *cells; /* pair by pair, A then B */
	size_t pairs;
};

/* What is asked of a run. */
struct question {
	double alpha, margin;
	int64_t patience_ns;
	uint64_t seed;
	bool is_signed, sequential, is_duet;
};

static struct cell *cell_of(const struct table *table, size_t pair, size_t arm)
{
	return &table->cells[ARMS * pair + arm];
}

/* ── cells ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t judged_ns(const struct trace_record *record, bool is_right, int64_t patience_ns)
{
	const int64_t latency_ns = run_corrected_ns(record);
	return is_right && latency_ns >= 0 ? latency_ns : latency_ns > patience_ns ? latency_ns : patience_ns;
}

static void add_record(struct cell *cell, const struct trace_record *record, bool is_right, int64_t patience_ns)
{
	if (cell->count == 0 || record->intended_ns < cell->first_ns)
		cell->first_ns = record->intended_ns;
	if (record->answered_ns > cell->last_ns)
		cell->last_ns = record->answered_ns;
	cell->right += is_right;
	cell->latencies_ns[cell->count++] = judged_ns(record, is_right, patience_ns);
}

static double median_ms(const int64_t *latencies_ns, size_t count)
{
	int64_t *sorted = must_calloc(count + 1, sizeof(*sorted));
	memcpy(sorted, latencies_ns, count * sizeof(*sorted));
	estimate_sort(sorted, count);
	const double median = (double)estimate_quantile(sorted, count, 0.5) / 1e6;
	free(sorted);
	return median;
}

/* Once all are in, in the order of their intended times. */
static void close_cell(struct cell *cell)
{
	const size_t quarter = cell->count / 4;
	cell->early_ms = median_ms(cell->latencies_ns, quarter);
	cell->late_ms = median_ms(cell->latencies_ns + cell->count - quarter, quarter);
	estimate_sort(cell->latencies_ns, cell->count);
}

static size_t count_pairs(const struct trace_record *records, size_t count)
{
	size_t pairs = 0;
	for (size_t i = 0; i < count; i++)
		pairs = records[i].block >= pairs ? records[i].block + (size_t)1 : pairs;
	return pairs;
}

/* `input` NULL: every 2xx is right. */
static void table_init(struct table *table, const struct trace_record *records, size_t count, size_t pairs,
                       const struct input *input, const struct question *question)
{
	table->pairs = pairs;
	table->cells = must_calloc(ARMS * pairs + 1, sizeof(*table->cells));
	for (size_t i = 0; i < count; i++)
		if (records[i].block < pairs && records[i].arm < ARMS)
			cell_of(table, records[i].block, records[i].arm)->count++;
	for (size_t i = 0; i < ARMS * pairs; i++) {
		table->cells[i] = (struct cell){.latencies_ns = must_calloc(table->cells[i].count + 1, sizeof(int64_t)),
		                                .cpu_ns = NAN,
		                                .rss_bytes = NAN,
		                                .wal_bytes = NAN};
	}
	for (size_t i = 0; i < count; i++) {
		const struct trace_record *record = &records[i];
		if (record->block >= pairs || record->arm >= ARMS)
			continue;
		const bool is_right = input && record->input < input->count
		                              ? replay_answer_is_right(input->events[record->input].kind,
		                                                       record->status, question->is_signed)
		                              : record->status >= 200 && record->status < 300;
		add_record(cell_of(table, record->block, record->arm), record, is_right, question->patience_ns);
	}
	for (size_t i = 0; i < ARMS * pairs; i++)
		close_cell(&table->cells[i]);
}

static void table_finish(struct table *table)
{
	for (size_t i = 0; i < ARMS * table->pairs; i++)
		free(table->cells[i].latencies_ns);
	free(table->cells);
}

static double figure_in(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void add_sights(struct table *table, const json_t *blocks)
{
	size_t i;
	json_t *block;
	json_array_foreach(blocks, i, block)
	{
		const size_t pair = (size_t)json_integer_value(json_object_get(block, "block"));
		const size_t arm = (size_t)json_integer_value(json_object_get(block, "arm"));
		if (pair >= table->pairs || arm >= ARMS)
			continue;
		struct cell *cell = cell_of(table, pair, arm);
		cell->first = json_is_true(json_object_get(block, "first"));
		cell->cpu_ns = figure_in(block, "cpu_ms") * 1e6;
		cell->rss_bytes = figure_in(block, "rss_bytes");
		cell->wal_bytes = figure_in(json_object_get(block, "store"), "wal_bytes");
	}
}

/* ── figures ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static double quantile_ms(const struct cell *cell, double q)
{
	return (double)estimate_quantile(cell->latencies_ns, cell->count, q) / 1e6;
}

static double p50(const struct cell *cell)
{
	return quantile_ms(cell, 0.50);
}

static double p95(const struct cell *cell)
{
	return quantile_ms(cell, 0.95);
}

static double p99(const struct cell *cell)
{
	return quantile_ms(cell, 0.99);
}

static double throughput(const struct cell *cell)
{
	return (double)cell->right / ((double)(cell->last_ns - cell->first_ns) / 1e9);
}

static double cpu_per_event(const struct cell *cell)
{
	return cell->cpu_ns / 1e3 / (double)cell->right;
}

static double memory(const struct cell *cell)
{
	return cell->rss_bytes;
}

static double wal_per_event(const struct cell *cell)
{
	return cell->wal_bytes / (double)cell->right;
}

static const struct metric {
	const char *name, *title, *unit;
	double (*of)(const struct cell *cell);
} metrics[] = {
	{"p50", "P50", "ms", p50},
	{"p95", "P95", "ms", p95},
	{"p99", "P99", "ms", p99},
	{"throughput", "Right answers per second", "1/s", throughput},
	{"cpu_per_event", "Processor time per event", "µs", cpu_per_event},
	{"memory", "Memory", "B", memory},
	{"wal_per_event", "Write-ahead log per event", "B", wal_per_event},
};
enum { METRICS = sizeof(metrics) / sizeof(metrics[0]), PRIMARY = 1 };

/* What the pairs say of one figure: geometric means of both arms, and the change. */
struct change {
	double a, b;
	struct estimate_pairs pairs;
	double detectable; /* a share: what as many pairs find four times in five */
};

/* Lists ln(B / A) of each pair of which both are known; returns how many. */
static size_t list_differences(const struct table *table, size_t pairs, double (*of)(const struct cell *), double q,
                               double *differences, double sums[ARMS])
{
	size_t count = 0;
	for (size_t pair = 0; pair < pairs; pair++) {
		const struct cell *a = cell_of(table, pair, 0), *b = cell_of(table, pair, 1);
		const double left = of ? of(a) : quantile_ms(a, q), right = of ? of(b) : quantile_ms(b, q);
		if (!isfinite(left) || !isfinite(right) || left <= 0 || right <= 0)
			continue;
		sums[0] += log(left);
		sums[1] += log(right);
		differences[count++] = log(right / left);
	}
	return count;
}

/* `of` NULL: the quantile q. False if no pair knows it. */
static bool measure_change(const struct table *table, size_t pairs, double (*of)(const struct cell *), double q,
                           double alpha, uint64_t seed, struct change *change_out)
{
	double *differences = must_calloc(pairs + 1, sizeof(*differences));
	double sums[ARMS] = {0, 0};
	const size_t count = list_differences(table, pairs, of, q, differences, sums);
	*change_out = (struct change){0};
	if (count > 0) {
		struct estimate_pairs *result = &change_out->pairs;
		estimate_pairs(differences, count, alpha, seed, result);
		change_out->a = exp(sums[0] / (double)count);
		change_out->b = exp(sums[1] / (double)count);
		const double freedom = (double)(count > 1 ? count - 1 : 1);
		const double reach = estimate_t_quantile(1 - alpha / 2, freedom) + estimate_t_quantile(0.8, freedom);
		change_out->detectable = expm1(reach * result->deviation / sqrt((double)count));
	}
	free(differences);
	return count > 0;
}

/* ── the outcome ────────────────────────────────────────────────────────────────────────────────────────────────── */

enum verdict_outcome verdict_of_interval(double mean, double low, double high, double margin)
{
	const double matters = log1p(margin);
	if (high < 0 && mean <= -matters)
		return VERDICT_BETTER;
	if (low > 0 && mean >= matters)
		return VERDICT_WORSE;
	if (low > -matters && high < matters)
		return VERDICT_EQUIVALENT;
	return VERDICT_INCONCLUSIVE;
}

static bool look_settles(const struct table *table, size_t look, uint64_t seed, double *p_out)
{
	struct change change;
	(void)measure_change(table, estimate_look_pairs[look], p95, 0, 0.05, seed, &change);
	*p_out = change.pairs.p;
	return change.pairs.pairs > 0 && change.pairs.p < estimate_look_p[look];
}

bool verdict_is_settled(const struct trace_record *records, size_t count, size_t pairs, int64_t patience_ns,
                        uint64_t seed)
{
	const struct question question = {.patience_ns = patience_ns};
	for (size_t look = 0; look < ESTIMATE_LOOKS; look++) {
		double p;
		struct table table;
		if (estimate_look_pairs[look] != pairs)
			continue;
		table_init(&table, records, count, pairs, NULL, &question);
		const bool settles = look_settles(&table, look, seed, &p);
		table_finish(&table);
		return settles;
	}
	return false;
}

/* The planned looks that this run has reached. The last one's threshold is the alpha that is left for the interval. */
static json_t *list_looks(const struct table *table, const struct question *question, double *alpha)
{
	json_t *looks = json_array();
	for (size_t look = 0; question->sequential && look < ESTIMATE_LOOKS; look++) {
		double p;
		if (estimate_look_pairs[look] > table->pairs)
			break;
		const bool settles = look_settles(table, look, question->seed, &p);
		*alpha = estimate_look_p[look];
		(void)json_array_append_new(looks, json_pack("{s:I, s:f, s:f, s:b}", "pairs",
		                                             (json_int_t)estimate_look_pairs[look], "p", p, "threshold",
		                                             estimate_look_p[look], "stopped", settles));
		if (settles)
			break;
	}
	return looks;
}

/* What is wrong with an arm, apart from being slow. */
struct conduct {
	size_t requests, wrong;
	long long violations; /* −1: nobody has looked */
	bool saturated;
	double early_ms, late_ms; /* of a saturated one: latency at the start and at the end of a block */
};

static long long violations_of(const json_t *verified, size_t arm)
{
	const json_t *entry = json_array_get(json_object_get(verified, "arms"), arm);
	const json_t *total = json_object_get(entry, "violations_total");
	return json_is_integer(total) ? json_integer_value(total) : -1;
}

/* One that does not keep up has a queue that grows as long as the load lasts, in every block. */
static struct conduct judge_conduct(const struct table *table, size_t arm, const json_t *verified)
{
	struct conduct conduct = {.violations = violations_of(verified, arm)};
	size_t growing = 0;
	for (size_t pair = 0; pair < table->pairs; pair++) {
		const struct cell *cell = cell_of(table, pair, arm);
		conduct.requests += cell->count;
		conduct.wrong += cell->count - cell->right;
		growing += cell->late_ms > 3 * cell->early_ms && cell->late_ms - cell->early_ms > 50;
		conduct.early_ms += cell->early_ms / (double)table->pairs;
		conduct.late_ms += cell->late_ms / (double)table->pairs;
	}
	conduct.saturated = 2 * growing > table->pairs;
	return conduct;
}

/* More wrong answers than A, beyond what chance makes of the same share. */
static bool errs_more(const struct conduct *a, const struct conduct *b)
{
	return estimate_share_lower(b->wrong, b->requests, 0.95) > estimate_share_upper(a->wrong, a->requests, 0.95);
}

/* How many more pairs would bring the interval off zero, or inside the margin. */
static size_t count_missing_pairs(const struct change *change, const struct question *question, double alpha)
{
	const double matters = log1p(question->margin), size = fabs(change->pairs.mean);
	const double distance = fmax(size >= matters ? size : matters - size, matters / 10);
	const size_t needed = estimate_pairs_needed(change->pairs.deviation, distance, alpha);
	return needed > change->pairs.pairs ? needed - change->pairs.pairs : 1;
}

struct judgement {
	enum verdict_outcome outcome;
	size_t more_pairs;
	char sentence[640];
};

static void describe_change(const struct change *change, const char *a, const char *b, char *text, size_t room)
{
	const struct estimate_pairs *pairs = &change->pairs;
	(void)snprintf(text, room, "P95 %.3g ms with %s, %.3g ms with %s: %+.1f %% [%+.1f, %+.1f] over %zu pairs",
	               change->a, a, change->b, b, 100 * expm1(pairs->mean), 100 * expm1(pairs->low),
	               100 * expm1(pairs->high), pairs->pairs);
}

static void judge_latency(const struct change *change, const struct question *question, double alpha,
                          const char *labels[ARMS], struct judgement *judgement)
{
	static const char *const words[] = {
		[VERDICT_BETTER] = "It helps",
		[VERDICT_WORSE] = "It makes P95 worse: leave it off",
		[VERDICT_EQUIVALENT] = "It makes no difference that matters: leave it off",
		[VERDICT_INCONCLUSIVE] = "Not settled",
	};
	char figures[320];
	const struct estimate_pairs *pairs = &change->pairs;
	describe_change(change, labels[0], labels[1], figures, sizeof(figures));
	judgement->outcome = verdict_of_interval(pairs->mean, pairs->low, pairs->high, question->margin);
	if (judgement->outcome != VERDICT_INCONCLUSIVE) {
		(void)snprintf(judgement->sentence, sizeof(judgement->sentence), "%s: %s.", words[judgement->outcome],
		               figures);
		return;
	}
	judgement->more_pairs = count_missing_pairs(change, question, alpha);
	(void)snprintf(judgement->sentence, sizeof(judgement->sentence), "%s: %s; about %zu more pairs needed.",
	               words[VERDICT_INCONCLUSIVE], figures, judgement->more_pairs);
}

/* What outweighs any latency; true if something does. */
static bool judge_conducts(const struct conduct conducts[ARMS], const char *labels[ARMS], const json_t *generator,
                           struct judgement *judgement)
{
	char *text = judgement->sentence;
	const size_t room = sizeof(judgement->sentence);
	if (conducts[1].violations > 0) {
		judgement->outcome = VERDICT_WORSE;
		(void)snprintf(text, room,
		               "%s breaks what was promised: %lld events lost, doubled, altered or out of order.",
		               labels[1], conducts[1].violations);
	} else if (conducts[0].violations > 0) {
		judgement->outcome = VERDICT_INVALID;
		(void)snprintf(text, room,
		               "Nothing can be said: %s itself has %lld events lost, doubled, altered or out of order.",
		               labels[0], conducts[0].violations);
	} else if (!json_is_true(json_object_get(generator, "valid"))) {
		const char *reason = json_string_value(json_array_get(json_object_get(generator, "reasons"), 0));
		judgement->outcome = VERDICT_INVALID;
		(void)snprintf(text, room, "Nothing can be said: %s.",
		               reason ? reason : "the generator did not keep up");
	} else if (errs_more(&conducts[0], &conducts[1])) {
		judgement->outcome = VERDICT_WORSE;
		(void)snprintf(text, room, "%s answers %zu of %zu requests wrongly, %s %zu of %zu.", labels[1],
		               conducts[1].wrong, conducts[1].requests, labels[0], conducts[0].wrong,
		               conducts[0].requests);
	} else {
		return false;
	}
	return true;
}

/* ── the document ───────────────────────────────────────────────────────────────────────────────────────────────── */

static json_t *write_change(const struct change *change)
{
	const struct estimate_pairs *pairs = &change->pairs;
	json_t *document = json_pack("{s:f, s:f, s:f, s:f}", "a", change->a, "b", change->b, "change",
	                             expm1(pairs->mean), "p", pairs->p);
	const bool has_interval = isfinite(pairs->low) && isfinite(pairs->high);
	(void)json_object_set_new(document, "low", has_interval ? json_real(expm1(pairs->low)) : json_null());
	(void)json_object_set_new(document, "high", has_interval ? json_real(expm1(pairs->high)) : json_null());
	(void)json_object_set_new(document, "detectable", has_interval ? json_real(change->detectable) : json_null());
	return document;
}

static json_t *list_metrics(const struct table *table, const struct question *question, double alpha)
{
	json_t *list = json_array();
	for (size_t i = 0; i < METRICS; i++) {
		struct change change;
		if (!measure_change(table, table->pairs, metrics[i].of, 0, alpha, question->seed, &change))
			continue;
		json_t *row = write_change(&change);
		(void)json_object_set_new(row, "name", json_string(metrics[i].name));
		(void)json_object_set_new(row, "title", json_string(metrics[i].title));
		(void)json_object_set_new(row, "unit", json_string(metrics[i].unit));
		(void)json_array_append_new(list, row);
	}
	return list;
}

static json_t *list_quantiles(const struct table *table, const struct question *question, double alpha)
{
	static const double quantiles[] = {0.05, 0.1,  0.2, 0.3,   0.4,  0.5,   0.6,  0.7,   0.75,
	                                   0.8,  0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		struct change change;
		if (!measure_change(table, table->pairs, NULL, quantiles[i], alpha, question->seed, &change))
			continue;
		json_t *row = write_change(&change);
		(void)json_object_set_new(row, "q", json_real(quantiles[i]));
		(void)json_array_append_new(list, row);
	}
	return list;
}

static json_t *list_blocks(const struct table *table)
{
	json_t *list = json_array();
	for (size_t i = 0; i < ARMS * table->pairs; i++) {
		const struct cell *cell = &table->cells[i];
		(void)json_array_append_new(
			list, json_pack("{s:I, s:I, s:b, s:f, s:f, s:f, s:f, s:I, s:I}", "pair", (json_int_t)(i / ARMS),
		                        "arm", (json_int_t)(i % ARMS), "first", cell->first, "start_s",
		                        (double)cell->first_ns / 1e9, "p50_ms", p50(cell), "p95_ms", p95(cell),
		                        "p99_ms", p99(cell), "requests", (json_int_t)cell->count, "errors",
		                        (json_int_t)(cell->count - cell->right)));
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

static json_t *list_stages(const struct run *run)
{
	struct analyze_result results[ARMS];
	json_t *list = json_array();
	for (size_t arm = 0; arm < ARMS; arm++) {
		size_t count;
		struct trace_record *records = select_arm(run, arm, &count);
		analyze_records(records, count, run->header.names, &results[arm]);
		free(records);
	}
	for (size_t part = 0; part < PARTS; part++) {
		const struct analyze_row *a = &results[0].parts[part], *b = &results[1].parts[part];
		if (a->count == 0 && b->count == 0)
			continue;
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:[ff], s:[ff]}", "stage", part_words[part].name, "title",
		                        part_words[part].title, "body_ms", (double)a->body_mean_ns / 1e6,
		                        (double)b->body_mean_ns / 1e6, "tail_ms", (double)a->tail_mean_ns / 1e6,
		                        (double)b->tail_mean_ns / 1e6));
	}
	return list;
}

static json_t *list_steps(const struct parts *parts)
{
	struct part_step steps[PARTS];
	const size_t count = parts_steps(parts, steps);
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "name", part_words[steps[i].part].title,
		                                            "start_ms", (double)steps[i].start_ns / 1e6, "took_ms",
		                                            (double)steps[i].took_ns / 1e6));
	return list;
}

static int slowest_first(const void *a, const void *b)
{
	const int64_t left = run_corrected_ns(*(const struct trace_record *const *)a);
	const int64_t right = run_corrected_ns(*(const struct trace_record *const *)b);
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

static json_t *list_slowest(const struct run *run)
{
	const struct trace_record **slowest = must_calloc(run->count + 1, sizeof(struct trace_record *));
	size_t taken[ARMS] = {0, 0};
	json_t *list = json_array();
	for (size_t i = 0; i < run->count; i++)
		slowest[i] = &run->records[i];
	qsort(slowest, run->count, sizeof(struct trace_record *), slowest_first);
	for (size_t i = 0; i < run->count; i++)
		if (slowest[i]->arm < ARMS && taken[slowest[i]->arm]++ < SLOWEST)
			append_slowest(list, run, slowest[i]);
	free(slowest);
	return list;
}

static json_t *list_notes(const struct conduct conducts[ARMS], const char *labels[ARMS],
                          const struct question *question)
{
	json_t *notes = json_array();
	for (size_t arm = 0; arm < ARMS; arm++) {
		if (conducts[arm].saturated)
			(void)json_array_append_new(
				notes,
				json_sprintf("%s does not keep up with the load: within a block its latency grows from "
			                     "%.0f to %.0f ms and would go on growing, so its figures, and the change, "
			                     "depend on how long a block is.",
			                     labels[arm], conducts[arm].early_ms, conducts[arm].late_ms));
		if (conducts[arm].wrong > 0)
			(void)json_array_append_new(
				notes,
				json_sprintf("%s: %zu of %zu answers were not the right ones; each counts as %.0f s.",
			                     labels[arm], conducts[arm].wrong, conducts[arm].requests,
			                     (double)question->patience_ns / 1e9));
		if (conducts[arm].violations < 0)
			(void)json_array_append_new(
				notes, json_sprintf("%s: nobody has verified what was stored.", labels[arm]));
	}
	return notes;
}

static json_t *list_violations(const json_t *verified)
{
	static const char *const kinds[] = {"lost", "doubled", "altered", "reordered"};
	json_t *list = json_array();
	size_t arm;
	json_t *entry;
	json_array_foreach(json_object_get(verified, "arms"), arm, entry)
	{
		json_t *row = json_pack("{s:I}", "arm", (json_int_t)arm);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			(void)json_object_set(row, kinds[i], json_object_get(entry, kinds[i]));
		(void)json_array_append_new(list, row);
	}
	return list;
}

static bool read_question(const struct run *run, struct question *question_out, struct sluice_error *error)
{
	const json_t *asked = json_object_get(run->about, "comparison");
	const char *design = json_string_value(json_object_get(json_object_get(run->about, "schedule"), "design"));
	if (!json_is_object(asked) || !design)
		return sluice_error_set(error, "%s: not a comparison: %s has no member \"comparison\"", run->path,
		                        RUN_ABOUT);
	*question_out = (struct question){
		.alpha = figure_in(asked, "alpha"),
		.margin = figure_in(asked, "margin"),
		.patience_ns = (int64_t)(figure_in(asked, "patience_ms") * 1e6),
		.seed = (uint64_t)json_integer_value(json_object_get(asked, "seed")),
		.sequential = json_is_true(json_object_get(asked, "sequential")),
		.is_signed = json_is_string(json_object_get(run->about, "sign")),
		.is_duet = strcmp(design, "duet") == 0,
	};
	return (question_out->alpha > 0 && question_out->alpha < 1 && question_out->margin >= 0 &&
	        question_out->patience_ns > 0) ||
	       sluice_error_set(error, "%s: %s: comparison: expected alpha, margin and patience_ms above 0", run->path,
	                        RUN_ABOUT);
}

static const char *label_of(const struct run *run, size_t arm)
{
	const char *label = json_string_value(
		json_object_get(json_array_get(json_object_get(run->about, "arms"), arm), "label"));
	return label ? label : arm == 0 ? "A" : "B";
}

static json_t *write_document(const struct run *run, const struct table *table, const struct question *question,
                              const json_t *verified)
{
	const char *labels[ARMS] = {label_of(run, 0), label_of(run, 1)};
	const struct conduct conducts[ARMS] = {judge_conduct(table, 0, verified), judge_conduct(table, 1, verified)};
	double alpha = question->alpha;
	struct judgement judgement = {0};
	struct change primary;
	json_t *looks = list_looks(table, question, &alpha);
	(void)measure_change(table, table->pairs, metrics[PRIMARY].of, 0, alpha, question->seed, &primary);
	if (!judge_conducts(conducts, labels, json_object_get(run->about, "generator"), &judgement))
		judge_latency(&primary, question, alpha, labels, &judgement);
	json_t *verdict = json_pack("{s:s, s:s, s:s, s:I}", "outcome", verdict_outcome_names[judgement.outcome],
	                            "metric", metrics[PRIMARY].name, "sentence", judgement.sentence, "more_pairs",
	                            (json_int_t)judgement.more_pairs);
	return json_pack("{s:i, s:s, s:I, s:f, s:f, s:o, s:[{s:s}{s:s}], s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	                 "format", 1, "design", question->is_duet ? "duet" : "paired", "pairs",
	                 (json_int_t)table->pairs, "alpha", alpha, "margin", question->margin, "verdict", verdict,
	                 "arms", "label", labels[0], "label", labels[1], "looks", looks, "notes",
	                 list_notes(conducts, labels, question), "metrics", list_metrics(table, question, alpha),
	                 "quantiles", list_quantiles(table, question, alpha), "blocks", list_blocks(table), "stages",
	                 list_stages(run), "slowest", list_slowest(run), "violations", list_violations(verified));
}

json_t *verdict_compute(const struct run *run, const struct input *input, const json_t *verified,
                        struct sluice_error *error)
{
	struct question question;
	struct table table;
	const size_t pairs = count_pairs(run->records, run->count);
	if (!read_question(run, &question, error))
		return NULL;
	if (pairs == 0) {
		(void)sluice_error_set(error, "%s: there is not one pair of blocks in it", run->path);
		return NULL;
	}
	table_init(&table, run->records, run->count, pairs, input, &question);
	add_sights(&table, json_object_get(run->about, "blocks"));
	json_t *document = write_document(run, &table, &question, verified);
	table_finish(&table);
	return document;
}
