/* persist/sqlite: health tells what senders meet, with its cause; numbers from the file; the place of the file. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/sqlite_store.h"
#include "support/unit.h"

static uint64_t epoch_of(struct harness *h)
{
	return h->stage.host->store_epoch(&h->stage);
}

static const struct ill {
	const char *harm, *cure, *words;
} ills[] = {
	{"ALTER TABLE webhook_events RENAME TO x", "ALTER TABLE x RENAME TO webhook_events",
         "no such table: webhook_events"},
	{"ALTER TABLE webhook_events RENAME COLUMN payload TO p",
         "ALTER TABLE webhook_events RENAME COLUMN p TO payload", "no column named payload"},
	{"ALTER TABLE webhook_audit_trail RENAME TO x", "ALTER TABLE x RENAME TO webhook_audit_trail",
         "no such table: webhook_audit_trail"},
	{"ALTER TABLE webhook_dead_letters RENAME TO x", "ALTER TABLE x RENAME TO webhook_dead_letters",
         "no such table: webhook_dead_letters"},
};
enum { ILLS = sizeof(ills) / sizeof(ills[0]) };

/* Nobody sends anything. */
START_TEST(test_a_change_of_the_tables_is_told_without_traffic_and_heals)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_until_through(h, "1"), SLUICE_PASS);
	int64_t began_ns = clock_now_ns();
	run_by_hand(ills[_i].harm);
	WAIT_UNTIL(strstr(store_unhealthy(h), ills[_i].words));
	int64_t told_ns = clock_now_ns();
	run_by_hand(ills[_i].cure);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_lt(told_ns - began_ns, 5 * NS_PER_S);
	ck_assert_int_eq(store_until_through(h, "2"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

static const char *const droppers[] = {
	"CREATE TRIGGER t BEFORE INSERT ON webhook_audit_trail BEGIN SELECT RAISE(IGNORE); END",
	"CREATE TRIGGER t BEFORE INSERT ON webhook_audit_trail WHEN NEW.position > 1 BEGIN SELECT RAISE(IGNORE); END",
	"CREATE TRIGGER t BEFORE INSERT ON webhook_audit_trail WHEN length(NEW.covers) > 0 BEGIN INSERT INTO webhook_dead_letters (payload, digest, request_id, received_at, reason, buried_at) VALUES (x'', zeroblob(32), '', 0, '', 0); SELECT RAISE(IGNORE); END",
};

START_TEST(test_an_event_without_its_audit_row_is_not_acknowledged)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	run_by_hand(droppers[_i]);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_RETRY);
		ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "dropped an audit row"));
	}
	run_by_hand("DROP TRIGGER t");
	ck_assert_int_eq(store_until_through(h, "2"), SLUICE_PASS);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

/* At the expense of others in the transaction. */
static const char *const thieves[] = {
	"CREATE TRIGGER t AFTER INSERT ON webhook_events BEGIN DELETE FROM webhook_events WHERE id < NEW.id; END",
	"CREATE TRIGGER t AFTER INSERT ON webhook_events BEGIN UPDATE webhook_events SET payload = x'' WHERE id < NEW.id; END",
	"CREATE TRIGGER t AFTER INSERT ON webhook_audit_trail BEGIN DELETE FROM webhook_events; END",
};

START_TEST(test_events_that_a_trigger_takes_away_later_are_not_acknowledged)
{
	struct harness *h = open_store();
	struct set set = {0};
	run_by_hand(thieves[_i]);
	add(&set, h, "1", "s", "x");
	add(&set, h, "2", "s", "x");
	process(&set, h);
	ck_assert_int_eq(set.verdicts[0], SLUICE_RETRY);
	ck_assert_int_eq(set.verdicts[1], SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "dropped or altered an event"));
	ck_assert_uint_eq(stored_count(h), 0);
	run_by_hand("DROP TRIGGER t");
	process(&set, h);
	ck_assert_int_eq(set.verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(set.verdicts[1], SLUICE_PASS);
	settle(&set, h);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

/* Others want to know of events, too. */
START_TEST(test_a_trigger_that_leaves_the_rows_alone_costs_nothing)
{
	struct harness *h = open_store();
	run_by_hand(
		"CREATE TABLE copies (id, payload); CREATE TRIGGER t AFTER INSERT ON webhook_events BEGIN INSERT INTO "
		"copies VALUES (NEW.id, NEW.payload); END");
	for (int i = 0; i < 5; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, i % 2 ? "s" : NULL, ""), SLUICE_PASS);
	}
	ck_assert_str_eq(store_unhealthy(h), "");
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

