/* Each query yields the GRANT that is missing, or NULL. $1 is the schema of the tables. */
#include "rights.h"

enum { GRANTS_SIZE = 800 };

#define MISSING_ON_TABLES(needs)                                                                                       \
	"SELECT string_agg(missing, '; ' ORDER BY missing DESC) FROM (SELECT format('GRANT %s ON %I.%I TO %I', "       \
	"string_agg(privilege, ', ' ORDER BY privilege DESC), nspname, relname, current_user) AS missing FROM "        \
	"(VALUES " needs                                                                                               \
	") AS need (name, privilege) JOIN pg_class c ON relname = name AND pg_table_is_visible(c.oid) "                \
	"JOIN pg_namespace n ON n.oid = relnamespace WHERE NOT has_any_column_privilege(c.oid, privilege) GROUP BY "   \
	"nspname, relname) AS grants"

static const char *const missing[] = {
	[RIGHTS_USE_SCHEMA] =
		"SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, current_user) FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = 'webhook_schema' WHERE nspname = $1 AND NOT has_schema_privilege(pg_namespace.oid, 'USAGE')",
	[RIGHTS_MAKE_SCHEMA] =
		"SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) WHERE NOT has_database_privilege(current_database(), 'CREATE')",
	[RIGHTS_MAKE_TABLES] =
		"SELECT CASE WHEN NOT has_schema_privilege($1, 'USAGE') THEN format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', $1, current_user) WHEN NOT has_schema_privilege($1, 'CREATE') THEN format('GRANT CREATE ON SCHEMA %I TO %I', $1, current_user) END",
	[RIGHTS_READ] = MISSING_ON_TABLES("('webhook_schema', 'SELECT'), ('webhook_events', 'SELECT'), "
                                          "('webhook_audit_trail', 'SELECT')"),
	[RIGHTS_WRITE] = MISSING_ON_TABLES("('webhook_schema', 'SELECT'), ('webhook_events', 'SELECT'), "
                                           "('webhook_events', 'INSERT'), ('webhook_audit_trail', 'SELECT'), "
                                           "('webhook_audit_trail', 'INSERT'), "
                                           "('webhook_dead_letters', 'SELECT'), ('webhook_dead_letters', 'INSERT')"),
	[RIGHTS_PRUNE] =
		"SELECT format('GRANT DELETE ON %I.%I TO %I', nspname, relname, current_user) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'webhook_events' AND pg_table_is_visible(c.oid) AND NOT has_table_privilege(c.oid, 'DELETE')",
};

static bool ask(struct connection *connection, const char *sql, char *answer, size_t room, struct sluice_error *error)
{
	struct parameters parameters = {0};
	parameters_string(&parameters, connection->server->schema);
	return connection_ask(connection, sql, &parameters, answer, room, error);
}

static bool check_grants(struct connection *connection, enum rights rights, struct sluice_error *error)
{
	char grants[GRANTS_SIZE];
	if (!ask(connection, missing[rights], grants, sizeof(grants), error))
		return false;
	if (!grants[0])
		return true;
	return sluice_error_set(error, "url: the database role lacks rights; %shave an owner or a superuser run: %s",
	                        rights == RIGHTS_MAKE_TABLES ? "set `schema:` to a schema that the role owns, or " : "",
	                        grants);
}

/* Only reading a policy tells whether it admits all rows. */
static bool check_policies(struct connection *connection, struct sluice_error *error)
{
	static const char policed[] =
		"SELECT string_agg(format('ALTER TABLE %I.%I DISABLE ROW LEVEL SECURITY', $1, relname), '; ' ORDER BY "
		"relname) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND relname "
		"IN ('webhook_schema', 'webhook_events', 'webhook_audit_trail', 'webhook_dead_letters') AND "
		"row_security_active(oid)";
	char statements[GRANTS_SIZE];
	if (!ask(connection, policed, statements, sizeof(statements), error))
		return false;
	if (!statements[0])
		return true;
	return sluice_error_set(
		error,
		"url: row level security may hide events from the database role; give the role BYPASSRLS, or have an owner run: %s",
		statements);
}

bool rights_check(struct connection *connection, enum rights rights, struct sluice_error *error)
{
	return check_grants(connection, rights, error) &&
	       ((rights != RIGHTS_READ && rights != RIGHTS_WRITE) || check_policies(connection, error));
}
