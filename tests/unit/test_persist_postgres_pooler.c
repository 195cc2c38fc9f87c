/* persist/postgres behind PgBouncer with pool_mode=transaction: no transaction can rely on the session of the one before. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/postgres_store.h"
#include "support/scratch.h"
#include "support/unit.h"

static struct {
	pid_t pid;
	char directory[SCRATCH_SIZE];
	char url[OPTION_SIZE]; /* through it */
	char option[OPTION_SIZE + 4];
} bouncer;

static void write_file(const char *name, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", bouncer.directory, name);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
}

/* Below those that the kernel gives to clients. */
static int some_port(void)
{
	return 20000 + (int)((getpid() * 7LL + clock_now_ns() / 1000) % 12000);
}

static bool answers(void)
{
	PGconn *pg = PQconnectdb(bouncer.url);
	bool ok = PQstatus(pg) == CONNECTION_OK;
	PQfinish(pg);
	return ok;
}

/* It will not run as root. Two sessions for all, so that everybody meets everybody's. Whether it answers: the port may be
 * another's. */
static bool try_to_start_bouncer(const char *mode)
{
	char text[1200];
	int port = some_port();
	scratch_folder(bouncer.directory);
	ck_assert_int_eq(chmod(bouncer.directory, 0755), 0);
	(void)snprintf(
		text, sizeof(text),
		"[databases]\nsluice = host=127.0.0.1 port=%d dbname=sluice user=sluice password=%s\n[pgbouncer]\n"
		"listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = %s\n"
		"default_pool_size = 2\nmax_client_conn = 100\n",
		postgres_port(&server), server.password, port, mode);
	write_file("pgbouncer.ini", text);
	(void)snprintf(bouncer.url, sizeof(bouncer.url), "postgresql://sluice@127.0.0.1:%d/sluice", port);
	(void)snprintf(bouncer.option, sizeof(bouncer.option), "url=%s", bouncer.url);
	(void)snprintf(text, sizeof(text), "%s/pgbouncer.ini", bouncer.directory);
	bouncer.pid = fork();
	if (bouncer.pid == 0) {
		(void)freopen("/dev/null", "w", stderr);
		(void)execlp("setpriv", "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "pgbouncer",
		             "-q", text, (char *)NULL);
		_exit(127);
	}
	while (waitpid(bouncer.pid, NULL, WNOHANG) == 0) {
		if (answers())
			return true;
		(void)usleep(2000);
	}
	return false;
}

static void remove_bouncer_files(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -r %s", bouncer.directory);
	ck_assert_int_eq(system(command), 0);
}

static void start_bouncer(const char *mode)
{
	for (int tries = 0; !try_to_start_bouncer(mode); tries++) {
		remove_bouncer_files();
		ck_assert_msg(tries < 10, "pgbouncer does not start");
	}
}

static void stop_bouncer(void)
{
	(void)kill(bouncer.pid, SIGKILL);
	(void)waitpid(bouncer.pid, NULL, 0);
	remove_bouncer_files();
}

/* What neighbours leave behind in both sessions. */
static void poison(const char *sql)
{
	PGconn *neighbours[2] = {connect_to(bouncer.url), connect_to(bouncer.url)};
	for (int i = 0; i < 2; i++)
		run_on(neighbours[i], "BEGIN"); /* each has a session now, and not the same */
	for (int i = 0; i < 2; i++) {
		run_on(neighbours[i], sql);
		run_on(neighbours[i], "COMMIT");
		PQfinish(neighbours[i]);
	}
}

/* Tables of the same names that are another's. */
#define OTHERS                                                                                                         \
	"CREATE SCHEMA other; CREATE TABLE other.webhook_events (LIKE public.webhook_events INCLUDING ALL); CREATE "   \
	"TABLE other.webhook_audit_trail (LIKE public.webhook_audit_trail INCLUDING ALL); CREATE TABLE "               \
	"other.webhook_dead_letters (LIKE public.webhook_dead_letters INCLUDING ALL); CREATE TABLE "                   \
	"other.webhook_schema AS SELECT 1 AS version"
#define REMOVE_OTHERS "DROP SCHEMA IF EXISTS other CASCADE; DROP SCHEMA IF EXISTS tenant CASCADE"

static const char *const leftovers[] = {
	"SELECT 1",
	"SET search_path = other",
	"SET search_path = pg_temp, other",
	"CREATE TEMP TABLE webhook_events AS SELECT * FROM public.webhook_events; CREATE TEMP TABLE webhook_audit_trail AS "
	"SELECT * FROM public.webhook_audit_trail",
	"SET synchronous_commit = off",
	"SET statement_timeout = 300",
	"SET lock_timeout = 300",
	"SET idle_in_transaction_session_timeout = 300",
	"SET default_transaction_isolation = serializable",
	"SET client_encoding = latin1",
	"SET extra_float_digits = 0; SET bytea_output = escape; SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Tokyo'; SET "
	"intervalstyle = sql_standard; SET standard_conforming_strings = off",
};

