/* The schema. Texts that are compared compare as bytes (COLLATE "C"): it is exact, and half the price. */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "payload.h"
#include "rights.h"
#include "transaction.h"

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

#define OWN_TABLES "unnest(ARRAY['webhook_events', 'webhook_audit_trail', 'webhook_dead_letters']) AS own (name)"

/* "sluice" in ASCII */
#define ADVISORY_LOCK "SELECT pg_advisory_xact_lock(126909663503205)"

static bool ask(struct connection *connection, const char *sql, char *answer, size_t room, struct sluice_error *error)
{
	struct parameters parameters = {0};
	parameters_string(&parameters, connection->server->schema);
	return connection_ask(connection, sql, &parameters, answer, room, error);
}

enum { VERSION_DIGITS = 11 };

/* A version is a number that some Sluice wrote. Nothing else is used, or repeated to anybody. */
static bool parse_version(const char *text, int *version_out, struct sluice_error *error)
{
	static const char way_out[] = "restore the table from a backup, or use another database";
	size_t size = strlen(text), digits = strspn(text, "0123456789"), minus = text[0] == '-';
	bool number = digits == size || (minus && size > 1 && strspn(text + 1, "0123456789") == size - 1);
	if (!size || size > VERSION_DIGITS || !number)
		return sluice_error_set(error, "url: webhook_schema.version is no version of Sluice's: %s", way_out);
	long version = strtol(text, NULL, 10);
	if (version > SCHEMA_VERSION)
		return sluice_error_set(
			error,
			"url: the database's schema has version %s and this Sluice knows up to %d: use the Sluice that made it, or another database",
			text, (int)SCHEMA_VERSION);
	if (version < 1)
		return sluice_error_set(error, "url: webhook_schema.version: expected 1 to %d, got %ld: %s",
		                        (int)SCHEMA_VERSION, version, way_out);
	*version_out = (int)version;
	return true;
}

/* 0: there is no webhook_schema. Not to_regclass(): it may answer from a cache that is as old as the transaction. */
static bool read_version(struct connection *connection, int *version_out, struct sluice_error *error)
{
	char kind[8], columns[8], rows[32], text[32];
	*version_out = 0;
	if (!ask(connection,
	         "SELECT max(relkind::text) FROM pg_class WHERE relname = 'webhook_schema' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)",
	         kind, sizeof(kind), error))
		return false;
	if (!kind[0])
		return true;
	if (!ask(connection,
	         "SELECT count(*)::text FROM pg_attribute WHERE attname = 'version' AND attrelid = (SELECT oid FROM pg_class WHERE relname = 'webhook_schema' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1))",
	         columns, sizeof(columns), error))
		return false;
	if (strcmp(kind, "r") != 0 || strcmp(columns, "1") != 0)
		return sluice_error_set(
			error,
			"url: webhook_schema is not the table that Sluice makes: use another database or another `schema:`");
	if (!connection_ask(connection, "SELECT count(*)::text FROM webhook_schema", NULL, rows, sizeof(rows), error) ||
	    !connection_ask(connection, "SELECT left(max(version)::text, 31) FROM webhook_schema", NULL, text,
	                    sizeof(text), error))
		return false;
	if (strcmp(rows, "1") != 0)
		return sluice_error_set(
			error,
			"url: webhook_schema has %s rows instead of one: restore it from a backup, or use another database",
			rows);
	return parse_version(text, version_out, error);
}

/* A version says that they were made, not that they are still there. */
static bool check_tables(struct connection *connection, struct sluice_error *error)
{
	char absent[128];
	if (!ask(connection,
	         "SELECT string_agg(name, ', ') FROM " OWN_TABLES
	         " WHERE NOT EXISTS (SELECT FROM pg_tables WHERE tablename = name AND schemaname = $1)",
	         absent, sizeof(absent), error))
		return false;
	if (!absent[0])
		return true;
	return sluice_error_set(
		error,
		"url: webhook_schema says that the tables were made, but these do not exist: %s; restore them from a backup or, to start with an empty store, drop what is left of the webhook_ tables, webhook_schema among them",
		absent);
}

/* What a partition does with its rows, and what its triggers do to them, the table that Sluice asks about does not say. Who
 * only reads need not care. */
static bool check_partitions(struct connection *connection, struct sluice_error *error)
{
	char partitioned[128];
	if (connection->stage->read_only)
		return true;
	if (!ask(connection,
	         "SELECT string_agg(relname, ', ') FROM " OWN_TABLES
	         " JOIN pg_class ON relname = name AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) WHERE relkind = 'p'",
	         partitioned, sizeof(partitioned), error))
		return false;
	if (!partitioned[0])
		return true;
	return sluice_error_set(
		error,
		"url: partitioned tables are not supported: %s; copy the rows into a table that is not partitioned, with the same columns and keys, and give it the name",
		partitioned);
}

