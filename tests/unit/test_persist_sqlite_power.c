/*
 * persist/sqlite: what it has acknowledged survives the power, whatever syncs failed before.
 *
 * A child process, with forget.so preloaded, stores events and reports each that is stored, trying again after RETRY as
 * a sender does. It is killed after some, what it had not synced is taken away, and then all that it reported must be
 * there.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/sqlite_store.h"
#include "support/unit.h"

static const char *child_options[4];
static int child_report;

static void report(const char *text)
{
	char id[32] = "";
	(void)snprintf(id, sizeof(id), "%s", text);
	ck_assert_int_eq(write(child_report, id, sizeof(id)), sizeof(id));
}

/* Returns the number of events that are through, which are reported. */
static size_t store_batch(struct harness *h, int number, size_t count, bool *through)
{
	struct set set = {0};
	size_t members[BATCH_MAX], stored = 0;
	for (size_t i = 0; i < count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%d-%zu", number, i);
		members[set.count] = i;
		if (!through[i])
			add(&set, h, id, "s", "payload");
	}
	process(&set, h);
	for (size_t i = 0; i < set.count; i++) {
		char id[32];
		through[members[i]] = set.verdicts[i] == SLUICE_PASS || set.verdicts[i] == SLUICE_DONE;
		ck_assert(through[members[i]] || set.verdicts[i] == SLUICE_RETRY);
		(void)snprintf(id, sizeof(id), "%d-%zu", number, members[i]);
		if (through[members[i]])
			report(id);
		stored += through[members[i]];
	}
	settle(&set, h);
	return stored;
}

/* A start that a failing sync spoils is tried again, as a service manager does. */
static struct harness *open_in_child(void)
{
	struct harness *h = NULL;
	for (int tries = 0; !h && tries < 1000; tries++) {
		struct sluice_error error = {0};
		h = harness_try(SLUICE_KIND_PERSIST, "sqlite", child_options, &error);
	}
	ck_assert_ptr_nonnull(h);
	return h;
}

START_TEST(store_until_killed)
{
	bool ends_at_failure = getenv("CHILD_ENDS_AT_FAILURE");
	const char *first = getenv("CHILD_BEGINS_AT");
	struct harness *h = open_in_child();
	for (int number = first ? atoi(first) : 0;; number++) {
		bool through[8] = {false};
		size_t count = 1 + (size_t)number % 5, stored = store_batch(h, number, count, through);
		while (stored < count) {
			if (ends_at_failure)
				(void)raise(SIGKILL);
			(void)usleep(10000);
			stored += store_batch(h, number, count, through);
		}
	}
}
END_TEST

/* Which syncs of the child fail; see forget.c. */
struct failing {
	const char *name; /* NULL: none; "": any file */
	int at, times;
};

static void become_child(int report_end, const char *mode, const struct failing *failing)
{
	char memory[96], numbers[3][16];
	(void)snprintf(memory, sizeof(memory), "%s/memory", folder);
	(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", report_end);
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%d", failing->at);
	(void)snprintf(numbers[2], sizeof(numbers[2]), "%d", failing->times);
	(void)setenv("LD_PRELOAD", TEST_BUILD_DIR "/tests/forget.so", 1);
	(void)setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
	(void)setenv("FORGET_DIRECTORY", folder, 1);
	(void)setenv("FORGET_MEMORY", memory, 1);
	if (failing->name) {
		if (failing->name[0])
			(void)setenv("FORGET_FAIL_NAME", failing->name, 1);
		(void)setenv("FORGET_FAIL_AT", numbers[1], 1);
		(void)setenv("FORGET_FAIL_TIMES", numbers[2], 1);
	}
	(void)setenv("CHILD_REPORT", numbers[0], 1);
	(void)setenv("CHILD_MODE", mode, 1);
	(void)setenv("CHILD_PATH_OPTION", path_option, 1);
	(void)setenv("CK_FORK", "no", 1);
	(void)setenv("CK_VERBOSITY", "silent", 1);
	(void)execl("/proc/self/exe", "unit", "child_of_persist_sqlite", (char *)NULL);
	_exit(98);
}

enum { IDS_MAX = 8192 };
static char ids[IDS_MAX][32];
static size_t id_count;

/* One life of the child, which is killed when it has reported so many events, or kills itself. */
static void live(const char *mode, size_t kill_after, const struct failing *failing)
{
	int ends[2];
	size_t before = id_count;
	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0)
		become_child(ends[1], mode, failing);
	(void)close(ends[1]);
	bool killed = false;
	while (id_count < IDS_MAX && read(ends[0], ids[id_count], sizeof(*ids)) == sizeof(*ids)) {
		if (++id_count - before >= kill_after && !killed)
			killed = kill(child, SIGKILL) == 0; /* what it says until it is dead counts, too */
	}
	(void)close(ends[0]);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself: %d", status);
}

static void make_memory(void)
{
	char memory[96];
	(void)snprintf(memory, sizeof(memory), "%s/memory", folder);
	ck_assert_int_eq(mkdir(memory, 0700), 0);
}

static void cut_power(void)
{
	char command[300];
	(void)snprintf(command, sizeof(command), TEST_BUILD_DIR "/tests/forget-apply %s/memory %s", folder, folder);
	ck_assert_int_eq(system(command), 0);
}

