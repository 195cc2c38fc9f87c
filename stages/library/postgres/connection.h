/*
 * A connection to PostgreSQL that never hangs: opening it and each query have an end, whatever the network does.
 *
 * A connection belongs to one thread at a time. Once `broken` it is good for nothing but connection_close(); what its
 * last COMMIT did may then be unknown. It carries the audit chain that is written through it: one chain per connection,
 * so that writers do not wait for each other's head.
 *
 * It changes nothing of a session that may be shared: a pooler (PgBouncer, pool_mode=transaction) may give each transaction
 * another one. What a transaction needs is set in it; see transaction.h.
 */
#ifndef POSTGRES_CONNECTION_H
#define POSTGRES_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>
#include <sluice/stage.h>

#include "audit/chain.h"
#include "config.h"
#include "fault.h"
#include "server.h"
#include "values.h"

enum connection_use {
	CONNECTION_WRITES, /* to a server that writes and keeps what it commits */
	CONNECTION_READS,
	CONNECTION_MAINTAINS, /* statements that may take minutes, each for itself */
};

enum { BACKEND_SIZE = 48 };

/* See session.h. */
enum session { SESSION_SHARED, SESSION_OURS, SESSION_READY };
enum { STATEMENTS_MAX = 32 };

struct connection {
	struct server *server;
	struct sluice_stage *stage;
	PGconn *pg;
	struct chain chain;
	bool broken;
	bool unanswered;    /* it is broken because an answer did not come in time */
	bool awaited;       /* and that answer is worth a place in the pool; see connection_await() */
	bool warned;        /* the server sent a WARNING; for who resets it first */
	bool has_triggers;  /* a table into which it inserted last; see standing.h */
	bool shows_control; /* the role may read the cluster's control data */
	enum session session;
	unsigned prepared;               /* statements, by number */
	uint64_t hashes[STATEMENTS_MAX]; /* of the texts of those */
	int failures;                    /* transactions in a row that failed over the server */
	struct trouble trouble;          /* of the last query that failed */
	char backend
		[BACKEND_SIZE]; /* process and start of the backend at the other end, unique for all time of a server */
	int64_t idle_since_ns;
	int64_t limit_ns;        /* how long an answer is waited for */
	struct connection *next; /* in the pool */
};

/* Opens a connection within pool.connect_timeout, to the first host of the url that takes it. Refuses a server that is
 * too old and, for CONNECTION_WRITES, one that only reads or, unless durability is relaxed, does not keep what it
 * commits. NULL and a sentence otherwise, which names no host. */
struct connection *connection_open(struct server *server, enum connection_use use, struct sluice_error *error);

/* Logs the head of the chain. */
void connection_close(struct connection *connection);

/* Whether the server still holds its end, as far as can be told without asking it. */
bool connection_is_alive(struct connection *connection);

/* Of a connection that is `unanswered`: the server goes on with it for as long as it takes, so that its backend is to be
 * counted until it ends. */
void connection_await(struct connection *connection);

/* Whether the server is still at it. */
bool connection_is_awaited(struct connection *connection);

/* Makes it broken, for a reason of ours. */
void connection_give_up(struct connection *connection);

/* Runs one statement. The result is the caller's to clear; columns come in binary. NULL: the connection is broken. */
PGresult *connection_query(struct connection *connection, const char *sql, const struct parameters *parameters);

/* The same in two steps, of a session that is ours. What is prepared takes parameters of the same types. */
PGresult *connection_prepare(struct connection *connection, const char *name, const char *sql,
                             const struct parameters *parameters);
PGresult *connection_execute(struct connection *connection, const char *name, const struct parameters *parameters);

/* Runs one or more statements, and yields the result of the first that failed or the last; columns come as text. */
PGresult *connection_send(struct connection *connection, const char *sql);

/* The single value that a query yields, as text; "" if it is NULL or there is none. */
bool connection_ask(struct connection *connection, const char *sql, const struct parameters *parameters, char *answer,
                    size_t room, struct sluice_error *error);

/* Runs one or more statements about the tables themselves, whose results do not matter. */
bool connection_run(struct connection *connection, const char *sql, struct sluice_error *error);

/* Hands the rows to `each` as they come, without holding them all; false from it ends that, not the query. */
typedef bool (*connection_row_fn)(void *context, const PGresult *row);
bool connection_stream(struct connection *connection, const char *sql, const struct parameters *parameters,
                       connection_row_fn each, void *context, struct sluice_error *error);

/* What a result means for the event at hand; it may be NULL. On a fault `trouble` says why. */
enum fault connection_judge(struct connection *connection, const PGresult *result);

#endif
