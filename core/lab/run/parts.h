/*
 * The parts of a request: where its time went, from the moment it was to be sent until its answer was there.
 *
 * Parts do not overlap and together are the whole: what no other part accounts for is a part itself. Waiting and
 * working are never one part. How each is made of a record is in docs/internals/analysis.md.
 */
#ifndef LAB_RUN_PARTS_H
#define LAB_RUN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

/* In the order of time, parked and the rest aside, which may lie anywhere in the server. */
enum part {
	PART_UNSENT,
	PART_INBOUND,
	PART_AUTH,
	PART_PARSE,
	PART_IDEMPOTENCY,
	PART_PARKED,
	PART_QUEUE,
	PART_PERSIST,
	PART_REST,
	PART_RESPOND,
	PART_OUTBOUND,
	PARTS,
};

struct part_words {
	const char *name;  /* for programs: "unsent" */
	const char *title; /* for people: "waiting to be sent" */
	bool is_wait;      /* nobody works on the request */
	bool of_server;    /* the server could change it; the others are the sender's and the network's */
};
extern const struct part_words part_words[PARTS];

/* One request, ns. */
struct parts {
	int64_t total_ns;      /* from the intended time (of a server: from the complete request) to the answer */
	int64_t raw_ns;        /* from the sending to the answer */
	int64_t ns[PARTS];     /* -1: did not happen, or is not known */
	int64_t cpu_ns[PARTS]; /* of a stage's work, what its thread was on a processor; -1: not measured */
	int64_t unspanned_ns;  /* of persist's work, what none of its spans has; -1: there are no spans */
};

enum parts_verdict {
	PARTS_KNOWN,
	PARTS_UNANSWERED, /* no answer came */
	PARTS_REFUSED,    /* a server's: rejected before its time was taken */
};

/* Fills *parts_out for PARTS_KNOWN only. */
enum parts_verdict parts_of(const struct trace_record *record, struct parts *parts_out);

/* A record of `sluice replay` or `sluice compare`, not of a server. */
bool parts_is_of_sender(const struct trace_record *record);

/* A part as it lies in time. */
struct part_step {
	enum part part;
	int64_t start_ns; /* since the intended time */
	int64_t took_ns;
};

/* The parts that took any time, one after the other; returns how many. A stage that was tried again stands there once,
 * with all its tries. */
size_t parts_steps(const struct parts *parts, struct part_step steps_out[PARTS]);

#endif
