/*
 * bench-commit DATABASE RATE COUNT PREFIX: the bare loop that a store is held against. Commits the rows that
 * bench-send's webhooks become, one transaction each, to the tables Sluice has made, on the same schedule, with nothing
 * around it: no HTTP, no queue, no other thread. Prints one line of names and values.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "rows.h"

_Noreturn static void fail(sqlite3 *database, const char *what)
{
	(void)fprintf(stderr, "bench-commit: %s: %s\n", what, sqlite3_errmsg(database));
	exit(2);
}

static void run(sqlite3 *database, const char *sql)
{
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(database, sql);
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		fail(database, sql);
	return statement;
}

static void step(sqlite3 *database, sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE)
		fail(database, "step");
	(void)sqlite3_reset(statement);
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	(void)sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

static void commit_one(sqlite3 *database, sqlite3_stmt *event, sqlite3_stmt *audit, const char *prefix, size_t i)
{
	struct row row;
	uint8_t covers[8 + SLUICE_DIGEST_SIZE] = {0};
	row_make(&row, prefix, i);
	run(database, "BEGIN IMMEDIATE");
	bind_text(event, 1, row.id);
	bind_text(event, 2, row.stream);
	(void)sqlite3_bind_int64(event, 3, row.sequence);
	(void)sqlite3_bind_blob(event, 4, row.payload, (int)row.payload_size, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(event, 5, row.digest, sizeof(row.digest), SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(event, 6, clock_wall_ns() / NS_PER_US);
	step(database, event);
	bind_text(audit, 1, prefix);
	(void)sqlite3_bind_int64(audit, 2, (sqlite3_int64)i + 1);
	(void)sqlite3_bind_int64(audit, 3, clock_wall_ns() / NS_PER_US);
	memcpy(covers + 8, row.digest, sizeof(row.digest));
	(void)sqlite3_bind_blob(audit, 4, covers, sizeof(covers), SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(audit, 5, row.digest, sizeof(row.digest), SQLITE_TRANSIENT);
	step(database, audit);
	run(database, "COMMIT");
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		(void)fprintf(stderr, "usage: %s DATABASE RATE COUNT PREFIX\n", argv[0]);
		return 2;
	}
	double rate = strtod(argv[2], NULL);
	size_t count = strtoul(argv[3], NULL, 10);
	sqlite3 *database;
	if (sqlite3_open_v2(argv[1], &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		fail(database, argv[1]);
	run(database, "PRAGMA journal_mode=WAL");
	run(database, "PRAGMA synchronous=FULL");
	run(database, "PRAGMA wal_autocheckpoint=0"); /* its stalls are not what the bare loop is to be blamed for */
	sqlite3_stmt *event = prepare(
		database,
		"INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, request_id, received_at) VALUES (?1, 'order.created', ?2, ?3, ?4, ?5, ?1, ?6)");
	sqlite3_stmt *audit = prepare(
		database,
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?5)");
	int64_t *latency = must_calloc(count, sizeof(*latency));
	int64_t start = clock_now_ns();
	for (size_t i = 0; i < count; i++) {
		int64_t due = start + (int64_t)((double)i * 1e9 / rate);
		wait_until(due);
		commit_one(database, event, audit, argv[4], i);
		latency[i] = clock_now_ns() - due;
	}
	(void)sqlite3_finalize(event);
	(void)sqlite3_finalize(audit);
	(void)sqlite3_close(database);
	print_latencies(latency, count);
	(void)printf("count=%zu\n", count);
	free(latency);
	return 0;
}
