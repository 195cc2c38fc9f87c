/*
 * Pairs; see pairs.h.
 */
#include "lab/judge/pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/load/replay.h"
#include "lab/run/run.h"

#define STALLED_SHARE 0.05 /* of a block's time: as many requests as a P95 is made of */

static struct cell *cell_at(const struct pairs *pairs, size_t pair, size_t arm)
{
	return &pairs->cells[PAIRS_ARMS * pair + arm];
}

const struct cell *pairs_cell(const struct pairs *pairs, size_t pair, size_t arm)
{
	return cell_at(pairs, pair, arm);
}

/* Refusing quickly is no way to be fast. */
static int64_t judged_ns(int64_t latency_ns, bool is_right, int64_t timeout_ns)
{
	return (is_right && latency_ns >= 0) || latency_ns > timeout_ns ? latency_ns : timeout_ns;
}

static void add_record(struct cell *cell, const struct trace_record *record, bool is_right, int64_t timeout_ns)
{
	if (cell->count == 0 || record->intended_ns < cell->first_ns)
		cell->first_ns = record->intended_ns;
	if (record->intended_ns > cell->last_due_ns)
		cell->last_due_ns = record->intended_ns;
	if (record->answered_ns > cell->last_ns)
		cell->last_ns = record->answered_ns;
	cell->right += is_right;
	cell->corrected_ns[cell->count] = judged_ns(run_corrected_ns(record), is_right, timeout_ns);
	cell->raw_ns[cell->count++] = judged_ns(run_raw_ns(record), is_right, timeout_ns);
}

static double median_ms(const int64_t *latencies_ns, size_t count)
{
	int64_t *sorted = must_calloc(count + 1, sizeof(*sorted));
	memcpy(sorted, latencies_ns, count * sizeof(*sorted));
	estimate_sort(sorted, count);
	double median = (double)estimate_quantile(sorted, count, 0.5) / 1e6;
	free(sorted);
	return median;
}

/* Once all are in, in the order of their intended times. */
static void close_cell(struct cell *cell)
{
	size_t quarter = cell->count / 4;
	cell->early_ms = median_ms(cell->corrected_ns, quarter);
	cell->late_ms = median_ms(cell->corrected_ns + cell->count - quarter, quarter);
	estimate_sort(cell->corrected_ns, cell->count);
	estimate_sort(cell->raw_ns, cell->count);
}

size_t pairs_count(const struct trace_record *records, size_t record_count)
{
	size_t count = 0;
	for (size_t i = 0; i < record_count; i++)
		count = records[i].block >= count ? records[i].block + (size_t)1 : count;
	return count;
}

static bool is_in(const struct pairs *pairs, const struct trace_record *record)
{
	return record->block < pairs->count && record->arm < PAIRS_ARMS;
}

static void make_room(struct pairs *pairs, const struct trace_record *records, size_t record_count)
{
	pairs->cells = must_calloc(PAIRS_ARMS * pairs->count + 1, sizeof(*pairs->cells));
	pairs->is_dropped = must_calloc(pairs->count + 1, sizeof(*pairs->is_dropped));
	for (size_t i = 0; i < record_count; i++)
		if (is_in(pairs, &records[i]))
			cell_at(pairs, records[i].block, records[i].arm)->count++;
	for (size_t i = 0; i < PAIRS_ARMS * pairs->count; i++) {
		size_t room = pairs->cells[i].count + 1;
		pairs->cells[i] = (struct cell){.corrected_ns = must_calloc(room, sizeof(int64_t)),
		                                .raw_ns = must_calloc(room, sizeof(int64_t)),
		                                .cpu_ns = NAN,
		                                .rss_bytes = NAN,
		                                .wal_bytes = NAN};
	}
}

void pairs_init(struct pairs *pairs, size_t count, const struct trace_record *records, size_t record_count,
                const struct input *input, bool is_signed, int64_t timeout_ns)
{
	*pairs = (struct pairs){.count = count, .unit = 1};
	make_room(pairs, records, record_count);
	for (size_t i = 0; i < record_count; i++) {
		const struct trace_record *record = &records[i];
		if (!is_in(pairs, record))
			continue;
		bool is_right = input && record->input < input->count
		                        ? replay_answer_is_right(input->events[record->input].kind, record->status,
		                                                 is_signed)
		                        : record->status >= 200 && record->status < 300;
		add_record(cell_at(pairs, record->block, record->arm), record, is_right, timeout_ns);
	}
	for (size_t i = 0; i < PAIRS_ARMS * count; i++)
		close_cell(&pairs->cells[i]);
}

void pairs_finish(struct pairs *pairs)
{
	for (size_t i = 0; i < PAIRS_ARMS * pairs->count; i++) {
		free(pairs->cells[i].corrected_ns);
		free(pairs->cells[i].raw_ns);
	}
	free(pairs->cells);
	free(pairs->is_dropped);
	*pairs = (struct pairs){0};
}

static bool is_stalled(const struct cell *cell, const struct host *host)
{
	return cell->count > 0 && host_stalled_share(host, cell->first_ns, cell->last_due_ns) >= STALLED_SHARE;
}

