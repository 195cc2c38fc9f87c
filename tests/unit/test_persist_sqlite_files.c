/*
 * persist/sqlite: what becomes of acknowledged events when files are deleted, moved, truncated or overwritten under it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/sqlite_files.h"
#include "support/unit.h"

static void delete_log(void)
{
	shell("rm %s-wal", path);
}

static void move_log(void)
{
	shell("mv %s-wal %s-wal.old", path, path);
}

static void empty_log(void)
{
	shell("touch %s.new && mv %s.new %s-wal", path, path, path);
}

/* One with frames that SQLite would take for its own. */
static void restore_log(void)
{
	shell("mv %s/wal.before %s-wal", folder, path);
}

static void empty_log_in_place(void)
{
	shell("truncate -s 0 %s-wal", path);
}

static void cut_log(void)
{
	shell("truncate -s 8000 %s-wal", path);
}

/* As long as it was, but a hole. */
static void hollow_log(void)
{
	shell("size=$(stat -c %%s %s-wal) && truncate -s 0 %s-wal && truncate -s $size %s-wal", path, path, path);
}

static void truncate_index(void)
{
	shell("truncate -s 0 %s-shm", path);
}

static void delete_index(void)
{
	shell("rm %s-shm", path);
}

static void write_older_index_over(void)
{
	shell("dd if=%s/index.before of=%s-shm conv=notrunc status=none", folder, path);
}

static void delete_database(void)
{
	shell("rm %s", path);
}

static void delete_database_and_log(void)
{
	shell("rm %s %s-wal", path, path);
}

static void delete_all(void)
{
	shell("rm %s*", path);
}

static void move_database(void)
{
	shell("mv %s %s.gone", path, path);
}

static void move_database_back(void)
{
	shell("mv %s.gone %s", path, path);
}

static void empty_folder(void)
{
	shell("mv %s %s.gone && mkdir %s", folder, folder, folder);
}

static void delete_folder(void)
{
	shell("rm -r %s.gone", folder);
}

static void move_folder(void)
{
	shell("mv %s %s.gone", folder, folder);
}

static void move_folder_back(void)
{
	shell("mv %s.gone %s", folder, folder);
}

static const struct harm survived[] = {
	{"the log is deleted", delete_log, NULL},
	{"the log is moved", move_log, NULL},
	{"the log is replaced by an empty one", empty_log, NULL},
	{"the log is replaced by an older one", restore_log, NULL},
	{"the log is truncated", empty_log_in_place, NULL},
	{"the log is cut", cut_log, NULL},
	{"the log is a hole", hollow_log, NULL},
	{"the index is deleted", delete_index, NULL},
	{"an older index is written over it", write_older_index_over, NULL},
	{"the index is truncated", truncate_index, NULL},
	{"the database is deleted", delete_database, NULL},
	{"database and log are deleted", delete_database_and_log, NULL},
	{"all is deleted", delete_all, NULL},
	{"the folder is replaced by an empty one", empty_folder, delete_folder},
	{"the database is moved and comes back", move_database, move_database_back},
	{"the folder is moved and comes back", move_folder, move_folder_back},
};
enum { SURVIVED = sizeof(survived) / sizeof(survived[0]) };

START_TEST(test_acknowledged_events_survive_what_is_done_to_the_files)
{
	struct harness *h = open_store();
	store_some(h, "first", 10);
	shell("cp %s-wal %s/wal.before && cp %s-shm %s/index.before", path, folder, path, folder);
	store_some(h, "then", 30);
	suffer(h, &survived[_i]);
	enum sluice_verdict verdict = store_one(h, "after", "s", "payload");
	ck_assert_msg(verdict == SLUICE_RETRY || count_after_a_kill() == 41, "%s", survived[_i].name);
	ck_assert_int_le(store_until_through(h, "after"), SLUICE_DONE);
	ck_assert_int_eq(count_after_a_kill(), 41);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_eq(store_one(h, "first0", "s", "payload"), SLUICE_DONE);
	(void)store_audit_rows(h);
	harness_close(h);
	ck_assert_int_eq(count_after_a_kill(), 41);
}
END_TEST

