/*
 * persist/sqlite: a start on files that were harmed while nothing ran.
 */
#include <check.h>
#include <unistd.h>

#include "support/sqlite_files.h"
#include "support/unit.h"

enum { STORED = 40 };

/* What a kill leaves: nothing was brought over. */
static void leave_by_kill(void)
{
	struct harness *h = open_store();
	store_some(h, "first", STORED);
	shell("mkdir %s/killed && cp %s* %s/killed", folder, path, folder);
	harness_close(h);
	shell("rm %s && mv %s/killed/* %s", path, folder, folder);
}

/* Brought over, but for the last. */
static void leave_by_kill_after_a_checkpoint(void)
{
	struct harness *h = open_store();
	store_some(h, "first", STORED - 1);
	run_by_hand("PRAGMA wal_checkpoint(PASSIVE)");
	store_some(h, "last", 1);
	shell("mkdir %s/killed && cp %s* %s/killed", folder, path, folder);
	harness_close(h);
	shell("rm %s && mv %s/killed/* %s", path, folder, folder);
}

static void leave_by_stop(void)
{
	struct harness *h = open_store();
	store_some(h, "first", STORED);
	harness_close(h);
}

static const struct harmed {
	const char *name;
	void (*left)(void);
	const char *harm; /* a shell command; $f is the database */
	const char *told;
} harmed[] = {
	{"stopped, cut", leave_by_stop, "truncate -s 20000 $f", "it was truncated"},
	{"stopped, the last page cut", leave_by_stop, "truncate -s -1 $f", "and 1 pages are missing"},
	{"stopped, not even a header", leave_by_stop, "truncate -s 50 $f", "not a database"},
	{"killed, emptied", leave_by_kill, "truncate -s 0 $f", "it was truncated"},
	{"killed, cut", leave_by_kill, "truncate -s 4096 $f", "it was truncated"},
	{"brought over, emptied", leave_by_kill_after_a_checkpoint, "truncate -s 0 $f", "it was truncated"},
	{"brought over, cut", leave_by_kill_after_a_checkpoint, "truncate -s 4096 $f", "it was truncated"},
	{"killed, log deleted", leave_by_kill, "rm $f-wal", "only 0 are left"},
	{"killed, log emptied", leave_by_kill, "truncate -s 0 $f-wal", "only 0 are left"},
	{"killed, log cut", leave_by_kill, "truncate -s 100000 $f-wal", "of the"},
	{"killed, the last frame cut", leave_by_kill, "truncate -s -1 $f-wal", "of the"},
	{"killed, zeros in the log", leave_by_kill,
         "dd if=/dev/zero of=$f-wal bs=4096 seek=20 count=4 conv=notrunc status=none", "put that file back"},
	{"brought over, zeros in the log", leave_by_kill_after_a_checkpoint,
         "dd if=/dev/zero of=$f-wal bs=4096 seek=2 count=1 conv=notrunc status=none", "put that file back"},
	{"a text", leave_by_stop, "yes hello | head -c 20000 >$f", "not a database"},
	{"page size 8192", leave_by_stop, "printf '\\040\\000' | dd of=$f bs=1 seek=16 conv=notrunc status=none",
         "its header is damaged"},
	{"page size 3000", leave_by_stop, "printf '\\013\\270' | dd of=$f bs=1 seek=16 conv=notrunc status=none",
         "its header is damaged"},
	{"page size 512", leave_by_stop, "printf '\\002\\000' | dd of=$f bs=1 seek=16 conv=notrunc status=none",
         "put a good copy in its place"},
	{"write version", leave_by_stop, "printf '\\011' | dd of=$f bs=1 seek=18 conv=notrunc status=none",
         "its header is damaged"},
	{"page count", leave_by_stop, "printf '\\377' | dd of=$f bs=1 seek=28 conv=notrunc status=none",
         "its header is damaged"},
	{"too few pages", leave_by_stop, "printf '\\005' | dd of=$f bs=1 seek=31 conv=notrunc status=none",
         "put a good copy in its place"},
};

static bool starts(struct sluice_error *error)
{
	struct harness *h = harness_try(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){path_option, NULL}, error);
	if (h)
		harness_close(h);
	return h;
}

START_TEST(test_a_start_on_harmed_files_is_refused_with_the_cause)
{
	const struct harmed *it = &harmed[_i];
	struct sluice_error error = {0};
	it->left();
	shell("mkdir %s/before && cp %s* %s/before", folder, path, folder);
	shell("f=%s; %s", path, it->harm);
	ck_assert_msg(!starts(&error), "%s", it->name);
	ck_assert_msg(strstr(error.text, it->told), "%s: %s", it->name, error.text);
	shell("mv %s/before/* %s", folder, folder);
	struct harness *h = open_store();
	ck_assert_uint_eq(stored_count(h), STORED);
	harness_close(h);
}
END_TEST

