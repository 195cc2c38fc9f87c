/*
 * The records become columns, a part each; every row of the table is one column looked at beside the totals.
 */
#include "lab/judge/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/run/estimate.h"

#define TAIL_FRACTION 0.05
#define CONFIDENCE 0.95

enum {
	COLUMN_TOTAL = PARTS,
	COLUMN_RAW,
	COLUMN_SPAN,
	COLUMN_CPU = COLUMN_SPAN + ANALYZE_SPANS, /* of each part */
	COLUMNS = COLUMN_CPU + PARTS,
};

struct table {
	size_t count;
	int64_t *columns[COLUMNS]; /* count values each, in the order of the records; -1: none */
	int64_t *batches;
	bool *in_tail;
	size_t tail_count;
	int64_t *scratch; /* count values, sorted by who uses it */
	double tail_total_ns, tail_server_ns, tail_excess_ns;
};

static int64_t or_zero(int64_t ns)
{
	return ns > 0 ? ns : 0;
}

static void table_init(struct table *table, size_t room)
{
	*table = (struct table){0};
	for (size_t i = 0; i < COLUMNS; i++)
		table->columns[i] = must_calloc(room + 1, sizeof(int64_t));
	table->batches = must_calloc(room + 1, sizeof(*table->batches));
	table->in_tail = must_calloc(room + 1, sizeof(*table->in_tail));
	table->scratch = must_calloc(room + 1, sizeof(*table->scratch));
}

static void table_finish(struct table *table)
{
	for (size_t i = 0; i < COLUMNS; i++)
		free(table->columns[i]);
	free(table->batches);
	free(table->in_tail);
	free(table->scratch);
}

/* A stage that declares fewer spans leaves the others 0 in every record; those are no columns. */
static int64_t span_of(const struct trace_record *record, const struct parts *parts, size_t span)
{
	if (parts->unspanned_ns < 0)
		return -1;
	return span < SLUICE_SPANS_MAX ? record->stages[SLUICE_KIND_PERSIST].spans_ns[span] : parts->unspanned_ns;
}

static void table_add(struct table *table, const struct trace_record *record, const struct parts *parts)
{
	size_t at = table->count++;
	for (size_t i = 0; i < PARTS; i++) {
		table->columns[i][at] = parts->ns[i];
		table->columns[COLUMN_CPU + i][at] = parts->cpu_ns[i];
	}
	table->columns[COLUMN_TOTAL][at] = parts->total_ns;
	table->columns[COLUMN_RAW][at] = parts_is_of_sender(record) ? parts->raw_ns : -1;
	for (size_t i = 0; i < ANALYZE_SPANS; i++)
		table->columns[COLUMN_SPAN + i][at] = span_of(record, parts, i);
	table->batches[at] = record->batch_size;
}

static void gather(struct table *table, const struct trace_record *records, size_t count, struct analyze_result *result)
{
	size_t connected = 0;
	for (size_t i = 0; i < count; i++) {
		struct parts parts;
		enum parts_verdict verdict = parts_of(&records[i], &parts);
		result->unanswered += verdict == PARTS_UNANSWERED;
		result->refused += verdict == PARTS_REFUSED;
		result->with_status += verdict != PARTS_UNANSWERED && records[i].status > 0;
		result->good += verdict != PARTS_UNANSWERED && records[i].status / 100 == 2;
		result->of_sender |= parts_is_of_sender(&records[i]);
		connected += records[i].connected;
		if (verdict == PARTS_KNOWN)
			table_add(table, &records[i], &parts);
	}
	result->requests = count;
	result->connected = count > 0 ? (double)connected / (double)count : 0;
	result->answered = table->count;
}

struct ranked {
	int64_t total_ns;
	size_t at;
};

static int slowest_first(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;
	if (left->total_ns != right->total_ns)
		return left->total_ns < right->total_ns ? 1 : -1;
	return (left->at > right->at) - (left->at < right->at);
}

static void mark_tail(struct table *table, struct analyze_result *result)
{
	if (table->count == 0)
		return;
	struct ranked *ranked = must_alloc(table->count * sizeof(*ranked));
	for (size_t i = 0; i < table->count; i++)
		ranked[i] = (struct ranked){table->columns[COLUMN_TOTAL][i], i};
	qsort(ranked, table->count, sizeof(*ranked), slowest_first);
	table->tail_count = (size_t)((double)table->count * TAIL_FRACTION);
	if (table->tail_count == 0)
		table->tail_count = 1;
	for (size_t i = 0; i < table->tail_count; i++)
		table->in_tail[ranked[i].at] = true;
	result->tail_count = table->tail_count;
	result->tail_from_ns = ranked[table->tail_count - 1].total_ns;
	free(ranked);
}

