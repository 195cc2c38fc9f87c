/*
 * Harm to the files of persist/sqlite.
 *
 * What a kill at that moment would leave is what counts: the database and its log, copied away and opened by SQLite.
 */
#ifndef TESTS_SQLITE_FILES_H
#define TESTS_SQLITE_FILES_H

#include <stdarg.h>

#include "support/sqlite_store.h"

UNUSED static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
UNUSED static void shell(const char *format, ...)
{
	char command[600];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* The single number that `sql` yields on a copy of what is under the names now. */
UNUSED static int ask_after_a_kill(const char *sql)
{
	char copy[128];
	sqlite3 *db;
	sqlite3_stmt *statement;
	shell("rm -rf %s.killed && mkdir %s.killed && file=$(realpath %s) && cp $file %s.killed/events.db && (test ! -e $file-wal || cp $file-wal %s.killed/events.db-wal)",
	      folder, folder, path, folder, folder);
	(void)snprintf(copy, sizeof(copy), "%s.killed/events.db", folder);
	ck_assert_int_eq(sqlite3_open_v2(copy, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	int answer = sqlite3_column_int(statement, 0);
	ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	shell("rm -rf %s.killed", folder);
	return answer;
}

UNUSED static int count_after_a_kill(void)
{
	ck_assert_int_eq(ask_after_a_kill("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
	                 1);
	return ask_after_a_kill("SELECT count(*) FROM webhook_events");
}

UNUSED static void store_some(struct harness *h, const char *prefix, int count)
{
	for (int i = 0; i < count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%s%d", prefix, i);
		ck_assert_int_le(store_until_through(h, id), SLUICE_DONE);
	}
}

UNUSED static uint64_t epoch_of(struct harness *h)
{
	return h->stage.host->store_epoch(&h->stage);
}

UNUSED static void wait_for_recovery(struct harness *h, uint64_t epoch)
{
	WAIT_UNTIL(epoch_of(h) != epoch && !store_unhealthy(h)[0]);
}

struct harm {
	const char *name;
	void (*done)(void);
	void (*then)(void); /* once health tells of it; NULL: nothing */
};

UNUSED static void suffer(struct harness *h, const struct harm *harm)
{
	harm->done();
	if (!harm->then)
		return;
	WAIT_UNTIL(store_unhealthy(h)[0]);
	harm->then();
}

UNUSED static void remove_folders(void)
{
	shell("rm -rf %s %s.*", folder, folder);
}

#endif
