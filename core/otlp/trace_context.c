/*
 * Trace context; see trace_context.h.
 */
#include "otlp/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"

enum {
	AT_TRACE = 3,
	AT_PARENT = AT_TRACE + 2 * TRACE_ID_SIZE + 1,
	AT_FLAGS = AT_PARENT + 2 * SPAN_ID_SIZE + 1,
	SIZE = AT_FLAGS + 2
};

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Lower case only. */
static bool read(const char *text, size_t size, uint8_t *bytes)
{
	for (size_t i = 0; i < size; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return hex_read(text, size, bytes);
}

bool trace_context_parse(struct sluice_bytes traceparent, struct trace_context *context_out)
{
	const char *text = traceparent.data;
	uint8_t version, flags;
	*context_out = (struct trace_context){0};
	if (traceparent.size < SIZE || text[2] != '-' || text[AT_PARENT - 1] != '-' || text[AT_FLAGS - 1] != '-' ||
	    !read(text, 2, &version) || version == 0xff ||
	    !read(text + AT_TRACE, (size_t)2 * TRACE_ID_SIZE, context_out->trace_id) ||
	    !read(text + AT_PARENT, (size_t)2 * SPAN_ID_SIZE, context_out->parent_id) ||
	    !read(text + AT_FLAGS, 2, &flags))
		return false;
	/* A later version may have more behind it, after another hyphen. */
	if (traceparent.size > SIZE && (version == 0 || text[SIZE] != '-'))
		return false;
	context_out->is_sampled = flags & 1;
	return !is_zero(context_out->trace_id, TRACE_ID_SIZE) && !is_zero(context_out->parent_id, SPAN_ID_SIZE);
}

/* The lower half of a trace id is random. */
static bool is_among(const struct trace_context *context, double share)
{
	uint64_t random = 0;
	for (size_t i = TRACE_ID_SIZE - 7; i < TRACE_ID_SIZE; i++)
		random = random << 8 | context->trace_id[i];
	return (double)random < share * (double)(UINT64_C(1) << 56);
}

void trace_context_begin(struct trace_context *context, struct sluice_bytes traceparent,
                         const struct trace_sampling *sampling)
{
	bool has_parent = trace_context_parse(traceparent, context);
	if (!has_parent) {
		*context = (struct trace_context){0};
		digest_random(context->trace_id, TRACE_ID_SIZE);
	}
	if (!has_parent || !sampling->by_parent)
		context->is_sampled = is_among(context, sampling->share);
	digest_random(context->span_id, SPAN_ID_SIZE);
}

void trace_context_id(const struct trace_context *context, char text[TRACE_ID_TEXT_SIZE])
{
	hex_write(context->trace_id, TRACE_ID_SIZE, text);
	text[TRACE_ID_TEXT_SIZE - 1] = '\0';
}

void trace_context_format(const struct trace_context *context, char text[TRACEPARENT_SIZE])
{
	memcpy(text, "00-", AT_TRACE);
	hex_write(context->trace_id, TRACE_ID_SIZE, text + AT_TRACE);
	text[AT_PARENT - 1] = '-';
	hex_write(context->span_id, SPAN_ID_SIZE, text + AT_PARENT);
	(void)snprintf(text + AT_FLAGS - 1, TRACEPARENT_SIZE - AT_FLAGS + 1, "-%02x", context->is_sampled);
}
