/*
 * How a lineage is written: as a tree, as JSON, as a line of the profile log; see lineage.h.
 */
#include "serve/lineage.h"

#include <string.h>

#include "base/clock.h"
#include "base/json_writer.h"

static int64_t total_of(const struct lineage_entry *entry)
{
	return entry->sent_ns - entry->times.start_ns;
}

/* A durable queue acknowledges before the stages behind it have run: a step without an exit ends at the ack point. */
static int64_t exit_of(const struct event_times *times, int kind)
{
	return times->stages[kind].exit_ns ? times->stages[kind].exit_ns : times->ack_ns;
}

size_t lineage_steps(const struct lineage_entry *entry, struct lineage_step steps[LINEAGE_STEPS_MAX])
{
	size_t count = 0;
	steps[count++] = (struct lineage_step){"ingress", -1, entry->times.start_ns};
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (entry->times.stages[kind].ran)
			steps[count++] = (struct lineage_step){kind_names[kind], kind, exit_of(&entry->times, kind)};
	steps[count++] = (struct lineage_step){"response", -1, entry->sent_ns};
	return count;
}

static void write_duration(struct buffer *out, int64_t ns)
{
	if (ns >= NS_PER_MS || ns <= 0)
		buffer_printf(out, "%lldms", (long long)(ns / NS_PER_MS));
	else
		buffer_printf(out, "%lldµs", (long long)(ns / NS_PER_US));
}

/* Milliseconds, or microseconds for a request so quick that they would all look alike. */
static void write_time(struct buffer *out, const struct lineage_entry *entry, int64_t at_ns)
{
	enum { TO_MILLISECONDS = sizeof("20:00:00.000") - 1, QUICK_MS = 10 };
	char text[CLOCK_TEXT_SIZE];
	clock_format_time(entry->times.wall_ns + (at_ns - entry->times.start_ns), text);
	if (total_of(entry) >= QUICK_MS * NS_PER_MS)
		text[TO_MILLISECONDS] = '\0';
	buffer_add_text(out, text);
}

void lineage_write_text(const struct lineage_entry *entry, struct buffer *out)
{
	struct lineage_step steps[LINEAGE_STEPS_MAX];
	size_t count = lineage_steps(entry, steps);
	buffer_printf(out, "request_id: %s\n", entry->request_id);
	if (entry->parts > 1 && entry->message_id_size)
		buffer_printf(out, "event: %u of %u\n", entry->part + 1, entry->parts);
	else if (entry->parts > 1)
		buffer_printf(out, "events: %u\n", entry->parts);
	if (entry->arm)
		buffer_printf(out, "  arm: %s\n", entry->arm);
	for (size_t i = 0; i < count; i++) {
		buffer_printf(out, "  %s %s: ", i + 1 < count ? "├─" : "└─", steps[i].name);
		write_time(out, entry, steps[i].at_ns);
		buffer_add_text(out, i > 0 ? " (+" : " (");
		write_duration(out, i > 0 ? steps[i].at_ns - steps[i - 1].at_ns : 0);
		buffer_add_text(out, ")");
		if (steps[i].kind == SLUICE_KIND_AUTH && entry->credential[0])
			buffer_printf(out, " [%s]", entry->credential);
		buffer_add_text(out, "\n");
	}
	buffer_add_text(out, "  TOTAL: ");
	write_duration(out, total_of(entry));
	buffer_add_text(out, "\n");
}

static void write_ms(struct json_writer *json, const char *key, int64_t ns)
{
	jsonw_real(json, key, (double)ns / (double)NS_PER_MS, 3);
}

static void write_spans(struct json_writer *json, const char *const *names, const struct stage_times *times)
{
	if (!names)
		return;
	jsonw_object(json, "spans");
	for (size_t i = 0; i < SLUICE_SPANS_MAX && names[i]; i++)
		write_ms(json, names[i], times->spans_ns[i]);
	jsonw_end_object(json);
}