START_TEST(test_what_was_never_acknowledged_is_not_called_lost)
{
	struct harness *h = open_store();
	store_some(h, "first", 10);
	run_by_hand("CREATE TRIGGER t BEFORE INSERT ON webhook_audit_trail BEGIN SELECT RAISE(IGNORE); END");
	ck_assert_int_eq(store_one(h, "undone", "s", "payload"), SLUICE_RETRY);
	run_by_hand("DROP TRIGGER t");
	/* It tries writes until then, and an index that goes within one ends the process. */
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	uint64_t epoch = epoch_of(h);
	truncate_index();
	wait_for_recovery(h, epoch);
	char *log = harness_take_log();
	ck_assert_msg(!strstr(log, "acknowledged_events_lost"), "%s", log);
	free(log);
	harness_close(h);
}
END_TEST

START_TEST(test_it_is_noticed_and_repaired_without_traffic)
{
	struct harness *h = open_store();
	store_some(h, "first", 10);
	shell("cp %s-wal %s/wal.before && cp %s-shm %s/index.before", path, folder, path, folder);
	store_some(h, "then", 30);
	uint64_t epoch = epoch_of(h);
	suffer(h, &survived[_i]);
	wait_for_recovery(h, epoch);
	ck_assert_int_eq(count_after_a_kill(), 40);
	harness_close(h);
}
END_TEST

START_TEST(test_a_server_that_stops_at_once_leaves_all_it_acknowledged)
{
	struct harness *h = open_store();
	store_some(h, "first", 20);
	delete_log();
	(void)store_one(h, "after", "s", "payload");
	harness_close(h);
	ck_assert_int_ge(count_after_a_kill(), 20);
}
END_TEST

static void link_to_file(void)
{
	shell("ln -s real.db %s", path);
}

static void link_to_folder(void)
{
	shell("mkdir %s.one %s.two && rmdir %s && ln -s %s.one %s", folder, folder, folder, folder, folder);
}

static void put_link_in_place(void)
{
	shell("mv %s %s/real.db && ln -s real.db %s", path, folder, path);
}

static void take_link_away(void)
{
	shell("mv %s/real.db %s", folder, path);
}

static void point_to_another_file(void)
{
	shell("touch %s/other.db && ln -sfn other.db %s", folder, path);
}

static void point_to_another_name(void)
{
	shell("ln %s/real.db %s/other.db && ln -sfn other.db %s", folder, folder, path);
}

static void point_to_nothing(void)
{
	shell("ln -sfn nothing.db %s", path);
}

static void delete_link(void)
{
	shell("rm %s", path);
}

static void point_back(void)
{
	shell("ln -sfn real.db %s", path);
}

static void point_to_another_folder(void)
{
	shell("ln -sfn %s.two %s", folder, folder);
}

static void point_to_first_folder(void)
{
	shell("ln -sfn %s.one %s", folder, folder);
}

static const struct link {
	const char *name;
	void (*prepared)(void); /* NULL: not at all */
	void (*changed)(void);
	void (*changed_back)(void);
	bool same_file; /* to which the path leads meanwhile */
} links[] = {
	{"a link takes the name", NULL, put_link_in_place, take_link_away, true},
	{"another file", link_to_file, point_to_another_file, point_back, false},
	{"another name of the file", link_to_file, point_to_another_name, point_back, true},
	{"no file", link_to_file, point_to_nothing, point_back, false},
	{"the link is deleted", link_to_file, delete_link, point_back, false},
	{"another folder", link_to_folder, point_to_another_folder, point_to_first_folder, false},
};

