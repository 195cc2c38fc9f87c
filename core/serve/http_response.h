/*
 * HTTP responses of both listeners, and how they go out. Errors are problem documents (RFC 9457).
 */
#ifndef SERVE_HTTP_RESPONSE_H
#define SERVE_HTTP_RESPONSE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "runtime/config.h"

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_PROBLEM "application/problem+json"
#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"

enum { HTTP_RESPONSE_HEADERS_MAX = 8, RETRY_AFTER_SIZE = 24 };

struct http_response {
	int status;
	const char *content_type;  /* one of the above, or another; NULL: among `more` */
	const struct buffer *body; /* must stay as it is until the request is over */
	/* Never compressed: what stands in it is not known here. Beside text of the sender's choice, the size of a compressed
	 * secret gives it away (BREACH, CVE-2013-3587). */
	bool as_is;
	const struct buffer *more; /* header fields besides: name, NUL, value, NUL, …; may be NULL */
	size_t header_count;
	struct {
		const char *name, *value; /* borrowed until http_response_queue() */
	} headers[HTTP_RESPONSE_HEADERS_MAX];
};

/* `value` NULL: nothing is added. */
void http_response_header(struct http_response *response, const char *name, const char *value);

/* Whether `more` has the field. */
bool http_response_has_more(const struct http_response *response, const char *name);

/* The value of Retry-After beside a 503, in whole seconds: `asked_ns`, but at least `listen.retry_after`. */
const char *http_response_retry_after(const struct listen_config *listen, int64_t asked_ns,
                                      char text[RETRY_AFTER_SIZE]);

/* Queues the response, compressed where the sender accepts it and `listen` says so. */
enum MHD_Result http_response_queue(struct MHD_Connection *connection, const struct http_response *response,
                                    const struct listen_config *listen);

/* Writes a problem document. `detail` may be "". `events`: see below. */
void http_response_write_problem(struct buffer *out, int status, const char *detail, const char *request_id,
                                 const struct buffer *events);

/* Inside of an object of JSON that has members: what became of the events of one request, as a list of JSON. NULL or empty:
 * writes nothing. */
void http_response_write_events(struct buffer *out, const struct buffer *events);

/* Says it on a socket that libmicrohttpd will write nothing to any more, without waiting; the connection is over after
 * it. */
void http_response_raw(int fd, const struct listen_config *listen, int status, const char *detail,
                       const char *request_id);

/* Whether an Accept-Encoding field value (may be NULL) lets a response be gzip (RFC 9110, section 12.5.3). */
bool http_response_accepts_gzip(const char *accept_encoding);

/* gzip of the data in memory of malloc(); NULL when that fails. */
void *http_response_gzip(const void *data, size_t size, int level, size_t *size_out);

#endif
