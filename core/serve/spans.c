/*
 * Requests as spans; see spans.h.
 */
#include "serve/spans.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "otlp/span.h"
#include "serve/lineage.h"

enum { NAME_SIZE = 1100, STATUS_TEXT_SIZE = 8, PARTS = 3, OWN_NAME_SIZE = 64 };

/* A moment of the request on the wall clock. */
static int64_t wall_of(const struct lineage_entry *entry, int64_t at_ns)
{
	if (entry->times.wall_ns)
		return entry->times.wall_ns + (at_ns - entry->times.start_ns);
	return entry->begun_wall_ns + (at_ns - entry->begun_ns);
}

static void write_request(const struct lineage_entry *entry, const char *path, bool was_submitted,
                          struct json_writer *json)
{
	char name[NAME_SIZE], message_id[SLUICE_NAME_MAX + 1], status[STATUS_TEXT_SIZE];
	memcpy(message_id, entry->message_id, entry->message_id_size);
	message_id[entry->message_id_size] = '\0';
	(void)snprintf(status, sizeof(status), "%d", entry->status);
	(void)snprintf(name, sizeof(name), "%s%s%s", entry->method, was_submitted ? " " : "",
	               was_submitted ? path : "");
	const struct span_attribute attributes[] = {
		{.name = "http.request.method", .text = entry->method},
		{.name = "http.route", .text = path, .is_absent = !was_submitted},
		{.name = "http.response.status_code", .number = entry->status},
		{.name = "error.type", .text = status, .is_absent = entry->status < 500},
		{.name = "sluice.request_id", .text = entry->request_id},
		{.name = "sluice.message_id", .text = message_id, .is_absent = !entry->message_id_size},
		{.name = "sluice.credential", .text = entry->credential, .is_absent = !entry->credential[0]},
		{.name = "sluice.outcome",
	         .text = entry->timed_out ? "timed_out" : event_outcome_names[entry->outcome],
	         .is_absent = !was_submitted},
		{.name = "sluice.attempts", .number = entry->times.attempts, .is_absent = !entry->times.attempts},
		{.name = "sluice.batch_size", .number = entry->times.batch_size, .is_absent = !entry->times.batch_size},
	};
	const struct span span = {
		.trace = &entry->trace,
		.span_id = entry->trace.span_id,
		.parent_id = entry->trace.parent_id,
		.parent_is_remote = true,
		.kind = SPAN_SERVER,
		.name = name,
		.start_ns = wall_of(entry, was_submitted ? entry->times.start_ns : entry->begun_ns),
		.end_ns = wall_of(entry, entry->sent_ns),
		.attributes = attributes,
		.attribute_count = sizeof(attributes) / sizeof(attributes[0]),
		.failed = entry->status >= 500,
	};
	span_write(json, &span);
}

/* What the stage has measured of itself. */
static size_t add_own_spans(const struct lineage_entry *entry, int kind, char names[SLUICE_SPANS_MAX][OWN_NAME_SIZE],
                            struct span_attribute *attributes)
{
	const char *const *own = kind < 0 ? NULL : entry->spans[kind];
	size_t count = 0;
	for (; own && count < SLUICE_SPANS_MAX && own[count]; count++) {
		(void)snprintf(names[count], OWN_NAME_SIZE, "sluice.%s_ns", own[count]);
		attributes[count] = (struct span_attribute){.name = names[count],
		                                            .number = entry->times.stages[kind].spans_ns[count]};
	}
	return count;
}

static void write_step(const struct lineage_entry *entry, const struct lineage_step *before,
                       const struct lineage_step *step, struct json_writer *json)
{
	static const struct stage_times none;
	const struct stage_times *times = step->kind < 0 ? &none : &entry->times.stages[step->kind];
	uint8_t id[SPAN_ID_SIZE];
	digest_random(id, sizeof(id));
	char names[SLUICE_SPANS_MAX][OWN_NAME_SIZE];
	struct span_attribute attributes[PARTS + SLUICE_SPANS_MAX] = {
		{.name = "sluice.work_ns", .number = times->work_ns},
		{.name = "sluice.wait_ns", .number = times->wait_ns, .is_absent = !times->wait_ns},
		{.name = "sluice.parked_ns", .number = times->parked_ns, .is_absent = !times->parked_ns},
	};
	const size_t own = add_own_spans(entry, step->kind, names, attributes + PARTS);
	const struct span span = {
		.trace = &entry->trace,
		.span_id = id,
		.parent_id = entry->trace.span_id,
		.kind = SPAN_INTERNAL,
		.name = step->name,
		.start_ns = wall_of(entry, before->at_ns),
		.end_ns = wall_of(entry, step->at_ns),
		.attributes = attributes,
		.attribute_count = step->kind < 0 ? 0 : PARTS + own,
	};
	span_write(json, &span);
}

size_t spans_write(const void *item, const char *path, struct json_writer *json)
{
	const struct lineage_entry *entry = item;
	const bool was_submitted = entry->times.start_ns && entry->times.wall_ns;
	struct lineage_step steps[LINEAGE_STEPS_MAX];
	write_request(entry, path, was_submitted, json);
	if (!was_submitted)
		return 1;
	size_t count = lineage_steps(entry, steps);
	for (size_t i = 1; i < count; i++)
		write_step(entry, &steps[i - 1], &steps[i], json);
	return count;
}
