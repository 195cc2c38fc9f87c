/* What a comparison asks of the stores: places that share nothing, maintain(), measure() and drop(). */
#include <check.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/abi.h"
#include "support/harness.h"
#include "support/postgres.h"
#include "support/scratch.h"
#include "support/store.h"
#include "support/unit.h"
#include "support/wait.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static enum sluice_verdict store_one(struct harness *h, const char *id)
{
	struct sluice_event *event = store_event(h, id, "orders", "{\"secret\":\"hush-hush\"}");
	enum sluice_verdict verdict = harness_process(h, event);
	harness_settle(h, event, verdict);
	return verdict;
}

static void store_many(struct harness *h, int count)
{
	for (int i = 0; i < count; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "many-%d", i);
		ck_assert_int_eq(store_one(h, id), SLUICE_PASS);
	}
}

static void maintain(struct harness *h)
{
	struct sluice_error error = {0};
	ck_assert_msg(abi_maintenance(h->ops)->maintain(&h->stage, &error), "%s", error.text);
}

static void drop(struct harness *h)
{
	struct sluice_error error = {0};
	ck_assert_msg(abi_maintenance(h->ops)->drop(&h->stage, &error), "%s", error.text);
	harness_close(h);
}

static void expect_refusal_to_drop(struct harness *h, const char *sentence)
{
	struct sluice_error error = {0};
	ck_assert(!abi_maintenance(h->ops)->drop(&h->stage, &error));
	ck_assert_msg(strstr(error.text, sentence) != NULL, "%s", error.text);
}

/* The figure called `name`, label and all; it must be there. */
static double figure(struct harness *h, const char *name)
{
	char *figures = harness_stats(h), *line = figures;
	double value = -1;
	size_t size = strlen(name);
	while (line && !(strncmp(line, name, size) == 0 && line[size] == ' ')) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	ck_assert_msg(line && sscanf(line + size, "%lf", &value) == 1, "no %s in:\n%.2000s", name, figures);
	free(figures);
	return value;
}

static void expect_shown(struct harness *h, const char *text, bool expected)
{
	char *figures = harness_stats(h);
	ck_assert_msg((strstr(figures, text) != NULL) == expected, "%s \"%s\" in:\n%.2000s",
	              expected ? "no" : "there is", text, figures);
	free(figures);
}

/* A thread that stores one event after the other. */
struct writer {
	struct harness *h;
	pthread_t thread;
	atomic_bool stop;
	atomic_int stored;
};

static void *write_on(void *context)
{
	struct writer *writer = context;
	while (!atomic_load(&writer->stop)) {
		char id[24];
		(void)snprintf(id, sizeof(id), "w-%d", atomic_load(&writer->stored));
		ck_assert_int_eq(store_one(writer->h, id), SLUICE_PASS);
		(void)atomic_fetch_add(&writer->stored, 1);
	}
	return NULL;
}

static void writer_start(struct writer *writer, struct harness *h)
{
	*writer = (struct writer){.h = h};
	ck_assert_int_eq(pthread_create(&writer->thread, NULL, write_on, writer), 0);
	WAIT_WITHIN(10, atomic_load(&writer->stored) > 20);
}

static size_t writer_stop(struct writer *writer)
{
	atomic_store(&writer->stop, true);
	(void)pthread_join(writer->thread, NULL);
	return (size_t)atomic_load(&writer->stored);
}

/* While events are stored without a pause, through the stage that stores them or through another one. */
static void tend_under_load(struct harness *h, struct harness *tended)
{
	struct writer writer;
	writer_start(&writer, h);
	for (int round = 0; round < 3; round++)
		maintain(tended);
	size_t stored = writer_stop(&writer);
	ck_assert_uint_eq(stored_count(h), stored);
	ck_assert_uint_eq(store_audit_rows(h), stored);
}

/* SQLite. */

static char folder[SCRATCH_SIZE];

static void make_folder(void)
{
	scratch_folder(folder);
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("sluice_lab_folder", 0700), 0);
}

