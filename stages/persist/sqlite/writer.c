/*
 * The writer. All rows of a batch go into one transaction. A row that the database refuses (a constraint, a trigger)
 * breaks it off, and it is done again carefully, each row in a savepoint: the common case pays nothing for the rare
 * one.
 */
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "real_clock.h"
#include "statements.h"
#include "transaction.h"

/* Internal: an event of which this transaction has not yet said anything. No verdict of a persist stage is WAIT. */
#define UNDECIDED SLUICE_WAIT

enum progress {
	WENT_WELL,
	REFUSED, /* the database refuses this row, and would again */
	BROKEN,  /* the transaction cannot be finished now */
};

/* A probe asks for less than an event may, so its success ends no trouble that an event has just had. */
#define PROBE_COUNTS_NS INT64_C(1000000000)

static bool open_database(struct writer *writer, enum database_when when, struct sluice_error *error)
{
	const struct config *config = writer->config;
	writer->db = database_open(config, writer->disk, when, error);
	if (!writer->db)
		return false;
	writer->data_version = 0;
	if (database_migrate(writer->db, config, error) && statements_prepare(writer, error))
		return true;
	writer_close(writer);
	return false;
}

void writer_close(struct writer *writer)
{
	statements_finalize(writer);
	if (!writer->db)
		return;
	(void)sqlite3_db_config(writer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(writer->db);
	writer->db = NULL;
}

bool writer_reopen(struct writer *writer, struct sluice_error *error)
{
	chain_log_head(&writer->chain, writer->stage);
	chain_init(&writer->chain, writer->stage->host);
	return open_database(writer, DATABASE_MUST_EXIST, error);
}

bool writer_create(struct writer *writer, struct sluice_error *error)
{
	if (!open_database(writer, DATABASE_MAY_BE_NEW, error))
		return false;
	(void)pthread_mutex_init(&writer->lock, NULL);
	(void)pthread_cond_init(&writer->resumed, NULL);
	chain_init(&writer->chain, writer->stage->host);
	return true;
}

void writer_destroy(struct writer *writer)
{
	chain_log_head(&writer->chain, writer->stage);
	statements_finalize(writer);
	(void)sqlite3_close(writer->db);
	(void)pthread_cond_destroy(&writer->resumed);
	(void)pthread_mutex_destroy(&writer->lock);
	free(writer->covers);
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
		bool compiles = sqlite3_prepare_v2(writer->db, sqlite3_sql(writer->statements[which]), -1, &probe,
		                                   NULL) == SQLITE_OK;
		(void)sqlite3_finalize(probe);
		return compiles ? REFUSED : BROKEN;
	}
	default:
		return BROKEN;
	}
}

static struct sluice_bytes text_column(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return (struct sluice_bytes){text, text ? (size_t)sqlite3_column_bytes(statement, column) : 0};
}

/* Whether the event counts as what is stored with its message id, though their digests differ. */
static bool is_same_content(struct writer *writer, struct sluice_event *event)
{
	const struct sluice_same_content *content = event->host->extension(SLUICE_SAME_CONTENT);
	if (!content || !content->may_be_same(event))
		return false;
	sqlite3_stmt *statement = writer->statements[WRITER_CONTENT];
	bind_text(statement, 1, event->message_id);
	bool is_same = false;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const void *payload = sqlite3_column_blob(statement, 3);
		const struct sluice_record stored = {
			.event_type = text_column(statement, 0),
			.stream = text_column(statement, 1),
			.has_sequence = sqlite3_column_type(statement, 2) != SQLITE_NULL,
			.sequence = sqlite3_column_int64(statement, 2),
			.payload = {payload ? payload : "", (size_t)sqlite3_column_bytes(statement, 3)},
		};
		is_same = content->is_same(event, &stored);
	}
	(void)sqlite3_reset(statement);
	return is_same;
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
		*verdict = same || is_same_content(writer, event) ? SLUICE_DONE : SLUICE_REJECT;
	} else if (result == SQLITE_DONE) {
		*verdict = sluice_fail(
			event, "the database dropped the event without an error (a trigger with RAISE(IGNORE)?)");
	} else {
		progress = BROKEN;
	}
	(void)sqlite3_reset(statement);
	return progress;
}

