/*
 * Spans as OTLP has them in JSON: ids in hexadecimal, 64-bit numbers as text, enumerations as numbers
 * (opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding").
 */
#ifndef OTLP_SPAN_H
#define OTLP_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json_writer.h"
#include "otlp/trace_context.h"

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2 };

struct span_attribute {
	const char *name;
	const char *text; /* NULL: it is a number … */
	int64_t number;
	bool is_absent; /* is left out */
};

struct span {
	const struct trace_context *trace;
	const uint8_t *span_id, *parent_id; /* SPAN_ID_SIZE each; a parent of all zeros: it is the root */
	bool parent_is_remote;
	enum span_kind kind;
	const char *name;
	int64_t start_ns, end_ns; /* wall clock */
	const struct span_attribute *attributes;
	size_t attribute_count;
	bool failed;
};

/* Who the spans are of. */
struct span_resource {
	const char *service, *version, *instance;
};

void span_write(struct json_writer *json, const struct span *span);

/* What stands before and behind all spans of a message. */
void span_begin_message(struct json_writer *json, const struct span_resource *resource);
void span_end_message(struct json_writer *json);

#endif
