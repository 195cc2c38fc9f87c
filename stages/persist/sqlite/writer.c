/*
 * The writer. All rows of a batch go into one transaction. A row that the database refuses (a constraint, a trigger)
 * breaks it off, and it is done again carefully, each row in a savepoint: the common case pays nothing for the rare
 * one.
 */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

static const char *const statement_texts[WRITER_STATEMENTS] = {
	[WRITER_BEGIN] = "BEGIN IMMEDIATE",
	[WRITER_COMMIT] = "COMMIT",
	[WRITER_ROLLBACK] = "ROLLBACK",
	[WRITER_SAVEPOINT] = "SAVEPOINT one_event",
	[WRITER_ROLLBACK_TO] = "ROLLBACK TO one_event",
	[WRITER_RELEASE] = "RELEASE one_event",
	[WRITER_INSERT] =
		"INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, "
		"request_id, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (message_id) DO "
		"NOTHING RETURNING id",
	[WRITER_LOOKUP] = "SELECT digest FROM webhook_events WHERE message_id = ?1",
	[WRITER_AUDIT] =
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[WRITER_BURY] =
		"INSERT INTO webhook_dead_letters (message_id, event_type, stream, sequence, payload, digest, "
		"request_id, received_at, reason, buried_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON "
		"CONFLICT (message_id, digest) DO NOTHING",
};

enum { PARAMETER_REASON = 9, PARAMETER_BURIED_AT = 10 };

/* Internal: an event of which this transaction has not yet said anything. No verdict of a persist stage is WAIT. */
#define UNDECIDED SLUICE_WAIT

enum progress {
	WENT_WELL,
	REFUSED, /* the database refuses this row, and would again */
	BROKEN,  /* the transaction cannot be finished now */
};

bool writer_create(struct writer *writer, struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	*writer = (struct writer){.stage = stage};
	writer->db = database_open(config, DATABASE_MAY_BE_NEW, error);
	if (!writer->db)
		return false;
	if (!database_migrate(writer->db, config, error))
		goto close;
	for (int i = 0; i < WRITER_STATEMENTS; i++) {
		if (sqlite3_prepare_v3(writer->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
		                       &writer->statements[i], NULL) == SQLITE_OK)
			continue;
		(void)sluice_error_set(error, "path: %s: not a database of Sluice: %s", config->path,
		                       sqlite3_errmsg(writer->db));
		goto finalize;
	}
	(void)pthread_mutex_init(&writer->lock, NULL);
	(void)pthread_cond_init(&writer->resumed, NULL);
	(void)pthread_mutex_init(&writer->trouble_lock, NULL);
	chain_init(&writer->chain, stage->host);
	return true;

finalize:
	for (int i = 0; i < WRITER_STATEMENTS; i++)
		(void)sqlite3_finalize(writer->statements[i]);
close:
	(void)sqlite3_close(writer->db);
	return false;
}

void writer_destroy(struct writer *writer)
{
	chain_log_head(&writer->chain, writer->stage);
	for (int i = 0; i < WRITER_STATEMENTS; i++)
		(void)sqlite3_finalize(writer->statements[i]);
	(void)sqlite3_close(writer->db);
	(void)pthread_mutex_destroy(&writer->trouble_lock);
	(void)pthread_cond_destroy(&writer->resumed);
	(void)pthread_mutex_destroy(&writer->lock);
	free(writer->covers);
}

/* Whoever pauses the writer goes before all who wait for the lock: without that, steady load would never let it in. */
static void enter(struct writer *writer)
{
	(void)pthread_mutex_lock(&writer->lock);
	while (atomic_load(&writer->pauses) > 0)
		(void)pthread_cond_wait(&writer->resumed, &writer->lock);
}

static void leave(struct writer *writer)
{
	(void)pthread_mutex_unlock(&writer->lock);
}

void writer_pause(struct writer *writer)
{
	(void)atomic_fetch_add(&writer->pauses, 1);
	(void)pthread_mutex_lock(&writer->lock);
}

void writer_resume(struct writer *writer)
{
	(void)atomic_fetch_sub(&writer->pauses, 1);
	(void)pthread_cond_broadcast(&writer->resumed);
	(void)pthread_mutex_unlock(&writer->lock);
}

static void set_trouble(struct writer *writer, const char *trouble)
{
	(void)pthread_mutex_lock(&writer->trouble_lock);
	sqlite3_snprintf(TROUBLE_SIZE, writer->trouble, "%s", trouble);
	(void)pthread_mutex_unlock(&writer->trouble_lock);
}

bool writer_in_trouble(struct writer *writer, char trouble_out[TROUBLE_SIZE])
{
	(void)pthread_mutex_lock(&writer->trouble_lock);
	memcpy(trouble_out, writer->trouble, TROUBLE_SIZE);
	(void)pthread_mutex_unlock(&writer->trouble_lock);
	return trouble_out[0] != '\0';
}

