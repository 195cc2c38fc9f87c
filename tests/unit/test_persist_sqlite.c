/* persist/sqlite: what it promises, on a real file. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/sqlite_store.h"
#include "support/unit.h"

START_TEST(test_a_new_event_is_stored_as_it_is)
{
	static const char payload[] = "{\"a\":\0\xff 1}";
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id-1", "orders", "");
	event->payload = sluice_copy(event, payload, sizeof(payload) - 1);
	event->sequence = INT64_MIN;
	event->has_sequence = true;
	event->received_at_ns = INT64_C(1700000000123456789);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	const struct sluice_record *record = stored_find(&image, "id-1");
	ck_assert_ptr_nonnull(record);
	ck_assert_int_ge(record->id, 1);
	ck_assert(sluice_bytes_equal(record->payload, event->payload));
	ck_assert(sluice_bytes_equal(record->stream, event->stream));
	ck_assert(sluice_bytes_equal(record->event_type, event->event_type));
	ck_assert(sluice_bytes_equal(record->request_id, event->request_id));
	ck_assert(record->has_sequence);
	ck_assert_int_eq(record->sequence, INT64_MIN);
	ck_assert_int_eq(record->received_at_ns, INT64_C(1700000000123456000));
	ck_assert_mem_eq(record->digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_what_an_event_lacks_stays_absent)
{
	struct harness *h = open_store();
	struct sluice_event *event = harness_event(h);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(store_one(h, NULL, NULL, ""), SLUICE_PASS);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 2);
	ck_assert_ptr_null(image.records[0].message_id.data);
	ck_assert_ptr_null(image.records[0].event_type.data);
	ck_assert_ptr_null(image.records[0].stream.data);
	ck_assert(!image.records[0].has_sequence);
	ck_assert_uint_eq(image.records[0].payload.size, 0);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_same_id_same_content_is_a_duplicate_and_other_content_a_conflict)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", "s", "one"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "id", "s", "one"), SLUICE_DONE);
	struct sluice_event *other = store_event(h, "id", "s", "two");
	ck_assert_int_eq(harness_process(h, other), SLUICE_REJECT);
	ck_assert_int_eq(harness_status(other), 422);
	ck_assert_ptr_null(strstr(harness_detail(other), "two"));
	harness_settle(h, other, SLUICE_REJECT);
	ck_assert_int_eq(store_one(h, "id", "t", "one"), SLUICE_REJECT);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	ck_assert_str_eq(stored_find(&image, "id")->payload.data, "one");
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_ids_that_differ_only_behind_a_nul_are_two)
{
	struct harness *h = open_store();
	for (int i = 0; i < 2; i++) {
		struct sluice_event *event = store_event(h, "id", NULL, "x");
		event->message_id = sluice_copy(event, i ? "a\0b" : "a\0c", 3);
		ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
		harness_settle(h, event, SLUICE_PASS);
	}
	ck_assert_uint_eq(stored_count(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_a_batch_is_one_transaction_in_order)
{
	struct harness *h = open_store();
	struct set set = {0};
	for (int i = 0; i < BATCH_MAX; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "id-%02d", i);
		add(&set, h, id, "s", "x");
	}
	process(&set, h);
	for (size_t i = 0; i < set.count; i++)
		ck_assert_int_eq(set.verdicts[i], SLUICE_PASS);
	settle(&set, h);
	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, BATCH_MAX);
	for (size_t i = 0; i < image.count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "id-%02zu", i);
		ck_assert_str_eq(image.records[i].message_id.data, id);
	}
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_one_id_twice_in_a_batch)
{
	struct harness *h = open_store();
	struct set set = {0};
	add(&set, h, "id", "s", "one");
	add(&set, h, "id", "s", "one");
	add(&set, h, "id", "s", "two");
	add(&set, h, "other", "s", "one");
	process(&set, h);
	ck_assert_int_eq(set.verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(set.verdicts[1], SLUICE_DONE);
	ck_assert_int_eq(set.verdicts[2], SLUICE_REJECT);
	ck_assert_int_eq(harness_status(set.events[2]), 422);
	ck_assert_int_eq(set.verdicts[3], SLUICE_PASS);
	settle(&set, h);
	ck_assert_uint_eq(stored_count(h), 2);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

/* What somebody has added to the tables, and how the refusal must read. The poisoned payload is "[poison]". */
static const struct {
	const char *sql, *words;
} refusals[] = {
	{"CREATE TRIGGER t BEFORE INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN SELECT RAISE(ABORT, 'not this one'); END",
         "not this one"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN SELECT RAISE(FAIL, 'not this one'); END",
         "not this one"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END",
         "not this one"},
	{"CREATE TRIGGER t BEFORE INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN SELECT RAISE(IGNORE); END",
         "dropped"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN DELETE FROM webhook_events WHERE id = NEW.id; END",
         "a trigger deletes or alters its row"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN UPDATE webhook_events SET payload = x'' WHERE id = NEW.id; END",
         "a trigger deletes or alters its row"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN UPDATE webhook_events SET stream = NULL WHERE id = NEW.id; END",
         "a trigger deletes or alters its row"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN UPDATE webhook_events SET message_id = 'x' || id WHERE id = NEW.id; END",
         "a trigger deletes or alters its row"},
	{"CREATE TRIGGER t AFTER INSERT ON webhook_events WHEN NEW.payload = CAST('[poison]' AS BLOB) BEGIN DELETE FROM webhook_events WHERE id = NEW.id; INSERT INTO webhook_events (message_id, payload, digest, request_id, received_at) VALUES (NEW.message_id, x'00', zeroblob(32), 'r', 0); END",
         "a trigger deletes or alters its row"},
	{"CREATE UNIQUE INDEX i ON webhook_events (length(payload)) WHERE length(payload) = 8;INSERT INTO "
         "webhook_events (message_id, payload, digest, request_id, received_at) VALUES ('by hand', "
         "CAST('[weapon]' AS BLOB), zeroblob(32), 'r', 0)",
         "UNIQUE"},
	{"ALTER TABLE webhook_events ADD COLUMN kind TEXT CHECK (CASE WHEN payload = CAST('[poison]' AS BLOB) THEN json_extract('{', '$') ELSE 1 END)",
         "malformed"},
};

