/*
 * persist/sqlite: the writes to its log, gathered. Transactions that are larger than SQLite's cache, so that frames go
 * there before the commit; and gather.c alone, on a file that notes what is written.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "../stages/persist/sqlite/handle.h"
#include "../stages/persist/sqlite/look.h"
#include "support/sqlite_files.h"
#include "support/unit.h"

enum { PAYLOAD = 100000, EVENTS = 48 };

static void add_large(struct set *set, struct harness *h)
{
	static char payload[PAYLOAD + 1];
	for (int i = 0; i < EVENTS; i++) {
		char id[16];
		memset(payload, 'a' + i % 26, PAYLOAD);
		(void)snprintf(id, sizeof(id), "large-%d", i);
		add(set, h, id, "s", payload);
	}
}

static void expect_all(const struct set *set, enum sluice_verdict verdict)
{
	for (size_t i = 0; i < set->count; i++)
		ck_assert_int_eq(set->verdicts[i], verdict);
}

START_TEST(test_a_transaction_larger_than_the_cache_is_in_the_log)
{
	struct harness *h = open_store();
	struct set set = {0};
	add_large(&set, h);
	process(&set, h);
	expect_all(&set, SLUICE_PASS);
	settle(&set, h);
	ck_assert_int_eq(count_after_a_kill(), EVENTS);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

static const rlim_t limits[] = {8192, 1 << 20, 3 << 20, 4 << 20};

START_TEST(test_a_write_that_fails_before_the_commit_fails_the_transaction)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", "s", "x"), SLUICE_PASS);
	struct set set = {0};
	add_large(&set, h);
	limit_file_size(limits[_i]);
	process(&set, h);
	limit_file_size(RLIM_INFINITY);
	expect_all(&set, SLUICE_RETRY);
	ck_assert_int_eq(count_after_a_kill(), 1);
	process(&set, h);
	expect_all(&set, SLUICE_PASS);
	settle(&set, h);
	ck_assert_int_eq(count_after_a_kill(), 1 + EVENTS);
	harness_close(h);
}
END_TEST

/* The writes that reach the file below, and what the file says to them. */
static struct {
	struct {
		int64_t at;
		int size;
	} writes[8];
	int count, result;
} file;

static int note_write(sqlite3_file *below, const void *data, int size, sqlite3_int64 at)
{
	(void)below, (void)data;
	ck_assert_int_lt(file.count, 8);
	file.writes[file.count].at = at;
	file.writes[file.count++].size = size;
	return file.result;
}

/* The rest of the disk, which is always well. */
void disk_look_at_index(struct disk *disk)
{
	(void)disk;
}

void disk_doubt(struct disk *disk, const char *reason, bool content)
{
	(void)disk, (void)reason, (void)content;
}

bool look_index_stands(struct disk *disk, bool restarts)
{
	(void)disk, (void)restarts;
	return true;
}

void shadow_write(struct shadow *shadow, const void *data, size_t size, int64_t at, int64_t done)
{
	(void)shadow, (void)data, (void)size, (void)at, (void)done;
}

struct wal_sizes wal_index_sizes(const volatile uint32_t *index)
{
	(void)index;
	return (struct wal_sizes){0};
}

enum { FRAME = WAL_FRAME_HEADER_SIZE + 4096 };

static const sqlite3_io_methods file_methods = {.xWrite = note_write};
static sqlite3_file below_file = {.pMethods = &file_methods};
static struct disk disk;
static struct handle handle;

static void open_file(void)
{
	memset(&file, 0, sizeof(file));
	disk = (struct disk){.lock = PTHREAD_MUTEX_INITIALIZER, .transaction = 1};
	handle = (struct handle){.disk = &disk, .kind = DISK_LOG, .below = &below_file};
}

static void close_file(void)
{
	gather_finish(&handle.gather);
}

static int write_frame(int64_t at, bool commits)
{
	static const char page[4096];
	const uint32_t header[WAL_FRAME_HEADER_SIZE / 4] = {0, commits};
	int result = gather_write(&handle, header, sizeof(header), at);
	return result == SQLITE_OK ? gather_write(&handle, page, sizeof(page), at + (int64_t)sizeof(header)) : result;
}