static void remove_folder(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

enum access { WRITING, READING };

static struct harness *open_file(const char *path, enum access access)
{
	char option[128];
	(void)snprintf(option, sizeof(option), "path=%s", path);
	const char *const options[] = {option, NULL};
	return access == READING ? harness_open_read_only(SLUICE_KIND_PERSIST, "sqlite", options)
	                         : harness_open(SLUICE_KIND_PERSIST, "sqlite", options);
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static long size_of(const char *path)
{
	struct stat status;
	ck_assert_int_eq(stat(path, &status), 0);
	return (long)status.st_size;
}

START_TEST(test_a_file_is_tended_while_it_is_written_to)
{
	struct harness *h = open_file("events.db", WRITING);
	struct harness *reader = _i == READING ? open_file("events.db", READING) : NULL;
	tend_under_load(h, reader ? reader : h);
	if (reader)
		harness_close(reader);
	harness_close(h);
}
END_TEST

/* Another process holds the lock of whoever makes a checkpoint, for a tenth of a second. Which byte that is:
 * WAL_CKPT_LOCK in https://sqlite.org/walformat.html. */
static pid_t hold_checkpoint_lock(const char *shm)
{
	int held[2];
	char byte;
	ck_assert_int_eq(pipe(held), 0);
	pid_t child = fork();
	if (child == 0) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 121, .l_len = 1};
		int file = open(shm, O_RDWR | O_CLOEXEC);
		if (fcntl(file, F_SETLK, &lock) == 0 && write(held[1], "", 1) == 1)
			(void)poll(NULL, 0, 100);
		_exit(0);
	}
	(void)close(held[1]);
	ck_assert_int_eq(read(held[0], &byte, 1), 1);
	(void)close(held[0]);
	return child;
}

START_TEST(test_a_file_is_tended_behind_the_checkpoint_of_another)
{
	struct harness *h = open_file("events.db", WRITING);
	store_many(h, 10);
	pid_t other = hold_checkpoint_lock("events.db-shm");
	maintain(h);
	ck_assert_int_eq(size_of("events.db-wal"), 0);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
	harness_close(h);
}
END_TEST

