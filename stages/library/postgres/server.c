/* What all connections of one stage have in common. */
#include "server.h"

#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "real_clock.h"

#define LOOK_INTERVAL_NS NS_PER_S

bool server_init(struct server *server, struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	*server = (struct server){.stage = stage};
	(void)snprintf(server->schema, sizeof(server->schema), "%s", config->schema);
	if (!identity_init(&server->identity, stage, (size_t)config->pool_max))
		return sluice_error_set(error, "out of memory");
	health_init(&server->health, stage);
	return true;
}

void server_finish(struct server *server)
{
	health_finish(&server->health);
	identity_finish(&server->identity);
}

/* reset_val, as another client of a pooler may have left any search_path behind. Schemas that the role may not use are
 * not in current_schemas(). */
bool server_find_schema(struct connection *connection, struct sluice_error *error)
{
	static const char set_path[] =
		"SELECT set_config('search_path', (SELECT reset_val FROM pg_settings WHERE name = 'search_path'), true)";
	static const char find[] =
		"SELECT coalesce((SELECT name FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place) "
		"JOIN pg_namespace ON nspname = name JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = "
		"'webhook_schema' AND relpersistence <> 't' ORDER BY place LIMIT 1), current_schema(), 'public')::text";
	struct server *server = connection->server;
	char ignored[256];
	if (server->schema[0])
		return true;
	bool ok = connection_run(connection, "BEGIN READ ONLY", error) &&
	          connection_ask(connection, set_path, NULL, ignored, sizeof(ignored), error) &&
	          connection_ask(connection, find, NULL, server->schema, sizeof(server->schema), error);
	if (!connection->broken)
		PQclear(connection_query(connection, "ROLLBACK", NULL));
	return ok;
}

void server_quote_schema(const struct server *server, char quoted[SCHEMA_QUOTED_SIZE])
{
	size_t used = 0;
	quoted[used++] = '"';
	for (const char *at = server->schema; *at; at++) {
		if (*at == '"')
			quoted[used++] = '"';
		quoted[used++] = *at;
	}
	quoted[used++] = '"';
	quoted[used] = '\0';
}

/* The first is what takes the place of "off" and "local". */
static const char *const commit_modes[] = {"on", "remote_write", "remote_apply"};

const char *server_commit_mode(const struct server *server)
{
	return commit_modes[atomic_load(&server->commit_mode)];
}

void server_set_commit_mode(struct server *server, const char *setting, size_t size)
{
	int mode = 0;
	for (int i = 1; i < (int)(sizeof(commit_modes) / sizeof(commit_modes[0])); i++)
		if (size == strlen(commit_modes[i]) && memcmp(setting, commit_modes[i], size) == 0)
			mode = i;
	atomic_store(&server->commit_mode, mode);
}

void server_say_unlogged(const char *tables, struct trouble *trouble)
{
	char text[TROUBLE_SIZE];
	(void)snprintf(text, sizeof(text), "%s: not a logged table, a crash empties it: ALTER TABLE … SET LOGGED",
	               tables);
	fault_say(trouble, text);
}

void server_say_unsafe(const char *setting, struct trouble *trouble)
{
	char text[128];
	(void)snprintf(text, sizeof(text), "the server has %s=off and would lose the event in a crash", setting);
	fault_say(trouble, text);
}

void server_doubt(struct server *server)
{
	identity_doubt(&server->identity);
	atomic_store(&server->look_due_ns, 0);
}

bool server_is_look_due(struct server *server)
{
	int64_t due_ns = atomic_load_explicit(&server->look_due_ns, memory_order_relaxed), now_ns = real_now_ns();
	return now_ns >= due_ns &&
	       atomic_compare_exchange_strong(&server->look_due_ns, &due_ns, now_ns + LOOK_INTERVAL_NS);
}

bool server_is_look_overdue(struct server *server)
{
	return real_now_ns() >= atomic_load_explicit(&server->look_due_ns, memory_order_relaxed) + LOOK_INTERVAL_NS;
}

