/*
 * Writing an analysis; see breakdown.h.
 */
#include "lab/report/breakdown.h"

#include <stdio.h>

#include "base/clock.h"

enum { NAME_WIDTH = 20 };

static double ms(int64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

static double percent(double fraction)
{
	return 100 * fraction;
}

/* Three figures that mean something, whatever the size. */
static int decimals_of(int64_t ns)
{
	return ns < NS_PER_MS ? 3 : ns < 10 * NS_PER_MS ? 2 : 1;
}

static void write_ms(struct buffer *out, int64_t ns)
{
	buffer_printf(out, " %10.*f", decimals_of(ns), ms(ns));
}

static void write_block_line(struct buffer *out, const char *name, const struct analyze_row *row, bool is_hotspot)
{
	buffer_printf(out, "  %-*s", NAME_WIDTH, name);
	write_ms(out, row->p95_ns);
	buffer_printf(out, " ms  %5.1f %%%s\n", percent(row->tail_share), is_hotspot ? "  ← HOTSPOT" : "");
}

static void write_block(const struct analyze_result *result, struct buffer *out)
{
	buffer_add_text(out, "LATENCY BREAKDOWN (P95)\n");
	for (int i = 0; i < PARTS; i++)
		if (result->parts[i].count > 0)
			write_block_line(out, part_words[i].title, &result->parts[i], i == result->hotspot);
	buffer_printf(out, "  %-*s", NAME_WIDTH, "total");
	write_ms(out, result->total.p95_ns);
	buffer_add_text(out, " ms\n");
	buffer_printf(
		out,
		"  The share is of the time of the slowest 5 %% (%zu requests, from %.*f ms). The P95s of parts do\n"
		"  not add up to the total's: the slow requests of one need not be those of another.\n\n",
		result->tail_count, decimals_of(result->tail_from_ns), ms(result->tail_from_ns));
}

static void write_times(struct buffer *out, const char *name, const char *kind, const struct analyze_row *row)
{
	buffer_printf(out, "%-*s %-4s %8zu", NAME_WIDTH, name, kind, row->count);
	write_ms(out, row->p50_ns);
	write_ms(out, row->p95_ns);
	write_ms(out, row->p99_ns);
	write_ms(out, row->max_ns);
}

static void write_shares(struct buffer *out, const struct analyze_row *row)
{
	buffer_printf(out, " %6.1f %% %6.1f %%", percent(row->tail_share), percent(row->excess_share));
}

/* Neither for what happens between sender and server, or nobody knows where. */
static const char *kind_of(enum part part)
{
	if (part_words[part].is_wait)
		return "wait";
	return part_words[part].of_server && part != PART_REST ? "work" : "";
}

static void write_part(struct buffer *out, enum part part, const struct analyze_row *row)
{
	write_times(out, part_words[part].title, kind_of(part), row);
	write_shares(out, row);
	buffer_printf(out, " %6.1f %%", percent(row->dominant));
	write_ms(out, row->ceiling_ns);
	buffer_add_text(out, "\n");
}

static void write_total(struct buffer *out, const char *name, const struct analyze_row *row)
{
	if (row->count == 0)
		return;
	write_times(out, name, "", row);
	buffer_add_text(out, "\n");
}

static void write_table(const struct analyze_result *result, struct buffer *out)
{
	buffer_printf(out, "%-*s %-4s %8s %10s %10s %10s %10s %8s %8s %8s %10s\n", NAME_WIDTH, "ms", "", "requests",
	              "P50", "P95", "P99", "max", "tail", "excess", "largest", "ceiling");
	for (int i = 0; i < PARTS; i++)
		if (result->parts[i].count > 0)
			write_part(out, (enum part)i, &result->parts[i]);
	write_total(out, "total", &result->total);
	write_total(out, "  from its sending", &result->raw);
	buffer_add_text(
		out,
		"  tail: share of the slowest 5 %'s time. excess: share of what that is beyond the others' medians. largest: in how\n  many of them it is the largest part. ceiling: the total's P95 if the part never took longer than its P50.\n\n");
}

static void write_spans(const struct analyze_result *result, struct buffer *out)
{
	bool any = false;
	for (size_t i = 0; i < ANALYZE_SPANS; i++)
		any |= result->spans[i].count > 0;
	if (!any)
		return;
	const char *use = result->names[SLUICE_KIND_PERSIST].use;
	buffer_printf(out, "%s%s, by its spans\n", use[0] ? "persist/" : "persist", use);
	for (size_t i = 0; i < ANALYZE_SPANS; i++) {
		const struct analyze_row *row = &result->spans[i];
		if (row->count == 0)
			continue;
		char name[64];
		(void)snprintf(name, sizeof(name), "  %s", analyze_span_name(result, i));
		write_times(out, name, "", row);
		write_shares(out, row);
		buffer_printf(out, " %8s", "");
		write_ms(out, row->ceiling_ns);
		buffer_add_text(out, "\n");
	}
	if (result->batches.count > 0)
		buffer_printf(out, "  events in a request's batch: P50 %lld, at most %lld\n",
		              (long long)result->batches.p50, (long long)result->batches.max);
	buffer_add_text(out, "\n");
}

static void write_share_of_work(struct buffer *out, double work_ns, double cpu_ns)
{
	write_ms(out, (int64_t)work_ns);
	write_ms(out, (int64_t)cpu_ns);
	buffer_printf(out, " %6.1f %%", work_ns > 0 ? percent(cpu_ns / work_ns) : 0);
}

/* What it says is whether a stage that takes long has much to do or waits for something. */
static void write_cpu(const struct analyze_result *result, struct buffer *out)
{
	bool any = false;
	for (size_t i = 0; i < PARTS; i++) {
		const struct analyze_cpu *cpu = &result->cpu[i];
		if (cpu->count == 0)
			continue;
		if (!any)
			buffer_printf(out, "%-*s %10s %10s %8s %10s %10s %8s\n", NAME_WIDTH, "ms, mean of a request",
			              "body: time", "processor", "works", "tail: time", "processor", "works");
		any = true;
		buffer_printf(out, "%-*s", NAME_WIDTH + 1, part_words[i].title);
		write_share_of_work(out, cpu->body_work_ns, cpu->body_cpu_ns);
		write_share_of_work(out, cpu->tail_work_ns, cpu->tail_cpu_ns);
		buffer_add_text(out, "\n");
	}
	if (any)
		buffer_add_text(out, "  What a stage does not work it waits: for the disk, a lock, another process, a "
		                     "processor. Of a batch, both are the batch's.\n\n");
}

static void write_counts(const struct analyze_result *result, struct buffer *out)
{
	buffer_printf(out, "requests %zu, answered %zu", result->requests, result->requests - result->unanswered);
	if (result->with_status > 0)
		buffer_printf(out, ", with 2xx %zu", result->good);
	if (result->refused > 0)
		buffer_printf(out, "; %zu were refused before their time was taken and are left out", result->refused);
	buffer_add_text(out, "\n");
	if (result->parts[PART_UNSENT].tail_share > 0.5)
		buffer_add_text(
			out,
			"Most of the tail's time is waiting to be sent: the server did not keep up with the schedule.\n");
	buffer_add_text(out, "\n");
}

void breakdown_write_text(const struct analyze_result *result, struct buffer *out)
{
	if (result->answered == 0) {
		buffer_printf(out,
		              "There is nothing to analyze: %zu requests, none with an answer whose time is known.\n",
		              result->requests);
		return;
	}
	write_block(result, out);
	write_table(result, out);
	write_spans(result, out);
	write_cpu(result, out);
	write_counts(result, out);
}

/* Milliseconds to the nanosecond, as the exports have them. */
static json_t *times_to_json(const struct analyze_row *row)
{
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "count", (json_int_t)row->count, "p50_ms",
	                 ms(row->p50_ns), "p95_ms", ms(row->p95_ns), "p99_ms", ms(row->p99_ns), "max_ms",
	                 ms(row->max_ns), "body_mean_ms", ms(row->body_mean_ns), "tail_mean_ms", ms(row->tail_mean_ns));
}