START_TEST(test_a_tended_file_has_an_empty_log)
{
	struct harness *h = open_file("events.db", WRITING);
	store_many(h, 10);
	ck_assert_int_gt(size_of("events.db-wal"), 0);
	struct harness *reader = open_file("events.db", READING);
	maintain(reader);
	harness_close(reader);
	maintain(h);
	ck_assert_int_eq(size_of("events.db-wal"), 0);
	ck_assert_int_eq(store_one(h, "after"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_file_at_rest_is_tended_and_left_without_a_log)
{
	struct harness *h = open_file("events.db", WRITING);
	store_many(h, 10);
	harness_close(h);
	struct harness *reader = open_file("events.db", READING);
	maintain(reader);
	ck_assert_uint_eq(stored_count(reader), 10);
	ck_assert(!is_there("events.db-wal"));
	harness_close(reader);
}
END_TEST

START_TEST(test_maintenance_moves_a_reader_to_the_present)
{
	struct harness *h = open_file("events.db", WRITING);
	struct harness *reader = open_file("events.db", READING);
	store_many(h, 10);
	ck_assert_uint_eq(stored_count(reader), 0);
	maintain(reader);
	ck_assert_uint_eq(stored_count(reader), 10);
	harness_close(reader);
	harness_close(h);
}
END_TEST

START_TEST(test_a_file_that_is_gone_is_not_made_by_maintenance)
{
	struct harness *h = open_file("events.db", WRITING);
	harness_close(h);
	struct harness *reader = open_file("events.db", READING);
	ck_assert_int_eq(unlink("events.db"), 0);
	struct sluice_error error = {0};
	ck_assert(!abi_maintenance(reader->ops)->maintain(&reader->stage, &error));
	ck_assert_msg(strstr(error.text, "path: events.db: "), "%s", error.text);
	ck_assert(!is_there("events.db"));
	harness_close(reader);
}
END_TEST

START_TEST(test_figures_of_a_file_are_those_of_its_rows)
{
	struct harness *h = open_file("events.db", WRITING);
	store_many(h, 10);
	ck_assert_double_eq(figure(h, "db_table_rows{relation=\"webhook_events\"}"), 10);
	ck_assert_double_eq(figure(h, "db_table_rows{relation=\"webhook_audit_trail\"}"), 10);
	ck_assert_double_eq(figure(h, "db_table_rows{relation=\"webhook_dead_letters\"}"), 0);
	ck_assert_double_eq(figure(h, "db_wal_bytes"), (double)size_of("events.db-wal"));
	expect_shown(h, "db_setting{setting=\"synchronous\"} = full", true);
	struct harness *reader = open_file("events.db", READING);
	ck_assert_int_eq(store_one(h, "later"), SLUICE_PASS);
	ck_assert_double_eq(figure(reader, "db_table_rows{relation=\"webhook_events\"}"), 11);
	expect_shown(reader, "hush", false);
	harness_close(reader);
	harness_close(h);
	reader = open_file("events.db", READING);
	ck_assert_double_eq(figure(reader, "db_size_bytes"),
	                    figure(reader, "db_page_count") * figure(reader, "db_page_bytes"));
	harness_close(reader);
}
END_TEST

static const char *const kept_files[] = {"events.db", "sluice_lab_folder/events.db", "sluice_lab", "a_sluice_lab_b"};

START_TEST(test_a_file_not_made_for_a_laboratory_is_not_erased)
{
	struct harness *h = open_file(kept_files[_i], WRITING);
	store_many(h, 2);
	expect_refusal_to_drop(h, "path: only a file whose name begins with sluice_lab_ may be erased, not ");
	ck_assert_int_eq(store_one(h, "after"), SLUICE_PASS);
	struct harness *reader = open_file(kept_files[_i], READING);
	expect_refusal_to_drop(reader, kept_files[_i]);
	ck_assert_uint_eq(stored_count(reader), 3);
	harness_close(reader);
	harness_close(h);
}
END_TEST

START_TEST(test_a_laboratorys_file_is_erased_with_what_lies_beside_it)
{
	static const char path[] = "sluice_lab_folder/sluice_lab_a";
	for (int life = 0; life < 2; life++) {
		struct harness *h = open_file(path, WRITING);
		store_many(h, 3);
		if (life == 0) {
			drop(h);
		} else {
			struct harness *reader = open_file(path, READING);
			drop(reader);
			harness_close(h);
		}
		ck_assert(!is_there(path));
		ck_assert(!is_there("sluice_lab_folder/sluice_lab_a-wal"));
		ck_assert(!is_there("sluice_lab_folder/sluice_lab_a-shm"));
	}
}
END_TEST

/* PostgreSQL. */

static struct postgres server;
static char url_option[300];

static void start_server(void)
{
	postgres_start(&server, "max_connections=30 shared_preload_libraries=pg_stat_statements autovacuum=off");
	(void)snprintf(url_option, sizeof(url_option), "url=%s", server.url);
}

static void stop_server(void)
{
	postgres_stop(&server);
}

static PGconn *connect_by_hand(void)
{
	PGconn *pg = PQconnectdb(server.url);
	ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
	return pg;
}

static void run_by_hand(const char *sql)
{
	PGconn *pg = connect_by_hand();
	PGresult *result = PQexec(pg, sql);
	ck_assert_msg(PQresultStatus(result) != PGRES_FATAL_ERROR, "%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
	PQfinish(pg);
}

static int ask_by_hand(const char *sql)
{
	PGconn *pg = connect_by_hand();
	PGresult *result = PQexec(pg, sql);
	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(pg));
	int answer = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(pg);
	return answer;
}

static void empty_database(void)
{
	run_by_hand(
		"SET client_min_messages = error; DROP SCHEMA IF EXISTS sluice_lab_a, sluice_lab_b, plain CASCADE;DROP EXTENSION IF EXISTS pg_stat_statements; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

static struct harness *try_schema(const char *url, const char *schema, struct sluice_error *error)
{
	char option[200];
	(void)snprintf(option, sizeof(option), "schema=%s", schema);
	return harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url, option, NULL}, error);
}

static struct harness *open_schema(const char *schema)
{
	struct sluice_error error = {0};
	struct harness *h = try_schema(url_option, schema, &error);
	ck_assert_msg(h != NULL, "%s", error.text);
	return h;
}

static struct harness *read_schema(const char *schema)
{
	char option[100];
	(void)snprintf(option, sizeof(option), "schema=%s", schema);
	return harness_open_read_only(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, option, NULL});
}

START_TEST(test_schemas_of_one_database_share_nothing)
{
	static const char *const schemas[] = {"sluice_lab_a", "sluice_lab_b", ""};
	struct harness *stores[COUNT(schemas)];
	for (int i = 0; i < COUNT(schemas); i++) {
		stores[i] = open_schema(schemas[i]);
		ck_assert_int_eq(store_one(stores[i], "same"), SLUICE_PASS);
		for (int extra = 0; extra < i; extra++)
			ck_assert_int_eq(store_one(stores[i], extra ? "two" : "one"), SLUICE_PASS);
		ck_assert_int_eq(store_one(stores[i], "same"), SLUICE_DONE);
	}
	for (int i = 0; i < COUNT(schemas); i++) {
		struct harness *reader = read_schema(schemas[i]);
		ck_assert_uint_eq(stored_count(stores[i]), (size_t)i + 1);
		ck_assert_uint_eq(stored_count(reader), (size_t)i + 1);
		ck_assert_uint_eq(store_audit_rows(reader), (size_t)i + 1);
		harness_close(reader);
		harness_close(stores[i]);
	}
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_tables WHERE tablename = 'webhook_events'"), 3);
}
END_TEST

START_TEST(test_the_audit_trail_of_each_schema_only_grows)
{
	static const char *const schemas[] = {"sluice_lab_a", "sluice_lab_b"};
	static const char *const statements[] = {"UPDATE %s.webhook_audit_trail SET position = 2",
	                                         "DELETE FROM %s.webhook_audit_trail",
	                                         "TRUNCATE %s.webhook_audit_trail"};
	for (int i = 0; i < COUNT(schemas); i++) {
		struct harness *h = open_schema(schemas[i]);
		ck_assert_int_eq(store_one(h, "one"), SLUICE_PASS);
		PGconn *pg = connect_by_hand();
		for (int s = 0; s < COUNT(statements); s++) {
			char sql[100];
			(void)snprintf(sql, sizeof(sql), statements[s], schemas[i]);
			PGresult *result = PQexec(pg, sql);
			ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
			                 "webhook_audit_trail is append-only");
			PQclear(result);
		}
		PQfinish(pg);
		harness_close(h);
	}
}
END_TEST

