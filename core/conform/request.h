/*
 * A request as text, head and body as they go over the wire: the one of the file given with --request, or one made.
 */
#ifndef CONFORM_REQUEST_H
#define CONFORM_REQUEST_H

#include "conform/check.h"

enum { REQUEST_HEADERS_MAX = 32 };

struct request {
	const char *method, *target; /* NULL: the text has no request line */
	const char *authority;       /* of its Host header, or NULL */
	struct request_header {
		const char *name, *value;
	} headers[REQUEST_HEADERS_MAX];
	size_t header_count;
	struct sluice_bytes body;
	bool has_date; /* a Date header, to which the clock is set */
};

/* Takes apart `size` bytes and the NUL behind them, which are changed and outlive the request. Ends the check, skipped,
 * if there are too many headers. */
void request_parse(struct check *check, char *text, size_t size, struct request *request_out);

/* An event without headers and body that came to the request's target. */
struct sluice_event *request_event(struct bench *bench, const struct request *request);

#endif
