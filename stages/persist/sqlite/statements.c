/* The statements of the writer. */
#include "statements.h"

#include "schema.h"

#define FIND_TRIGGERS                                                                                                  \
	"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) IN ('webhook_events', " \
	"'webhook_audit_trail', 'webhook_dead_letters') AND name NOT IN (" OWN_TRIGGERS "))"

static const char *const statement_texts[WRITER_STATEMENTS] = {
	[WRITER_BEGIN] = "BEGIN IMMEDIATE",
	[WRITER_COMMIT] = "COMMIT",
	[WRITER_ROLLBACK] = "ROLLBACK",
	[WRITER_SAVEPOINT] = "SAVEPOINT one_event",
	[WRITER_ROLLBACK_TO] = "ROLLBACK TO one_event",
	[WRITER_RELEASE] = "RELEASE one_event",
	[WRITER_INSERT] =
		"INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, request_id, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (message_id) DO NOTHING RETURNING id",
	[WRITER_LOOKUP] = "SELECT digest FROM webhook_events WHERE message_id = ?1",
	[WRITER_CONTENT] = "SELECT event_type, stream, sequence, payload FROM webhook_events WHERE message_id = ?1",
	[WRITER_AUDIT] =
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[WRITER_BURY] =
		"INSERT INTO webhook_dead_letters (message_id, event_type, stream, sequence, payload, digest, request_id, received_at, reason, buried_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (message_id, digest) DO NOTHING",
	[WRITER_FIND_BURIED] =
		"SELECT 1 FROM webhook_dead_letters WHERE message_id IS ?1 AND digest = ?2 AND payload = ?3",
	[WRITER_STANDS] =
		"SELECT 1 FROM webhook_events WHERE id = ?9 AND message_id IS ?1 AND event_type IS ?2 AND stream IS ?3 AND sequence IS ?4 AND payload = ?5 AND digest = ?6 AND request_id = ?7",
	[WRITER_TRIGGERS] = (FIND_TRIGGERS),
	[WRITER_DROP_LETTER] = "DELETE FROM webhook_dead_letters WHERE id = ?1",
	[WRITER_LOOK_AT_OLD] =
		"SELECT id, received_at < ?2, digest FROM webhook_events WHERE id > ?1 ORDER BY id LIMIT ?3",
	[WRITER_PRUNE] = "DELETE FROM webhook_events WHERE id = ?1",
	[WRITER_DATA_VERSION] = "PRAGMA data_version",
};

void statements_finalize(struct writer *writer)
{
	for (int i = 0; i < WRITER_STATEMENTS; i++) {
		(void)sqlite3_finalize(writer->statements[i]);
		writer->statements[i] = NULL;
	}
}

bool statements_prepare(struct writer *writer, struct sluice_error *error)
{
	const struct config *config = writer->config;
	for (int i = 0; i < WRITER_STATEMENTS; i++) {
		if (sqlite3_prepare_v3(writer->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
		                       &writer->statements[i], NULL) != SQLITE_OK)
			return sluice_error_set(error, "path: %s: not a database of Sluice: %s", config->path,
			                        sqlite3_errmsg(writer->db));
	}
	return true;
}

bool statements_run(struct writer *writer, enum writer_statement which)
{
	sqlite3_stmt *statement = writer->statements[which];
	(void)sqlite3_step(statement);
	return sqlite3_reset(statement) == SQLITE_OK;
}

bool statements_ask(struct writer *writer, enum writer_statement which, int64_t *answer_out)
{
	sqlite3_stmt *statement = writer->statements[which];
	*answer_out = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	return sqlite3_reset(statement) == SQLITE_OK;
}

/* SQLite learns of a changed schema by running one. */
bool statements_compile(struct writer *writer)
{
	(void)sqlite3_bind_null(writer->statements[WRITER_LOOKUP], 1);
	bool ok = statements_run(writer, WRITER_LOOKUP);
	for (int i = WRITER_INSERT; ok && i <= WRITER_BURY; i++) {
		sqlite3_stmt *statement = NULL;
		ok = sqlite3_prepare_v2(writer->db, statement_texts[i], -1, &statement, NULL) == SQLITE_OK;
		(void)sqlite3_finalize(statement);
	}
	return ok;
}