static void expect_write(int number, int64_t at, int size)
{
	ck_assert_int_eq(file.writes[number].at, at);
	ck_assert_int_eq(file.writes[number].size, size);
}

START_TEST(test_frames_go_out_in_one_write_with_the_one_that_commits)
{
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(write_frame(32 + i * FRAME, false), SQLITE_OK);
	ck_assert_int_eq(file.count, 0);
	ck_assert_int_eq(write_frame(32 + 9 * FRAME, true), SQLITE_OK);
	ck_assert_int_eq(file.count, 1);
	expect_write(0, 32, 10 * FRAME);
	ck_assert_int_eq(gather_flush(&handle), SQLITE_OK);
	ck_assert_int_eq(file.count, 1);
}
END_TEST

START_TEST(test_frames_of_a_transaction_that_ended_are_dropped)
{
	ck_assert_int_eq(write_frame(32, false), SQLITE_OK);
	disk.transaction++; /* rolled back */
	ck_assert_int_eq(gather_flush(&handle), SQLITE_OK);
	disk.transaction++;
	ck_assert_int_eq(write_frame(32 + 5 * FRAME, true), SQLITE_OK);
	ck_assert_int_eq(file.count, 1);
	expect_write(0, 32 + 5 * FRAME, FRAME);
}
END_TEST

START_TEST(test_nothing_waits_outside_a_transaction)
{
	disk.transaction = 2;
	ck_assert_int_eq(write_frame(32, false), SQLITE_OK);
	ck_assert_int_eq(file.count, 2);
}
END_TEST

START_TEST(test_a_correction_comes_behind_what_it_corrects)
{
	const uint32_t header[WAL_FRAME_HEADER_SIZE / 4] = {0};
	ck_assert_int_eq(write_frame(32, false), SQLITE_OK);
	ck_assert_int_eq(write_frame(32 + FRAME, false), SQLITE_OK);
	ck_assert_int_eq(gather_write(&handle, header, sizeof(header), 32), SQLITE_OK);
	ck_assert_int_eq(file.count, 2);
	expect_write(0, 32, 2 * FRAME);
	expect_write(1, 32, sizeof(header));
}
END_TEST

START_TEST(test_a_failed_write_fails_the_rest_of_its_transaction)
{
	ck_assert_int_eq(write_frame(32, false), SQLITE_OK);
	file.result = SQLITE_FULL;
	ck_assert_int_eq(gather_flush(&handle), SQLITE_FULL);
	file.result = SQLITE_OK;
	ck_assert_int_eq(write_frame(32 + FRAME, true), SQLITE_FULL);
	ck_assert_int_eq(gather_flush(&handle), SQLITE_FULL);
	disk.transaction += 2;
	ck_assert_int_eq(write_frame(32, true), SQLITE_OK);
	expect_write(1, 32, FRAME);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite: gathered writes");
	TCase *gather = tcase_create("gather");
	tcase_add_checked_fixture(gather, make_folder, remove_folders);
	tcase_add_test(gather, test_a_transaction_larger_than_the_cache_is_in_the_log);
	tcase_add_loop_test(gather, test_a_write_that_fails_before_the_commit_fails_the_transaction, 0,
	                    sizeof(limits) / sizeof(limits[0]));
	tcase_set_timeout(gather, 60);
	suite_add_tcase(s, gather);
	TCase *pieces = tcase_create("pieces");
	tcase_add_checked_fixture(pieces, open_file, close_file);
	tcase_add_test(pieces, test_frames_go_out_in_one_write_with_the_one_that_commits);
	tcase_add_test(pieces, test_frames_of_a_transaction_that_ended_are_dropped);
	tcase_add_test(pieces, test_nothing_waits_outside_a_transaction);
	tcase_add_test(pieces, test_a_correction_comes_behind_what_it_corrects);
	tcase_add_test(pieces, test_a_failed_write_fails_the_rest_of_its_transaction);
	suite_add_tcase(s, pieces);
	return s;
}

UNIT_SUITE(test_persist_sqlite_gather, suite)
