/*
 * A request that the auth stage under test accepts, for checks to spoil: made for a scheme that is known, or for a fixed
 * token, or read from the file given with --request.
 */
#ifndef CONFORM_VALID_H
#define CONFORM_VALID_H

#include "base/buffer.h"
#include "conform/check.h"
#include "conform/request.h"
#include "conform/stated.h"

struct valid {
	struct valid_header {
		const char *name;
		struct buffer value;
		size_t from;  /* what stands before it may be written in other ways */
		bool matters; /* without it the request is rejected */
	} headers[REQUEST_HEADERS_MAX];
	size_t header_count;
	struct buffer body;
	struct request request;      /* what it was made of, or empty */
	const struct stated *stated; /* likewise, or NULL */
	bool signs_body;             /* known to; a request from a file may or may not */
	bool has_time;               /* known to sign when it was sent */
};

/* Ends the check, skipped, if no such request is known or the stage accepts every request. The clock is set to when
 * the request is made: for one from a file, to its Date header if there is one. */
struct bench *valid_open(struct check *check, struct valid *valid_out);

/* Which item of a list of secrets the next valid_open() proves, 0 at first; false: the list given is shorter, and it is the
 * first again. */
bool valid_use_item(struct check *check, size_t number);

struct sluice_event *valid_event(struct bench *bench, const struct valid *valid);

#endif