static const char *const takers[] = {
	"CREATE TRIGGER t BEFORE INSERT ON webhook_dead_letters BEGIN SELECT RAISE(IGNORE); END",
	"CREATE TRIGGER t AFTER INSERT ON webhook_dead_letters BEGIN DELETE FROM webhook_dead_letters WHERE id = NEW.id; END",
	"CREATE TRIGGER t AFTER INSERT ON webhook_dead_letters BEGIN UPDATE webhook_dead_letters SET payload = x'' WHERE id = NEW.id; END",
};

START_TEST(test_a_dead_letter_that_was_dropped_is_not_called_stored)
{
	struct harness *h = open_store();
	const struct sluice_persist_ops *ops = h->ops->of.persist;
	struct sluice_error error = {0};
	struct sluice_event *first = store_event(h, "1", "s", "x"), *other = store_event(h, "2", "s", "x");
	ck_assert(ops->dead_letter(&h->stage, first, "why", &error));
	run_by_hand(takers[_i]);
	ck_assert(ops->dead_letter(&h->stage, first, "why", &error)); /* it is there */
	ck_assert(!ops->dead_letter(&h->stage, other, "why", &error));
	ck_assert_msg(strstr(error.text, "dropped a dead letter") != NULL, "said \"%s\"", error.text);
	run_by_hand("DROP TRIGGER t");
	ck_assert(ops->dead_letter(&h->stage, other, "why", NULL));
	ck_assert(ops->dead_letter(&h->stage, other, "why", NULL));
	harness_settle(h, first, SLUICE_PASS);
	harness_settle(h, other, SLUICE_PASS);
	harness_close(h);
}
END_TEST

/* A table that was dropped and made again holds nothing of what was acknowledged. */
START_TEST(test_what_other_connections_do_puts_memory_in_doubt)
{
	static const char *const changes[] = {
		"DELETE FROM webhook_events WHERE message_id = '1'",
		"UPDATE webhook_events SET message_id = 'x' WHERE message_id = '1'",
		"CREATE TABLE other (x); DROP TABLE other",
		"ALTER TABLE webhook_events RENAME TO old; ALTER TABLE old RENAME TO webhook_events",
	};
	struct harness *h = open_store();
	ck_assert_int_eq(store_until_through(h, "1"), SLUICE_PASS);
	(void)usleep(600000); /* what the keeper does by itself is no change */
	uint64_t epoch = epoch_of(h);
	ck_assert_int_eq(store_until_through(h, "2"), SLUICE_PASS);
	ck_assert_uint_eq(epoch_of(h), epoch);
	run_by_hand(changes[_i]);
	WAIT_UNTIL(epoch_of(h) != epoch);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

START_TEST(test_a_lock_of_another_process_is_told_without_traffic)
{
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "sqlite",
	                                 (const char *[]){path_option, "busy_timeout=20ms", NULL});
	sqlite3 *db = open_by_hand();
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	WAIT_UNTIL(strstr(store_unhealthy(h), "another process holds the database locked"));
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	WAIT_UNTIL(!store_unhealthy(h)[0]);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	harness_close(h);
}
END_TEST

START_TEST(test_the_last_id_is_not_called_a_full_disk)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_until_through(h, "1"), SLUICE_PASS);
	run_by_hand("UPDATE webhook_events SET id = 9223372036854775807");
	run_by_hand("UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'webhook_events'");
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "no id is left"));
	harness_close(h);
}
END_TEST

static const int64_t versions[] = {-1, -5, -1000, INT32_MIN, 2, 99, INT32_MAX};

