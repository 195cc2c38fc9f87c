/*
 * The head of a request, whose framing has been checked (framing.h): its header fields, those that the server itself
 * obeys picked out, and its target.
 */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

#include "runtime/event.h"

enum {
	REQUEST_HEADERS_MAX = 128, /* fields; more are refused like headers that are too large */
	REQUEST_ID_MAX = 128,      /* characters */
};

/* Filled by request_add_header(), starts zeroed but for `headers`. All is borrowed from who reads the request. */
struct request_head {
	size_t header_count; /* may exceed REQUEST_HEADERS_MAX: the rest is counted and not kept */
	size_t header_bytes; /* names and values, and 4 bytes each for what stands between them */
	bool has_length, chunked;
	uint64_t length; /* of the body, with has_length */
	struct sluice_bytes request_id, traceparent, content_encoding, host;
	struct sluice_header headers[REQUEST_HEADERS_MAX];
};

/* What an event is told besides the header fields, borrowed as well. */
struct request_facts {
	struct sluice_bytes request_id, method, authority, path, query, client_address;
};

void request_head_init(struct request_head *head);
void request_add_header(struct request_head *head, struct sluice_bytes name, struct sluice_bytes value);

/* Of a host, and the port behind it. */
#define REQUEST_AUTHORITY_CHARACTERS "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~%:[]"

/* Path and query of the target in a request line, "/in?a=b"; the query is absent without a question mark. The authority as
 * well where the target is a whole URL: it then counts instead of Host (RFC 9112, section 3.2.2). False: it is neither. */
bool request_split_target(const char *target, struct request_facts *facts);

/* Whether a path leads to `wanted`: percent-encoding and a slash at the end make no difference. */
bool request_path_is(struct sluice_bytes path, const char *wanted);

/* Whether a path differs from `wanted` only in upper and lower case, in doubled slashes and those at the end. */
bool request_path_resembles(struct sluice_bytes path, const char *wanted);

/* How the body is compressed. More than one coding is none that is known. */
enum content_coding request_coding(const struct request_head *head);

/* Whether the sender's own request id is taken: 1–128 printable ASCII characters. */
bool request_id_is_usable(struct sluice_bytes id);

/* Copies head and facts into the event. False when the bound on the bytes in flight is reached. */
bool request_copy(const struct request_head *head, const struct request_facts *facts, struct event *event);

#endif