START_TEST(test_a_row_that_the_database_refuses_fails_alone)
{
	struct harness *h = open_store();
	run_by_hand(refusals[_i].sql);
	size_t before = stored_count(h);
	struct set set = {0};
	add(&set, h, "1", "s", "fine");
	add(&set, h, "2", "s", "[poison]");
	add(&set, h, "3", "t", "fine");
	add(&set, h, "2", "s", "good");
	add(&set, h, "4", "s", "[poison]");
	add(&set, h, "1", "s", "fine");
	process(&set, h);
	static const enum sluice_verdict expected[] = {SLUICE_PASS, SLUICE_FAIL, SLUICE_PASS,
	                                               SLUICE_PASS, SLUICE_FAIL, SLUICE_DONE};
	for (size_t i = 0; i < set.count; i++)
		ck_assert_msg(set.verdicts[i] == expected[i], "event %zu: verdict %d, said \"%s\"", i, set.verdicts[i],
		              harness_detail(set.events[i]));
	ck_assert_int_eq(harness_status(set.events[1]), 500);
	ck_assert_msg(strstr(harness_detail(set.events[1]), refusals[_i].words) != NULL, "said \"%s\"",
	              harness_detail(set.events[1]));
	ck_assert_ptr_null(strstr(harness_detail(set.events[1]), "poison"));
	settle(&set, h);
	ck_assert_uint_eq(stored_count(h), before + 3);
	ck_assert_str_eq(store_unhealthy(h), "");
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.rows, 1);
	ck_assert_uint_eq(result.violations[AUDIT_UNCOVERED], before); /* what was put in by hand */
	audit_result_finish(&result);
	harness_close(h);
}
END_TEST