/* Runs a statement to its end, without a look at what it yields. */
static bool run(struct writer *writer, enum writer_statement which)
{
	sqlite3_stmt *statement = writer->statements[which];
	(void)sqlite3_step(statement);
	return sqlite3_reset(statement) == SQLITE_OK;
}

static void roll_back(struct writer *writer)
{
	if (!sqlite3_get_autocommit(writer->db)) /* SQLite rolls back by itself after the worst errors */
		(void)run(writer, WRITER_ROLLBACK);
}

/* SQLite keeps writing happily to a file that has been deleted: what it commits there is lost. */
static bool file_is_in_place(struct writer *writer)
{
	int moved = 0;
	return sqlite3_file_control(writer->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved;
}

static const char *cause_of_failure(struct writer *writer)
{
	return file_is_in_place(writer) ? sqlite3_errmsg(writer->db)
	                                : "the database file was moved or deleted while in use; start again";
}

static bool commit(struct writer *writer)
{
	return file_is_in_place(writer) && run(writer, WRITER_COMMIT);
}

static void bind_text(sqlite3_stmt *statement, int parameter, struct sluice_bytes text)
{
	(void)sqlite3_bind_text64(statement, parameter, text.data, text.size, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_event(sqlite3_stmt *statement, struct sluice_event *event)
{
	struct sluice_bytes payload = event->payload;
	bind_text(statement, 1, event->message_id);
	bind_text(statement, 2, event->event_type);
	bind_text(statement, 3, event->stream);
	if (event->has_sequence)
		(void)sqlite3_bind_int64(statement, 4, event->sequence);
	else
		(void)sqlite3_bind_null(statement, 4);
	(void)sqlite3_bind_blob64(statement, 5, payload.data ? payload.data : "", payload.size, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 6, sluice_digest(event), SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	bind_text(statement, 7, event->request_id);
	(void)sqlite3_bind_int64(statement, 8, event->received_at_ns / 1000);
}

/* Whether an error is about this row, or about the state of the database. */
static enum progress classify(struct writer *writer, enum writer_statement which, int result)
{
	sqlite3_snprintf(TROUBLE_SIZE, writer->refusal, "%s", sqlite3_errmsg(writer->db));
	switch (result & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return REFUSED;
	case SQLITE_ERROR: {
		/* A row can fail with it, too (json_extract() in a CHECK). What no longer compiles is the schema's
		 * fault. */
		sqlite3_stmt *probe = NULL;
		bool compiles = sqlite3_prepare_v2(writer->db, statement_texts[which], -1, &probe, NULL) == SQLITE_OK;
		(void)sqlite3_finalize(probe);
		return compiles ? REFUSED : BROKEN;
	}
	default:
		return BROKEN;
	}
}

static bool add_cover(struct writer *writer, int64_t id, const uint8_t *digest)
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

/* The row was not inserted because its message id is there already: DONE, REJECT, or neither. */
static enum progress look_up(struct writer *writer, struct sluice_event *event, enum sluice_verdict *verdict)
{
	sqlite3_stmt *statement = writer->statements[WRITER_LOOKUP];
	bind_text(statement, 1, event->message_id);
	int result = sqlite3_step(statement);
	enum progress progress = WENT_WELL;
	if (result == SQLITE_ROW) {
		const void *digest = sqlite3_column_blob(statement, 0);
		bool same = sqlite3_column_bytes(statement, 0) == SLUICE_DIGEST_SIZE &&
		            memcmp(digest, sluice_digest(event), SLUICE_DIGEST_SIZE) == 0;
		*verdict = same ? SLUICE_DONE : SLUICE_REJECT;
	} else if (result == SQLITE_DONE) {
		*verdict = sluice_fail(
			event, "the database dropped the event without an error (a trigger with RAISE(IGNORE)?)");
	} else {
		progress = BROKEN;
	}
	(void)sqlite3_reset(statement);
	return progress;
}

static enum progress insert(struct writer *writer, struct sluice_event *event, enum sluice_verdict *verdict)
{
	sqlite3_stmt *statement = writer->statements[WRITER_INSERT];
	bind_event(statement, event);
	int result = sqlite3_step(statement);
	bool inserted = result == SQLITE_ROW;
	int64_t id = inserted ? sqlite3_column_int64(statement, 0) : 0;
	if (inserted)
		result = sqlite3_step(statement);
	(void)sqlite3_reset(statement);
	if (result != SQLITE_DONE)
		return classify(writer, WRITER_INSERT, result);
	if (!inserted)
		return look_up(writer, event, verdict);
	*verdict = SLUICE_PASS;
	return add_cover(writer, id, sluice_digest(event)) ? WENT_WELL : BROKEN;
}

/* insert() of one row that may be refused: then it is decided, and the transaction is as if it had never been tried. */
static enum progress insert_carefully(struct writer *writer, struct sluice_event *event, enum sluice_verdict *verdict)
{
	if (!run(writer, WRITER_SAVEPOINT))
		return BROKEN;
	enum progress progress = insert(writer, event, verdict);
	if (progress == REFUSED) {
		*verdict = sluice_fail(event, "the database refuses this event: %s", writer->refusal);
		if (sqlite3_get_autocommit(writer->db)) /* RAISE(ROLLBACK): the others went with it */
			return REFUSED;
		progress = run(writer, WRITER_ROLLBACK_TO) ? WENT_WELL : BROKEN;
	}
	return progress == WENT_WELL && !run(writer, WRITER_RELEASE) ? BROKEN : progress;
}

static enum progress write_audit_row(struct writer *writer, const struct sluice_audit_row *row)
{
	sqlite3_stmt *statement = writer->statements[WRITER_AUDIT];
	bind_text(statement, 1, row->writer);
	(void)sqlite3_bind_int64(statement, 2, row->position);
	(void)sqlite3_bind_int64(statement, 3, row->written_at_ns / 1000);
	(void)sqlite3_bind_blob64(statement, 4, row->covers.data, row->covers.size, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 5, row->previous, SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 6, row->hash, SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	return run(writer, WRITER_AUDIT) ? WENT_WELL : BROKEN;
}

static enum progress insert_all(struct writer *writer, struct sluice_batch *batch, bool carefully)
{
	writer->cover_count = 0;
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->verdicts[i] == SLUICE_FAIL)
			continue;
		enum progress progress = (carefully ? insert_carefully : insert)(writer, batch->events[i],
		                                                                 &batch->verdicts[i]);
		if (progress != WENT_WELL)
			return progress;
	}
	return WENT_WELL;
}

/* The batch as one transaction. Verdicts hold only if it went well, except FAIL, which is final. */
static enum progress transact(struct writer *writer, struct sluice_batch *batch, bool carefully)
{
	const struct sluice_host *host = writer->stage->host;
	struct sluice_audit_row row;
	int64_t start_ns = host->now_ns();
	if (!run(writer, WRITER_BEGIN))
		return BROKEN;
	enum progress progress = insert_all(writer, batch, carefully);
	if (progress == WENT_WELL && writer->cover_count > 0) {
		chain_next(&writer->chain, host, writer->covers, writer->cover_count, &row);
		progress = write_audit_row(writer, &row);
	}
	int64_t executed_ns = host->now_ns();
	sluice_batch_span(writer->stage, batch, SPAN_EXECUTE, executed_ns - start_ns);
	if (progress != WENT_WELL)
		return progress;
	if (!commit(writer))
		return BROKEN;
	sluice_batch_span(writer->stage, batch, SPAN_COMMIT, host->now_ns() - executed_ns);
	if (writer->cover_count > 0)
		chain_advance(&writer->chain, writer->stage, &row);
	return WENT_WELL;
}

static void conclude(struct sluice_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->verdicts[i] == SLUICE_REJECT)
			(void)sluice_conflict(batch->events[i], "this message id is stored with a different content");
	}
}

static void postpone(struct writer *writer, struct sluice_batch *batch, const char *cause)
{
	set_trouble(writer, cause);
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->verdicts[i] != SLUICE_FAIL)
			batch->verdicts[i] = sluice_retry(batch->events[i], 0, "SQLite could not commit: %s", cause);
	}
}

