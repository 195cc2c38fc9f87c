/* The reader. */
#include "reader.h"

#include <string.h>

#define PAGE "1000" /* rows of one look */

bool reader_create(struct reader *reader, const struct config *config, bool one_moment, struct sluice_error *error)
{
	*reader = (struct reader){.config = config};
	reader->db = database_open_to_read(config, &reader->still, error);
	if (!reader->db)
		return false;
	/* A transaction begins to see with its first SELECT. */
	const char *begin = "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1";
	if ((!one_moment || database_run(reader->db, begin, error)) &&
	    database_check_version(reader->db, config, error))
		return true;
	(void)sqlite3_close(reader->db);
	return false;
}

void reader_destroy(struct reader *reader)
{
	(void)sqlite3_close(reader->db);
}

void reader_let_go(struct reader *reader)
{
	(void)database_run(reader->db, "ROLLBACK", NULL);
}

/* Anew: what was opened as a still image never notices a change. */
bool reader_look(struct reader *reader, struct sluice_error *error)
{
	struct reader next;
	if (!reader_create(&next, reader->config, true, error))
		return false;
	reader_destroy(reader);
	*reader = next;
	return true;
}

static struct sluice_bytes get_bytes(sqlite3_stmt *statement, int column)
{
	struct sluice_bytes bytes = {NULL, 0};
	if (sqlite3_column_type(statement, column) == SQLITE_NULL)
		return bytes;
	const char *data = sqlite3_column_blob(statement, column);
	bytes.data = data ? data : "";
	bytes.size = (size_t)sqlite3_column_bytes(statement, column);
	return bytes;
}

/* What is not 32 bytes long has been tampered with; it comes out as zeros, which no digest is. */
static void get_digest(sqlite3_stmt *statement, int column, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	struct sluice_bytes bytes = get_bytes(statement, column);
	memset(digest, 0, SLUICE_DIGEST_SIZE);
	if (bytes.size == SLUICE_DIGEST_SIZE)
		memcpy(digest, bytes.data, SLUICE_DIGEST_SIZE);
}

/* Times are microseconds in the file and nanoseconds outside: those too far away come out as the farthest. */
static int64_t get_time_ns(sqlite3_stmt *statement, int column)
{
	int64_t us = sqlite3_column_int64(statement, column), ns;
	if (__builtin_mul_overflow(us, 1000, &ns))
		return us < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static bool fail(struct reader *reader, struct sluice_error *error)
{
	return sluice_error_set(error, "path: %s: %s", reader->config->path, sqlite3_errmsg(reader->db));
}

bool reader_was_still(struct reader *reader, struct sluice_error *error)
{
	if (!reader->still || database_is_still(reader->config))
		return true;
	return sluice_error_set(error, "path: %s: another process wrote to it during the read; try again",
	                        reader->config->path);
}

/* A statement on its way through its rows, each handed to `yield`. */
struct walk {
	struct reader *reader;
	sqlite3_stmt *statement;
	bool (*yield)(struct walk *walk); /* false: enough */
	int64_t last_id;
	sqlite3_int64 rows;
	bool stopped;
	sluice_record_fn each_record;
	sluice_letter_fn each_letter;
	sluice_audit_fn each_row;
	void *context;
};

static bool begin(struct walk *walk, const char *sql, struct sluice_error *error)
{
	return sqlite3_prepare_v2(walk->reader->db, sql, -1, &walk->statement, NULL) == SQLITE_OK ||
	       fail(walk->reader, error);
}

/* Goes through the rows of the statement once; `rows` counts them. */
static bool step_through(struct walk *walk, struct sluice_error *error)
{
	int result = SQLITE_ROW;
	walk->rows = 0;
	while (!walk->stopped && (result = sqlite3_step(walk->statement)) == SQLITE_ROW) {
		walk->rows++;
		walk->stopped = !walk->yield(walk);
	}
	bool ok = result == SQLITE_ROW || result == SQLITE_DONE || fail(walk->reader, error);
	(void)sqlite3_reset(walk->statement);
	return ok && reader_was_still(walk->reader, error);
}

#define RECORD_COLUMNS "id, message_id, event_type, stream, sequence, payload, digest, request_id, received_at"
enum { RECORD_COLUMN_COUNT = 9 };

static struct sluice_record get_record(sqlite3_stmt *statement)
{
	struct sluice_record record = {
		.id = sqlite3_column_int64(statement, 0),
		.message_id = get_bytes(statement, 1),
		.event_type = get_bytes(statement, 2),
		.stream = get_bytes(statement, 3),
		.has_sequence = sqlite3_column_type(statement, 4) != SQLITE_NULL,
		.sequence = sqlite3_column_int64(statement, 4),
		.payload = get_bytes(statement, 5),
		.request_id = get_bytes(statement, 7),
		.received_at_ns = get_time_ns(statement, 8),
	};
	get_digest(statement, 6, record.digest);
	return record;
}

static bool yield_record(struct walk *walk)
{
	struct sluice_record record = get_record(walk->statement);
	walk->last_id = record.id;
	return walk->each_record(walk->context, &record);
}

static bool yield_letter(struct walk *walk)
{
	struct sluice_letter letter = {.record = get_record(walk->statement),
	                               .reason = get_bytes(walk->statement, RECORD_COLUMN_COUNT),
	                               .refused_at_ns = get_time_ns(walk->statement, RECORD_COLUMN_COUNT + 1)};
	walk->last_id = letter.record.id;
	return walk->each_letter(walk->context, &letter);
}

/* In pages: what `sql` yields behind the last id. */
static bool scan_pages(struct walk *walk, const char *sql, struct sluice_error *error)
{
	if (!begin(walk, sql, error))
		return false;
	bool ok;
	do {
		(void)sqlite3_bind_int64(walk->statement, 1, walk->last_id);
		ok = step_through(walk, error);
	} while (ok && walk->rows > 0 && !walk->stopped);
	(void)sqlite3_finalize(walk->statement);
	return ok;
}

bool reader_scan(struct reader *reader, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	struct walk walk = {
		.reader = reader, .yield = yield_record, .last_id = after_id, .each_record = each, .context = context};
	return scan_pages(&walk, "SELECT " RECORD_COLUMNS " FROM webhook_events WHERE id > ?1 ORDER BY id LIMIT " PAGE,
	                  error);
}

bool reader_scan_letters(struct reader *reader, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error)
{
	struct walk walk = {
		.reader = reader, .yield = yield_letter, .last_id = after_id, .each_letter = each, .context = context};
	return scan_pages(&walk,
	                  "SELECT " RECORD_COLUMNS
	                  ", reason, buried_at FROM webhook_dead_letters WHERE id > ?1 ORDER BY id LIMIT " PAGE,
	                  error);
}

static bool yield_row(struct walk *walk)
{
	sqlite3_stmt *statement = walk->statement;
	struct sluice_audit_row row = {
		.writer = get_bytes(statement, 0),
		.position = sqlite3_column_int64(statement, 1),
		.written_at_ns = get_time_ns(statement, 2),
		.covers = get_bytes(statement, 3),
	};
	get_digest(statement, 4, row.previous);
	get_digest(statement, 5, row.hash);
	return walk->each_row(walk->context, &row);
}

bool reader_audit_scan(struct reader *reader, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct walk walk = {.reader = reader, .yield = yield_row, .each_row = each, .context = context};
	if (!begin(&walk,
	           "SELECT writer, position, written_at, covers, previous, hash FROM webhook_audit_trail ORDER BY writer, position",
	           error))
		return false;
	bool ok = step_through(&walk, error);
	(void)sqlite3_finalize(walk.statement);
	return ok;
}