START_TEST(test_while_another_process_writes_all_are_tried_again)
{
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "sqlite",
	                                 (const char *[]){path_option, "busy_timeout=20ms", NULL});
	sqlite3 *db = open_by_hand();
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	struct set set = {0};
	add(&set, h, "1", "s", "x");
	add(&set, h, "2", "t", "x");
	process(&set, h);
	ck_assert_int_eq(set.verdicts[0], SLUICE_RETRY);
	ck_assert_int_eq(set.verdicts[1], SLUICE_RETRY);
	ck_assert_int_eq(harness_status(set.events[0]), 503);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "locked"));
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_uint_eq(stored_count(h), 0);

	process(&set, h);
	ck_assert_int_eq(set.verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(set.verdicts[1], SLUICE_PASS);
	ck_assert_str_eq(store_unhealthy(h), "");
	settle(&set, h);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_disk_that_takes_no_more_is_survived)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", "s", "x"), SLUICE_PASS);
	struct set set = {0};
	add(&set, h, "1", "s", "x");
	add(&set, h, "2", "s", "x");
	limit_file_size(8192);
	process(&set, h);
	limit_file_size(RLIM_INFINITY);
	ck_assert_int_eq(set.verdicts[0], SLUICE_RETRY);
	ck_assert_int_eq(set.verdicts[1], SLUICE_RETRY);
	ck_assert_uint_eq(stored_count(h), 1);
	process(&set, h);
	ck_assert_int_eq(set.verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(set.verdicts[1], SLUICE_PASS);
	settle(&set, h);
	ck_assert_uint_eq(stored_count(h), 3);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_health_heals_without_traffic)
{
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "sqlite",
	                                 (const char *[]){path_option, "busy_timeout=20ms", NULL});
	sqlite3 *db = open_by_hand();
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_RETRY);
	ck_assert_str_ne(store_unhealthy(h), "");
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	while (store_unhealthy(h)[0] && clock_now_ns() < until_ns)
		(void)usleep(1000);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

START_TEST(test_nothing_is_committed_to_a_deleted_file)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "deleted"));
	harness_close(h);
}
END_TEST

static void expect_refusal(const char *sql, const char *words)
{
	sqlite3 *db = open_by_hand();
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK, "went through: %s", sql);
	ck_assert_msg(strstr(sqlite3_errmsg(db), words) != NULL, "%s: %s", sql, sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(test_the_audit_trail_only_grows)
{
	static const char *const attempts[] = {
		"UPDATE webhook_audit_trail SET written_at = 0",
		"DELETE FROM webhook_audit_trail",
		"DELETE FROM webhook_audit_trail WHERE position = 2",
		("INSERT OR REPLACE INTO webhook_audit_trail SELECT writer, position, 0, covers, previous, hash FROM webhook_audit_trail"),
	};
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		expect_refusal(attempts[i], "append-only");
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_each_life_is_a_chain_of_its_own_whose_head_is_logged)
{
	free(harness_take_log());
	for (int life = 0; life < 3; life++) {
		struct harness *h = open_store();
		char id[32];
		for (int i = 0; i < 2; i++) {
			(void)snprintf(id, sizeof(id), "%d-%d", life, i);
			ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
		}
		harness_close(h);
	}
	char *log = harness_take_log();
	struct harness *h = open_store();
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.rows, 6);
	ck_assert_uint_eq(result.head_count, 3);
	for (size_t i = 0; i < result.head_count; i++) {
		char line[128];
		(void)snprintf(line, sizeof(line), "audit_head writer=%s position=2 hash=%02x%02x",
		               result.heads[i].writer, result.heads[i].hash[0], result.heads[i].hash[1]);
		ck_assert_msg(strstr(log, line) != NULL, "not logged: %s", line);
	}
	audit_result_finish(&result);
	free(log);
	harness_close(h);
}
END_TEST

START_TEST(test_a_head_is_logged_now_and_then)
{
	harness_set_clock(INT64_C(1700000000000000000));
	struct harness *h = open_store();
	free(harness_take_log());
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	char *log = harness_take_log();
	ck_assert_ptr_null(strstr(log, "audit_head"));
	free(log);
	harness_advance_clock(61 * NS_PER_S);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	log = harness_take_log();
	ck_assert_ptr_nonnull(strstr(log, "audit_head"));
	free(log);
	harness_close(h);
}
END_TEST

START_TEST(test_a_dead_letter_is_kept_once)
{
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id", "s", "payload");
	struct sluice_error error = {0};
	for (int i = 0; i < 2; i++)
		ck_assert_msg(h->ops->of.persist->dead_letter(&h->stage, event, "the reason", &error), "%s",
		              error.text);
	harness_free(event);
	run_by_hand("CREATE TABLE probe (n CHECK (n = 1)); INSERT INTO probe SELECT count(*) FROM "
	            "webhook_dead_letters WHERE message_id = 'id' AND reason = 'the reason' AND payload = "
	            "CAST('payload' AS BLOB) AND length(digest) = 32 AND stream = 's' AND buried_at > "
	            "1600000000000000");
	ck_assert_uint_eq(stored_count(h), 0);
	harness_close(h);
}
END_TEST

