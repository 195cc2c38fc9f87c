/* A session that no pooler shares. */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "real_clock.h"

bool session_is_ours(const struct connection *connection)
{
	return connection->session != SESSION_SHARED;
}

/* What transaction_begin() sets for one transaction, and how to plan: once, and by the indexes, as every statement is for
 * single rows. Left to itself, the server plans a look-up for an empty table, which it reads whole, and keeps to that plan
 * while the table grows. */
static bool set_up(struct connection *connection)
{
	const struct config *config = connection->stage->config;
	char schema[SCHEMA_QUOTED_SIZE], sql[480];
	server_quote_schema(connection->server, schema);
	(void)snprintf(sql, sizeof(sql),
	               "SET search_path = %s, pg_temp; SET statement_timeout = %lld; SET lock_timeout = 0; SET "
	               "row_security = off; SET default_transaction_isolation = 'read committed'; SET plan_cache_mode "
	               "= force_generic_plan; SET enable_seqscan = off; SET jit = off",
	               schema, (long long)(config->statement_timeout.ns / NS_PER_MS));
	PGresult *result = connection_send(connection, sql);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	PQclear(result);
	if (ok)
		connection->session = SESSION_READY;
	return ok;
}

/* FNV-1a */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

enum { NAME_SIZE = 40 };

/* With the hash of the text: where somebody shares the session all the same, another Sluice may have given the number to
 * another text. */
static void write_name(const struct connection *connection, const struct statement *statement, char name[NAME_SIZE])
{
	(void)snprintf(name, NAME_SIZE, "sluice_%u_%016" PRIx64, statement->number,
	               connection->hashes[statement->number]);
}

static bool is_prepared(const struct connection *connection, const struct statement *statement)
{
	return connection->prepared & 1u << statement->number;
}

static bool prepare(struct connection *connection, const struct statement *statement,
                    const struct parameters *parameters)
{
	char name[NAME_SIZE];
	connection->hashes[statement->number] = hash_of(statement->text);
	write_name(connection, statement, name);
	PGresult *result = connection_prepare(connection, name, statement->text, parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	PQclear(result);
	if (ok)
		connection->prepared |= 1u << statement->number;
	return ok;
}

bool session_prepare(struct connection *connection, const struct statement *statement,
                     const struct parameters *parameters)
{
	return (connection->session == SESSION_READY || set_up(connection)) &&
	       (is_prepared(connection, statement) || prepare(connection, statement, parameters));
}

PGresult *session_query(struct connection *connection, const struct statement *statement,
                        const struct parameters *parameters)
{
	char name[NAME_SIZE];
	if (connection->session != SESSION_READY)
		return connection_query(connection, statement->text, parameters);
	if (!is_prepared(connection, statement) && !prepare(connection, statement, parameters))
		return NULL;
	write_name(connection, statement, name);
	return connection_execute(connection, name, parameters);
}

/* Among others: the columns of a prepared statement have other types by now. */
#define FEATURE_NOT_SUPPORTED "0A000"
#define UNKNOWN_STATEMENT "26000"
#define DUPLICATE_STATEMENT "42P05"

/* Whether the statements are gone. */
static bool deallocate_all(struct connection *connection)
{
	PGresult *result = connection_send(connection, "DEALLOCATE ALL");
	bool ok = result && PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return ok;
}

bool session_heal(struct connection *connection)
{
	const char *sqlstate = connection->trouble.sqlstate;
	bool is_shared = strcmp(sqlstate, UNKNOWN_STATEMENT) == 0 || strcmp(sqlstate, DUPLICATE_STATEMENT) == 0;
	bool is_stale = connection->prepared && strcmp(sqlstate, FEATURE_NOT_SUPPORTED) == 0;
	if (connection->broken || !session_is_ours(connection) || (!is_shared && !is_stale))
		return false;
	if (is_shared || !deallocate_all(connection))
		connection->session = SESSION_SHARED;
	connection->prepared = 0;
	return !connection->broken;
}