START_TEST(test_nothing_is_acknowledged_while_the_path_leads_elsewhere)
{
	const struct link *link = &links[_i];
	if (link->prepared)
		link->prepared();
	struct harness *h = open_store();
	store_some(h, "first", 20);
	link->changed();
	ck_assert_int_eq(store_one(h, "after", "s", "payload"), SLUICE_RETRY);
	WAIT_UNTIL(store_unhealthy(h)[0]);
	ck_assert_msg(strstr(store_unhealthy(h), "not where the configured path leads"), "%s", store_unhealthy(h));
	if (link->same_file) /* a start would find its log under another name */
		WAIT_UNTIL(count_after_a_kill() == 20);
	ck_assert_int_eq(store_one(h, "after", "s", "payload"), SLUICE_RETRY);
	link->changed_back();
	ck_assert_int_eq(store_until_through(h, "after"), SLUICE_PASS);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_eq(count_after_a_kill(), 21);
	harness_close(h);
	ck_assert_int_eq(count_after_a_kill(), 21);
}
END_TEST

/* The names in it are the same. */
START_TEST(test_a_folder_may_move_behind_a_link)
{
	struct harness *h = open_store();
	store_some(h, "first", 5);
	shell("mv %s %s.moved && ln -s %s.moved %s", folder, folder, folder, folder);
	ck_assert_int_eq(store_one(h, "after", "s", "payload"), SLUICE_PASS);
	ck_assert_int_eq(count_after_a_kill(), 6);
	harness_close(h);
}
END_TEST

