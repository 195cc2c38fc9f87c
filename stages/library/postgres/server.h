/*
 * What all connections of one stage have in common: the server at the other end, as far as it is known.
 *
 * At most once a second some transaction looks at it: is it still the same store, does it still keep what it commits.
 */
#ifndef POSTGRES_SERVER_H
#define POSTGRES_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "fault.h"
#include "health.h"
#include "identity.h"

struct connection;

enum { SCHEMA_NAME_SIZE = 64, SCHEMA_QUOTED_SIZE = 2 * SCHEMA_NAME_SIZE + 3 };

struct server {
	struct sluice_stage *stage;
	_Atomic int host;              /* number of that in the url which took the last connection */
	char schema[SCHEMA_NAME_SIZE]; /* of the tables; "" until server_find_schema() */
	_Atomic int64_t look_due_ns;   /* by the real clock */
	_Atomic int commit_mode;       /* see server_commit_mode() */
	struct identity identity;
	struct health health;
};

bool server_init(struct server *server, struct sluice_stage *stage, struct sluice_error *error);
void server_finish(struct server *server);

/* Finds out where the tables are, or are to be made: what the option says, or the role's search_path. To be called
 * before the first transaction, on one thread. */
bool server_find_schema(struct connection *connection, struct sluice_error *error);

/* As an identifier. */
void server_quote_schema(const struct server *server, char quoted[SCHEMA_QUOTED_SIZE]);

/* The synchronous_commit of our transactions: what the server, the role or the url says, unless that is no promise. */
const char *server_commit_mode(const struct server *server);
void server_set_commit_mode(struct server *server, const char *setting, size_t size);

/* Why nothing is acknowledged. */
void server_say_unlogged(const char *tables, struct trouble *trouble_out);
void server_say_unsafe(const char *setting, struct trouble *trouble_out);

/* The store is in doubt, and to be looked at soon. From any thread. */
void server_doubt(struct server *server);

/* Whether it is time to look; true for one caller only. From any thread. */
bool server_is_look_due(struct server *server);

/* Whether nobody has looked although it was time: the pool does, as long as a connection is idle. */
bool server_is_look_overdue(struct server *server);

/* Looks, within a transaction that writes. False: what `trouble` of the connection says; no transaction may go on. */
bool server_look(struct connection *connection);

#endif