void writer_store(struct writer *writer, struct sluice_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		(void)sluice_digest(batch->events[i]); /* outside the lock */
		batch->verdicts[i] = UNDECIDED;
	}
	enter(writer);
	enum progress progress = transact(writer, batch, false);
	while (progress == REFUSED) {
		roll_back(writer);
		progress = transact(writer, batch, true);
	}
	if (progress == WENT_WELL) {
		set_trouble(writer, "");
		conclude(batch);
	} else {
		postpone(writer, batch, cause_of_failure(writer));
		roll_back(writer);
	}
	leave(writer);
}

bool writer_dead_letter(struct writer *writer, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	struct sluice_bytes text = {reason, strlen(reason)};
	sqlite3_stmt *statement = writer->statements[WRITER_BURY];
	(void)sluice_digest(event);
	enter(writer);
	bind_event(statement, event);
	bind_text(statement, PARAMETER_REASON, text);
	(void)sqlite3_bind_int64(statement, PARAMETER_BURIED_AT, writer->stage->host->wall_ns() / 1000);
	bool ok = run(writer, WRITER_BEGIN) && run(writer, WRITER_BURY) && commit(writer);
	if (!ok) {
		(void)sluice_error_set(error, "SQLite could not keep the dead letter: %s", cause_of_failure(writer));
		roll_back(writer);
	}
	leave(writer);
	return ok;
}

void writer_probe(struct writer *writer)
{
	enter(writer);
	bool ok = run(writer, WRITER_BEGIN) && database_touch(writer->db) && commit(writer);
	set_trouble(writer, ok ? "" : cause_of_failure(writer));
	roll_back(writer);
	leave(writer);
}