static bool check_payload_type(struct connection *connection, struct sluice_error *error)
{
	const struct config *config = connection->stage->config;
	const char *wanted = payload_forms[config->payload_type].type;
	char found[64];
	if (!ask(connection,
	         "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = (SELECT oid FROM pg_class WHERE relname = 'webhook_events' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)) AND attname = 'payload'",
	         found, sizeof(found), error))
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
	char count[8], sql[128];
	if (!config->schema[0])
		return true;
	if (!ask(connection, "SELECT count(*)::text FROM pg_namespace WHERE nspname = $1", count, sizeof(count), error))
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

/* Without a version, tables of our names are somebody else's. */
static bool check_strangers(struct connection *connection, struct sluice_error *error)
{
	char found[128];
	if (!ask(connection,
	         "SELECT string_agg(relname, ', ') FROM " OWN_TABLES
	         " JOIN pg_class ON relname = name AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)",
	         found, sizeof(found), error))
		return false;
	if (!found[0])
		return true;
	return sluice_error_set(
		error,
		"url: without a webhook_schema, this already exists: %s; use another database or another `schema:`, or drop it",
		found);
}

static bool mark_version(struct connection *connection, int from, struct sluice_error *error)
{
	char sql[128];
	(void)snprintf(sql, sizeof(sql),
	               from ? "UPDATE webhook_schema SET version = %d"
	                    : "CREATE TABLE webhook_schema AS SELECT %d AS version",
	               (int)SCHEMA_VERSION);
	return connection_run(connection, sql, error);
}

static bool apply_steps(struct connection *connection, struct sluice_error *error)
{
	int version; /* read under the lock: another process may have been faster */
	if (!connection_run(connection, ADVISORY_LOCK, error) || !make_place(connection, error) ||
	    !read_version(connection, &version, error))
		return false;
	if (version == SCHEMA_VERSION)
		return true;
	if (!rights_check(connection, RIGHTS_MAKE_TABLES, error) ||
	    (version == 0 && !check_strangers(connection, error)))
		return false;
	for (int step = version; step < SCHEMA_VERSION; step++) {
		if (!apply_step(connection, step, error))
			return false;
	}
	return mark_version(connection, version, error);
}

static bool may_use(struct connection *connection, struct sluice_error *error)
{
	return rights_check(connection, RIGHTS_USE_SCHEMA, error) &&
	       rights_check(connection, connection->stage->read_only ? RIGHTS_READ : RIGHTS_WRITE, error);
}

/* Rows that are there keep theirs. The lock is held for a moment, and not waited for behind a long transaction. */
static bool set_compression(struct connection *connection, struct sluice_error *error)
{
	const struct config *config = connection->stage->config;
	static const char letters[] = {[COMPRESSION_PGLZ] = 'p', [COMPRESSION_LZ4] = 'l'};
	char now[8], sql[256];
	if (config->compression == COMPRESSION_AS_IT_IS)
		return true;
	if (!ask(connection,
	         "SELECT attcompression::text FROM pg_attribute WHERE attrelid = (SELECT oid FROM pg_class WHERE relname = 'webhook_events' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)) AND attname = 'payload'",
	         now, sizeof(now), error))
		return false;
	if (now[0] == letters[config->compression])
		return true;
	struct sluice_error cause = {0};
	(void)snprintf(sql, sizeof(sql),
	               "SET LOCAL lock_timeout = '2s'; ALTER TABLE webhook_events ALTER payload SET COMPRESSION %s",
	               config_compressions[config->compression]);
	return connection_run(connection, sql, &cause) ||
	       sluice_error_set(error, "payload_compression: %s", cause.text);
}

static bool migrate(struct connection *connection, struct sluice_error *error)
{
	int version;
	if (!may_use(connection, error) || !read_version(connection, &version, error) ||
	    (version < SCHEMA_VERSION && !apply_steps(connection, error)))
		return false;
	return check_tables(connection, error) && check_partitions(connection, error) &&
	       check_payload_type(connection, error) && set_compression(connection, error);
}

bool schema_migrate(struct connection *connection, struct sluice_error *error)
{
	bool ok = transaction_open(connection, TRANSACTION_MIGRATES, error) && migrate(connection, error);
	if (ok && transaction_commit(connection) != FAULT_NONE)
		ok = sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
	transaction_roll_back(connection);
	return ok;
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
	return check_tables(connection, error) && check_partitions(connection, error) &&
	       check_payload_type(connection, error);
}

const char *schema_explain(struct connection *connection, struct sluice_error *why)
{
	struct trouble trouble = connection->trouble;
	if (!fault_is_of_schema(&trouble))
		return connection->trouble.text;
	transaction_roll_back(connection);
	bool fine = !transaction_begin(connection, TRANSACTION_READS) || schema_check(connection, why);
	transaction_roll_back(connection);
	connection->trouble = trouble;
	return fine ? connection->trouble.text : why->text;
}