START_TEST(test_each_schema_has_a_version_of_its_own)
{
	harness_close(open_schema("sluice_lab_a"));
	harness_close(open_schema("sluice_lab_b"));
	run_by_hand("UPDATE sluice_lab_a.webhook_schema SET version = 99");
	struct sluice_error error = {0};
	ck_assert_ptr_null(try_schema(url_option, "sluice_lab_a", &error));
	ck_assert_msg(strstr(error.text, "has version 99") != NULL, "%s", error.text);
	harness_close(open_schema("sluice_lab_b"));
}
END_TEST

static void *open_and_store(void *context)
{
	struct harness *h = open_schema("sluice_lab_a");
	ck_assert_int_eq(store_one(h, context), SLUICE_PASS);
	return h;
}

START_TEST(test_many_may_start_on_a_schema_that_is_not_there_yet)
{
	static const char *const ids[] = {"1", "2", "3", "4"};
	pthread_t threads[COUNT(ids)];
	for (int i = 0; i < COUNT(ids); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_store, (void *)ids[i]), 0);
	for (int i = 0; i < COUNT(ids); i++) {
		void *h;
		(void)pthread_join(threads[i], &h);
		harness_close(h);
	}
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM sluice_lab_a.webhook_events"), COUNT(ids));
}
END_TEST

START_TEST(test_a_schema_is_gone_on_with_after_a_restart_and_a_cut)
{
	harness_close(open_schema("sluice_lab_b"));
	struct harness *h = open_schema("sluice_lab_a");
	ck_assert_int_eq(store_one(h, "one"), SLUICE_PASS);
	harness_close(h);
	h = open_schema("sluice_lab_a");
	ck_assert_int_eq(store_one(h, "one"), SLUICE_DONE);
	run_by_hand("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice'");
	WAIT_WITHIN(10, store_one(h, "two") != SLUICE_RETRY);
	ck_assert_int_eq(store_one(h, "one"), SLUICE_DONE);
	ck_assert_uint_eq(stored_count(h), 2);
	harness_close(h);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM sluice_lab_b.webhook_events"), 0);
}
END_TEST