START_TEST(test_a_dead_letter_that_cannot_be_kept_is_said_so)
{
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "sqlite",
	                                 (const char *[]){path_option, "busy_timeout=20ms", NULL});
	sqlite3 *db = open_by_hand();
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	struct sluice_event *event = store_event(h, "id", "s", "payload");
	struct sluice_error error = {0};
	ck_assert(!h->ops->of.persist->dead_letter(&h->stage, event, "the reason", &error));
	ck_assert_ptr_nonnull(strstr(error.text, "locked"));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	harness_free(event);
	ck_assert_int_eq(store_one(h, "id", "s", "x"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

static const struct {
	const char *options[4];
	const char *words;
} bad_configs[] = {
	{{"path=", NULL}, "path: expected a file name"},
	{{"path=/nonexistent/x.db", NULL}, "No such file"},
	{{"path=/tmp", NULL}, "path: /tmp: "},
	{{"path=:memory:", NULL}, "databases in memory"},
	{{"synchronous=normal", NULL}, "durability: relaxed"},
	{{"synchronous=off", NULL}, "durability: relaxed"},
	{{"checkpoint_size=1MiB", "wal_limit=512KiB", NULL}, "wal_limit"},
};

START_TEST(test_a_bad_configuration_is_refused_with_a_sentence)
{
	struct sluice_error error = {0};
	struct harness *h = harness_try(SLUICE_KIND_PERSIST, "sqlite", bad_configs[_i].options, &error);
	ck_assert_ptr_null(h);
	ck_assert_msg(strstr(error.text, bad_configs[_i].words) != NULL, "said \"%s\"", error.text);
}
END_TEST

static void expect_refused_file(const char *words)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "sqlite", (const char *[]){path_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, words) != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_nonnull(strstr(error.text, path));
}

START_TEST(test_a_file_that_is_not_ours_is_refused_and_left_alone)
{
	FILE *file = fopen(path, "w");
	(void)fputs(
		"not a database, but long enough to be looked at as one: a header has one hundred bytes, and these are more than one hundred bytes",
		file);
	(void)fclose(file);
	expect_refused_file("not a database");
	ck_assert_int_eq(unlink(path), 0);
	run_by_hand("CREATE TABLE webhook_events (x)");
	expect_refused_file("already exists");
	run_by_hand("PRAGMA user_version = 1");
	expect_refused_file("not a database of Sluice");
	run_by_hand("PRAGMA user_version = 7");
	expect_refused_file("version 7 and this Sluice knows up to 1");
}
END_TEST

START_TEST(test_a_database_of_another_owner_may_take_the_tables_in)
{
	run_by_hand("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)");
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", "s", "x"), SLUICE_PASS);
	harness_close(h);
	run_by_hand("INSERT INTO mine SELECT x + 1 FROM mine");
}
END_TEST

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file of the folder with size and time, but for the shared memory, which carries the locks. */
static void describe_folder(char *text, size_t room)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, compare_names);
	ck_assert_int_ge(count, 0);
	size_t used = 0;
	for (int i = 0; i < count; i++) {
		char name[400];
		struct stat status;
		(void)snprintf(name, sizeof(name), "%s/%s", folder, entries[i]->d_name);
		ck_assert_int_eq(stat(name, &status), 0);
		bool memory = strstr(name, "-shm") != NULL;
		if (S_ISREG(status.st_mode))
			used += (size_t)snprintf(text + used, room - used, "%s %lld %lld.%09ld\n", entries[i]->d_name,
			                         memory ? 0LL : (long long)status.st_size,
			                         memory ? 0LL : (long long)status.st_mtim.tv_sec,
			                         memory ? 0L : status.st_mtim.tv_nsec);
		free(entries[i]);
	}
	free(entries);
}

static void expect_reading_changes_nothing(size_t events)
{
	char before[1024] = "", after[1024] = "";
	describe_folder(before, sizeof(before));
	struct harness *h = open_to_read();
	ck_assert_uint_eq(stored_count(h), events);
	ck_assert_uint_eq(store_audit_rows(h), events);
	harness_close(h);
	describe_folder(after, sizeof(after));
	ck_assert_str_eq(before, after);
}

