/*
 * Figures. Each query is a row of a table: its first column is the value of the label, the others are figures, in the
 * order of their names. What a later PostgreSQL keeps elsewhere is a row of its own.
 */
#include "figures.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "transaction.h"

#define OWN_TABLES "unnest(ARRAY['webhook_events', 'webhook_audit_trail', 'webhook_dead_letters']) AS own (name)"

enum { FIGURES_MAX = 8, NAME_SIZE = 256, MOVED_CHECKPOINTS = 170000 /* to a view of their own */ };

struct figure {
	const char *name, *help;
};

struct query {
	int from, before; /* versions of the server that it is for; 0: all */
	const char *label;
	const char *sql;
	struct figure figures[FIGURES_MAX];
};

/* reltuples is -1 until the first VACUUM or ANALYZE. */
static const struct query queries[] = {
	{.sql = "SELECT NULL, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0')::float8, wal_records::float8, wal_fpi::float8 FROM pg_stat_wal",
         .figures = {{"db_wal_written_bytes", "Write-ahead log of the whole server since it was made."},
                     {"db_wal_records", "Records in the write-ahead log since the last reset."},
                     {"db_wal_full_page_images", "Whole pages in the write-ahead log since the last reset."}}},
	{.before = MOVED_CHECKPOINTS,
         .label = "cause",
         .sql = "SELECT cause, count::float8 FROM pg_stat_bgwriter, LATERAL (VALUES ('timed', checkpoints_timed), ('requested', checkpoints_req)) AS v (cause, count)",
         .figures = {{"db_checkpoints", "Checkpoints, by what called for them."}}},
	{.from = MOVED_CHECKPOINTS,
         .label = "cause",
         .sql = "SELECT cause, count::float8 FROM pg_stat_checkpointer, LATERAL (VALUES ('timed', num_timed), ('requested', num_requested)) AS v (cause, count)",
         .figures = {{"db_checkpoints", "Checkpoints, by what called for them."}}},
	{.sql = "SELECT NULL, xact_commit::float8, xact_rollback::float8, blks_hit::float8, blks_read::float8, "
                "temp_files::float8, temp_bytes::float8, deadlocks::float8, pg_database_size(datid)::float8 FROM "
                "pg_stat_database WHERE datname = current_database()",
         .figures = {{"db_commits", "Transactions committed in the database."},
                     {"db_rollbacks", "Transactions rolled back in the database."},
                     {"db_blocks_hit", "Blocks found in shared buffers."},
                     {"db_blocks_read", "Blocks not found in shared buffers."},
                     {"db_temp_files", "Temporary files written by queries."},
                     {"db_temp_bytes", "Bytes of the temporary files."},
                     {"db_deadlocks", "Deadlocks found."},
                     {"db_size_bytes", "Size of the database."}}},
	{.label = "relation",
         .sql = "SELECT s.relname::text, greatest(c.reltuples, 0)::float8, s.n_dead_tup::float8, s.n_tup_ins::float8, pg_table_size(s.relid)::float8, pg_indexes_size(s.relid)::float8 FROM " OWN_TABLES
                " JOIN pg_stat_user_tables s ON s.relid = to_regclass(own.name) JOIN pg_class c ON c.oid = s.relid ORDER BY s.relname",
         .figures = {{"db_table_rows", "Rows of a table as of the last VACUUM or ANALYZE."},
                     {"db_table_dead_rows", "Rows that wait for a VACUUM, as estimated."},
                     {"db_table_inserts", "Rows inserted into a table, those rolled back included."},
                     {"db_table_bytes", "Size of a table without its indexes."},
                     {"db_table_index_bytes", "Size of all indexes of a table."}}},
	{.label = "index",
         .sql = "SELECT indexrelname::text, pg_relation_size(indexrelid)::float8, idx_scan::float8, idx_tup_read::float8 FROM " OWN_TABLES
                " JOIN pg_stat_user_indexes ON relid = to_regclass(own.name) ORDER BY indexrelname",
         .figures = {{"db_index_bytes", "Size of an index."},
                     {"db_index_scans", "How often an index was looked into."},
                     {"db_index_rows_read", "Entries that looking into an index has yielded."}}},
};

/*
 * %s is the schema of the extension. The extension replaces literals by parameters, but not in all statements, and not
 * when it had to forget: so only statements about our tables are shown, and of them how they begin, up to a literal or
 * a comment.
 */