/* The values there are among [from, to), sorted in the scratch; returns how many. */
static size_t sort_known(const struct table *table, const int64_t *column, size_t from, size_t to)
{
	size_t known = 0;
	for (size_t i = from; i < to; i++)
		if (column[i] >= 0)
			table->scratch[known++] = column[i];
	estimate_sort(table->scratch, known);
	return known;
}

static void measure_quantiles(const struct table *table, const int64_t *column, struct analyze_row *row)
{
	const int64_t *sorted = table->scratch;
	row->count = sort_known(table, column, 0, table->count);
	if (row->count == 0)
		return;
	row->p50_ns = estimate_quantile(sorted, row->count, 0.50);
	row->p95_ns = estimate_quantile(sorted, row->count, 0.95);
	row->p99_ns = estimate_quantile(sorted, row->count, 0.99);
	row->max_ns = sorted[row->count - 1];
}

static double sum(const struct table *table, const int64_t *column, bool of_tail)
{
	double ns = 0;
	for (size_t i = 0; i < table->count; i++)
		if (table->in_tail[i] == of_tail)
			ns += (double)or_zero(column[i]);
	return ns;
}

static int64_t body_median(const struct table *table, const int64_t *column)
{
	size_t body = 0;
	for (size_t i = 0; i < table->count; i++)
		if (!table->in_tail[i])
			table->scratch[body++] = or_zero(column[i]);
	estimate_sort(table->scratch, body);
	return estimate_quantile(table->scratch, body, 0.50);
}

static double excess(const struct table *table, const int64_t *column)
{
	return sum(table, column, true) - (double)table->tail_count * (double)body_median(table, column);
}

static int64_t ceiling(const struct table *table, const int64_t *column, int64_t cap)
{
	for (size_t i = 0; i < table->count; i++)
		table->scratch[i] = table->columns[COLUMN_TOTAL][i] - or_zero(column[i] - cap);
	estimate_sort(table->scratch, table->count);
	return estimate_quantile(table->scratch, table->count, 0.95);
}