START_TEST(test_read_only_changes_nothing_beside_a_running_writer_or_after_it)
{
	struct harness *writer = open_store();
	ck_assert_int_eq(store_one(writer, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(writer, "2", "s", "x"), SLUICE_PASS);
	expect_reading_changes_nothing(2);
	harness_close(writer);
	expect_reading_changes_nothing(2);
}
END_TEST

START_TEST(test_read_only_changes_nothing_after_a_crash)
{
	pid_t child = fork();
	if (child == 0) {
		struct harness *writer = open_store();
		_exit(store_one(writer, "1", "s", "x") == SLUICE_PASS ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	expect_reading_changes_nothing(1);
	struct harness *h = open_store();
	ck_assert_uint_eq(stored_count(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_read_only_sees_one_moment)
{
	struct harness *writer = open_store();
	ck_assert_int_eq(store_one(writer, "1", "s", "x"), SLUICE_PASS);
	struct harness *reader = open_to_read();
	ck_assert_int_eq(store_one(writer, "2", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(reader), 1);
	ck_assert_uint_eq(store_audit_rows(reader), 1);
	ck_assert_uint_eq(stored_count(writer), 2);
	harness_close(reader);
	harness_close(writer);
}
END_TEST

static bool count_one(void *context, const struct sluice_record *record)
{
	(void)record;
	++*(size_t *)context;
	return true;
}

START_TEST(test_a_still_image_that_came_alive_is_not_believed)
{
	struct harness *writer = open_store();
	ck_assert_int_eq(store_one(writer, "1", "s", "x"), SLUICE_PASS);
	harness_close(writer);
	struct harness *reader = open_to_read();
	ck_assert_uint_eq(stored_count(reader), 1);
	writer = open_store();
	ck_assert_int_eq(store_one(writer, "2", "s", "x"), SLUICE_PASS);
	size_t count = 0;
	struct sluice_error error = {0};
	ck_assert(!reader->ops->of.persist->scan(&reader->stage, 0, count_one, &count, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "try again"));
	harness_close(reader);
	harness_close(writer);
}
END_TEST

START_TEST(test_read_only_creates_no_file)
{
	struct harness *h = open_store();
	char command[96];
	(void)snprintf(command, sizeof(command), "rm '%s'/*", folder);
	ck_assert_int_eq(system(command), 0);
	struct sluice_stage stage = {
		.host = h->stage.host, .ops = h->stage.ops, .config = h->stage.config, .read_only = true};
	struct sluice_error error = {0};
	ck_assert(!stage.ops->create(&stage, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
	ck_assert_int_ne(access(path, F_OK), 0);
	harness_close(h);
}
END_TEST

START_TEST(test_the_write_ahead_log_stays_bounded_under_steady_load)
{
	enum { LIMIT = 1 << 20 };
	struct harness *h = harness_open(
		SLUICE_KIND_PERSIST, "sqlite",
		(const char *[]){path_option, "checkpoint_size=256KiB", "wal_limit=1MiB", NULL});
	char *payload = malloc(4096);
	memset(payload, 'x', 4095);
	payload[4095] = '\0';
	double largest = 0;
	for (int i = 0; i < 100; i++) {
		struct set set = {0};
		for (int j = 0; j < BATCH_MAX; j++) {
			char id[32];
			(void)snprintf(id, sizeof(id), "%d-%d", i, j);
			add(&set, h, id, "s", payload);
		}
		process(&set, h);
		ck_assert_int_eq(set.verdicts[0], SLUICE_PASS);
		settle(&set, h);
		double wal = store_gauge(h, "db_wal_bytes", NULL);
		largest = wal > largest ? wal : largest;
	}
	free(payload);
	ck_assert_double_gt(largest, 256 * 1024); /* 30 MiB were written */
	ck_assert_double_lt(largest, 8 * LIMIT);
	ck_assert_double_gt(store_gauge(h, "db_size_bytes", NULL), 1e6);
	harness_close(h);

	struct stat status;
	char wal[128];
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	ck_assert_msg(stat(wal, &status) != 0 || status.st_size == 0, "the log was left behind");
}
END_TEST

struct hammer {
	pthread_t thread;
	struct harness *h;
	int number;
	size_t passed;
};

static void *hammer(void *context)
{
	struct hammer *own = context;
	for (int i = 0; i < 50; i++) {
		char id[32], stream[16];
		(void)snprintf(id, sizeof(id), "%d", i); /* the same of all threads */
		(void)snprintf(stream, sizeof(stream), "s");
		enum sluice_verdict verdict = store_one(own->h, id, stream, "x");
		ck_assert(verdict == SLUICE_PASS || verdict == SLUICE_DONE);
		own->passed += verdict == SLUICE_PASS;
	}
	return NULL;
}

START_TEST(test_many_threads_with_the_same_ids_store_each_once)
{
	enum { THREADS = 8 };
	struct harness *h = open_store();
	struct hammer hammers[THREADS];
	size_t passed = 0;
	for (int i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.h = h, .number = i};
		ck_assert_int_eq(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(hammers[i].thread, NULL);
		passed += hammers[i].passed;
	}
	ck_assert_uint_eq(passed, 50);
	ck_assert_uint_eq(stored_count(h), 50);
	ck_assert_uint_eq(store_audit_rows(h), 50);
	harness_close(h);
}
END_TEST

START_TEST(test_the_time_is_accounted_to_its_spans)
{
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	ck_assert_int_gt(harness_span_ns(event, 0), 0);
	ck_assert_int_gt(harness_span_ns(event, 1), 0);
	ck_assert_str_eq(h->ops->spans[0], "execute");
	ck_assert_str_eq(h->ops->spans[1], "commit");
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/sqlite");
	TCase *rows = tcase_create("rows");
	tcase_add_checked_fixture(rows, make_folder, remove_folder);
	tcase_add_test(rows, test_a_new_event_is_stored_as_it_is);
	tcase_add_test(rows, test_what_an_event_lacks_stays_absent);
	tcase_add_test(rows, test_same_id_same_content_is_a_duplicate_and_other_content_a_conflict);
	tcase_add_test(rows, test_ids_that_differ_only_behind_a_nul_are_two);
	tcase_add_test(rows, test_a_batch_is_one_transaction_in_order);
	tcase_add_test(rows, test_one_id_twice_in_a_batch);
	tcase_add_loop_test(rows, test_a_row_that_the_database_refuses_fails_alone, 0,
	                    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(rows, test_many_threads_with_the_same_ids_store_each_once);
	tcase_add_test(rows, test_the_time_is_accounted_to_its_spans);
	tcase_add_test(rows, test_a_dead_letter_is_kept_once);
	suite_add_tcase(s, rows);

	TCase *trouble = tcase_create("trouble");
	tcase_add_checked_fixture(trouble, make_folder, remove_folder);
	tcase_add_test(trouble, test_while_another_process_writes_all_are_tried_again);
	tcase_add_test(trouble, test_a_disk_that_takes_no_more_is_survived);
	tcase_add_test(trouble, test_health_heals_without_traffic);
	tcase_add_test(trouble, test_nothing_is_committed_to_a_deleted_file);
	tcase_add_test(trouble, test_a_dead_letter_that_cannot_be_kept_is_said_so);
	tcase_add_test(trouble, test_the_write_ahead_log_stays_bounded_under_steady_load);
	tcase_set_timeout(trouble, 60);
	suite_add_tcase(s, trouble);

	TCase *trail = tcase_create("trail");
	tcase_add_checked_fixture(trail, make_folder, remove_folder);
	tcase_add_test(trail, test_the_audit_trail_only_grows);
	tcase_add_test(trail, test_each_life_is_a_chain_of_its_own_whose_head_is_logged);
	tcase_add_test(trail, test_a_head_is_logged_now_and_then);
	suite_add_tcase(s, trail);

	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_loop_test(files, test_a_bad_configuration_is_refused_with_a_sentence, 0,
	                    sizeof(bad_configs) / sizeof(bad_configs[0]));
	tcase_add_test(files, test_a_file_that_is_not_ours_is_refused_and_left_alone);
	tcase_add_test(files, test_a_database_of_another_owner_may_take_the_tables_in);
	tcase_add_test(files, test_read_only_changes_nothing_beside_a_running_writer_or_after_it);
	tcase_add_test(files, test_read_only_changes_nothing_after_a_crash);
	tcase_add_test(files, test_read_only_sees_one_moment);
	tcase_add_test(files, test_a_still_image_that_came_alive_is_not_believed);
	tcase_add_test(files, test_read_only_creates_no_file);
	suite_add_tcase(s, files);
	return s;
}

UNIT_SUITE(test_persist_sqlite, suite)
