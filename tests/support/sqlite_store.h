/*
 * persist/sqlite on the bench, on a file in a folder of the test's own.
 */
#ifndef TESTS_SQLITE_STORE_H
#define TESTS_SQLITE_STORE_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/store.h"
#include "support/wait.h"

#define UNUSED __attribute__((unused)) /* not every test needs all of it */

/* Fails the running test unless the condition comes true within ten seconds. */
#define WAIT_UNTIL(condition) WAIT_WITHIN(10, condition)

static char folder[SCRATCH_SIZE];
static char path[96];
static char path_option[112];

UNUSED static void make_folder(void)
{
	scratch_folder(folder);
	(void)snprintf(path, sizeof(path), "%s/events.db", folder);
	(void)snprintf(path_option, sizeof(path_option), "path=%s", path);
}

UNUSED static void remove_folder(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

UNUSED static struct harness *open_store(void)
{
	return harness_open(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){path_option, NULL});
}

UNUSED static struct harness *open_to_read(void)
{
	return harness_open_read_only(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){path_option, NULL});
}

/* Writes beyond fail with SQLITE_FULL, where SIGXFSZ is ignored. */
UNUSED static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The test's own hands on the file. */
UNUSED static sqlite3 *open_by_hand(void)
{
	sqlite3 *db;
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
	return db;
}

UNUSED static void run_by_hand(const char *sql)
{
	sqlite3 *db = open_by_hand();
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

UNUSED static enum sluice_verdict store_one(struct harness *h, const char *id, const char *stream, const char *payload)
{
	struct sluice_event *event = store_event(h, id, stream, payload);
	enum sluice_verdict verdict = harness_process(h, event);
	harness_settle(h, event, verdict);
	return verdict;
}

enum { BATCH_MAX = 64 };

struct set {
	struct sluice_event *events[BATCH_MAX];
	enum sluice_verdict verdicts[BATCH_MAX];
	size_t count;
};

UNUSED static void add(struct set *set, struct harness *h, const char *id, const char *stream, const char *payload)
{
	set->events[set->count++] = store_event(h, id, stream, payload);
}

UNUSED static void process(struct set *set, struct harness *h)
{
	harness_process_batch(h, set->events, set->verdicts, set->count);
}

UNUSED static void settle(struct set *set, struct harness *h)
{
	for (size_t i = 0; i < set->count; i++)
		harness_settle(h, set->events[i], set->verdicts[i]);
	set->count = 0;
}

/* Tries until it is through, as a sender would; fails the running test after ten seconds. */
UNUSED static enum sluice_verdict store_until_through(struct harness *h, const char *id)
{
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	enum sluice_verdict verdict;
	while ((verdict = store_one(h, id, "s", "payload")) == SLUICE_RETRY && clock_now_ns() < until_ns)
		(void)usleep(2000);
	ck_assert_int_ne(verdict, SLUICE_RETRY);
	return verdict;
}

#endif
