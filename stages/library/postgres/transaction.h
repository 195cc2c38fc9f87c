/*
 * A transaction that brings its own settings: where names are looked for, how long it may take, and that its COMMIT waits
 * for the disk and the standbys. Nothing of it stays with the session.
 *
 * Visible is not durable. A row is seen by others when its commit has been given up waiting for a standby, or was never
 * going to wait for the disk. So before an event counts as stored because a row was found, the transaction that found it
 * writes to the log itself and waits for its own commit: TRANSACTION_CONFIRM, once for any number of rows.
 */
#ifndef POSTGRES_TRANSACTION_H
#define POSTGRES_TRANSACTION_H

#include <stdbool.h>

#include <sluice/error.h>

#include "connection.h"
#include "session.h"

enum transaction {
	TRANSACTION_WRITES,   /* short; refused unless the server keeps what it commits, or durability is relaxed */
	TRANSACTION_READS,    /* each statement sees the present */
	TRANSACTION_SNAPSHOT, /* all statements see the moment of the first */
	TRANSACTION_MIGRATES, /* makes tables */
};

/* Begins; sometimes looks at the server, too. On a fault there is no transaction. */
bool transaction_begin(struct connection *connection, enum transaction kind);

/* As transaction_begin(), with a sentence. */
bool transaction_open(struct connection *connection, enum transaction kind, struct sluice_error *error);

/* A column for a SELECT in a transaction that writes: what was visible before is durable once it is committed. Costs a
 * wait only where something may still be under way. */
#define TRANSACTION_CONFIRM                                                                                            \
	"CASE WHEN current_setting('synchronous_standby_names') <> '' OR pg_current_wal_insert_lsn() > "               \
	"pg_current_wal_flush_lsn() THEN pg_logical_emit_message(true, 'sluice', '') END"

/* A column of a statement about the table with that oid: whether a commit to it survives a crash, for
 * transaction_keeps(). The statement holds a lock that keeps the table as it is until its transaction ends. What can be
 * published is a permanent table of a user's; to ask pg_class would be a query within the query. */
#define TRANSACTION_KEEPS(oid)                                                                                         \
	"concat(pg_relation_is_publishable(" oid                                                                       \
	"), ' ', current_setting('fsync'), ' ', current_setting('full_page_writes'))"

/* Whether that column says so; if not, `trouble` says what to do. */
bool transaction_keeps(struct connection *connection, const PGresult *row, int column, const char *table);

/* Commits. FAULT_NONE: durable, as far as the server promises. FAULT_LATER: may be committed all the same. A WARNING
 * is a failure: it is how a wait for a standby ends that somebody cancelled. Then `warned` of the connection is set, and
 * the transaction is there for all to see. */
enum fault transaction_commit(struct connection *connection);

/* Looks at what a statement yielded, before the COMMIT. */
struct transaction_check {
	enum fault (*run)(struct connection *connection, const PGresult *result, void *context);
	void *context;
};

/* One statement as a transaction of its own, in one round trip where the session is ours and there is no check (NULL). Its
 * last parameter is that of TRANSACTION_COMMIT_MODE, which is added here. FAULT_NONE: committed, as by transaction_commit(),
 * and `*result_out` is the caller's to clear. Else what is open is to be rolled back. */
enum fault transaction_run(struct connection *connection, const struct statement *statement,
                           struct parameters *parameters, const struct transaction_check *check, PGresult **result_out);

/* An expression for such a statement: an error where the condition does not hold, so that nothing is committed. Whether that
 * was it; and to say why, by a look at the server, as the statement's own word says nothing. */
#define TRANSACTION_FAIL_UNLESS(condition)                                                                             \
	"CASE WHEN " condition " THEN '' ELSE set_config('sluice_cannot_keep', '', true) END"

bool transaction_cannot_keep(const struct connection *connection, enum fault fault);
void transaction_explain_cannot_keep(struct connection *connection);

/* A condition: TRANSACTION_KEEPS() says so. */
#define TRANSACTION_KEPT(oid) TRANSACTION_KEEPS(oid) " = 't on on'"

/* An expression that is true, to be evaluated once by a statement for transaction_run(): the transaction that it is will
 * wait for the disk and the standbys. */
#define TRANSACTION_COMMIT_MODE(parameter)                                                                             \
	"set_config('synchronous_commit', coalesce(" parameter                                                         \
	"::text, current_setting('synchronous_commit')), true) IS NOT NULL"

/* Ends whatever transaction is open. */
void transaction_roll_back(struct connection *connection);

/* A transaction ended, or could not begin, with `fault` and for the reason that `trouble` or `why` (may be NULL) says:
 * for the health, for the pool, and for who remembers what is stored. */
void transaction_note(struct connection *connection, enum fault fault, const char *why);

/* The same, of one that was not for an event. */
void transaction_note_probe(struct connection *connection, enum fault fault, const char *why);

#endif