START_TEST(test_a_reader_makes_no_schema)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try_read_only(SLUICE_KIND_PERSIST, "postgres",
	                                         (const char *[]){url_option, "schema=sluice_lab_a", NULL}, &error));
	ck_assert_msg(strstr(error.text, "has version 0 instead of 1") != NULL, "%s", error.text);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice_lab_a'"), 0);
}
END_TEST

static const char *const bad_schemas[] = {
	"Lab",
	"1a",
	"a b",
	"a-b",
	"a.b",
	"pg_lab",
	"information_schema",
	"größe",
	"\"a\"",
	"x\"; DROP TABLE webhook_events; --",
	"a123456789a123456789a123456789a123456789a123456789a123456789abcd",
};

START_TEST(test_a_name_that_is_no_plain_schemas_is_refused)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(try_schema(url_option, bad_schemas[_i], &error));
	ck_assert_msg(strstr(error.text, "schema: expected a name of at most 63 lower-case letters"), "%s", error.text);
}
END_TEST

START_TEST(test_a_schema_may_be_called_like_a_word_of_sql)
{
	struct harness *h = open_schema("select");
	ck_assert_int_eq(store_one(h, "one"), SLUICE_PASS);
	harness_close(h);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM \"select\".webhook_events"), 1);
	run_by_hand("SET client_min_messages = error; DROP SCHEMA \"select\" CASCADE");
}
END_TEST

/* The role `lesser` may make no schema and no checkpoint; this one is its own. */
static struct harness *open_as_lesser(void)
{
	char url[400];
	run_by_hand("CREATE ROLE lesser LOGIN PASSWORD 'less'; CREATE SCHEMA sluice_lab_a AUTHORIZATION lesser");
	(void)snprintf(url, sizeof(url), "url=postgresql://lesser:less@%s", strchr(server.url, '@') + 1);
	struct sluice_error error = {0};
	struct harness *h = try_schema(url, "sluice_lab_a", &error);
	ck_assert_msg(h != NULL, "%s", error.text);
	return h;
}

static int count_of(const char *text, const char *word)
{
	int count = 0;
	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		count++;
	return count;
}

START_TEST(test_who_may_not_make_a_checkpoint_tends_without_and_says_so_once)
{
	struct harness *h = open_as_lesser();
	store_many(h, 3);
	free(harness_take_log());
	maintain(h);
	maintain(h);
	char *log = harness_take_log();
	ck_assert_msg(count_of(log, "checkpoint_not_allowed") == 1, "%s", log);
	free(log);
	ck_assert_int_eq(
		ask_by_hand("SELECT reltuples FROM pg_class WHERE oid = 'sluice_lab_a.webhook_events'::regclass"), 3);
	drop(h);
}
END_TEST

START_TEST(test_a_schema_is_tended_while_it_is_written_to)
{
	struct harness *h = open_schema("sluice_lab_a");
	struct harness *reader = _i == READING ? read_schema("sluice_lab_a") : NULL;
	tend_under_load(h, reader ? reader : h);
	if (reader)
		harness_close(reader);
	harness_close(h);
}
END_TEST

START_TEST(test_maintenance_clears_up_behind_an_older_reader_and_moves_it_to_the_present)
{
	struct harness *h = open_schema("sluice_lab_a");
	struct harness *reader = read_schema("sluice_lab_a");
	store_many(h, 50);
	run_by_hand("DELETE FROM sluice_lab_a.webhook_events WHERE id <= 40");
	ck_assert_uint_eq(stored_count(reader), 0);
	maintain(reader);
	ck_assert_uint_eq(stored_count(reader), 10);
	ck_assert_double_eq(figure(reader, "db_table_rows{relation=\"webhook_events\"}"), 10);
	ck_assert_double_eq(figure(reader, "db_table_dead_rows{relation=\"webhook_events\"}"), 0);
	harness_close(reader);
	harness_close(h);
}
END_TEST

