/* A transaction of the writer. */
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "statements.h"

void transaction_enter(struct writer *writer)
{
	(void)pthread_mutex_lock(&writer->lock);
	while (atomic_load(&writer->pauses) > 0)
		(void)pthread_cond_wait(&writer->resumed, &writer->lock);
}

void transaction_leave(struct writer *writer)
{
	(void)pthread_mutex_unlock(&writer->lock);
}

void transaction_roll_back(struct writer *writer)
{
	if (writer->db && !sqlite3_get_autocommit(writer->db)) /* SQLite rolls back by itself after the worst errors */
		(void)statements_run(writer, WRITER_ROLLBACK);
}

bool transaction_commit(struct writer *writer)
{
	return statements_run(writer, WRITER_COMMIT) && !disk_is_doubted(writer->disk);
}

/* Whether what went wrong may be over once all files are opened again. */
static bool is_about_the_files(int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
		return true;
	case SQLITE_IOERR:
		return code != SQLITE_IOERR_WRITE;
	default:
		return false;
	}
}

void transaction_find_cause(struct writer *writer, char cause_out[TROUBLE_SIZE])
{
	if (writer->dropped) {
		(void)snprintf(cause_out, TROUBLE_SIZE, "the database dropped %s without an error (a trigger?)",
		               writer->dropped);
		return;
	}
	if (!disk_is_doubted(writer->disk)) {
		int code = sqlite3_extended_errcode(writer->db);
		trouble_explain(writer->db, cause_out);
		if (!is_about_the_files(code))
			return;
		disk_doubt(writer->disk, cause_out, (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB);
	}
	char doubt[DISK_DOUBT_SIZE];
	disk_get_doubt(writer->disk, doubt);
	(void)snprintf(cause_out, TROUBLE_SIZE, "%s", doubt);
}

bool transaction_begin(struct writer *writer)
{
	writer->dropped = NULL;
	disk_look_at_index(writer->disk);
	if (!writer->db || disk_is_doubted(writer->disk) || !statements_run(writer, WRITER_BEGIN))
		return false;
	int64_t version, triggers;
	if (!statements_ask(writer, WRITER_DATA_VERSION, &version))
		return false;
	if (version == writer->data_version)
		return true;
	if (!statements_ask(writer, WRITER_TRIGGERS, &triggers))
		return false;
	if (writer->data_version)
		trouble_rename_store(writer->trouble, "another connection has changed the database");
	writer->has_triggers = triggers;
	writer->data_version = version;
	return true;
}

bool transaction_cover(struct writer *writer, int64_t id, const uint8_t *digest)
{
	if (writer->cover_count == writer->cover_room) {
		size_t room = writer->cover_room ? 2 * writer->cover_room : 64;
		uint8_t *covers = realloc(writer->covers, room * CHAIN_COVER_SIZE);
		if (!covers)
			return false;
		writer->covers = covers;
		writer->cover_room = room;
	}
	chain_cover(writer->covers + writer->cover_count++ * CHAIN_COVER_SIZE, id, digest);
	return true;
}

bool transaction_audit(struct writer *writer, const struct sluice_audit_row *row)
{
	sqlite3_stmt *statement = writer->statements[WRITER_AUDIT];
	(void)sqlite3_bind_text64(statement, 1, row->writer.data, row->writer.size, SQLITE_STATIC, SQLITE_UTF8);
	(void)sqlite3_bind_int64(statement, 2, row->position);
	(void)sqlite3_bind_int64(statement, 3, row->written_at_ns / 1000);
	(void)sqlite3_bind_blob64(statement, 4, row->covers.data, row->covers.size, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 5, row->previous, SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 6, row->hash, SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	if (!statements_run(writer, WRITER_AUDIT))
		return false;
	if (sqlite3_changes(writer->db) == 0)
		writer->dropped = "an audit row";
	return !writer->dropped;
}
