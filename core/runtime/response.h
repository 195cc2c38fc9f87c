/*
 * What stages add to the response of an event: header fields, or a response of their own. All in the event's memory.
 */
#ifndef RUNTIME_RESPONSE_H
#define RUNTIME_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/event.h>

struct event;

enum {
	STATUS_CONFLICT = 422,
	STATUS_TOO_MANY = 429,
	RESPONSE_INVALID = -1,           /* as status: a response that no stage may make */
	RESPONSE_BODY_MAX = 1024 * 1024, /* bytes */
	RESPONSE_HEADER_BYTES_MAX =
		2048, /* bytes of all header fields, as many as surely fit beside the server's own */
};

struct response_header {
	struct sluice_bytes name, value; /* each followed by a NUL */
	struct response_header *next;
};

struct response {
	struct response_header *headers; /* no name twice */
	size_t header_bytes;
	int status;                     /* of a response of the stage's own; 0: there is none */
	struct sluice_bytes type, body; /* followed by a NUL */
};

/* Whether a stage may set a header field of this name, and this one: see sluice_set_header(). */
bool response_takes_name(const char *name);
bool response_takes_header(const char *name, const char *value);

/* Whether a stage may respond so: see sluice_respond(). */
bool response_is_valid(int status, const char *type, size_t size);

/* What sluice_set_header() and sluice_respond() do. */
bool event_set_header(struct event *event, const char *name, const char *value);
bool event_respond(struct event *event, int status, const char *type, const void *body, size_t size);

#endif
