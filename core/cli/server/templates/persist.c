/*
 * persist/@NAME@: keeps events in an SQLite file, a batch as one transaction. The unique message_id makes "exactly once"
 * true, whoever else writes to the file; synchronous=EXTRA makes a commit survive a power cut.
 */
#include <sluice/stage.h>
#include <sqlite3.h>

enum { ID, TEXTS = 5, SEQUENCE, RECEIVED_AT, DIGEST }; /* columns, and parameters of the same number */

static const char open_to_read[] = "PRAGMA busy_timeout=5000; SELECT id FROM events LIMIT 1";
static const char open_to_write[] =
	"PRAGMA busy_timeout=5000; PRAGMA synchronous=EXTRA;"
	"CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id BLOB UNIQUE, event_type,"
	" stream, payload, request_id, sequence, received_at_ns, digest)";
static const char select_events[] = "SELECT * FROM events WHERE id > ?1 ORDER BY id";
/* Returns whether the row is the event's own, and whether it has the event's digest. */
static const char insert_event[] =
	"INSERT INTO events VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
	" ON CONFLICT (message_id) DO UPDATE SET digest = digest RETURNING request_id = ?5, digest = ?8";

struct config {
	const char *path;
};

/* FAIL: the database has failed. */
static enum sluice_verdict insert(sqlite3 *db, struct sluice_event *event)
{
	const struct sluice_bytes texts[TEXTS] = {event->message_id, event->event_type, event->stream, event->payload,
	                                          event->request_id};
	enum sluice_verdict verdict = SLUICE_FAIL;
	sqlite3_stmt *row = NULL;
	(void)sqlite3_prepare_v2(db, insert_event, -1, &row, NULL);
	for (int i = 0; i < TEXTS; i++) /* NULL where it is absent */
		sqlite3_bind_blob64(row, i + 1, texts[i].data, texts[i].size, SQLITE_STATIC);
	if (event->has_sequence)
		sqlite3_bind_int64(row, SEQUENCE, event->sequence);
	sqlite3_bind_int64(row, RECEIVED_AT, event->received_at_ns);
	sqlite3_bind_blob(row, DIGEST, sluice_digest(event), SLUICE_DIGEST_SIZE, SQLITE_STATIC);
	if (sqlite3_step(row) == SQLITE_ROW)
		verdict = sqlite3_column_int(row, 0)   ? SLUICE_PASS
		          : sqlite3_column_int(row, 1) ? SLUICE_DONE
		                                       : sluice_conflict(event, "this id is stored with other content");
	return sqlite3_finalize(row) == SQLITE_OK ? verdict : SLUICE_FAIL;
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	sqlite3 *db = stage->state;
	sqlite3_mutex_enter(sqlite3_db_mutex(db));
	bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
	for (size_t i = 0; ok && i < batch->count; i++)
		ok = (batch->verdicts[i] = insert(db, batch->events[i])) != SLUICE_FAIL;
	ok = ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	for (size_t i = 0; !ok && i < batch->count; i++)
		batch->verdicts[i] = sluice_retry(batch->events[i], 0, "SQLite: %s", sqlite3_errmsg(db));
	if (!ok)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_mutex_leave(sqlite3_db_mutex(db));
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	sqlite3 *db = stage->state;
	sqlite3_stmt *row = NULL;
	struct sluice_record record;
	struct sluice_bytes *const texts[TEXTS] = {&record.message_id, &record.event_type, &record.stream,
	                                           &record.payload, &record.request_id};
	sqlite3_mutex_enter(sqlite3_db_mutex(db));
	int result = sqlite3_prepare_v2(db, select_events, -1, &row, NULL);
	sqlite3_bind_int64(row, 1, after_id);
	while (row && (result = sqlite3_step(row)) == SQLITE_ROW) {
		record = (struct sluice_record){.id = sqlite3_column_int64(row, ID)};
		for (int i = 0; i < TEXTS; i++) {
			texts[i]->data = (const char *)sqlite3_column_text(row, i + 1);
			texts[i]->size = (size_t)sqlite3_column_bytes(row, i + 1);
		}
		record.has_sequence = sqlite3_column_type(row, SEQUENCE) != SQLITE_NULL;
		record.sequence = sqlite3_column_int64(row, SEQUENCE);
		record.received_at_ns = sqlite3_column_int64(row, RECEIVED_AT);
		memcpy(record.digest, sqlite3_column_blob(row, DIGEST), SLUICE_DIGEST_SIZE);
		if (!each(context, &record))
			break;
	}
	(void)sqlite3_finalize(row);
	sqlite3_mutex_leave(sqlite3_db_mutex(db));
	return result == SQLITE_ROW || result == SQLITE_DONE ||
	       sluice_error_set(error, "path: cannot be read: %s", sqlite3_errstr(result));
}

static void destroy(struct sluice_stage *stage)
{
	(void)sqlite3_close(stage->state);
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	int flags = stage->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	sqlite3 *db = NULL;
	bool ok = sqlite3_open_v2(config->path, &db, flags | SQLITE_OPEN_FULLMUTEX, NULL) == SQLITE_OK &&
	          sqlite3_exec(db, stage->read_only ? open_to_read : open_to_write, NULL, NULL, NULL) == SQLITE_OK;
	stage->state = db;
	if (ok)
		return true;
	(void)sluice_error_set(error, "path: %s: %s", config->path, sqlite3_errmsg(db));
	destroy(stage);
	return false;
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "@NAME@.db", .help = "the SQLite file",
                             .flags = SLUICE_OPTION_LOCATION | SLUICE_OPTION_FILE),
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {.store = store_batch, .scan = scan};

SLUICE_STAGE(persist, ops, .name = "@NAME@", .version = "0.1.0", .summary = "stores events in an SQLite file",
             .options = options, .config_size = sizeof(struct config), .create = create, .destroy = destroy);
