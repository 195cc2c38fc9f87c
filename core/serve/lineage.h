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
#include "runtime/config.h"
#include "runtime/event.h"
#include "serve/credentials.h"
#include "serve/request.h"

/* One request, from its arrival to its response. */
struct lineage_entry {
	char request_id[REQUEST_ID_MAX + 1];
	uint16_t message_id_size; /* bytes; 0: no stage has said */
	char message_id[SLUICE_NAME_MAX];
	char credential[CREDENTIAL_LABEL_MAX + 1]; /* that authenticated it; "": no stage has said */
	int status;                                /* of HTTP */
	enum event_outcome outcome;
	bool timed_out;  /* the sender's deadline came first: the event went on without a response to give */
	int64_t sent_ns; /* monotonic: the response was sent */
	struct event_times times;
	const char *const *spans[KIND_COUNT]; /* their names, by stage; NULL: none */
};

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
