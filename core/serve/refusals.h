/*
 * Refusals: requests that got no 2xx, counted by reason. Those that no stage has seen are also logged here, each reason at most once
 * a second; for the others the pipeline does (`event_refused`, `event_failed`).
 *
 * A line names the request, its client, its path and why, never a header, a query or a body.
 */
#ifndef SERVE_REFUSALS_H
#define SERVE_REFUSALS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

#include "base/log_limit.h"
#include "base/network.h"
#include "runtime/verdict.h"

enum refusal_reason {
	/* By the listener. */
	REFUSAL_MALFORMED,   /* no HTTP, or HTTP that could be read in two ways */
	REFUSAL_LATE,        /* head or body did not come in time */
	REFUSAL_CONNECTIONS, /* as many as may be are open */
	REFUSAL_EVICTED,     /* others needed its place */
	REFUSAL_PATH,
	REFUSAL_METHOD,
	REFUSAL_LENGTH, /* none was given */
	REFUSAL_ENCODING,
	REFUSAL_HEADERS,
	REFUSAL_FULL,     /* a bound of `events` is reached */
	REFUSAL_LEAVING,  /* the server shuts down */
	REFUSAL_DEADLINE, /* the sender's has passed */
	/* By the listener or a stage. */
	REFUSAL_BODY_SIZE,
	REFUSAL_RATE,
	REFUSAL_INTERNAL,
	/* By a stage. */
	REFUSAL_INVALID,
	REFUSAL_UNAUTHORIZED,
	REFUSAL_MEDIA_TYPE,
	REFUSAL_CONFLICT,
	REFUSAL_UNAVAILABLE,
	REFUSAL_OTHER,
	REFUSAL_REASONS,
};

/* For the metric, "unknown_path". */
extern const char *const refusal_names[REFUSAL_REASONS];

/* Starts zeroed. */
struct refusals {
	struct {
		_Atomic uint64_t count;
		struct log_limit limit;
	} reasons[REFUSAL_REASONS];
};

/* A refusal by the listener. All is borrowed. */
struct refused {
	enum refusal_reason reason;
	int status;
	const char *detail; /* a sentence for the operator */
	const char *request_id;
	const struct ip_address *client; /* NULL: not known */
	const char *target;              /* as in the request line; NULL: there was none … */
	const char *served;              /* … and the path that webhooks go to */
};

/* Counts it and, as far as the limit lets it, logs it. From any thread. */
void refusals_note(struct refusals *refusals, const struct refused *refused);

/* Counts what a stage has refused, which the pipeline has logged. From any thread. */
void refusals_count(struct refusals *refusals, int status, enum event_outcome outcome);

#endif
