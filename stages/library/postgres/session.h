/*
 * A session that no pooler shares: it may keep settings and prepared statements, so that a transaction of one statement is
 * one round trip. Whether it is so is known from the backend's pid: a pooler tells one of its own making.
 */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include <stdbool.h>

#include "connection.h"

enum { STATEMENTS_MAX = 32 };

struct statement {
	unsigned number; /* below STATEMENTS_MAX, one of the stage's own */
	const char *text;
};

/* Whether the session is ours alone. */
bool session_is_ours(const struct connection *connection);

/* As connection_query(), prepared: a transaction of its own with the settings of TRANSACTION_WRITES, but for
 * synchronous_commit, which the statement sets itself. The session must be ours. */
PGresult *session_query(struct connection *connection, const struct statement *statement,
                        const struct parameters *parameters);

#endif