static const char *const locations[] = {NULL, "schema=tenant"};

static int rows_in(const char *schema)
{
	char sql[128];
	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s.webhook_events WHERE event_type = 'test.event'",
	               schema);
	return ask_by_hand(sql);
}

static void store_some(struct harness *h, int number)
{
	for (int i = 0; i < 6; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "%d-%d-\xc3\xa4", number, i);
		struct sluice_event *event = store_event(h, id, NULL, "\xc3\xa4");
		ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
		ck_assert_int_eq(store_one(h, id, NULL, "\xc3\xa4"), SLUICE_DONE);
	}
}

START_TEST(test_what_others_leave_in_a_session_redirects_nothing)
{
	const char *location = locations[_i];
	harness_close(open_store()); /* the tables in public */
	run_by_hand(OTHERS);
	start_bouncer("transaction");
	poison("SET search_path = other"); /* before the start already */
	struct harness *h = open_at((const char *[]){bouncer.option, location, NULL});
	for (int i = 0; i < COUNT(leftovers); i++) {
		poison(leftovers[i]);
		store_some(h, i);
		ck_assert_uint_eq(stored_count(h), 6 * ((size_t)i + 1));
		poison("DISCARD TEMP; RESET ALL");
	}
	ck_assert_int_eq(rows_in(location ? "tenant" : "public"), 6 * COUNT(leftovers));
	ck_assert_int_eq(rows_in("other"), 0);
	ck_assert_int_eq(location ? rows_in("public") : 0, 0);
	ck_assert_uint_eq(store_audit_rows(h), 6 * COUNT(leftovers));
	harness_close(h);
	stop_bouncer();
}
END_TEST

#define SETTINGS                                                                                                       \
	"SELECT count(*) FROM pg_settings WHERE source = 'session' AND name NOT IN ('client_encoding', 'DateStyle', "  \
	"'TimeZone', 'IntervalStyle', 'application_name', 'standard_conforming_strings', 'transaction_isolation', "    \
	"'transaction_read_only', 'transaction_deferrable')"

START_TEST(test_nothing_is_left_in_a_session_for_others)
{
	start_bouncer("transaction");
	struct harness *h = open_at((const char *[]){bouncer.option, "schema=tenant", NULL});
	store_some(h, 0);
	struct sluice_event *event = store_event(h, "", NULL, "x");
	event->message_id = sluice_copy(event, "a\0b", 3);
	ck_assert_int_eq(harness_process(h, event), SLUICE_FAIL); /* a transaction that fails */
	harness_settle(h, event, SLUICE_FAIL);
	char *figures = harness_stats(h);
	free(figures);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(ask_at(bouncer.url, SETTINGS), 0);
		ck_assert_int_eq(ask_at(bouncer.url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
	}
	harness_close(h);
	stop_bouncer();
}
END_TEST

START_TEST(test_sessions_that_the_pooler_renews_change_nothing)
{
	start_bouncer("transaction");
	struct harness *h = open_at((const char *[]){bouncer.option, "schema=tenant", NULL});
	for (int i = 0; i < 3; i++) {
		store_some(h, i);
		run_by_hand(
			"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sluice'");
	}
	ck_assert_int_eq(rows_in("tenant"), 18);
	ck_assert_uint_eq(store_audit_rows(h), 18);
	harness_close(h);
	stop_bouncer();
}
END_TEST

START_TEST(test_a_rule_is_not_the_fault_of_an_event)
{
	start_bouncer("transaction");
	struct harness *h = open_at((const char *[]){bouncer.option, NULL});
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	run_by_hand("CREATE RULE r AS ON INSERT TO webhook_events DO ALSO NOTIFY nobody");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_msg(strstr(harness_detail(event), "is there a rule") != NULL, "said \"%s\"", harness_detail(event));
	run_by_hand("DROP RULE r ON webhook_events");
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	harness_close(h);
	stop_bouncer();
}
END_TEST

START_TEST(test_a_pooler_without_transactions_is_refused)
{
	struct sluice_error error = {0};
	start_bouncer("statement");
	ck_assert_ptr_null(
		harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){bouncer.option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "pool_mode=statement") != NULL, "said \"%s\"", error.text);
	stop_bouncer();
}
END_TEST

static void remove_others(void)
{
	run_by_hand("SET client_min_messages = error; " REMOVE_OTHERS);
}

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres pooler");
	TCase *pooler = add_group(s, "pooler");
	tcase_add_checked_fixture(pooler, remove_others, NULL);
	tcase_add_loop_test(pooler, test_what_others_leave_in_a_session_redirects_nothing, 0, COUNT(locations));
	tcase_add_test(pooler, test_nothing_is_left_in_a_session_for_others);
	tcase_add_test(pooler, test_sessions_that_the_pooler_renews_change_nothing);
	tcase_add_test(pooler, test_a_rule_is_not_the_fault_of_an_event);
	tcase_add_test(pooler, test_a_pooler_without_transactions_is_refused);
	return s;
}

UNIT_SUITE(test_persist_postgres_pooler, suite)
