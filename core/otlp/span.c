/*
 * Spans as JSON; see span.h.
 */
#include "otlp/span.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"

enum {
	ID_TEXT_MAX = 2 * TRACE_ID_SIZE + 1,
	NUMBER_TEXT_SIZE = 24,
	STATUS_ERROR = 2,
	HAS_REMOTE = 0x100,
	IS_REMOTE = 0x200
};

static void write_id(struct json_writer *json, const char *key, const uint8_t *id, size_t size)
{
	char text[ID_TEXT_MAX];
	hex_write(id, size, text);
	text[2 * size] = '\0';
	jsonw_text(json, key, text);
}

static void write_number(struct json_writer *json, const char *key, int64_t number)
{
	char text[NUMBER_TEXT_SIZE];
	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	jsonw_text(json, key, text);
}

static void write_attribute(struct json_writer *json, const struct span_attribute *attribute)
{
	if (attribute->is_absent)
		return;
	jsonw_object(json, NULL);
	jsonw_text(json, "key", attribute->name);
	jsonw_object(json, "value");
	if (attribute->text)
		jsonw_text(json, "stringValue", attribute->text);
	else
		write_number(json, "intValue", attribute->number);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_attributes(struct json_writer *json, const struct span_attribute *attributes, size_t count)
{
	jsonw_array(json, "attributes");
	for (size_t i = 0; i < count; i++)
		write_attribute(json, &attributes[i]);
	jsonw_end_array(json);
}

static bool is_zero(const uint8_t id[SPAN_ID_SIZE])
{
	for (size_t i = 0; i < SPAN_ID_SIZE; i++)
		if (id[i])
			return false;
	return true;
}

void span_write(struct json_writer *json, const struct span *span)
{
	jsonw_object(json, NULL);
	write_id(json, "traceId", span->trace->trace_id, TRACE_ID_SIZE);
	write_id(json, "spanId", span->span_id, SPAN_ID_SIZE);
	if (!is_zero(span->parent_id))
		write_id(json, "parentSpanId", span->parent_id, SPAN_ID_SIZE);
	jsonw_int(json, "flags", 1 | HAS_REMOTE | (span->parent_is_remote ? IS_REMOTE : 0));
	jsonw_text(json, "name", span->name);
	jsonw_int(json, "kind", span->kind);
	write_number(json, "startTimeUnixNano", span->start_ns);
	write_number(json, "endTimeUnixNano", span->end_ns);
	if (span->attribute_count)
		write_attributes(json, span->attributes, span->attribute_count);
	jsonw_object(json, "status");
	if (span->failed)
		jsonw_int(json, "code", STATUS_ERROR);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

void span_begin_message(struct json_writer *json, const struct span_resource *resource)
{
	const struct span_attribute attributes[] = {
		{.name = "service.name", .text = resource->service},
		{.name = "service.version", .text = resource->version},
		{.name = "service.instance.id", .text = resource->instance},
	};
	jsonw_object(json, NULL);
	jsonw_array(json, "resourceSpans");
	jsonw_object(json, NULL);
	jsonw_object(json, "resource");
	write_attributes(json, attributes, sizeof(attributes) / sizeof(attributes[0]));
	jsonw_end_object(json);
	jsonw_array(json, "scopeSpans");
	jsonw_object(json, NULL);
	jsonw_object(json, "scope");
	jsonw_text(json, "name", "sluice");
	jsonw_text(json, "version", resource->version);
	jsonw_end_object(json);
	jsonw_array(json, "spans");
}

void span_end_message(struct json_writer *json)
{
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_end_array(json);
	jsonw_end_object(json);
}
