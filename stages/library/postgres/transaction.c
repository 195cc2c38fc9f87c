/* A transaction that brings its own settings. */
#include "transaction.h"

#include <stdio.h>
#include <string.h>

#include "real_clock.h"

/* A connection that keeps failing is closed: the next one may lead to a server that does better. */
enum { FAILURES_MAX = 3, SQL_SIZE = 600 };

static const struct {
	const char *begin;
	bool writes;
} kinds[] = {
	[TRANSACTION_WRITES] = {.begin = "BEGIN ISOLATION LEVEL READ COMMITTED", .writes = true},
	[TRANSACTION_READS] = {.begin = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY"},
	[TRANSACTION_SNAPSHOT] = {.begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"},
	[TRANSACTION_MIGRATES] = {.begin = "BEGIN ISOLATION LEVEL READ COMMITTED", .writes = true},
};

static const struct config *config_of(const struct connection *connection)
{
	return connection->stage->config;
}

static bool is_strict(const struct connection *connection)
{
	return config_of(connection)->durability == DURABILITY_STRICT;
}

/* A temporary table in the session would come before all others unless pg_temp is named; but a table is never made there.
 * With row_security off, what a policy would hide is an error: a hidden row would count as lost, or as never stored. SET costs the server a tenth of what SELECT set_config() does. */
static void compose(const struct connection *connection, enum transaction kind, char sql[SQL_SIZE])
{
	char schema[SCHEMA_QUOTED_SIZE];
	bool writes = kinds[kind].writes;
	long long timeout_ms = writes ? config_of(connection)->statement_timeout.ns / NS_PER_MS : 0;
	server_quote_schema(connection->server, schema);
	int used = snprintf(sql, SQL_SIZE,
	                    "%s; SET LOCAL search_path = %s%s; SET LOCAL statement_timeout = %lld; SET LOCAL "
	                    "idle_in_transaction_session_timeout = %d; SET LOCAL lock_timeout = 0; SET LOCAL "
	                    "row_security = off; SET LOCAL client_encoding = UTF8",
	                    kinds[kind].begin, schema, kind == TRANSACTION_MIGRATES ? "" : ", pg_temp", timeout_ms,
	                    writes ? 30000 : 0);
	if (writes && is_strict(connection))
		(void)snprintf(sql + used, SQL_SIZE - (size_t)used, "; SET LOCAL synchronous_commit = %s",
		               server_commit_mode(connection->server));
}

bool transaction_begin(struct connection *connection, enum transaction kind)
{
	char sql[SQL_SIZE];
	compose(connection, kind, sql);
	PGresult *result = connection_send(connection, sql);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	PQclear(result);
	if (ok && kind == TRANSACTION_WRITES && server_is_look_due(connection->server))
		ok = server_look(connection);
	if (!ok)
		transaction_roll_back(connection);
	return ok;
}

bool transaction_open(struct connection *connection, enum transaction kind, struct sluice_error *error)
{
	return transaction_begin(connection, kind) ||
	       sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
}

bool transaction_keeps(struct connection *connection, const PGresult *row, int column, const char *table)
{
	if (!is_strict(connection) || column_is(row, 0, column, "t on on"))
		return true;
	struct sluice_bytes found = column_bytes(row, 0, column);
	if (found.size > 0 && found.data[0] == 'f')
		server_say_unlogged(table, &connection->trouble);
	else
		server_say_unsafe(found.size > 2 && strncmp(found.data + 2, "off", 3) == 0 ? "fsync"
		                                                                           : "full_page_writes",
		                  &connection->trouble);
	return false;
}

/* What became of a transaction whose last query said `fault`; not committed, it was rolled back without an error. */
static enum fault conclude(struct connection *connection, enum fault fault, bool committed)
{
	connection->warned = connection->warned && committed;
	if (connection->unanswered) {
		connection_await(connection);
		fault_say(&connection->trouble, "COMMIT is not confirmed in time (is a synchronous standby away?)");
	} else if (fault == FAULT_NONE && !committed) {
		fault_say(&connection->trouble, "COMMIT rolled the transaction back");
	} else if (connection->warned) {
		fault_say(&connection->trouble,
		          "COMMIT came with a WARNING (was a wait for a synchronous standby cancelled?)");
	}
	return fault == FAULT_NONE && (!committed || connection->warned) ? FAULT_LATER : fault;
}

/* Of a transaction that has failed before, COMMIT says ROLLBACK and no error. */
enum fault transaction_commit(struct connection *connection)
{
	connection->warned = false;
	PGresult *result = connection_query(connection, "COMMIT", NULL);
	enum fault fault = connection_judge(connection, result);
	bool committed = fault == FAULT_NONE && strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0;
	PQclear(result);
	return conclude(connection, fault, committed);
}

static void add_commit_mode(const struct connection *connection, struct parameters *parameters)
{
	parameters_string(parameters, is_strict(connection) ? server_commit_mode(connection->server) : NULL);
}

/* In as many round trips as it takes. */
static enum fault run_between(struct connection *connection, const struct statement *statement,
                              const struct parameters *parameters, const struct transaction_check *check,
                              PGresult **result_out)
{
	if (!transaction_begin(connection, TRANSACTION_WRITES))
		return FAULT_LATER;
	*result_out = session_query(connection, statement, parameters);
	enum fault fault = connection_judge(connection, *result_out);
	if (fault == FAULT_NONE && check)
		fault = check->run(connection, *result_out, check->context);
	if (fault == FAULT_NONE)
		return transaction_commit(connection);
	connection->warned = false; /* of no COMMIT of this transaction */
	return fault;
}

/* A server that nobody has looked at for long is looked at by transaction_begin(). */
static enum fault run(struct connection *connection, const struct statement *statement,
                      const struct parameters *parameters, const struct transaction_check *check, PGresult **result_out)
{
	bool ours = session_is_ours(connection);
	*result_out = NULL;
	if (ours && !session_prepare(connection, statement, parameters))
		return FAULT_LATER;
	if (check || !ours || server_is_look_overdue(connection->server))
		return run_between(connection, statement, parameters, check, result_out);
	connection->warned = false;
	*result_out = session_query(connection, statement, parameters);
	enum fault fault = connection_judge(connection, *result_out);
	return conclude(connection, fault, fault == FAULT_NONE);
}

enum fault transaction_run(struct connection *connection, const struct statement *statement,
                           struct parameters *parameters, const struct transaction_check *check, PGresult **result_out)
{
	add_commit_mode(connection, parameters);
	enum fault fault = run(connection, statement, parameters, check, result_out);
	if (fault == FAULT_NONE || connection->warned)
		return fault;
	transaction_roll_back(connection);
	if (!session_heal(connection))
		return fault;
	PQclear(*result_out);
	return run(connection, statement, parameters, check, result_out);
}

/* No server has the parameter that is asked for. */
#define UNDEFINED_OBJECT "42704"

bool transaction_cannot_keep(const struct connection *connection, enum fault fault)
{
	return fault == FAULT_LATER && strcmp(connection->trouble.sqlstate, UNDEFINED_OBJECT) == 0;
}

void transaction_explain_cannot_keep(struct connection *connection)
{
	transaction_roll_back(connection);
	if (!connection->broken && transaction_begin(connection, TRANSACTION_WRITES) && server_look(connection))
		fault_say(&connection->trouble, "a trigger dropped a row of webhook_audit_trail");
	transaction_roll_back(connection);
}

void transaction_roll_back(struct connection *connection)
{
	if (!connection->broken && PQtransactionStatus(connection->pg) != PQTRANS_IDLE)
		PQclear(connection_query(connection, "ROLLBACK", NULL));
	if (!connection->broken && PQtransactionStatus(connection->pg) != PQTRANS_IDLE)
		connection_give_up(connection);
}

/* Whether the fault is the server's; then it is closed when it had too many. */
static bool is_of_server(struct connection *connection, enum fault fault)
{
	if (fault != FAULT_LATER || fault_is_conflict(&connection->trouble))
		return false;
	if (fault_is_of_schema(&connection->trouble))
		server_doubt(connection->server);
	if (++connection->failures >= FAILURES_MAX || fault_is_final(&connection->trouble))
		connection_give_up(connection);
	return true;
}

void transaction_note(struct connection *connection, enum fault fault, const char *why)
{
	struct health *health = &connection->server->health;
	if (fault == FAULT_NONE) {
		connection->failures = 0;
		health_succeeded(health);
	} else if (is_of_server(connection, fault)) {
		health_failed(health, why ? why : connection->trouble.text);
	}
}

void transaction_note_probe(struct connection *connection, enum fault fault, const char *why)
{
	struct health *health = &connection->server->health;
	if (fault == FAULT_NONE)
		health_probe_succeeded(health);
	else if (is_of_server(connection, fault))
		health_probe_failed(health, why ? why : connection->trouble.text);
}