/* The working folder moves with the process. */
START_TEST(test_a_relative_path_is_meant_from_where_it_was_started)
{
	ck_assert_int_eq(chdir(folder), 0);
	(void)strcpy(path_option, "path=events.db");
	struct harness *h = open_store();
	store_some(h, "first", 20);
	shell("mv %s %s.moved && cp -r %s.moved %s", folder, folder, folder, folder);
	ck_assert_int_le(store_until_through(h, "after"), SLUICE_DONE);
	ck_assert_int_eq(count_after_a_kill(), 21);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	char *log = harness_take_log();
	ck_assert_ptr_nonnull(strstr(log, path));
	free(log);
	harness_close(h);
	ck_assert_int_eq(count_after_a_kill(), 21);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* Brings all of the log over, so that a copy of the file is all there is. */
static void copy_database(const char *to)
{
	run_by_hand("PRAGMA wal_checkpoint(TRUNCATE)");
	shell("cp %s %s/%s", path, folder, to);
}

static void move_copy(void)
{
	shell("mv %s/copy %s", folder, path);
}

static void write_copy_over(void)
{
	shell("cat %s/copy > %s", folder, path);
}

static void swap_folders(void)
{
	shell("mkdir %s.new && cp %s/copy %s.new/events.db && mv %s %s.old && mv %s.new %s && rm -r %s.old", folder,
	      folder, folder, folder, folder, folder, folder, folder);
}

static const struct harm restored[] = {
	{"an older copy gets the name", move_copy, NULL},
	{"an older copy is written over it", write_copy_over, NULL},
	{"the folder is swapped", swap_folders, NULL},
};

/* Memory of what was stored must not be believed: what the copy lacks is stored again. */
START_TEST(test_an_older_copy_is_noticed)
{
	struct harness *h = open_store();
	store_some(h, "first", 10);
	copy_database("copy");
	store_some(h, "then", 100);
	run_by_hand("PRAGMA wal_checkpoint(TRUNCATE)");
	store_some(h, "last", 1); /* so that the log does not belong to the copy */
	uint64_t epoch = epoch_of(h);
	restored[_i].done();
	WAIT_UNTIL(epoch_of(h) != epoch);
	ck_assert_int_eq(store_until_through(h, "first0"), SLUICE_DONE);
	ck_assert_int_eq(store_until_through(h, "then0"), SLUICE_PASS);
	ck_assert_int_eq(count_after_a_kill(), 11);
	char *log = harness_take_log();
	ck_assert_ptr_nonnull(strstr(log, "acknowledged_events_lost"));
	free(log);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

static void truncate_database(void)
{
	ck_assert_int_eq(truncate(path, 0), 0);
}

static void cut_database(void)
{
	ck_assert_int_eq(truncate(path, 5000), 0);
}

static void zero_database(void)
{
	shell("dd if=/dev/zero of=%s bs=4096 count=3 conv=notrunc status=none", path);
}

static void scribble(void)
{
	shell("dd if=/dev/urandom of=%s bs=4096 seek=1 count=4 conv=notrunc status=none", path);
}

static void replace_by_text(void)
{
	shell("yes 'this is no database' | head -c 20000 > %s.new && mv %s.new %s", path, path, path);
}

static void replace_by_folder(void)
{
	shell("rm %s && mkdir %s", path, path);
}

static const struct harm fatal[] = {
	{"emptied", truncate_database, NULL}, {"cut off", cut_database, NULL},   {"zeros", zero_database, NULL},
	{"noise in pages", scribble, NULL},   {"a text", replace_by_text, NULL}, {"a folder", replace_by_folder, NULL},
};

START_TEST(test_a_file_beyond_repair_takes_nothing_until_a_good_copy_is_there)
{
	struct harness *h = open_store();
	store_some(h, "first", 9);
	copy_database("copy");
	store_some(h, "last", 1); /* a look after the checkpoint of others */
	fatal[_i].done();
	WAIT_UNTIL(store_unhealthy(h)[0]);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(store_one(h, "after", "s", "payload"), SLUICE_RETRY);
		ck_assert_str_ne(store_unhealthy(h), "");
	}
	shell("rm -rf %s && cp %s/copy %s.new && mv %s.new %s", path, folder, path, path, path);
	ck_assert_int_eq(store_until_through(h, "after"), SLUICE_PASS);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_eq(count_after_a_kill(), 10);
	harness_close(h);
}
END_TEST

/* What other connections do is no trouble. */
START_TEST(test_work_of_others_on_the_file_is_no_damage)
{
	static const char *const works[] = {
		"PRAGMA wal_checkpoint(PASSIVE)",
		"PRAGMA wal_checkpoint(TRUNCATE)",
		"VACUUM",
		"CREATE TABLE x (y); DROP TABLE x; PRAGMA wal_checkpoint(RESTART)",
		"DELETE FROM webhook_events; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
	};
	struct harness *h = open_store();
	for (size_t i = 0; i < 3 * sizeof(works) / sizeof(works[0]); i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "id%zu", i);
		ck_assert_int_eq(store_until_through(h, id), SLUICE_PASS);
		run_by_hand(works[i % (sizeof(works) / sizeof(works[0]))]);
	}
	(void)usleep(600000); /* two looks */
	char *log = harness_take_log();
	ck_assert_msg(!strstr(log, "commits_fail"), "%s", log);
	free(log);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite: files");
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, make_folder, remove_folders);
	tcase_add_loop_test(files, test_acknowledged_events_survive_what_is_done_to_the_files, 0, SURVIVED);
	tcase_add_loop_test(files, test_it_is_noticed_and_repaired_without_traffic, 0, SURVIVED);
	tcase_add_test(files, test_what_was_never_acknowledged_is_not_called_lost);
	tcase_add_test(files, test_a_server_that_stops_at_once_leaves_all_it_acknowledged);
	tcase_add_loop_test(files, test_nothing_is_acknowledged_while_the_path_leads_elsewhere, 0,
	                    sizeof(links) / sizeof(links[0]));
	tcase_add_test(files, test_a_folder_may_move_behind_a_link);
	tcase_add_test(files, test_a_relative_path_is_meant_from_where_it_was_started);
	tcase_add_loop_test(files, test_an_older_copy_is_noticed, 0, sizeof(restored) / sizeof(restored[0]));
	tcase_add_loop_test(files, test_a_file_beyond_repair_takes_nothing_until_a_good_copy_is_there, 0,
	                    sizeof(fatal) / sizeof(fatal[0]));
	tcase_add_test(files, test_work_of_others_on_the_file_is_no_damage);
	tcase_set_timeout(files, 60);
	suite_add_tcase(s, files);
	return s;
}

UNIT_SUITE(test_persist_sqlite_files, suite)
