/* The schema. Texts that are compared compare as bytes (COLLATE "C"): it is exact, and half the price. */
#include "schema.h"

#include <stdio.h>
#include <string.h>

#include "payload.h"
#include "rights.h"

#define EVENT_COLUMNS                                                                                                  \
	"event_type text,"                                                                                             \
	"stream text COLLATE \"C\","                                                                                   \
	"sequence bigint,"                                                                                             \
	"payload %s NOT NULL,"                                                                                         \
	"digest bytea NOT NULL CHECK (octet_length(digest) = 32),"                                                     \
	"request_id text NOT NULL,"                                                                                    \
	"received_at timestamptz NOT NULL"

/* The trigger is ENABLE ALWAYS, so that session_replication_role does not switch it off. */
static const char first_version[] =
	"CREATE TABLE webhook_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,message_id text COLLATE \"C\" UNIQUE," EVENT_COLUMNS
	");"

	"CREATE TABLE webhook_audit_trail (writer text COLLATE \"C\" NOT NULL,position bigint NOT "
	"NULL,written_at timestamptz NOT NULL,covers bytea NOT NULL,previous bytea NOT NULL CHECK "
	"(octet_length(previous) = 32),hash bytea NOT NULL CHECK (octet_length(hash) = 32),PRIMARY KEY "
	"(writer, position));"

	"CREATE OR REPLACE FUNCTION webhook_audit_trail_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
	"EXCEPTION 'webhook_audit_trail is append-only' USING ERRCODE = 'restrict_violation'; END "
	"$$;CREATE TRIGGER webhook_audit_trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "
	"webhook_audit_trail FOR EACH STATEMENT EXECUTE FUNCTION webhook_audit_trail_refuse();ALTER "
	"TABLE webhook_audit_trail ENABLE ALWAYS TRIGGER webhook_audit_trail_append_only;"

	"CREATE TABLE webhook_dead_letters (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,message_id text COLLATE \"C\"," EVENT_COLUMNS
	",reason text NOT NULL,buried_at timestamptz NOT NULL,UNIQUE (message_id, digest));";

/* schema_steps[n] leads from version n to n + 1. A step that was released never changes. In the first, %s is the type
 * of an event's payload and then that of a dead letter's, which keeps what no other type would take. */
static const char *const schema_steps[] = {first_version};

enum { SCHEMA_VERSION = sizeof(schema_steps) / sizeof(schema_steps[0]) };

/* "sluice" in ASCII */
#define ADVISORY_LOCK "SELECT pg_advisory_xact_lock(126909663503205)"

/* Not to_regclass(): it may answer from a cache that is as old as the transaction. */
static bool read_version(struct connection *connection, int *version_out, struct sluice_error *error)
{
	char text[32];
	*version_out = 0;
	if (!connection_ask(
		    connection,
		    "SELECT count(*)::text FROM pg_tables WHERE tablename = 'webhook_schema' AND schemaname = ANY (current_schemas(false))",
		    NULL, text, sizeof(text), error))
		return false;
	if (strcmp(text, "0") == 0)
		return true;
	if (!connection_ask(connection, "SELECT version::text FROM webhook_schema", NULL, text, sizeof(text), error))
		return false;
	if (sscanf(text, "%d", version_out) == 1 && *version_out <= SCHEMA_VERSION)
		return true;
	return sluice_error_set(
		error,
		"url: the database's schema has version %s and this Sluice knows up to %d: use the Sluice that made it, or another database",
		text, (int)SCHEMA_VERSION);
}

/* A version says that they were made, not that they are still there. */
static bool check_tables(struct connection *connection, struct sluice_error *error)
{
	char absent[128];
	if (!connection_ask(
		    connection,
		    "SELECT string_agg(name, ', ') FROM unnest(ARRAY['webhook_events', 'webhook_audit_trail', 'webhook_dead_letters']) AS own (name) WHERE NOT EXISTS (SELECT FROM pg_tables WHERE tablename = name AND schemaname = ANY (current_schemas(false)))",
		    NULL, absent, sizeof(absent), error))
		return false;
	if (!absent[0])
		return true;
	return sluice_error_set(
		error,
		"url: webhook_schema says that the tables were made, but these do not exist: %s; restore them from a backup or, to start with an empty store, drop what is left of the webhook_ tables, webhook_schema among them",
		absent);
}