static json_t *row_to_json(const char *name, const struct analyze_row *row)
{
	json_t *object = json_pack("{s:s}", "name", name);
	(void)json_object_update_new(object, times_to_json(row));
	(void)json_object_update_new(object, json_pack("{s:f, s:f, s:f, s:f}", "tail_share", row->tail_share,
	                                               "server_share", row->server_share, "excess_share",
	                                               row->excess_share, "ceiling_ms", ms(row->ceiling_ns)));
	return object;
}

static json_t *cpu_to_json(const struct analyze_cpu *cpu)
{
	return json_pack("{s:I, s:f, s:f, s:f, s:f}", "count", (json_int_t)cpu->count, "body_work_ms",
	                 cpu->body_work_ns / NS_PER_MS, "body_cpu_ms", cpu->body_cpu_ns / NS_PER_MS, "tail_work_ms",
	                 cpu->tail_work_ns / NS_PER_MS, "tail_cpu_ms", cpu->tail_cpu_ns / NS_PER_MS);
}

static json_t *part_to_json(enum part part, const struct analyze_row *row, const struct analyze_cpu *cpu)
{
	json_t *object = row_to_json(part_words[part].name, row);
	(void)json_object_update_new(object, json_pack("{s:s, s:s, s:f}", "title", part_words[part].title, "kind",
	                                               kind_of(part), "dominant", row->dominant));
	if (cpu->count > 0)
		(void)json_object_set_new(object, "processor", cpu_to_json(cpu));
	return object;
}