START_TEST(test_a_schema_version_out_of_range_is_refused)
{
	static const bool writes[] = {true, false};
	char sql[80];
	(void)snprintf(sql, sizeof(sql), "CREATE TABLE x (y); PRAGMA user_version = %lld", (long long)versions[_i]);
	run_by_hand(sql);
	for (size_t i = 0; i < 2; i++) {
		struct sluice_error error = {0};
		const char *const options[] = {path_option, NULL};
		ck_assert_ptr_null(writes[i] ? harness_try(SLUICE_KIND_PERSIST, "sqlite", options, &error)
		                             : harness_try_read_only(SLUICE_KIND_PERSIST, "sqlite", options, &error));
		ck_assert_msg(strstr(error.text, "its schema has version"), "said \"%s\"", error.text);
	}
}
END_TEST

START_TEST(test_numbers_of_a_row_come_out_within_their_range)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_until_through(h, "1"), SLUICE_PASS);
	ck_assert_int_eq(store_until_through(h, "2"), SLUICE_PASS);
	harness_close(h);
	run_by_hand(
		"UPDATE webhook_events SET received_at = 9223372036854775807, sequence = -9223372036854775808 WHERE "
		"message_id = '1'; UPDATE webhook_events SET received_at = -9223372036854775808, id = "
		"9223372036854775807 WHERE message_id = '2'");
	h = open_to_read();
	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 2);
	ck_assert_int_eq(stored_find(&image, "1")->received_at_ns, INT64_MAX);
	ck_assert_int_eq(stored_find(&image, "1")->sequence, INT64_MIN);
	ck_assert_int_eq(stored_find(&image, "2")->received_at_ns, INT64_MIN);
	ck_assert_int_eq(stored_find(&image, "2")->id, INT64_MAX);
	stored_free(&image);
	harness_close(h);
}
END_TEST

START_TEST(test_times_of_the_trail_come_out_within_their_range)
{
	static const char *const times[] = {"9223372036854775807", "-9223372036854775808", "9223372036854776"};
	char sql[160];
	struct harness *h = open_store();
	ck_assert_int_eq(store_until_through(h, "1"), SLUICE_PASS);
	harness_close(h);
	(void)snprintf(
		sql, sizeof(sql),
		"DROP TRIGGER webhook_audit_trail_no_update; UPDATE webhook_audit_trail SET written_at = %s, position = "
		"9223372036854775807",
		times[_i]);
	run_by_hand(sql);
	h = open_to_read();
	struct audit_result result = store_audit(h); /* found, not trusted */
	size_t violations = 0;
	for (size_t i = 0; i < sizeof(result.violations) / sizeof(result.violations[0]); i++)
		violations += result.violations[i];
	ck_assert_uint_gt(violations, 0);
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

static void expect_refused_at(const char *place, const char *words)
{
	char option[256];
	struct sluice_error error = {0};
	(void)snprintf(option, sizeof(option), "path=%s", place);
	struct harness *h = harness_try(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){option, NULL}, &error);
	if (h)
		harness_close(h);
	ck_assert_msg(!h && strstr(error.text, words), "%s: said \"%s\"", place, error.text);
}

START_TEST(test_a_place_that_cannot_work_is_refused_with_its_cause)
{
	char place[160];
	(void)snprintf(place, sizeof(place), "%s/missing/deeper/events.db", folder);
	expect_refused_at(place, "/missing cannot be used: No such file or directory");
	(void)snprintf(place, sizeof(place), "%s/file", folder);
	ck_assert_int_eq(fclose(fopen(place, "w")), 0);
	(void)snprintf(place, sizeof(place), "%s/file/events.db", folder);
	expect_refused_at(place, "/file is a file, expected a folder");
	expect_refused_at(folder, "it is a folder, expected a database file");
	expect_refused_at("/dev/null", "it is a device or pipe");
	expect_refused_at("", "expected a file name");
	expect_refused_at("file:x?mode=memory", "URIs are not supported");
}
END_TEST

