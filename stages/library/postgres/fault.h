/*
 * What a failure of PostgreSQL means: for the event at hand, for the connection, and in words for the operator.
 *
 * The words are always our own. A message of libpq quotes parts of the url, and a part of the url may be a part of a
 * password that was not percent-encoded; a message of the server may hold whatever a trigger puts into it.
 */
#ifndef POSTGRES_FAULT_H
#define POSTGRES_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

enum { SQLSTATE_SIZE = 6, TROUBLE_SIZE = 400 };

enum fault {
	FAULT_NONE,
	FAULT_LATER,   /* the database, not the event: try again */
	FAULT_REFUSED, /* the event, and it will be refused again */
};

struct trouble {
	char sqlstate[SQLSTATE_SIZE]; /* "": the failure is not the server's word */
	char text
		[TROUBLE_SIZE]; /* with the SQLSTATE and names from the schema, never with values or parts of the url */
};

/* Of a result that is an error of the server's. */
enum fault fault_of_result(const PGresult *result, struct trouble *trouble_out);

/* From a message of libpq's about a connection whose verbosity is PQERRORS_SQLSTATE. */
void fault_of_message(const char *message, struct trouble *trouble_out);

/* As if the server had said so. */
void fault_of_state(const char *sqlstate, struct trouble *trouble_out);

/* A failure that we found. */
void fault_say(struct trouble *trouble_out, const char *text);

/* A conflict between transactions, which the next try need not meet: it says nothing of the server. */
bool fault_is_conflict(const struct trouble *trouble);

/* The server will not write on this connection, whatever is tried: another connection may lead elsewhere. */
bool fault_is_final(const struct trouble *trouble);

/* About tables or rights: schema_check() knows more. */
bool fault_is_of_schema(const struct trouble *trouble);

#endif
