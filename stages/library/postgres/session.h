/*
 * A session that no pooler shares: it may keep settings and prepared statements, so that a transaction of one statement is
 * one round trip. Whether it is so is known from the backend's pid: a pooler tells one of its own making.
 */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include <stdbool.h>

#include "connection.h"

/* The numbers of all statements; see insert.c, standing.c, find.c. */
enum { STATEMENT_INSERT, STATEMENT_READ_BACK = 12, STATEMENT_FIND };

struct statement {
	unsigned number; /* below STATEMENTS_MAX */
	const char *text;
};

/* Whether the session is ours alone. */
bool session_is_ours(const struct connection *connection);

/* Prepares a statement unless it is, and sets for the session what transaction_begin() sets for one transaction of
 * TRANSACTION_WRITES, but for synchronous_commit. The session must be ours, and outside a transaction. */
bool session_prepare(struct connection *connection, const struct statement *statement,
                     const struct parameters *parameters);

/* As connection_query(); prepared where the session is set up. */
PGresult *session_query(struct connection *connection, const struct statement *statement,
                        const struct parameters *parameters);

/* Outside a transaction, after one that failed as `trouble` says: whether it may have failed over what is prepared, because
 * a table was altered since, or somebody shares the session all the same: its statements are missing there, or their names are
 * taken. Then nothing is prepared any more, and the transaction is to be tried once more. */
bool session_heal(struct connection *connection);

#endif