static const struct query statements = {
	.label = "statement",
	.sql = "SELECT head, sum(calls)::float8, (sum(total_exec_time) / sum(calls))::float8, sum(rows)::float8 "
	       "FROM (SELECT left(regexp_replace(regexp_replace(query, "
	       "'(''|--|/\\*|\\$[^0-9]|(?<![\\w$])[0-9]).*', '…'), '\\s+', ' ', 'g'), 100) AS head, calls, "
	       "total_exec_time, rows FROM %s.pg_stat_statements WHERE calls > 0 AND dbid = (SELECT oid FROM "
	       "pg_database WHERE datname = current_database()) AND query ~* "
	       "'^\\s*((select|insert|update|delete|with)\\M.*\\mwebhook_|(begin|commit|rollback)\\M)') AS seen "
	       "GROUP BY head ORDER BY sum(total_exec_time) DESC LIMIT 20",
	.figures = {{"db_statement_calls", "How often a statement was executed."},
                    {"db_statement_mean_ms", "What it took in the server on average."},
                    {"db_statement_rows", "Rows it has yielded or changed in all."}},
};

#define SETTINGS                                                                                                       \
	"SELECT name, current_setting(name, true) FROM unnest(ARRAY['server_version', 'shared_buffers', 'fsync',"      \
	" 'synchronous_commit', 'full_page_writes', 'data_checksums', 'wal_level', 'wal_compression', 'wal_buffers',"  \
	" 'max_wal_size', 'checkpoint_timeout', 'checkpoint_completion_target', 'commit_delay', 'autovacuum',"         \
	" 'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'max_connections', 'random_page_cost',"          \
	" 'effective_io_concurrency', 'jit', 'track_io_timing', 'search_path']) AS name"                               \
	" WHERE current_setting(name, true) IS NOT NULL"

static const char *text_or_null(const PGresult *result, int line, int column)
{
	return PQgetisnull(result, line, column) ? NULL : PQgetvalue(result, line, column);
}

/* The rows of `sql`, to be cleared by the caller; NULL and a sentence. */
static PGresult *ask(struct connection *connection, const char *sql, struct sluice_error *error)
{
	PGresult *result = connection_query(connection, sql, NULL);
	if (connection_judge(connection, result) == FAULT_NONE)
		return result;
	PQclear(result);
	(void)sluice_error_set(error, "PostgreSQL does not tell its figures: %s", connection->trouble.text);
	return NULL;
}

static bool show(struct connection *connection, const struct query *query, const char *sql,
                 struct sluice_observer *observer, struct sluice_error *error)
{
	PGresult *result = ask(connection, sql, error);
	for (int line = 0; result && line < PQntuples(result); line++) {
		for (int i = 0; i < FIGURES_MAX && query->figures[i].name; i++)
			observer->gauge(observer, query->figures[i].name, query->label, text_or_null(result, line, 0),
			                column_real(result, line, i + 1), query->figures[i].help);
	}
	PQclear(result);
	return result != NULL;
}

static bool show_settings(struct connection *connection, struct sluice_observer *observer, struct sluice_error *error)
{
	PGresult *result = ask(connection, SETTINGS, error);
	for (int line = 0; result && line < PQntuples(result); line++)
		observer->text(observer, "db_setting", "setting", PQgetvalue(result, line, 0),
		               PQgetvalue(result, line, 1), "A setting of the server, as this role sees it.");
	PQclear(result);
	return result != NULL;
}

/* The quoted schema of pg_stat_statements; "" where it is not installed. */
static bool find_statements(struct connection *connection, char schema_out[NAME_SIZE], struct sluice_error *error)
{
	PGresult *result = ask(
		connection,
		"SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_stat_statements'",
		error);
	if (result)
		(void)snprintf(schema_out, NAME_SIZE, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return result != NULL;
}

/* Installed and not loaded, it refuses to answer: then there is nothing to show. */
static bool show_statements(struct connection *connection, struct sluice_observer *observer, struct sluice_error *error)
{
	char schema[NAME_SIZE], sql[1024 + NAME_SIZE];
	if (!find_statements(connection, schema, error))
		return false;
	if (!schema[0])
		return true;
	(void)snprintf(sql, sizeof(sql), statements.sql, schema);
	return show(connection, &statements, sql, observer, NULL) || !connection->broken ||
	       sluice_error_set(error, "PostgreSQL does not tell its figures: %s", connection->trouble.text);
}

static bool show_all(struct connection *connection, struct sluice_observer *observer, struct sluice_error *error)
{
	int version = PQserverVersion(connection->pg);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		const struct query *query = &queries[i];
		if (version < query->from || (query->before && version >= query->before))
			continue;
		if (!show(connection, query, query->sql, observer, error))
			return false;
	}
	return show_statements(connection, observer, error) && show_settings(connection, observer, error);
}

bool figures_show(struct server *server, struct sluice_observer *observer, struct sluice_error *error)
{
	struct connection *connection = connection_open(server, CONNECTION_READS, error);
	if (!connection)
		return false;
	bool ok = transaction_open(connection, TRANSACTION_READS, error) && show_all(connection, observer, error);
	connection_close(connection);
	return ok;
}