static size_t count_lost(void)
{
	struct harness *h = open_store();
	struct store_image image = stored_read(h);
	size_t lost = 0;
	for (size_t i = 0; i < id_count; i++)
		lost += !stored_find(&image, ids[i]);
	stored_free(&image);
	(void)store_audit_rows(h);
	harness_close(h);
	return lost;
}

static const struct failing none = {NULL, 0, 0};

START_TEST(test_what_passed_survives_a_power_cut)
{
	size_t wanted = 1 + (size_t)_i * 300;
	make_memory();
	live("strict", wanted, &none);
	cut_power();
	ck_assert_uint_ge(id_count, wanted);
	ck_assert_uint_eq(count_lost(), 0);
}
END_TEST

START_TEST(test_the_power_cut_of_these_tests_does_lose_what_was_not_synced)
{
	make_memory();
	live("relaxed", 100, &none);
	cut_power();
	ck_assert_uint_ge(id_count, 100);
	ck_assert_uint_eq(count_lost(), id_count);
}
END_TEST

static void expect_sound(void)
{
	sqlite3 *db = open_by_hand();
	sqlite3_stmt *statement;
	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "ok");
	ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* SLUICE_FAULTS_MAX=200 in the environment tries each of the first 200 syncs instead of these. */
static const int some_syncs[] = {1, 2, 3, 4, 5, 7, 9, 12, 17, 30, 55};
static const struct failing any_sync[] = {{"", 0, 1}, {"events.db", 0, 2}, {"events.db-wal", 0, 3}, {".", 0, 1}};
enum { SYNCS = sizeof(some_syncs) / sizeof(some_syncs[0]), FILES = sizeof(any_sync) / sizeof(any_sync[0]) };

static int sync_count(void)
{
	const char *most = getenv("SLUICE_FAULTS_MAX");
	return most ? atoi(most) : SYNCS;
}

/* Of the database there are few syncs, of the folder fewer. */
START_TEST(test_a_failed_sync_costs_no_acknowledged_event)
{
	struct failing failing = any_sync[_i % FILES];
	failing.at = sync_count() == SYNCS ? some_syncs[_i / FILES] : 1 + _i / (int)FILES;
	if ((failing.name[0] == '.' && failing.at > 3) || (strcmp(failing.name, "events.db") == 0 && failing.at > 12))
		return;
	make_memory();
	live("strict", 200, &failing);
	cut_power();
	ck_assert_uint_ge(id_count, 200);
	expect_sound();
	ck_assert_uint_eq(count_lost(), 0);
}
END_TEST

/* The frames of a failed commit are in the kernel's memory, where the next process finds them and takes them for
 * committed. No checkpoint saves it from that. */
START_TEST(test_a_life_after_a_failed_sync_rests_on_nothing_that_the_disk_lost)
{
	static const struct failing lasting[] = {{"events.db-wal", 8, 1000000},
	                                         {"events.db-wal", 15, 1000000},
	                                         {"events.db-wal", 60, 1000000},
	                                         {"", 40, 1000000}};
	char next[32];
	make_memory();
	(void)setenv("CHILD_ENDS_AT_FAILURE", "1", 1);
	live("lazy", IDS_MAX, &lasting[_i]);
	(void)unsetenv("CHILD_ENDS_AT_FAILURE");
	ck_assert_uint_gt(id_count, 0);
	(void)snprintf(next, sizeof(next), "%d", atoi(ids[id_count - 1]) + 1);
	(void)setenv("CHILD_BEGINS_AT", next, 1);
	live("lazy", 1, &none);
	cut_power();
	expect_sound();
	ck_assert_uint_eq(count_lost(), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite: power");
	TCase *power = tcase_create("power");
	tcase_add_checked_fixture(power, make_folder, remove_folder);
	tcase_add_loop_test(power, test_what_passed_survives_a_power_cut, 0, 8);
	tcase_add_test(power, test_the_power_cut_of_these_tests_does_lose_what_was_not_synced);
	tcase_add_loop_test(power, test_a_failed_sync_costs_no_acknowledged_event, 0, FILES * sync_count());
	tcase_add_loop_test(power, test_a_life_after_a_failed_sync_rests_on_nothing_that_the_disk_lost, 0, 4);
	tcase_set_timeout(power, 60);
	suite_add_tcase(s, power);
	return s;
}

/* What the child does: a suite of its own, since the harness asserts. */
static Suite *child_suite(void)
{
	static const struct {
		const char *name, *options[2];
	} modes[] = {
		{"strict", {"checkpoint_size=64KiB", "wal_limit=128KiB"}}, /* so that checkpoints are in it, too */
		{"lazy", {NULL}},
		{"relaxed", {"durability=relaxed", "synchronous=off"}},
	};
	child_report = atoi(getenv("CHILD_REPORT"));
	child_options[0] = getenv("CHILD_PATH_OPTION");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, getenv("CHILD_MODE")) == 0)
			memcpy(child_options + 1, modes[i].options, sizeof(modes[i].options));
	Suite *s = suite_create("child");
	TCase *only = tcase_create("only");
	tcase_add_test(only, store_until_killed);
	suite_add_tcase(s, only);
	return s;
}

UNIT_SUITE(test_persist_sqlite_power, suite)
UNIT_SUITE(child_of_persist_sqlite, child_suite)
