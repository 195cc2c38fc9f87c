/*
 * persist/sqlite: what becomes of acknowledged events when others write over its log or its WAL-index.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/sqlite_files.h"
#include "support/unit.h"

static void empty_log_in_place(void)
{
	shell("truncate -s 0 %s-wal", path);
}

/* `bytes` of zeros over what is `from` there on, of the log. */
static void zero_log(int64_t from, int64_t bytes)
{
	/* In one write: the store may look, and write it again, between two. */
	shell("dd if=/dev/zero of=%s-wal bs=%lld count=1 seek=%lld oflag=seek_bytes conv=notrunc status=none", path,
	      (long long)bytes, (long long)from);
}

static void zero_header_of_log(void)
{
	zero_log(0, 32);
}

static void zero_middle_of_log(void)
{
	zero_log(20 * 4096, 4 * 4096);
}

static void change_a_byte_of_log(void)
{
	zero_log(32 + 30 * 4120 + 2000,
	         1); /* within the payload's page, or zero already: then the frame's own header */
	zero_log(32 + 30 * 4120 + 16, 8);
}

static void zero_all_of_log(void)
{
	shell("dd if=/dev/zero of=%s-wal bs=$(stat -c %%s %s-wal) count=1 conv=notrunc status=none", path, path);
}

/* The salt is right, and so are its frames. */
static void write_noise_behind_older_log(void)
{
	shell("cat %s/wal.before > %s-wal && head -c 50000 /dev/urandom >> %s-wal", folder, path, path);
}

static const struct harm overwritten[] = {
	{"its header", zero_header_of_log, NULL},
	{"its middle", zero_middle_of_log, NULL},
	{"a frame's checksum", change_a_byte_of_log, NULL},
	{"all of it", zero_all_of_log, NULL},
	{"an older copy and noise", write_noise_behind_older_log, NULL},
};

/* A kill before it is noticed finds what is there; after that, everything. */
START_TEST(test_an_overwritten_log_is_written_again)
{
	struct harness *h = open_store();
	int stored = 40;
	store_some(h, "first", 10);
	shell("cp %s-wal %s/wal.before", path, folder);
	store_some(h, "then", 30);
	uint64_t epoch = epoch_of(h);
	overwritten[_i].done();
	for (; epoch_of(h) == epoch; stored++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "after%d", stored);
		ck_assert_int_le(store_until_through(h, id), SLUICE_DONE);
	}
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_eq(count_after_a_kill(), stored);
	char *log = harness_take_log();
	ck_assert_msg(strstr(log, "log_rescued") && !strstr(log, "acknowledged_events_lost"), "%s", log);
	free(log);
	(void)store_audit_rows(h);
	harness_close(h);
	ck_assert_int_eq(count_after_a_kill(), stored);
}
END_TEST

static void store_large(struct harness *h, const char *prefix, int count)
{
	enum { SIZE = 100000 };
	char payload[SIZE];
	memset(payload, 'x', SIZE);
	payload[SIZE - 1] = '\0';
	for (int i = 0; i < count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%s%d", prefix, i);
		ck_assert_int_eq(store_one(h, id, "s", payload), SLUICE_PASS);
	}
}

/* Memory no longer has those frames, but no start gets beyond them. */
START_TEST(test_a_beginning_that_was_brought_over_long_ago_is_missed)
{
	struct harness *h = open_store();
	store_large(h, "first", 20);
	run_by_hand("PRAGMA wal_checkpoint(PASSIVE)");
	store_large(h, "then", 10);
	uint64_t epoch = epoch_of(h);
	zero_middle_of_log();
	wait_for_recovery(h, epoch);
	ck_assert_int_eq(count_after_a_kill(), 30);
	harness_close(h);
}
END_TEST

/* Nothing of what was written over them gets into the database. */
START_TEST(test_overwritten_frames_of_others_are_told_to_be_lost)
{
	struct harness *h = open_store();
	store_some(h, "first", 2);
	run_by_hand("CREATE TABLE other (x); INSERT INTO other SELECT randomblob(400000)");
	store_some(h, "then", 5);
	uint64_t epoch = epoch_of(h);
	zero_middle_of_log();
	wait_for_recovery(h, epoch);
	ck_assert_int_ge(count_after_a_kill(), 2);
	char *log = harness_take_log();
	ck_assert_ptr_nonnull(strstr(log, "acknowledged_events_lost"));
	free(log);
	harness_close(h);
	ck_assert_int_ge(count_after_a_kill(), 2);
}
END_TEST

