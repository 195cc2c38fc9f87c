/*
 * Pruning. The old rows are looked for outside of a transaction, so that rows which are all young cost no write; those that another
 * process removes meanwhile are left out.
 */
#include <stdlib.h>
#include <string.h>

#include "statements.h"
#include "transaction.h"

/* The old ones among the next rows, as covers. */
static bool look(struct writer *writer, struct sluice_pruning *pruning)
{
	static const uint8_t unknown[SLUICE_DIGEST_SIZE];
	sqlite3_stmt *statement = writer->statements[WRITER_LOOK_AT_OLD];
	bool ok = true;
	writer->dropped = NULL;
	writer->cover_count = 0;
	(void)sqlite3_bind_int64(statement, 1, pruning->after_id);
	(void)sqlite3_bind_int64(statement, 2, pruning->before_ns / 1000);
	(void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)pruning->max);
	while (ok && sqlite3_step(statement) == SQLITE_ROW) {
		const uint8_t *digest = sqlite3_column_blob(statement, 2);
		bool whole = sqlite3_column_bytes(statement, 2) == SLUICE_DIGEST_SIZE;
		pruning->looked++;
		pruning->after_id = sqlite3_column_int64(statement, 0);
		ok = !sqlite3_column_int(statement, 1) ||
		     transaction_cover(writer, pruning->after_id, whole ? digest : unknown);
	}
	return sqlite3_reset(statement) == SQLITE_OK && ok;
}

/* Removes the rows, and the covers of those that were gone. */
static bool remove_all(struct writer *writer)
{
	sqlite3_stmt *statement = writer->statements[WRITER_PRUNE];
	size_t count = 0;
	for (size_t i = 0; i < writer->cover_count; i++) {
		uint8_t *cover = writer->covers + i * CHAIN_COVER_SIZE;
		(void)sqlite3_bind_int64(statement, 1, chain_covered_id(cover));
		if (!statements_run(writer, WRITER_PRUNE))
			return false;
		if (sqlite3_changes(writer->db) > 0)
			memmove(writer->covers + count++ * CHAIN_COVER_SIZE, cover, CHAIN_COVER_SIZE);
	}
	writer->cover_count = count;
	return true;
}

/* What look() has found. */
static bool prune(struct writer *writer, int64_t before_ns, uint8_t *room)
{
	struct sluice_audit_row row;
	if (!transaction_begin(writer) || !remove_all(writer))
		return false;
	if (writer->cover_count > 0) {
		chain_prune(&writer->chain, writer->stage->host, writer->covers, writer->cover_count, before_ns, room,
		            &row);
		if (!transaction_audit(writer, &row))
			return false;
	}
	if (!transaction_commit(writer))
		return false;
	if (writer->cover_count > 0)
		chain_advance(&writer->chain, writer->stage, &row);
	return true;
}

bool writer_prune(struct writer *writer, struct sluice_pruning *pruning, struct sluice_error *error)
{
	char cause[TROUBLE_SIZE];
	const int64_t first = pruning->after_id;
	pruning->looked = pruning->pruned = 0;
	transaction_enter(writer);
	bool ok = writer->db && look(writer, pruning);
	uint8_t *room = malloc(CHAIN_PRUNED_SIZE(writer->cover_count));
	ok = ok && room && (writer->cover_count == 0 || prune(writer, pruning->before_ns, room));
	if (ok) {
		pruning->pruned = writer->cover_count;
	} else {
		pruning->after_id = first;
		transaction_find_cause(writer, cause);
		(void)sluice_error_set(error, "SQLite could not prune: %s", cause);
		transaction_roll_back(writer);
	}
	transaction_leave(writer);
	free(room);
	return ok;
}