/* Whether the row that was inserted is in the table as it was sent. */
static bool stands(struct writer *writer, struct sluice_event *event, int64_t id)
{
	int64_t found;
	bind_event(writer->statements[WRITER_STANDS], event);
	(void)sqlite3_bind_int64(writer->statements[WRITER_STANDS], PARAMETER_ID, id);
	return statements_ask(writer, WRITER_STANDS, &found) && found;
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
	if (writer->has_triggers && !stands(writer, event, id)) {
		sqlite3_snprintf(TROUBLE_SIZE, writer->refusal, "a trigger deletes or alters its row");
		return REFUSED;
	}
	*verdict = SLUICE_PASS;
	return transaction_cover(writer, id, sluice_digest(event)) ? WENT_WELL : BROKEN;
}

/* insert() of one row that may be refused: then it is decided, and the transaction is as if it had never been tried. */
static enum progress insert_carefully(struct writer *writer, struct sluice_event *event, enum sluice_verdict *verdict)
{
	if (!statements_run(writer, WRITER_SAVEPOINT))
		return BROKEN;
	enum progress progress = insert(writer, event, verdict);
	if (progress == REFUSED) {
		*verdict = sluice_fail(event, "the database refuses this event: %s", writer->refusal);
		if (sqlite3_get_autocommit(writer->db)) /* RAISE(ROLLBACK): the others went with it */
			return REFUSED;
		progress = statements_run(writer, WRITER_ROLLBACK_TO) ? WENT_WELL : BROKEN;
	}
	return progress == WENT_WELL && !statements_run(writer, WRITER_RELEASE) ? BROKEN : progress;
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

/* What one event's row or the audit row set off may be at the expense of another's. */
static enum progress check_all(struct writer *writer, const struct sluice_batch *batch)
{
	size_t cover = 0;
	for (size_t i = 0; writer->has_triggers && i < batch->count; i++) {
		if (batch->verdicts[i] != SLUICE_PASS)
			continue;
		if (!stands(writer, batch->events[i], chain_covered_id(writer->covers + cover++ * CHAIN_COVER_SIZE)))
			writer->dropped = "or altered an event";
	}
	return writer->dropped ? BROKEN : WENT_WELL;
}

/* The batch as one transaction. Verdicts hold only if it went well, except FAIL, which is final. */
static enum progress transact(struct writer *writer, struct sluice_batch *batch, bool carefully)
{
	const struct sluice_host *host = writer->stage->host;
	struct sluice_audit_row row;
	int64_t start_ns = host->now_ns();
	(void)atomic_fetch_add_explicit(&writer->transactions, 1, memory_order_relaxed);
	if (!transaction_begin(writer))
		return BROKEN;
	enum progress progress = insert_all(writer, batch, carefully);
	if (progress == WENT_WELL && writer->cover_count > 0) {
		chain_next(&writer->chain, host, writer->covers, writer->cover_count, &row);
		progress = transaction_audit(writer, &row) ? WENT_WELL : BROKEN;
	}
	if (progress == WENT_WELL)
		progress = check_all(writer, batch);
	int64_t executed_ns = host->now_ns();
	sluice_batch_span(writer->stage, batch, SPAN_EXECUTE, executed_ns - start_ns);
	if (progress != WENT_WELL)
		return progress;
	if (!transaction_commit(writer))
		return BROKEN;
	sluice_batch_span(writer->stage, batch, SPAN_COMMIT, host->now_ns() - executed_ns);
	if (writer->cover_count > 0) {
		chain_advance(&writer->chain, writer->stage, &row);
		writer->last_id = chain_covered_id(writer->covers + (writer->cover_count - 1) * CHAIN_COVER_SIZE);
	}
	return WENT_WELL;
}

static void conclude(struct sluice_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->verdicts[i] == SLUICE_REJECT)
			(void)sluice_conflict(batch->events[i], "this message id is stored with a different content");
	}
}