/* The log began again with another's frames, as long as ours were. */
START_TEST(test_frames_of_an_earlier_log_are_not_written_into_the_next)
{
	struct harness *h = open_store();
	store_some(h, "first", 40);
	run_by_hand(
		"PRAGMA wal_checkpoint(RESTART); CREATE TABLE other (x); INSERT INTO other SELECT randomblob(100000)");
	store_some(h, "then", 10);
	uint64_t epoch = epoch_of(h);
	empty_log_in_place();
	wait_for_recovery(h, epoch);
	ck_assert_int_ge(count_after_a_kill(), 40);
	harness_close(h);
	ck_assert_int_ge(count_after_a_kill(), 40);
}
END_TEST

/* The index is of a log before this one. */
START_TEST(test_an_index_of_an_earlier_log_is_not_believed)
{
	struct harness *h = open_store();
	store_some(h, "first", 10);
	shell("cp %s-shm %s/index.before", path, folder);
	run_by_hand("PRAGMA wal_checkpoint(RESTART)");
	store_some(h, "then", 30);
	shell("dd if=%s/index.before of=%s-shm conv=notrunc status=none", folder, path);
	(void)store_one(h, "after", "s", "payload");
	ck_assert_int_le(store_until_through(h, "after"), SLUICE_DONE);
	ck_assert_int_eq(count_after_a_kill(), 41);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	harness_close(h);
	ck_assert_int_eq(count_after_a_kill(), 41);
}
END_TEST

/* Part of it may have been written by others, whose frames nobody has. */
START_TEST(test_frames_of_others_in_a_truncated_log_are_told_to_be_lost)
{
	struct harness *h = open_store();
	store_some(h, "first", 5);
	run_by_hand("CREATE TABLE other (x)");
	store_some(h, "then", 5);
	empty_log_in_place();
	ck_assert_int_eq(store_one(h, "after", "s", "payload"), SLUICE_RETRY);
	store_some(h, "after", 10);
	ck_assert_int_ge(count_after_a_kill(), 10);
	char *log = harness_take_log();
	ck_assert_ptr_nonnull(strstr(log, "acknowledged_events_lost"));
	free(log);
	harness_close(h);
}
END_TEST

static int wipes;

/* All zeros, as if new: opening and closing it would end the process's locks. */
static void wipe_index(sqlite3_context *context, int count, sqlite3_value **values)
{
	char index[128];
	(void)count, (void)values;
	(void)snprintf(index, sizeof(index), "%s-shm", path);
	if (wipes-- > 0 && truncate(index, 0) == 0)
		ck_assert_int_eq(truncate(index, 32768), 0);
	sqlite3_result_null(context);
}

static int add_wipe(sqlite3 *db, const char **message, const void *api)
{
	(void)message, (void)api;
	return sqlite3_create_function(db, "wipe_index", 0, SQLITE_UTF8, NULL, wipe_index, NULL, NULL);
}

/* What SQLite then reads, by an index that knows of no frame, is old: to commit it would damage the database. */
START_TEST(test_a_transaction_whose_index_is_wiped_is_not_committed)
{
	ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))add_wipe), SQLITE_OK);
	struct harness *h = open_store();
	struct set set = {0};
	store_some(h, "first", 40);
	run_by_hand("CREATE TRIGGER t AFTER INSERT ON webhook_events BEGIN SELECT wipe_index(); END");
	wipes = 1;
	for (int i = 0; i < 20; i++) {
		char id[64];
		(void)snprintf(id, sizeof(id), "%d%s", i, "-long-enough-for-many-pages");
		add(&set, h, id, "s", "payload");
	}
	process(&set, h);
	for (size_t i = 0; i < set.count; i++)
		ck_assert_int_eq(set.verdicts[i], SLUICE_RETRY);
	settle(&set, h);
	ck_assert_int_eq(store_until_through(h, "after"), SLUICE_PASS);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_eq(count_after_a_kill(), 41);
	(void)store_audit_rows(h);
	harness_close(h);
	sqlite3_reset_auto_extension();
	ck_assert_int_eq(count_after_a_kill(), 41);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite: log");
	TCase *log = tcase_create("log");
	tcase_add_checked_fixture(log, make_folder, remove_folders);
	tcase_add_loop_test(log, test_an_overwritten_log_is_written_again, 0,
	                    sizeof(overwritten) / sizeof(overwritten[0]));
	tcase_add_test(log, test_a_beginning_that_was_brought_over_long_ago_is_missed);
	tcase_add_test(log, test_overwritten_frames_of_others_are_told_to_be_lost);
	tcase_add_test(log, test_frames_of_an_earlier_log_are_not_written_into_the_next);
	tcase_add_test(log, test_frames_of_others_in_a_truncated_log_are_told_to_be_lost);
	tcase_add_test(log, test_a_transaction_whose_index_is_wiped_is_not_committed);
	tcase_add_test(log, test_an_index_of_an_earlier_log_is_not_believed);
	tcase_set_timeout(log, 60);
	suite_add_tcase(s, log);
	return s;
}

UNIT_SUITE(test_persist_sqlite_log, suite)