static json_t *parts_to_json(const struct analyze_result *result)
{
	json_t *array = json_array();
	for (int i = 0; i < PARTS; i++)
		if (result->parts[i].count > 0)
			(void)json_array_append_new(array,
			                            part_to_json((enum part)i, &result->parts[i], &result->cpu[i]));
	return array;
}

static json_t *spans_to_json(const struct analyze_result *result)
{
	json_t *array = json_array();
	for (size_t i = 0; i < ANALYZE_SPANS; i++)
		if (result->spans[i].count > 0)
			(void)json_array_append_new(array,
			                            row_to_json(analyze_span_name(result, i), &result->spans[i]));
	return array;
}

static json_t *growth_to_json(const struct analyze_growth *growth)
{
	if (!growth->known)
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "first_third_p50_ms", ms(growth->first_ns), "last_third_p50_ms",
	                 ms(growth->last_ns), "growth", growth->growth);
}

static json_t *batches_to_json(const struct analyze_batches *batches)
{
	if (batches->count == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:f}", "count", (json_int_t)batches->count, "p50", (json_int_t)batches->p50,
	                 "max", (json_int_t)batches->max, "full_share", batches->full_share);
}

json_t *breakdown_to_json(const struct analyze_result *result)
{
	const char *hotspot = result->hotspot < 0 ? NULL : part_words[result->hotspot].name;
	bool has_raw = result->raw.count > 0;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:{s:I, s:f}, s:s?, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}",
	                 "requests", (json_int_t)result->requests, "unanswered", (json_int_t)result->unanswered,
	                 "refused", (json_int_t)result->refused, "with_status", (json_int_t)result->with_status, "good",
	                 (json_int_t)result->good, "tail", "requests", (json_int_t)result->tail_count, "from_ms",
	                 ms(result->tail_from_ns), "hotspot", hotspot, "parts", parts_to_json(result), "total",
	                 times_to_json(&result->total), "raw", has_raw ? times_to_json(&result->raw) : json_null(),
	                 "persist", result->names[SLUICE_KIND_PERSIST].use, "spans", spans_to_json(result),
	                 "persist_growth", growth_to_json(&result->persist_growth), "queue_growth",
	                 growth_to_json(&result->queue_growth), "batches", batches_to_json(&result->batches));
}