static void write_step(struct json_writer *json, const struct lineage_step *step, const struct lineage_step *before,
                       const struct lineage_entry *entry)
{
	char at[CLOCK_TEXT_SIZE];
	clock_format_utc(entry->times.wall_ns + (step->at_ns - entry->times.start_ns), at);
	jsonw_object(json, NULL);
	jsonw_text(json, "stage", step->name);
	jsonw_text(json, "at", at);
	write_ms(json, "offset_ms", step->at_ns - entry->times.start_ns);
	write_ms(json, "took_ms", before ? step->at_ns - before->at_ns : 0);
	if (step->kind >= 0) {
		const struct stage_times *times = &entry->times.stages[step->kind];
		write_ms(json, "work_ms", times->work_ns);
		write_ms(json, "wait_ms", times->wait_ns);
		write_ms(json, "parked_ms", times->parked_ns);
		if (times->has_cpu)
			write_ms(json, "cpu_ms", times->cpu_ns);
		write_spans(json, entry->spans[step->kind], times);
	}
	jsonw_end_object(json);
}

void lineage_write_json(const struct lineage_entry *entry, struct buffer *out)
{
	struct lineage_step steps[LINEAGE_STEPS_MAX];
	size_t count = lineage_steps(entry, steps);
	char received[CLOCK_TEXT_SIZE];
	clock_format_utc(entry->times.wall_ns, received);
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "request_id", entry->request_id);
	if (entry->message_id_size)
		jsonw_bytes(&json, "message_id", entry->message_id, entry->message_id_size);
	if (entry->parts > 1 && entry->message_id_size)
		jsonw_int(&json, "event", entry->part + 1);
	if (entry->parts > 1)
		jsonw_int(&json, "events", entry->parts);
	if (entry->credential[0])
		jsonw_text(&json, "credential", entry->credential);
	if (entry->trace.is_sampled) {
		char trace_id[TRACE_ID_TEXT_SIZE];
		trace_context_id(&entry->trace, trace_id);
		jsonw_text(&json, "trace_id", trace_id);
	}
	if (entry->arm)
		jsonw_text(&json, "arm", entry->arm);
	jsonw_int(&json, "status", entry->status);
	jsonw_text(&json, "outcome", entry->timed_out ? "timed_out" : event_outcome_names[entry->outcome]);
	jsonw_text(&json, "received_at", received);
	jsonw_array(&json, "stages");
	for (size_t i = 0; i < count; i++)
		write_step(&json, &steps[i], i > 0 ? &steps[i - 1] : NULL, entry);
	jsonw_end_array(&json);
	write_ms(&json, "total_ms", total_of(entry));
	jsonw_int(&json, "attempts", entry->times.attempts);
	jsonw_int(&json, "batch_size", entry->times.batch_size);
	jsonw_end_object(&json);
	buffer_add_text(out, "\n");
}

/* Where it was measured. */
static void write_cpu(struct json_writer *json, const struct event_times *times)
{
	bool any = false;
	for (int kind = 0; kind < KIND_COUNT; kind++)
		any |= times->stages[kind].has_cpu;
	if (!any)
		return;
	jsonw_object(json, "processor");
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (times->stages[kind].has_cpu)
			write_ms(json, kind_names[kind], times->stages[kind].cpu_ns);
	jsonw_end_object(json);
}

void lineage_write_profile(const struct lineage_entry *entry, struct buffer *out)
{
	struct lineage_step steps[LINEAGE_STEPS_MAX];
	size_t count = lineage_steps(entry, steps);
	buffer_add_text(out, "LATENCY_PROFILE: ");
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "requestId", entry->request_id);
	if (entry->message_id_size)
		jsonw_bytes(&json, "messageId", entry->message_id, entry->message_id_size);
	else
		jsonw_null(&json, "messageId");
	jsonw_object(&json, "stages");
	for (size_t i = 1; i < count; i++)
		write_ms(&json, steps[i].name, steps[i].at_ns - steps[i - 1].at_ns);
	jsonw_end_object(&json);
	write_cpu(&json, &entry->times);
	write_ms(&json, "total", total_of(entry));
	jsonw_end_object(&json);
}
