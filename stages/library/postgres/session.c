/* A session that no pooler shares. */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "real_clock.h"

bool session_is_ours(const struct connection *connection)
{
	return connection->session != SESSION_SHARED;
}

/* What transaction_begin() sets for one transaction. */
static bool set_up(struct connection *connection)
{
	const struct config *config = connection->stage->config;
	char schema[SCHEMA_QUOTED_SIZE], sql[400];
	server_quote_schema(connection->server, schema);
	(void)snprintf(sql, sizeof(sql),
	               "SET search_path = %s, pg_temp; SET statement_timeout = %lld; SET lock_timeout = 0; SET "
	               "row_security = off; SET default_transaction_isolation = 'read committed'",
	               schema, (long long)(config->statement_timeout.ns / NS_PER_MS));
	PGresult *result = connection_send(connection, sql);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	PQclear(result);
	if (ok)
		connection->session = SESSION_READY;
	return ok;
}

static bool prepare(struct connection *connection, const struct statement *statement, const char *name,
                    const struct parameters *parameters)
{
	PGresult *result = connection_prepare(connection, name, statement->text, parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	PQclear(result);
	if (ok)
		connection->prepared |= 1u << statement->number;
	return ok;
}

/* A statement that is not there says that somebody shares the session all the same; the next try will know. */
static void note_sharing(struct connection *connection, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (sqlstate && strncmp(sqlstate, "26", 2) == 0)
		connection->session = SESSION_SHARED;
}

PGresult *session_query(struct connection *connection, const struct statement *statement,
                        const struct parameters *parameters)
{
	char name[24];
	(void)snprintf(name, sizeof(name), "sluice_%u", statement->number);
	if ((connection->session != SESSION_READY && !set_up(connection)) ||
	    (!(connection->prepared & 1u << statement->number) && !prepare(connection, statement, name, parameters)))
		return NULL;
	connection->warned = false;
	PGresult *result = connection_execute(connection, name, parameters);
	note_sharing(connection, result);
	return result;
}
