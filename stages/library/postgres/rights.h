/*
 * What the connection's role may do. PostgreSQL refuses with a code and the name of a table; these say which GRANT is
 * missing, or which table has policies (row level security) that apply to the role.
 */
#ifndef POSTGRES_RIGHTS_H
#define POSTGRES_RIGHTS_H

#include <stdbool.h>

#include <sluice/error.h>

#include "connection.h"

enum rights {
	RIGHTS_USE_SCHEMA,  /* to see what is in the schema of the tables, if they exist */
	RIGHTS_MAKE_SCHEMA, /* to make that schema */
	RIGHTS_MAKE_TABLES, /* in that schema, which exists */
	RIGHTS_READ,        /* those tables that exist */
	RIGHTS_WRITE,       /* likewise */
	RIGHTS_PRUNE,       /* events */
};

/* Whether the role has them, asked within a transaction. One that may use some columns of a table counts as having the
 * right to it. To read and to write, no policy may stand between the role and the rows. */
bool rights_check(struct connection *connection, enum rights rights, struct sluice_error *error);

#endif