static bool check_payload_type(struct connection *connection, struct sluice_error *error)
{
	const struct config *config = connection->stage->config;
	const char *wanted = payload_forms[config->payload_type].type;
	char found[64];
	if (!connection_ask(
		    connection,
		    "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = to_regclass('webhook_events') AND attname = 'payload'",
		    NULL, found, sizeof(found), error))
		return false;
	if (strcmp(found, wanted) == 0)
		return true;
	if (!found[0])
		return sluice_error_set(
			error,
			"url: webhook_events has no column payload: restore the table from a backup, or use another database");
	return sluice_error_set(
		error,
		"payload_type: webhook_events.payload is %s, not %s: say `payload_type: %s`, or use another database",
		found, wanted, found);
}

/* Who may not make a schema may still use one that is there. */
static bool make_place(struct connection *connection, struct sluice_error *error)
{
	const struct config *config = connection->stage->config;
	struct parameters parameters = {0};
	char count[8], sql[128];
	if (!config->schema[0])
		return true;
	parameters_text(&parameters, (struct sluice_bytes){config->schema, strlen(config->schema)});
	if (!connection_ask(connection, "SELECT count(*)::text FROM pg_namespace WHERE nspname = $1", &parameters,
	                    count, sizeof(count), error))
		return false;
	(void)snprintf(sql, sizeof(sql), "CREATE SCHEMA \"%s\"", config->schema);
	return strcmp(count, "0") != 0 ||
	       (rights_check(connection, RIGHTS_MAKE_SCHEMA, error) && connection_run(connection, sql, error));
}

static bool apply_step(struct connection *connection, int version, struct sluice_error *error)
{
	const struct config *config = connection->stage->config;
	char sql[4096];
	(void)snprintf(sql, sizeof(sql), schema_steps[version], payload_forms[config->payload_type].type,
	               payload_forms[PAYLOAD_BYTEA].type);
	return connection_run(connection, sql, error);
}

static bool apply_steps(struct connection *connection, struct sluice_error *error)
{
	int version; /* read under the lock: another process may have been faster */
	char mark[128];
	if (!connection_run(connection, ADVISORY_LOCK, error) || !make_place(connection, error) ||
	    !read_version(connection, &version, error))
		return false;
	if (version == SCHEMA_VERSION)
		return true;
	if (!rights_check(connection, RIGHTS_MAKE_TABLES, error))
		return false;
	for (int step = version; step < SCHEMA_VERSION; step++) {
		if (!apply_step(connection, step, error))
			return false;
	}
	(void)snprintf(mark, sizeof(mark),
	               version ? "UPDATE webhook_schema SET version = %d"
	                       : "CREATE TABLE webhook_schema AS SELECT %d AS version",
	               (int)SCHEMA_VERSION);
	return connection_run(connection, mark, error);
}

static bool may_use(struct connection *connection, struct sluice_error *error)
{
	return rights_check(connection, RIGHTS_USE_SCHEMA, error) &&
	       rights_check(connection, connection->stage->read_only ? RIGHTS_READ : RIGHTS_WRITE, error);
}

bool schema_migrate(struct connection *connection, struct sluice_error *error)
{
	int version;
	if (!may_use(connection, error) || !read_version(connection, &version, error))
		return false;
	if (version < SCHEMA_VERSION) {
		bool ok = connection_run(connection, "BEGIN", error) && apply_steps(connection, error) &&
		          connection_run(connection, "COMMIT", error);
		connection_roll_back(connection);
		if (!ok)
			return false;
	}
	return check_tables(connection, error) && check_payload_type(connection, error);
}

bool schema_check(struct connection *connection, struct sluice_error *error)
{
	int version;
	if (!may_use(connection, error) || !read_version(connection, &version, error))
		return false;
	if (version != SCHEMA_VERSION)
		return sluice_error_set(
			error, "url: the database's schema has version %d instead of %d: start Sluice on it once",
			version, (int)SCHEMA_VERSION);
	return check_tables(connection, error) && check_payload_type(connection, error);
}