START_TEST(test_maintenance_makes_a_checkpoint)
{
	static const char checkpoint[] = "db_checkpoints{cause=\"requested\"}";
	struct harness *h = open_schema("sluice_lab_a");
	double before = figure(h, checkpoint);
	maintain(h);
	WAIT_WITHIN(10, figure(h, checkpoint) == before + 1);
	harness_close(h);
}
END_TEST

START_TEST(test_figures_of_a_schema_are_those_of_its_tables)
{
	struct harness *h = open_schema("sluice_lab_a");
	struct harness *other = open_schema("sluice_lab_b");
	store_many(other, 3);
	double wal = figure(h, "db_wal_written_bytes");
	store_many(h, 10);
	ck_assert_double_gt(figure(h, "db_wal_written_bytes"), wal + 10 * 100);
	maintain(h);
	maintain(other);
	struct harness *reader = read_schema("sluice_lab_a");
	ck_assert_double_eq(figure(reader, "db_table_rows{relation=\"webhook_events\"}"), 10);
	ck_assert_double_eq(figure(reader, "db_table_rows{relation=\"webhook_audit_trail\"}"), 10);
	ck_assert_double_eq(figure(other, "db_table_rows{relation=\"webhook_events\"}"), 3);
	ck_assert_double_gt(figure(reader, "db_table_bytes{relation=\"webhook_events\"}"), 0);
	ck_assert_double_gt(figure(reader, "db_index_bytes{index=\"webhook_events_message_id_key\"}"), 0);
	ck_assert_double_gt(figure(reader, "db_commits"), 0);
	expect_shown(reader, "db_setting{setting=\"synchronous_commit\"} = on", true);
	expect_shown(reader, "db_setting{setting=\"search_path\"} = sluice_lab_a", true);
	expect_shown(reader, "db_statement", false);
	harness_close(h); /* a session that ends tells what it has counted */
	WAIT_WITHIN(10, figure(reader, "db_table_inserts{relation=\"webhook_events\"}") == 10);
	harness_close(reader);
	harness_close(other);
}
END_TEST

START_TEST(test_statements_are_shown_without_a_literal)
{
	run_by_hand("CREATE SCHEMA plain; CREATE EXTENSION pg_stat_statements SCHEMA plain");
	struct harness *h = open_schema("sluice_lab_a");
	store_many(h, 4);
	ck_assert_double_ge(
		figure(h,
	               "db_statement_calls{statement=\"WITH stored AS (INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, diges\"}"),
		4);
	run_by_hand(
		"SELECT 'hush-hush', $$hush-hush$$, $x$hush-hush$x$, 4711008154711 FROM sluice_lab_a.webhook_events");
	run_by_hand("CREATE ROLE hushed PASSWORD 'hush-hush'; DROP ROLE hushed");
	run_by_hand("/* hush-hush */ SELECT 'hush-hush' FROM sluice_lab_a.webhook_events");
	run_by_hand("SELECT id FROM sluice_lab_a.webhook_events -- hush-hush");
	expect_shown(h, "db_statement_calls{statement=\"SELECT ", true);
	expect_shown(h, "hush", false);
	expect_shown(h, "4711008154711", false);
	harness_close(h);
}
END_TEST

static const char *const kept_schemas[] = {"", "public", "plain", "sluice_lab", "a_sluice_lab_b"};

START_TEST(test_a_schema_not_made_for_a_laboratory_is_not_erased)
{
	struct harness *h = open_schema(kept_schemas[_i]);
	ck_assert_int_eq(store_one(h, "one"), SLUICE_PASS);
	expect_refusal_to_drop(h, "schema: only what is in a schema whose name begins with sluice_lab_ may be erased");
	struct harness *reader = read_schema(kept_schemas[_i]);
	expect_refusal_to_drop(reader, kept_schemas[_i]);
	ck_assert_uint_eq(stored_count(reader), 1);
	ck_assert_int_eq(store_one(h, "two"), SLUICE_PASS);
	harness_close(reader);
	harness_close(h);
	run_by_hand("SET client_min_messages = error; DROP SCHEMA IF EXISTS sluice_lab, a_sluice_lab_b CASCADE");
}
END_TEST