static double fraction(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static void measure_bases(struct table *table)
{
	table->tail_total_ns = sum(table, table->columns[COLUMN_TOTAL], true);
	for (size_t i = 0; i < PARTS; i++) {
		table->tail_excess_ns += excess(table, table->columns[i]);
		if (part_words[i].of_server)
			table->tail_server_ns += sum(table, table->columns[i], true);
	}
}

static void measure_times(const struct table *table, size_t column_at, struct analyze_row *row)
{
	const int64_t *column = table->columns[column_at];
	measure_quantiles(table, column, row);
	row->tail_mean_ns = (int64_t)fraction(sum(table, column, true), (double)table->tail_count);
	row->body_mean_ns = (int64_t)fraction(sum(table, column, false), (double)(table->count - table->tail_count));
}

static void measure_row(const struct table *table, size_t column_at, bool of_server, struct analyze_row *row)
{
	const int64_t *column = table->columns[column_at];
	measure_times(table, column_at, row);
	if (row->count == 0)
		return;
	double tail_ns = sum(table, column, true);
	row->tail_share = fraction(tail_ns, table->tail_total_ns);
	row->server_share = of_server ? fraction(tail_ns, table->tail_server_ns) : 0;
	row->excess_share = fraction(excess(table, column), table->tail_excess_ns);
	row->ceiling_ns = ceiling(table, column, row->p50_ns);
}

/* The mean of both columns over the requests of the tail, or of the body, that have both. */
static size_t measure_cpu_of(const struct table *table, size_t part, bool of_tail, double *work_out, double *cpu_out)
{
	size_t count = 0;
	double work_ns = 0, cpu_ns = 0;
	for (size_t i = 0; i < table->count; i++) {
		int64_t work = table->columns[part][i], cpu = table->columns[COLUMN_CPU + part][i];
		if (table->in_tail[i] != of_tail || work < 0 || cpu < 0)
			continue;
		count++;
		work_ns += (double)work;
		cpu_ns += (double)cpu;
	}
	*work_out = fraction(work_ns, (double)count);
	*cpu_out = fraction(cpu_ns, (double)count);
	return count;
}

static void measure_cpu(const struct table *table, size_t part, struct analyze_cpu *cpu)
{
	cpu->count = measure_cpu_of(table, part, false, &cpu->body_work_ns, &cpu->body_cpu_ns) +
	             measure_cpu_of(table, part, true, &cpu->tail_work_ns, &cpu->tail_cpu_ns);
}

static size_t largest_part(const struct table *table, size_t at)
{
	size_t largest = 0;
	for (size_t i = 1; i < PARTS; i++)
		if (table->columns[i][at] > table->columns[largest][at])
			largest = i;
	return largest;
}

static void measure_dominance(const struct table *table, struct analyze_result *result)
{
	size_t times[PARTS] = {0};
	for (size_t i = 0; i < table->count; i++)
		if (table->in_tail[i])
			times[largest_part(table, i)]++;
	for (size_t i = 0; i < PARTS; i++)
		result->parts[i].dominant = fraction((double)times[i], (double)table->tail_count);
}

static void find_hotspot(struct analyze_result *result)
{
	result->hotspot = -1;
	double largest = 0;
	for (int i = 0; i < PARTS; i++) {
		if (!part_words[i].of_server || i == PART_REST || result->parts[i].tail_share <= largest)
			continue;
		largest = result->parts[i].tail_share;
		result->hotspot = i;
	}
}

static void measure_growth(const struct table *table, size_t column_at, struct analyze_growth *growth)
{
	const int64_t *column = table->columns[column_at];
	struct estimate_shift shift;
	size_t known = 0;
	for (size_t i = 0; i < table->count; i++)
		if (column[i] >= 0)
			table->scratch[known++] = column[i];
	growth->known = estimate_shift(table->scratch, known, 1 - CONFIDENCE, &shift);
	if (!growth->known)
		return;
	growth->first_ns = llround(shift.first);
	growth->last_ns = llround(shift.last);
	if (shift.first > 0 && (shift.low > 0 || shift.high < 0))
		growth->growth = shift.last / shift.first - 1;
}

static void measure_batches(const struct table *table, struct analyze_batches *batches)
{
	size_t full = 0;
	for (size_t i = 0; i < table->count; i++)
		if (table->batches[i] > 0)
			table->scratch[batches->count++] = table->batches[i];
	if (batches->count == 0)
		return;
	estimate_sort(table->scratch, batches->count);
	batches->p50 = estimate_quantile(table->scratch, batches->count, 0.50);
	batches->max = table->scratch[batches->count - 1];
	for (size_t i = 0; i < table->count; i++)
		full += table->in_tail[i] && table->batches[i] == batches->max;
	batches->full_share = fraction((double)full, (double)table->tail_count);
}

static size_t column_of_execute(const struct analyze_result *result)
{
	const struct analyze_row *execute = analyze_find_span(result, "execute");
	return execute ? COLUMN_SPAN + (size_t)(execute - result->spans) : (size_t)PART_PERSIST;
}

static void measure(struct table *table, struct analyze_result *result)
{
	measure_bases(table);
	for (size_t i = 0; i < PARTS; i++)
		measure_row(table, i, part_words[i].of_server, &result->parts[i]);
	for (size_t i = 0; i < ANALYZE_SPANS; i++)
		measure_row(table, COLUMN_SPAN + i, true, &result->spans[i]);
	measure_times(table, COLUMN_TOTAL, &result->total);
	measure_times(table, COLUMN_RAW, &result->raw);
	for (size_t i = 0; i < PARTS; i++)
		measure_cpu(table, i, &result->cpu[i]);
	measure_dominance(table, result);
	find_hotspot(result);
	measure_growth(table, column_of_execute(result), &result->persist_growth);
	measure_growth(table, PART_QUEUE, &result->queue_growth);
	measure_batches(table, &result->batches);
}

/* Spans that no request has are spans the stage does not have. */
static void drop_empty_spans(struct analyze_result *result)
{
	for (size_t i = 0; i < SLUICE_SPANS_MAX; i++)
		if (result->spans[i].max_ns == 0)
			result->spans[i] = (struct analyze_row){0};
}

void analyze_records(const struct trace_record *records, size_t count, const struct trace_names *names,
                     struct analyze_result *result_out)
{
	struct table table;
	*result_out = (struct analyze_result){.hotspot = -1};
	if (names)
		memcpy(result_out->names, names, sizeof(result_out->names));
	table_init(&table, count);
	gather(&table, records, count, result_out);
	mark_tail(&table, result_out);
	measure(&table, result_out);
	drop_empty_spans(result_out);
	for (int i = PART_AUTH; i <= PART_PERSIST; i++)
		result_out->has_stages |= result_out->parts[i].count > 0;
	table_finish(&table);
}

const char *analyze_span_name(const struct analyze_result *result, size_t span)
{
	static const char *const nameless[ANALYZE_SPANS] = {"span 1", "span 2", "span 3", "span 4", "other"};
	if (span >= SLUICE_SPANS_MAX)
		return nameless[SLUICE_SPANS_MAX];
	const char *name = result->names[SLUICE_KIND_PERSIST].spans[span];
	return name[0] ? name : nameless[span];
}

const struct analyze_row *analyze_find_span(const struct analyze_result *result, const char *name)
{
	for (size_t i = 0; i < SLUICE_SPANS_MAX; i++)
		if (result->spans[i].count > 0 && strcmp(analyze_span_name(result, i), name) == 0)
			return &result->spans[i];
	return NULL;
}