static const struct unharmed {
	const char *name;
	void (*left)(void);
	const char *done;
	size_t stored;
} unharmed[] = {
	{"killed", leave_by_kill, "true", STORED},
	{"killed after a checkpoint", leave_by_kill_after_a_checkpoint, "true", STORED},
	{"the machine stopped, too, and the index was not written", leave_by_kill, "rm $f-shm", STORED},
	{"an index of zeros", leave_by_kill, "dd if=/dev/zero of=$f-shm bs=32768 count=1 status=none", STORED},
	{"an index of noise", leave_by_kill, "dd if=/dev/urandom of=$f-shm bs=32768 count=1 status=none", STORED},
	{"a checkpoint that was half through", leave_by_kill_after_a_checkpoint, "sqlite3 $f 'PRAGMA wal_checkpoint'",
         STORED},
	{"another program emptied the log", leave_by_kill, "sqlite3 $f 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null",
         STORED},
	{"the operator does without the log", leave_by_kill_after_a_checkpoint, "rm $f-wal $f-shm", STORED - 1},
	{"an empty file", leave_by_stop, "truncate -s 0 $f", 0},
	{"bytes behind the last page", leave_by_stop, "printf more >>$f", STORED},
};

START_TEST(test_a_start_on_whole_files_is_not)
{
	const struct unharmed *it = &unharmed[_i];
	it->left();
	shell("f=%s; %s", path, it->done);
	struct harness *h = open_store();
	ck_assert_msg(stored_count(h) == it->stored, "%s: %zu", it->name, stored_count(h));
	harness_close(h);
}
END_TEST

/* A reload opens the files beside the generation that has them open, whose locks must not end with it. */
START_TEST(test_a_second_start_in_one_process_leaves_the_locks_of_the_first)
{
	struct harness *first = open_store();
	store_some(first, "first", 3);
	struct harness *second = open_store();
	store_some(second, "second", 3);
	harness_close(second);
	shell("sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null",
	      path); /* as the last, it would delete the log */
	ck_assert_int_eq(access(path, F_OK), 0);
	shell("test -e %s-wal", path);
	store_some(first, "then", 3);
	ck_assert_str_eq(store_unhealthy(first), "");
	ck_assert_int_eq(count_after_a_kill(), 9);
	harness_close(first);
}
END_TEST

/* A try that was killed may have left its file, which by now is the second name of a database that was moved away. */
START_TEST(test_a_new_database_is_made_beside_what_an_earlier_try_left)
{
	char left[160];
	(void)snprintf(left, sizeof(left), "%s-new-%ld", path, (long)getpid());
	shell("echo moved >%s/moved.db && ln %s/moved.db %s", folder, folder, left);
	struct harness *h = open_store();
	store_some(h, "first", 3);
	shell("test $(cat %s/moved.db) = moved", folder);
	ck_assert_int_eq(access(left, F_OK), -1);
	harness_close(h);
	shell("test $(stat -c %%h %s) = 1 && test $(ls %s | wc -l) = 2", path, folder);
}
END_TEST

START_TEST(test_a_new_database_is_made_where_a_link_leads)
{
	shell("mkdir %s/there && ln -s there/real.db %s", folder, path);
	struct harness *h = open_store();
	store_some(h, "first", 3);
	harness_close(h);
	shell("test -L %s && test -f %s/there/real.db", path, folder);
	ck_assert_int_eq(count_after_a_kill(), 3);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite: start");
	TCase *start = tcase_create("start");
	tcase_add_checked_fixture(start, make_folder, remove_folders);
	tcase_add_loop_test(start, test_a_start_on_harmed_files_is_refused_with_the_cause, 0,
	                    sizeof(harmed) / sizeof(harmed[0]));
	tcase_add_loop_test(start, test_a_start_on_whole_files_is_not, 0, sizeof(unharmed) / sizeof(unharmed[0]));
	tcase_add_test(start, test_a_second_start_in_one_process_leaves_the_locks_of_the_first);
	tcase_add_test(start, test_a_new_database_is_made_beside_what_an_earlier_try_left);
	tcase_add_test(start, test_a_new_database_is_made_where_a_link_leads);
	tcase_set_timeout(start, 60);
	suite_add_tcase(s, start);
	return s;
}

UNIT_SUITE(test_persist_sqlite_start, suite)