START_TEST(test_a_laboratorys_schema_is_erased_and_its_neighbour_stays)
{
	struct harness *neighbour = open_schema("sluice_lab_b");
	ck_assert_int_eq(store_one(neighbour, "one"), SLUICE_PASS);
	for (int life = 0; life < 2; life++) {
		struct harness *h = open_schema("sluice_lab_a");
		store_many(h, 3);
		if (life == 0) {
			drop(h);
		} else {
			struct harness *reader = read_schema("sluice_lab_a");
			ck_assert_uint_eq(stored_count(reader), 3);
			drop(reader);
			harness_close(h);
		}
		ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice_lab_a'"), 0);
	}
	ck_assert_uint_eq(stored_count(neighbour), 1);
	ck_assert_uint_eq(store_audit_rows(neighbour), 1);
	harness_close(neighbour);
}
END_TEST

static TCase *add_group(Suite *suite, const char *name)
{
	TCase *group = tcase_create(name);
	tcase_set_timeout(group, 60);
	suite_add_tcase(suite, group);
	return group;
}

static Suite *suite(void)
{
	Suite *s = suite_create("store operations");
	TCase *file = add_group(s, "sqlite");
	tcase_add_checked_fixture(file, make_folder, remove_folder);
	tcase_add_loop_test(file, test_a_file_is_tended_while_it_is_written_to, WRITING, READING + 1);
	tcase_add_test(file, test_a_file_is_tended_behind_the_checkpoint_of_another);
	tcase_add_test(file, test_a_tended_file_has_an_empty_log);
	tcase_add_test(file, test_a_file_at_rest_is_tended_and_left_without_a_log);
	tcase_add_test(file, test_maintenance_moves_a_reader_to_the_present);
	tcase_add_test(file, test_a_file_that_is_gone_is_not_made_by_maintenance);
	tcase_add_test(file, test_figures_of_a_file_are_those_of_its_rows);
	tcase_add_loop_test(file, test_a_file_not_made_for_a_laboratory_is_not_erased, 0, COUNT(kept_files));
	tcase_add_test(file, test_a_laboratorys_file_is_erased_with_what_lies_beside_it);

	TCase *schemas = add_group(s, "postgres");
	tcase_add_unchecked_fixture(schemas, start_server, stop_server);
	tcase_add_checked_fixture(schemas, empty_database, NULL);
	tcase_add_test(schemas, test_schemas_of_one_database_share_nothing);
	tcase_add_test(schemas, test_the_audit_trail_of_each_schema_only_grows);
	tcase_add_test(schemas, test_each_schema_has_a_version_of_its_own);
	tcase_add_test(schemas, test_many_may_start_on_a_schema_that_is_not_there_yet);
	tcase_add_test(schemas, test_a_schema_is_gone_on_with_after_a_restart_and_a_cut);
	tcase_add_test(schemas, test_a_reader_makes_no_schema);
	tcase_add_loop_test(schemas, test_a_name_that_is_no_plain_schemas_is_refused, 0, COUNT(bad_schemas));
	tcase_add_test(schemas, test_a_schema_may_be_called_like_a_word_of_sql);
	tcase_add_test(schemas, test_who_may_not_make_a_checkpoint_tends_without_and_says_so_once);
	tcase_add_loop_test(schemas, test_a_schema_is_tended_while_it_is_written_to, WRITING, READING + 1);
	tcase_add_test(schemas, test_maintenance_clears_up_behind_an_older_reader_and_moves_it_to_the_present);
	tcase_add_test(schemas, test_maintenance_makes_a_checkpoint);
	tcase_add_test(schemas, test_figures_of_a_schema_are_those_of_its_tables);
	tcase_add_test(schemas, test_statements_are_shown_without_a_literal);
	tcase_add_loop_test(schemas, test_a_schema_not_made_for_a_laboratory_is_not_erased, 0, COUNT(kept_schemas));
	tcase_add_test(schemas, test_a_laboratorys_schema_is_erased_and_its_neighbour_stays);
	return s;
}

UNIT_SUITE(test_store_operations, suite)