static void postpone(struct writer *writer, struct sluice_batch *batch)
{
	char cause[TROUBLE_SIZE];
	transaction_find_cause(writer, cause);
	trouble_begin(writer->trouble, cause);
	writer->failed_ns = real_now_ns();
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
	transaction_enter(writer);
	enum progress progress = transact(writer, batch, false);
	while (progress == REFUSED) {
		transaction_roll_back(writer);
		progress = transact(writer, batch, true);
	}
	if (progress == WENT_WELL) {
		trouble_end(writer->trouble);
		conclude(batch);
	} else {
		postpone(writer, batch);
		transaction_roll_back(writer);
	}
	transaction_leave(writer);
}

/* It is there, now or since an earlier time. */
static bool is_buried(struct writer *writer, struct sluice_event *event)
{
	if (sqlite3_changes(writer->db) > 0 && !writer->has_triggers)
		return true;
	sqlite3_stmt *statement = writer->statements[WRITER_FIND_BURIED];
	struct sluice_bytes payload = event->payload;
	bind_text(statement, 1, event->message_id);
	(void)sqlite3_bind_blob(statement, 2, sluice_digest(event), SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	(void)sqlite3_bind_blob64(statement, 3, payload.data ? payload.data : "", payload.size, SQLITE_STATIC);
	int result = sqlite3_step(statement);
	if (result == SQLITE_DONE)
		writer->dropped = "a dead letter";
	return sqlite3_reset(statement) == SQLITE_OK && result == SQLITE_ROW;
}

bool writer_dead_letter(struct writer *writer, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	struct sluice_bytes text = {reason, strlen(reason)};
	sqlite3_stmt *statement = writer->statements[WRITER_BURY];
	(void)sluice_digest(event);
	transaction_enter(writer);
	bind_event(statement, event);
	bind_text(statement, PARAMETER_REASON, text);
	(void)sqlite3_bind_int64(statement, PARAMETER_BURIED_AT, writer->stage->host->wall_ns() / 1000);
	bool ok = transaction_begin(writer) && statements_run(writer, WRITER_BURY) && is_buried(writer, event) &&
	          transaction_commit(writer);
	if (!ok) {
		char cause[TROUBLE_SIZE];
		transaction_find_cause(writer, cause);
		(void)sluice_error_set(error, "SQLite could not store the dead letter: %s", cause);
		transaction_roll_back(writer);
	}
	transaction_leave(writer);
	return ok;
}

bool writer_drop_letter(struct writer *writer, int64_t id, struct sluice_error *error)
{
	transaction_enter(writer);
	(void)sqlite3_bind_int64(writer->statements[WRITER_DROP_LETTER], 1, id);
	bool ok = transaction_begin(writer) && statements_run(writer, WRITER_DROP_LETTER) && transaction_commit(writer);
	if (!ok) {
		char cause[TROUBLE_SIZE];
		transaction_find_cause(writer, cause);
		(void)sluice_error_set(error, "SQLite could not forget the dead letter: %s", cause);
		transaction_roll_back(writer);
	}
	transaction_leave(writer);
	return ok;
}

void writer_probe(struct writer *writer)
{
	char cause[TROUBLE_SIZE];
	bool in_trouble = trouble_get(writer->trouble, cause);
	transaction_enter(writer);
	bool ok = transaction_begin(writer) && statements_compile(writer) &&
	          (!in_trouble || (database_touch(writer->db) && transaction_commit(writer)));
	if (!ok) {
		transaction_find_cause(writer, cause);
		trouble_begin(writer->trouble, cause);
	} else if (real_now_ns() - writer->failed_ns >= PROBE_COUNTS_NS) {
		trouble_end(writer->trouble);
	}
	transaction_roll_back(writer);
	transaction_leave(writer);
}
