/*
 * Reads one HTTP/1.1 response as its bytes arrive (RFC 9112) and keeps what a client needs to know: the status, when it
 * ends, and whether the connection may be used again; the body, where it is wanted.
 */
#ifndef CLIENT_RESPONSE_H
#define CLIENT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum http_response_state {
	RESPONSE_HEAD,       /* status line and headers */
	RESPONSE_BODY,       /* `left` bytes of it */
	RESPONSE_UNTIL_EOF,  /* a body without a length */
	RESPONSE_CHUNK_SIZE, /* a line that begins a chunk */
	RESPONSE_CHUNK,      /* `left` bytes of it */
	RESPONSE_CHUNK_END,  /* the line end behind it */
	RESPONSE_TRAILER,    /* lines, to an empty one */
	RESPONSE_DONE,
	RESPONSE_BROKEN, /* not HTTP */
};

enum {
	RESPONSE_HEAD_MAX = 8192, /* bytes; a longer head is no response */
	RESPONSE_RETRY_AFTER_MAX_S = INT32_MAX,
};

struct http_response {
	enum http_response_state state;
	int status;
	bool closes;           /* the connection ends with this response */
	int64_t retry_after_s; /* -1: not said, or said as a date; at most RESPONSE_RETRY_AFTER_MAX_S */
	struct buffer *body;   /* the caller's: the body is added to it; NULL: it is dropped */
	uint64_t left;
	size_t size; /* of the line or head being read */
	char text[RESPONSE_HEAD_MAX];
};

void http_response_begin(struct http_response *response);

/* Takes bytes up to the end of the response and returns how many those were. */
size_t http_response_take(struct http_response *response, const char *data, size_t size);

/* The connection has ended in order: that may be the end of the response. */
void http_response_end(struct http_response *response);

#endif
