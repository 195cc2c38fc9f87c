/*
 * Lineage: where each request's time went, kept for the last requests and the slowest ones.
 *
 * Memory is fixed at start: one slot per request kept. Adding copies one entry under a lock that few share.
 */
#ifndef SERVE_LINEAGE_H
#define SERVE_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "otlp/trace_context.h"
#include "runtime/config.h"
#include "runtime/event.h"
#include "serve/credentials.h"
#include "serve/request.h"

enum { LINEAGE_METHOD_MAX = 15 };

/* One request, from its arrival to its response. */
struct lineage_entry {
	char request_id[REQUEST_ID_MAX + 1];
	uint16_t message_id_size; /* bytes; 0: no stage has said */
	char message_id[SLUICE_NAME_MAX];
	char credential[CREDENTIAL_LABEL_MAX + 1]; /* that authenticated it; "": no stage has said */
	int status;                                /* of HTTP */
	enum event_outcome outcome;
	uint32_t part,
		parts; /* with a message id: which event of its request, and of how many; else only how many it carried */
	bool timed_out;  /* the sender's deadline came first: the event went on without a response to give */
	int64_t sent_ns; /* monotonic: the response was sent */
	struct event_times times;
	const char *const *spans[KIND_COUNT]; /* their names, by stage; NULL: none */
	const char *arm;                      /* of a canary; NULL: there was none */

	/* Where requests are traced. */
	struct trace_context trace;
	char method[LINEAGE_METHOD_MAX + 1];
	int64_t begun_ns, begun_wall_ns; /* its head was there */
};

/* A boundary that the request has passed: what it came out of, and when. */
struct lineage_step {
	const char *name;
	int kind; /* enum sluice_kind; -1 for ingress and response */
	int64_t at_ns;
};

enum { LINEAGE_STEPS_MAX = KIND_COUNT + 2 };

/* In their order. Returns how many: ingress, the stages that ran, response. */
size_t lineage_steps(const struct lineage_entry *entry, struct lineage_step steps[LINEAGE_STEPS_MAX]);

struct lineage;

/* `recent` and `slowest` may be 0. */
struct lineage *lineage_create(size_t recent, size_t slowest);
void lineage_destroy(struct lineage *lineage);

/* From any thread. */
void lineage_add(struct lineage *lineage, const struct lineage_entry *entry);

/* The newest entry with that request id or message id; of a request that timed out, what is known since. From any
 * thread. */
bool lineage_find(struct lineage *lineage, const char *id, size_t size, struct lineage_entry *entry_out);

/* The tree for people, the document for programs, and the line of the profile log. */
void lineage_write_text(const struct lineage_entry *entry, struct buffer *out);
void lineage_write_json(const struct lineage_entry *entry, struct buffer *out);
void lineage_write_profile(const struct lineage_entry *entry, struct buffer *out);

#endif
