/*
 * Answers: what both doors say, and how it goes out. Errors are problem documents (RFC 9457).
 */
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "runtime/config.h"

#define REPLY_JSON "application/json"
#define REPLY_PROBLEM "application/problem+json"
#define REPLY_TEXT "text/plain; charset=utf-8"

enum { REPLY_HEADERS_MAX = 8, REPLY_SECONDS_SIZE = 24 };

struct reply {
	int status;
	const char *content_type;  /* one of the above, or another; NULL: among `more` */
	const struct buffer *body; /* must stay as it is until the request is over */
	bool compress;             /* where the sender accepts it and the size is worth it, by `listen` */
	const struct buffer *more; /* header fields besides: name, NUL, value, NUL, …; may be NULL */
	size_t header_count;
	struct {
		const char *name, *value; /* borrowed until reply_queue() */
	} headers[REPLY_HEADERS_MAX];
};

/* `value` NULL: nothing is added. */
void reply_header(struct reply *reply, const char *name, const char *value);

/* Whether `more` has the field. */
bool reply_has_more(const struct reply *reply, const char *name);

/* The value of Retry-After beside a 503, in whole seconds: `asked_ns`, but at least `listen.retry_after`. */
const char *reply_retry_after(const struct listen_config *listen, int64_t asked_ns, char text[REPLY_SECONDS_SIZE]);

/* Queues the answer, compressed if it should be. */
enum MHD_Result reply_queue(struct MHD_Connection *connection, const struct reply *reply,
                            const struct listen_config *listen);

/* Writes a problem document. `detail` may be "". */
void reply_write_problem(struct buffer *out, int status, const char *detail, const char *request_id);

/* Says it on a socket that libmicrohttpd will write nothing to any more, without waiting; the connection is over after
 * it. */
void reply_raw(int fd, const struct listen_config *listen, int status, const char *detail, const char *request_id);

/* Whether an Accept-Encoding field value (may be NULL) lets an answer be gzip (RFC 9110, section 12.5.3). */
bool reply_accepts_gzip(const char *accept_encoding);

/* gzip of the data in memory of malloc(); NULL when that fails. */
void *reply_gzip(const void *data, size_t size, int level, size_t *size_out);

#endif
