/* Upkeep. */
#include "upkeep.h"

#include <stdio.h>
#include <string.h>

#include "connection.h"

#define INSUFFICIENT_PRIVILEGE "42501"

static bool is_denied(const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	return sqlstate && strcmp(sqlstate, INSUFFICIENT_PRIVILEGE) == 0;
}

static void tell(struct upkeep *upkeep, struct sluice_stage *stage)
{
	if (!upkeep->told)
		sluice_log(stage, SLUICE_LOG_INFO, "checkpoint_not_allowed",
		           sluice_text("needed_role", "pg_checkpoint"));
	upkeep->told = true;
}

static bool checkpoint(struct upkeep *upkeep, struct connection *connection, struct sluice_error *error)
{
	PGresult *result = connection_query(connection, "CHECKPOINT", NULL);
	bool denied = is_denied(result);
	bool ok = denied || connection_judge(connection, result) == FAULT_NONE;
	if (!ok)
		(void)sluice_error_set(error, "PostgreSQL: CHECKPOINT: %s", connection->trouble.text);
	if (denied)
		tell(upkeep, connection->stage);
	PQclear(result);
	return ok;
}

static bool vacuum(struct connection *connection, struct sluice_error *error)
{
	char schema[SCHEMA_QUOTED_SIZE], sql[4 * SCHEMA_QUOTED_SIZE];
	server_quote_schema(connection->server, schema);
	(void)snprintf(sql, sizeof(sql),
	               "VACUUM (ANALYZE) %s.webhook_events, %s.webhook_audit_trail, %s.webhook_dead_letters", schema,
	               schema, schema);
	return connection_run(connection, sql, error);
}

/* The checkpoint comes last, so that it writes back what the others have changed. */
bool upkeep_maintain(struct upkeep *upkeep, struct server *server, struct sluice_error *error)
{
	struct connection *connection = connection_open(server, CONNECTION_MAINTAINS, error);
	if (!connection)
		return false;
	bool ok = vacuum(connection, error) && checkpoint(upkeep, connection, error);
	connection_close(connection);
	return ok;
}

bool upkeep_drop(struct server *server, struct sluice_error *error)
{
	char sql[128];
	struct connection *connection = connection_open(server, CONNECTION_MAINTAINS, error);
	if (!connection)
		return false;
	(void)snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS \"%s\" CASCADE", server->schema);
	bool ok = connection_run(connection, sql, error);
	connection_close(connection);
	return ok;
}
