/*
 * The head of a request: its header fields, those that the server itself obeys picked out, and whether its framing can
 * be trusted.
 *
 * libmicrohttpd accepts Content-Length beside Transfer-Encoding, several Content-Lengths and any transfer coding. Two
 * servers that read such a request differently can be made to disagree about where it ends, so it is refused (RFC 9112,
 * sections 6.1 and 6.3).
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
	bool is_http_1_0;
	bool bad_framing; /* of a single field: an unreadable or second length, an unknown or second coding, a bad name
	                   */
	uint64_t length;  /* of the body, with has_length */
	bool repeats_host;
	struct sluice_bytes request_id, traceparent, content_encoding, host;
	struct sluice_header headers[REQUEST_HEADERS_MAX];
};

/* What an event is told besides the header fields, borrowed as well. */
struct request_facts {
	struct sluice_bytes request_id, method, authority, path, query, client_address;
};

void request_head_init(struct request_head *head);
void request_add_header(struct request_head *head, struct sluice_bytes name, struct sluice_bytes value);

/* NULL, or the sentence that says why nobody can be sure where the request ends, or whom it is for. */
const char *request_framing_conflict(const struct request_head *head);

/* Path and query of the target in a request line, "/in?a=b"; the query is absent without a question mark. */
void request_split_target(const char *target, struct sluice_bytes *path_out, struct sluice_bytes *query_out);

/* Whether the body is sent as it is. */
bool request_is_identity(const struct request_head *head);

/* Whether the sender's own request id is taken: 1–128 printable ASCII characters. */
bool request_id_is_usable(struct sluice_bytes id);

/* Copies head and facts into the event. False when the bound on the bytes in flight is reached. */
bool request_copy(const struct request_head *head, const struct request_facts *facts, struct event *event);

#endif
