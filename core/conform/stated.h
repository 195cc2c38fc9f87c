/*
 * What the author states of requests: --request FILE --expect LIST, or --request FOLDER with pairs NAME.http and
 * NAME.expect. A LIST is NAME=VALUE,…; an .expect file has one NAME=VALUE in a line. A VALUE that begins with @ is read
 * from that file. The names:
 *
 *     verdict      PASS (unless stated), REJECT or DONE
 *     status       of the response, with REJECT
 *     message_id, event_type, stream, sequence, payload    what a parse stage finds in it
 *     client       the address it comes from; 203.0.113.7 unless stated
 *     alike        a header whose changes and truncations may pass, too; may be stated more than once
 */
#ifndef CONFORM_STATED_H
#define CONFORM_STATED_H

#include "conform/request.h"

enum { STATED_MAX = 64, ALIKE_MAX = 16 };

struct stated {
	char name[256]; /* of its file, for sentences */
	struct request request;
	enum sluice_verdict verdict;
	int status; /* 0: any */
	const char *client;
	struct sluice_bytes message_id, event_type, stream, payload; /* absent: not stated */
	int64_t sequence;
	bool has_sequence;
	const char *alike[ALIKE_MAX + 1];
};

/* All that is stated, in the order of the names; a request without a statement is to pass. Read once in a process.
 * `count_out` is 0 without --request. Ends the check where it cannot be read. */
const struct stated *stated_all(struct check *check, size_t *count_out);

/* The first that is to pass: what the checks spoil. NULL: there is none. */
const struct stated *stated_model(struct check *check);

/* Its request as an event. */
struct sluice_event *stated_event(struct bench *bench, const struct stated *stated);

bool stated_is_alike(const struct stated *stated, const char *header);

/* The check: each request comes out as stated, alone and on several threads at once. */
void stated_holds(struct check *check);

#endif