START_TEST(test_a_folder_without_rights_is_not_called_missing)
{
	struct passwd *nobody = getpwnam("nobody");
	if (geteuid() != 0 || !nobody)
		return;
	char closed[160], place[200];
	(void)snprintf(closed, sizeof(closed), "%s/closed", folder);
	(void)snprintf(place, sizeof(place), "%s/events.db", closed);
	ck_assert_int_eq(mkdir(closed, 0755), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(chmod(closed, _i ? 0700 : 0755), 0);
	ck_assert_int_eq(seteuid(nobody->pw_uid), 0);
	expect_refused_at(place, _i ? "cannot be entered by user id" : "cannot write to");
	expect_refused_at(place, "ermission denied");
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(test_a_file_without_rights_is_named)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct passwd *nobody = getpwnam("nobody");
	if (geteuid() != 0 || !nobody)
		return;
	char command[800], file[200];
	(void)snprintf(file, sizeof(file), "cannot write to %s%s: Permission denied", path, suffixes[_i]);
	(void)snprintf(command, sizeof(command),
	               "chmod 777 %s && touch %s %s-wal %s-shm && chmod 666 %s* && chmod 644 %s%s", folder, path, path,
	               path, path, path, suffixes[_i]);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(seteuid(nobody->pw_uid), 0);
	expect_refused_at(path, file);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* Linux has one there as a rule. */
START_TEST(test_a_store_in_memory_is_not_strict)
{
	struct statfs status;
	char place[SCRATCH_SIZE], option[96];
	if (statfs("/dev/shm", &status) != 0 || status.f_type != 0x01021994)
		return;
	scratch_folder_in_memory(place);
	(void)snprintf(option, sizeof(option), "path=%s/events.db", place);
	expect_refused_at(option + 5, "durability: relaxed");
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "sqlite",
	                                 (const char *[]){option, "durability=relaxed", NULL});
	ck_assert_int_eq(store_until_through(h, "1"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite: health");
	TCase *health = tcase_create("health");
	tcase_add_checked_fixture(health, make_folder, remove_folder);
	tcase_add_loop_test(health, test_a_change_of_the_tables_is_told_without_traffic_and_heals, 0, ILLS);
	tcase_add_loop_test(health, test_what_other_connections_do_puts_memory_in_doubt, 0, 4);
	tcase_add_test(health, test_a_lock_of_another_process_is_told_without_traffic);
	tcase_add_loop_test(health, test_an_event_without_its_audit_row_is_not_acknowledged, 0, 3);
	tcase_add_loop_test(health, test_a_dead_letter_that_was_dropped_is_not_called_stored, 0,
	                    sizeof(takers) / sizeof(takers[0]));
	tcase_add_loop_test(health, test_events_that_a_trigger_takes_away_later_are_not_acknowledged, 0,
	                    sizeof(thieves) / sizeof(thieves[0]));
	tcase_add_test(health, test_a_trigger_that_leaves_the_rows_alone_costs_nothing);
	tcase_add_test(health, test_the_last_id_is_not_called_a_full_disk);
	tcase_set_timeout(health, 60);
	suite_add_tcase(s, health);

	TCase *numbers = tcase_create("numbers");
	tcase_add_checked_fixture(numbers, make_folder, remove_folder);
	tcase_add_loop_test(numbers, test_a_schema_version_out_of_range_is_refused, 0,
	                    sizeof(versions) / sizeof(versions[0]));
	tcase_add_test(numbers, test_numbers_of_a_row_come_out_within_their_range);
	tcase_add_loop_test(numbers, test_times_of_the_trail_come_out_within_their_range, 0, 3);
	suite_add_tcase(s, numbers);

	TCase *place = tcase_create("place");
	tcase_add_checked_fixture(place, make_folder, remove_folder);
	tcase_add_test(place, test_a_place_that_cannot_work_is_refused_with_its_cause);
	tcase_add_loop_test(place, test_a_folder_without_rights_is_not_called_missing, 0, 2);
	tcase_add_loop_test(place, test_a_file_without_rights_is_named, 0, 3);
	tcase_add_test(place, test_a_store_in_memory_is_not_strict);
	suite_add_tcase(s, place);
	return s;
}

UNIT_SUITE(test_persist_sqlite_health, suite)
