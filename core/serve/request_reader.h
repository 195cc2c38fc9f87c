/*
 * The request reader: what is read of a request before the pipeline gets it, and what is refused right there.
 *
 * A refused request gets its response when its body is there, because libmicrohttpd closes the connection after one
 * that comes earlier; only where the body is large, or its end in doubt, is the connection given up.
 */
#ifndef SERVE_REQUEST_READER_H
#define SERVE_REQUEST_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "serve/exchange.h"
#include "serve/refusals.h"

/* Why a request does not reach the pipeline. */
struct refusal {
	enum refusal_reason reason;
	int status;
	const char *detail; /* for the operator, and for the sender unless the exchange has a detail of its own */
	const char *allow;  /* 405: the methods there are; NULL otherwise */
	const char *accept_encoding; /* 415: the codings there are; NULL otherwise */
	bool closes;                 /* the connection ends with the response */
};

/* The headers are there: fills the exchange's event, or its refusal. False: the response has to go out now. */
bool request_reader_begin(struct exchange *exchange, const char *method);

/* A part of the body. False: more than anybody will read has come for a request that is refused. */
bool request_reader_receive(struct exchange *exchange, const char *data, size_t size);

/* The body is there: completes the event. False: the request is refused, after all or since before. */
bool request_reader_finish(struct exchange *exchange);

/* Gives back what a request that ends early has taken. */
void request_reader_abandon(struct exchange *exchange);

#endif
