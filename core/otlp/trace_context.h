/*
 * A request's place in a trace that others have begun: W3C Trace Context, the header field traceparent.
 */
#ifndef OTLP_TRACE_CONTEXT_H
#define OTLP_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/event.h>

enum {
	TRACE_ID_SIZE = 16,
	SPAN_ID_SIZE = 8,
	TRACE_ID_TEXT_SIZE = 2 * TRACE_ID_SIZE + 1,
	TRACEPARENT_SIZE = 56, /* "00-", trace id, "-", span id, "-", flags, and a NUL */
};

struct trace_context {
	uint8_t trace_id[TRACE_ID_SIZE];
	uint8_t span_id[SPAN_ID_SIZE];   /* of this request; all zeros: it has none */
	uint8_t parent_id[SPAN_ID_SIZE]; /* of the sender; all zeros: it has said none */
	bool is_sampled;
};

/* How it is decided whether a request is traced. */
struct trace_sampling {
	bool by_parent; /* as the sender's flag says, where it sends one */
	double share;   /* else this share of all, 0 to 1, the same ones for everybody who sees the trace id */
};

/* Begins the request's span: in the trace of a valid traceparent, else in a new one. */
void trace_context_begin(struct trace_context *context, struct sluice_bytes traceparent,
                         const struct trace_sampling *sampling);

/* Version, ids and flags, section 3.2.2 of the recommendation. False: it is to be treated as if there were none. */
bool trace_context_parse(struct sluice_bytes traceparent, struct trace_context *context_out);

/* As who answers says it: traceresponse of Trace Context, Level 2. */
void trace_context_format(const struct trace_context *context, char text[TRACEPARENT_SIZE]);
void trace_context_id(const struct trace_context *context, char text[TRACE_ID_TEXT_SIZE]);

#endif