/* A server whose own setting is relaxed keeps what our transactions commit, as these set their own; at the next start it
 * would be refused. */
static void warn(struct server *server, const PGresult *result)
{
	const struct config *config = server->stage->config;
	struct sluice_bytes value = column_bytes(result, 0, 4);
	char text[256] = "";
	server_set_commit_mode(server, value.data, value.size);
	bool relaxed = column_is(result, 0, 4, "off") ||
	               (column_is(result, 0, 4, "local") && !column_is(result, 0, 5, ""));
	if (relaxed && config->durability == DURABILITY_STRICT)
		(void)snprintf(
			text, sizeof(text),
			"PostgreSQL has synchronous_commit=%.*s: Sluice's own transactions still wait, but its next start will refuse the server",
			(int)value.size, value.data);
	health_warn(&server->health, text[0] ? text : NULL);
}

#define OWN_TABLES                                                                                                     \
	"FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2) AND relname IN "         \
	"('webhook_events', 'webhook_audit_trail', 'webhook_dead_letters')"

/* The timeline is taken from the name of the log's file: the control data know it only after a checkpoint. */
#define LOOK(control)                                                                                                   \
	"SELECT concat_ws('/', " control ", left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), (SELECT oid FROM "   \
	"pg_database WHERE datname = current_database()), (SELECT string_agg(oid || '.' || "                            \
	"coalesce(pg_relation_filenode(oid), 0), '/' ORDER BY relname) " OWN_TABLES ")), "                              \
	"(SELECT count(*) FROM unnest(string_to_array($1, ',')) AS head JOIN webhook_audit_trail ON writer = "          \
	"split_part(head, ':', 1) AND position = split_part(head, ':', 2)::bigint), (SELECT count(*) " OWN_TABLES       \
	" AND relkind = 'r'), (SELECT string_agg(relname, ', ' ORDER BY relname) " OWN_TABLES                           \
	" AND relpersistence <> 'p'), (SELECT "                                                                         \
	"reset_val FROM pg_settings WHERE name = 'synchronous_commit'), current_setting('synchronous_standby_names'), " \
	"current_setting('fsync'), current_setting('full_page_writes')"

static bool judge_look(struct connection *connection, const PGresult *result)
{
	const struct config *config = connection->stage->config;
	char unlogged[128];
	warn(connection->server, result);
	if (column_int64(result, 0, 2) != 3) {
		fault_of_state("42P01", &connection->trouble);
		return false;
	}
	if (config->durability == DURABILITY_RELAXED)
		return true;
	(void)snprintf(unlogged, sizeof(unlogged), "%s", PQgetvalue(result, 0, 3));
	bool safe = !column_is(result, 0, 6, "off") && !column_is(result, 0, 7, "off");
	if (unlogged[0])
		server_say_unlogged(unlogged, &connection->trouble);
	else if (!safe)
		server_say_unsafe(column_is(result, 0, 6, "off") ? "fsync" : "full_page_writes", &connection->trouble);
	return safe && !unlogged[0];
}

bool server_look(struct connection *connection)
{
	struct server *server = connection->server;
	struct identity_question question;
	struct parameters parameters = {0};
	if (!identity_ask(&server->identity, &question)) {
		fault_say(&connection->trouble, "out of memory");
		return false;
	}
	parameters_string(&parameters, question.heads);
	parameters_string(&parameters, server->schema);
	PGresult *result = connection_query(
		connection, connection->shows_control ? LOOK("(pg_control_system()).system_identifier") : LOOK("'-'"),
		&parameters);
	bool answered = connection_judge(connection, result) == FAULT_NONE;
	char text[IDENTITY_SIZE] = "";
	if (answered)
		(void)snprintf(text, sizeof(text), "%s", PQgetvalue(result, 0, 0));
	identity_hear(&server->identity, &question, answered ? text : NULL, answered ? column_int64(result, 0, 1) : 0);
	bool ok = answered && judge_look(connection, result);
	PQclear(result);
	return ok;
}
