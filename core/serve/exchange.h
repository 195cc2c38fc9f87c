/*
 * An exchange: one request and its response, between the HTTP thread that owns the connection and the pipeline that owns
 * the event.
 *
 * The two sides hold a reference each. Whoever completes it first (the pipeline, or the sweeper when the sender's deadline has
 * passed) claims it; the other finds it claimed and leaves. The response itself goes out on the HTTP thread:
 *
 *     HTTP thread                                      who completes it
 *     submit; COMPLETE already? respond at once        claim, fill the entry, state → COMPLETE
 *     suspend; RUNNING → SUSPENDED                     it was SUSPENDED: resume the connection
 *     it was COMPLETE meanwhile: resume it at once
 *
 * So a resume never comes before its suspend, and a response that is there when submit returns costs no suspend at all.
 */
#ifndef SERVE_EXCHANGE_H
#define SERVE_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "runtime/pipeline.h"
#include "serve/connection.h"
#include "serve/forwarded.h"
#include "serve/lineage.h"

enum exchange_state { EXCHANGE_RUNNING, EXCHANGE_SUSPENDED, EXCHANGE_COMPLETE };

struct exchange_pool;
struct service;

struct exchange {
	struct exchange_pool *pool;
	struct exchange *next; /* in the pool */
	struct service *service;
	struct MHD_Connection *mhd;
	struct connection *connection;

	/* The HTTP thread's, until it submits. */
	struct event *event; /* NULL: refused, or submitted */
	char *body;          /* of the event, with room for a NUL */
	size_t body_size, body_room;
	uint64_t body_length;       /* as announced; UINT64_MAX: chunked */
	uint64_t discarded;         /* bytes of a refused request's body */
	struct forwarded forwarded; /* its authority is borrowed from libmicrohttpd, and gone with the head */
	enum content_coding coding; /* of the body */
	const struct refusal *refusal;
	bool asks_health;
	bool submitted; /* it goes into the pipeline; set before the connection is BUSY */
	bool responded;

	/* Between the two sides. */
	atomic_uint references;
	atomic_bool claimed;
	atomic_int state;

	/* Written by who claimed. The times' start and the request id are there from the submit on. */
	struct lineage_entry entry;
	enum ack ack;
	int64_t delay_ns;
	char detail[SLUICE_DETAIL_MAX];
	struct buffer response_headers; /* that stages add: name, NUL, value, NUL, … */
	struct buffer events;           /* of a request that carried several: what became of each, as a list of JSON */
	bool is_own; /* a stage's own response: `response_body` is its body, `response_headers` have its type */

	struct buffer response_body;
};

/* Exchanges are recycled and stay where they are until the pool's end, which comes after the pipeline's. */
struct exchange_pool *exchange_pool_create(struct service *service);
void exchange_pool_destroy(struct exchange_pool *pool);

/* With the HTTP thread's reference, ready for a request. */
struct exchange *exchange_take(struct exchange_pool *pool);
void exchange_reset(struct exchange *exchange); /* one that has only this reference left, for the next request */
void exchange_release(struct exchange *exchange);
bool exchange_is_mine(const struct exchange *exchange); /* no other reference is left */

/* Sends the event down, its connection being BUSY. True: the response is there. False: the connection is suspended and
 * will be resumed. */
bool exchange_submit(struct exchange *exchange);

bool exchange_is_complete(const struct exchange *exchange);

/* The sender's deadline has passed (or the server goes): completes it with 503. False: it was complete already. */
bool exchange_time_out(struct exchange *exchange);

#endif