void pairs_drop_stalled(struct pairs *pairs, const struct host *host)
{
	for (size_t pair = 0; pair < pairs->count; pair++) {
		pairs->is_dropped[pair] = is_stalled(cell_at(pairs, pair, 0), host) ||
		                          is_stalled(cell_at(pairs, pair, 1), host);
		pairs->dropped += pairs->is_dropped[pair];
	}
}

static double number_in(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

void pairs_add_snapshots(struct pairs *pairs, const json_t *blocks)
{
	size_t i;
	json_t *block;
	json_array_foreach (blocks, i, block) {
		size_t pair = (size_t)json_integer_value(json_object_get(block, "block"));
		size_t arm = (size_t)json_integer_value(json_object_get(block, "arm"));
		if (pair >= pairs->count || arm >= PAIRS_ARMS)
			continue;
		struct cell *cell = cell_at(pairs, pair, arm);
		cell->first = json_is_true(json_object_get(block, "first"));
		cell->cpu_ns = number_in(block, "cpu_ms") * 1e6;
		cell->rss_bytes = number_in(block, "rss_bytes");
		cell->wal_bytes = number_in(json_object_get(block, "store"), "wal_bytes");
	}
}

static double raw_p95(const struct cell *cell)
{
	return (double)estimate_quantile(cell->raw_ns, cell->count, 0.95) / 1e6;
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

const struct metric pair_metrics[METRICS + 1] = {
	[METRIC_P50] = {"p50", "P50", "ms", {NULL, 0.50}},
	[METRIC_P95] = {"p95", "P95", "ms", {NULL, 0.95}},
	[METRIC_P99] = {"p99", "P99", "ms", {NULL, 0.99}},
	[METRIC_P95_RAW] = {"p95_raw", "P95 service latency (uncorrected)", "ms", {raw_p95, 0}},
	[METRIC_THROUGHPUT] = {"throughput", "Successful responses (goodput)", "1/s", {throughput, 0}},
	[METRIC_CPU_PER_EVENT] = {"cpu_per_event", "Processor time per event", "µs", {cpu_per_event, 0}},
	[METRIC_MEMORY] = {"memory", "Memory", "B", {memory, 0}},
	[METRIC_WAL_PER_EVENT] = {"wal_per_event", "Write-ahead log per event", "B", {wal_per_event, 0}},
	[METRICS] = {NULL, NULL, NULL, {NULL, 0}},
};
const struct metric *const pair_primary = &pair_metrics[METRIC_P95];

static double value_of(struct figure_of figure, const struct cell *cell)
{
	return figure.of ? figure.of(cell)
	                 : (double)estimate_quantile(cell->corrected_ns, cell->count, figure.quantile) / 1e6;
}

static bool is_known(double value)
{
	return isfinite(value) && value > 0;
}

/* ln(B / A) of a unit, the mean over its pairs of which both are known, and the logarithms of both; false if none is. */
static bool measure_unit(const struct pairs *pairs, size_t from, size_t to, struct figure_of figure,
                         double logarithms[PAIRS_ARMS])
{
	size_t known = 0;
	logarithms[0] = logarithms[1] = 0;
	for (size_t pair = from; pair < to; pair++) {
		double a = value_of(figure, cell_at(pairs, pair, 0));
		double b = value_of(figure, cell_at(pairs, pair, 1));
		if (pairs->is_dropped[pair] || !is_known(a) || !is_known(b))
			continue;
		logarithms[0] += log(a);
		logarithms[1] += log(b);
		known++;
	}
	for (size_t arm = 0; known > 0 && arm < PAIRS_ARMS; arm++)
		logarithms[arm] /= (double)known;
	return known > 0;
}

/* Lists the differences of the units, and adds up the logarithms; returns how many. */
static size_t list_differences(const struct pairs *pairs, size_t count, struct figure_of figure, double *differences,
                               double sums[PAIRS_ARMS])
{
	size_t known = 0;
	double logarithms[PAIRS_ARMS];
	for (size_t from = 0; from < count; from += pairs->unit) {
		size_t to = from + pairs->unit < count ? from + pairs->unit : count;
		if (!measure_unit(pairs, from, to, figure, logarithms))
			continue;
		sums[0] += logarithms[0];
		sums[1] += logarithms[1];
		differences[known++] = logarithms[1] - logarithms[0];
	}
	return known;
}

/* A test at 1 − alpha finds that much with a power of 80 %. */
static double detectable_change(const struct estimate_pairs *result, double alpha)
{
	double freedom = (double)(result->pairs > 1 ? result->pairs - 1 : 1);
	double reach = estimate_t_quantile(1 - alpha / 2, freedom) + estimate_t_quantile(0.8, freedom);
	return expm1(reach * result->deviation / sqrt((double)result->pairs));
}

bool pairs_measure(const struct pairs *pairs, size_t count, struct figure_of figure, double alpha, uint64_t seed,
                   struct change *change_out)
{
	double *differences = must_calloc(count + 1, sizeof(*differences));
	double sums[PAIRS_ARMS] = {0, 0};
	size_t known = list_differences(pairs, count, figure, differences, sums);
	*change_out = (struct change){0};
	if (known > 0) {
		estimate_pairs(differences, known, alpha, seed, &change_out->pairs);
		change_out->a = exp(sums[0] / (double)known);
		change_out->b = exp(sums[1] / (double)known);
		change_out->detectable = detectable_change(&change_out->pairs, alpha);
	}
	free(differences);
	return known > 0;
}
