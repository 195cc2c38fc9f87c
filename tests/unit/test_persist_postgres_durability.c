/* persist/postgres: what it acknowledges is durable, whatever others see. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/proxy.h"
#include "support/unit.h"

START_TEST(test_a_server_that_does_not_keep_what_it_commits_is_refused)
{
	struct sluice_error error = {0};
	run_by_hand("ALTER DATABASE sluice SET synchronous_commit = off");
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "durability: relaxed") != NULL, "said \"%s\"", error.text);
	run_by_hand("ALTER DATABASE sluice RESET synchronous_commit");

	postgres_restart(&server, "full_page_writes=off");
	error = (struct sluice_error){0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "full_page_writes=off") != NULL, "said \"%s\"", error.text);
	postgres_restart(&server, "full_page_writes=on");

	postgres_restart(&server, "fsync=off");
	error = (struct sluice_error){0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "fsync=off") != NULL, "said \"%s\"", error.text);
	struct harness *h = open_with("durability=relaxed", NULL);
	ck_assert_int_eq(store_one(h, "id", "s", "x"), SLUICE_PASS);
	harness_close(h);
	postgres_restart(&server, "fsync=on");
}
END_TEST

/* A primary that waits for one standby. */
static struct postgres standby;

static void name_standbys(const char *names)
{
	char setting[64];
	(void)snprintf(setting, sizeof(setting), "synchronous_standby_names=%s", names);
	postgres_reload(&server, setting);
}

static void start_pair(void)
{
	start_server();
	postgres_start_standby(&standby, &server);
}

static void stop_pair(void)
{
	postgres_stop(&standby);
	stop_server();
}

/* Whatever an earlier test has left behind: an empty database, and a primary that waits for the standby. */
static void join_pair(void)
{
	name_standbys("");
	empty_database();
	postgres_restart(&standby, "");
	name_standbys("*");
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1);
}

static int waiting_backends(void)
{
	return ask_by_hand("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
}

static const struct {
	const char *end;   /* the wait of all backends for the standby */
	const char *words; /* of the verdict */
} ends[] = {
	{"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
         "COMMIT came with a WARNING"},
	{"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "could not commit"},
};

START_TEST(test_a_wait_for_a_standby_that_is_ended_is_no_commit)
{
	struct waiter first, retry, duplicate;
	struct harness *h = open_with("statement_timeout=40s", NULL);
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	postgres_kill(&standby);
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	waiter_start(&first, event, h);
	WAIT_FOR(waiting_backends() == 1);
	run_by_hand(ends[_i].end);
	(void)pthread_join(first.thread, NULL);
	ck_assert_int_eq(first.verdict, SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), ends[_i].words));
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events WHERE message_id = 'id'"), 1);

	event->attempt = 2; /* its own row, and visible: not accepted while no standby has it */
	waiter_start(&retry, event, h);
	waiter_start(&duplicate, store_event(h, "id", NULL, "x"), h);
	WAIT_FOR(waiting_backends() >= 2);
	postgres_restart(&standby, "");
	(void)pthread_join(retry.thread, NULL);
	ck_assert_msg(retry.verdict == SLUICE_PASS, "%d: %s", retry.verdict, harness_detail(event));
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(waiter_finish(&duplicate), SLUICE_DONE);
	WAIT_FOR(shows(standby.url, "SELECT count(*) FROM webhook_events WHERE message_id = 'id'", 1));
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_a_primary_that_comes_back_alone_acknowledges_nothing)
{
	struct waiter lost;
	struct harness *h = open_with("statement_timeout=500ms", NULL);
	postgres_kill(&standby);
	waiter_start(&lost, store_event(h, "id", NULL, "x"), h);
	WAIT_FOR(waiting_backends() == 1);
	postgres_kill(&server);
	ck_assert_int_eq(waiter_finish(&lost), SLUICE_RETRY);
	postgres_restart(&server, "");
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 1);
	WAIT_FOR(strstr(store_unhealthy(h), "standby"));
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_RETRY);
	ck_assert_int_eq(store_one(h, "id", NULL, "other content"), SLUICE_RETRY); /* nor a conflict with it */
	postgres_restart(&standby, "");
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_DONE);
	harness_close(h);
}
END_TEST

START_TEST(test_a_row_from_before_the_standby_was_named_is_confirmed_first)
{
	struct harness *h = open_with("statement_timeout=500ms", NULL);
	struct sluice_error error = {0};
	struct sluice_event *dead = store_event(h, "dead", NULL, "x");
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	ck_assert(h->ops->of.persist->dead_letter(&h->stage, dead, "why", &error));
	name_standbys("*"); /* and there is none */
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_RETRY);
	ck_assert(!h->ops->of.persist->dead_letter(&h->stage, dead, "why", &error));
	ck_assert_msg(strstr(error.text, "standby") != NULL, "said \"%s\"", error.text);
	name_standbys("");
	WAIT_FOR(store_gauge(h, "db_unconfirmed_commits", NULL) == 0);
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_DONE);
	harness_free(dead);
	harness_close(h);
}
END_TEST

/* Keeps rows that somebody else committed without waiting from reaching the disk on their own. */
static pid_t stop_wal_writer(void)
{
	pid_t pid = ask_by_hand("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	return pid;
}

static bool is_flushed(PGconn *pg, const char *lsn)
{
	char sql[128];
	(void)snprintf(sql, sizeof(sql), "SELECT pg_current_wal_flush_lsn() >= '%s'", lsn);
	PGresult *result = PQexec(pg, sql);
	ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
	bool flushed = PQgetvalue(result, 0, 0)[0] == 't';
	PQclear(result);
	return flushed;
}

static void insert_position(PGconn *pg, char lsn[32])
{
	PGresult *result = PQexec(pg, "SELECT pg_current_wal_insert_lsn()");
	ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
	(void)snprintf(lsn, 32, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
}

START_TEST(test_a_row_that_others_committed_without_waiting_is_on_disk_before_its_duplicate_is_answered)
{
	char lsn[32];
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	PGconn *pg = connect_by_hand();
	run_on(pg, "CREATE TABLE copy AS SELECT * FROM webhook_events; DELETE FROM webhook_events");
	pid_t writer = stop_wal_writer();
	run_on(pg, "SET synchronous_commit = off; INSERT INTO webhook_events OVERRIDING SYSTEM VALUE TABLE copy");
	insert_position(pg, lsn);
	ck_assert(!is_flushed(pg, lsn));
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_DONE);
	ck_assert(is_flushed(pg, lsn));
	ck_assert_int_eq(kill(writer, SIGCONT), 0);
	PQfinish(pg);
	harness_close(h);
}
END_TEST

START_TEST(test_a_duplicate_writes_nothing_where_all_is_on_disk)
{
	char before[32], after[32];
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_PASS);
	PGconn *pg = connect_by_hand();
	bool silent = false; /* once at least: the server has reasons of its own to write */
	for (int i = 0; i < 5 && !silent; i++) {
		WAIT_FOR((insert_position(pg, before), is_flushed(pg, before)));
		ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_DONE);
		insert_position(pg, after);
		silent = strcmp(after, before) == 0;
	}
	ck_assert(silent);
	PQfinish(pg);
	harness_close(h);
}
END_TEST

START_TEST(test_a_warning_from_a_trigger_at_commit_costs_nothing)
{
	struct harness *h = open_store();
	run_by_hand(
		"CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'w'; RETURN NULL; "
		"END $$;CREATE CONSTRAINT TRIGGER t AFTER INSERT ON webhook_events DEFERRABLE INITIALLY DEFERRED FOR "
		"EACH ROW EXECUTE FUNCTION warn()");
	for (int i = 0; i < 3; i++) {
		char id[8];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, NULL, "x"), SLUICE_PASS);
	}
	ck_assert_uint_eq(stored_count(h), 3);
	ck_assert_uint_eq(store_audit_rows(h), 3);
	harness_close(h);
}
END_TEST

/* Near the wraparound of its ids a server sends the first ones with every transaction. */
static const struct {
	const char *function;
	enum sluice_verdict verdict;
} warnings[] = {
	{"GetNewTransactionId", SLUICE_PASS},
	{"GetNewMultiXactId", SLUICE_PASS},
	{"SyncRepWaitForLSN", SLUICE_RETRY},
	{"AnotherFunction", SLUICE_RETRY},
};

START_TEST(test_a_warning_is_a_failed_commit_unless_it_is_known_to_be_about_something_else)
{
	struct proxy proxy;
	char option[OPTION_SIZE];
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	for (int i = 0; i < COUNT(warnings); i++) {
		struct sluice_event *event = store_event(h, warnings[i].function, NULL, "x");
		atomic_store(&proxy.warning, warnings[i].function);
		ck_assert_int_eq(harness_process(h, event), warnings[i].verdict);
		atomic_store(&proxy.warning, NULL);
		ck_assert_int_eq(store_one(h, warnings[i].function, NULL, "x"), SLUICE_DONE);
		harness_settle(h, event, warnings[i].verdict);
	}
	(void)store_audit_rows(h);
	harness_close(h);
	proxy_stop(&proxy);
}
END_TEST

/* How many backends there ever were that waited. */
static int store_in_vain(struct harness *h, int times)
{
	static int number;
	int most = 0;
	for (int i = 0; i < times; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "vain-%d", number++);
		struct sluice_event *event = store_event(h, id, NULL, "x");
		event->deadline_ns = clock_now_ns() + 100 * NS_PER_MS;
		ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
		harness_settle(h, event, SLUICE_RETRY);
		int waiting = waiting_backends();
		most = waiting > most ? waiting : most;
	}
	return most;
}

START_TEST(test_a_commit_that_nobody_confirms_keeps_its_place_in_the_pool)
{
	struct harness *h = open_at(
		(const char *[]){url_option, "pool.min=1", "pool.max=3", "statement_timeout=500ms", NULL});
	postgres_kill(&standby);
	WAIT_FOR(store_in_vain(h, 1) == 3);
	ck_assert_int_eq(store_in_vain(h, 6), 3);
	WAIT_FOR(store_gauge(h, "db_unconfirmed_commits", NULL) == 3);
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	event->deadline_ns = clock_now_ns() + 100 * NS_PER_MS;
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_msg(strstr(harness_detail(event), "3 of 3 connections to PostgreSQL wait for a COMMIT") != NULL,
	              "said \"%s\"", harness_detail(event));
	postgres_restart(&standby, "");
	WAIT_FOR(store_gauge(h, "db_unconfirmed_commits", NULL) == 0);
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	WAIT_FOR(!store_unhealthy(h)[0]);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

START_TEST(test_places_are_free_again_when_another_server_takes_over)
{
	struct proxy proxy;
	char option[OPTION_SIZE];
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at(
		(const char *[]){option, "pool.min=1", "pool.max=2", "statement_timeout=500ms", NULL});
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	PGconn *pg = connect_to(standby.url);
	run_on(pg, "SELECT pg_wal_replay_pause()"); /* it receives, but the primary is told that it is away */
	PQfinish(pg);
	name_standbys("another");
	WAIT_FOR(store_in_vain(h, 1) == 2);
	WAIT_FOR(store_gauge(h, "db_unconfirmed_commits", NULL) == 2);
	postgres_promote(&standby);
	atomic_store(&proxy.server_port, postgres_port(&standby));
	ck_assert_int_eq(store_until_through(h, store_event(h, "after", NULL, "x")), SLUICE_PASS);
	ck_assert_int_eq(ask_at(standby.url, "SELECT count(*) FROM webhook_events WHERE message_id = 'after'"), 1);
	harness_close(h);
	proxy_stop(&proxy);
}
END_TEST

static const struct {
	const char *relax, *strict;
} relaxed_defaults[] = {
	{"ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit"},
	{"ALTER DATABASE sluice SET synchronous_commit = off", "ALTER DATABASE sluice RESET synchronous_commit"},
	{"ALTER ROLE sluice SET synchronous_commit = off", "ALTER ROLE sluice RESET synchronous_commit"},
};

/* Writes down the setting that each event's transaction has. */
#define NOTE_SETTING                                                                                                    \
	"CREATE TABLE seen (setting text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT " \
	"INTO seen SELECT current_setting('synchronous_commit'); RETURN NULL; END $$; CREATE TRIGGER t AFTER INSERT "   \
	"ON webhook_events FOR EACH ROW EXECUTE FUNCTION note()"

static void reload(void)
{
	run_by_hand("SELECT pg_reload_conf()");
}

static void end_sessions(void)
{
	run_by_hand("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'sluice' AND pid <> "
	            "pg_backend_pid()");
}

START_TEST(test_a_relaxed_default_is_overruled_told_and_refused_at_the_next_start)
{
	struct harness *h = open_store();
	run_by_hand(NOTE_SETTING);
	run_by_hand(relaxed_defaults[_i].relax);
	reload();
	ck_assert_int_eq(store_one(h, "session from before", NULL, "x"), SLUICE_PASS);
	end_sessions();
	WAIT_FOR(strstr(store_unhealthy(h), "synchronous_commit=off"));
	expect_refused(NULL, "synchronous_commit=off");
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM seen WHERE setting <> 'on'"), 0);
	harness_close(h);

	h = open_with("durability=relaxed", NULL);
	ck_assert_int_eq(store_one(h, "relaxed", NULL, "x"), SLUICE_PASS);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM seen WHERE setting = 'off'"), 1);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
	run_by_hand(relaxed_defaults[_i].strict);
	reload();
}
END_TEST

START_TEST(test_what_a_session_already_has_is_overruled_and_told_within_two_seconds)
{
	struct harness *h = open_store();
	run_by_hand(NOTE_SETTING);
	run_by_hand("ALTER SYSTEM SET synchronous_commit = local");
	reload();
	ck_assert_int_eq(store_one(h, "1", NULL, "x"), SLUICE_PASS);
	run_by_hand("ALTER SYSTEM SET synchronous_commit = off");
	reload();
	int64_t start_ns = clock_now_ns();
	WAIT_FOR(strstr(store_unhealthy(h), "synchronous_commit=off"));
	ck_assert_int_lt(clock_now_ns() - start_ns, 2 * NS_PER_S);
	ck_assert_int_eq(store_one(h, "2", NULL, "x"), SLUICE_PASS);
	run_by_hand("ALTER SYSTEM SET synchronous_commit = remote_apply");
	reload();
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_eq(store_one(h, "3", NULL, "x"), SLUICE_PASS);
	run_by_hand("ALTER SYSTEM RESET synchronous_commit");
	reload();
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM seen WHERE setting = 'on'"), 2);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM seen WHERE setting = 'remote_apply'"), 1);
	harness_close(h);
}
END_TEST

static const char *const unsafe_settings[] = {"fsync", "full_page_writes"};

START_TEST(test_a_setting_that_no_session_can_overrule_stops_the_acknowledging)
{
	char off[64], on[64], words[64];
	(void)snprintf(off, sizeof(off), "%s=off", unsafe_settings[_i]);
	(void)snprintf(on, sizeof(on), "%s=on", unsafe_settings[_i]);
	(void)snprintf(words, sizeof(words), "the server has %s=off", unsafe_settings[_i]);
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	postgres_reload(&server, off);
	WAIT_FOR(strstr(store_unhealthy(h), words)); /* without any traffic */
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), words));
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_RETRY);
	expect_refused(NULL, off);
	postgres_reload(&server, on);
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	WAIT_FOR(!store_unhealthy(h)[0]);
	harness_close(h);
}
END_TEST

static const struct {
	const char *harm, *undo, *words;
} unlogged[] = {
	{"ALTER TABLE webhook_events SET UNLOGGED", "ALTER TABLE webhook_events SET LOGGED",
         "webhook_events: not a logged"},
	{"ALTER TABLE webhook_audit_trail SET UNLOGGED", "ALTER TABLE webhook_audit_trail SET LOGGED",
         "webhook_audit_trail: not a logged"},
};

START_TEST(test_a_table_that_a_crash_empties_takes_no_event)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	run_by_hand(unlogged[_i].harm);
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_msg(strstr(harness_detail(event), unlogged[_i].words) != NULL, "said \"%s\"", harness_detail(event));
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events WHERE message_id = 'id'"), 0);
	WAIT_FOR(strstr(store_unhealthy(h), unlogged[_i].words));
	expect_refused(NULL, unlogged[_i].words);
	harness_close(open_with("durability=relaxed", NULL));
	run_by_hand(unlogged[_i].undo);
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_dead_letter_is_not_kept_where_a_crash_would_take_it)
{
	struct sluice_error error = {0};
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	run_by_hand("ALTER TABLE webhook_dead_letters SET UNLOGGED");
	ck_assert(!h->ops->of.persist->dead_letter(&h->stage, event, "why", &error));
	ck_assert_msg(strstr(error.text, "webhook_dead_letters: not a logged") != NULL, "said \"%s\"", error.text);
	run_by_hand("ALTER TABLE webhook_dead_letters SET LOGGED");
	WAIT_FOR(h->ops->of.persist->dead_letter(&h->stage, event, "why", NULL));
	harness_free(event);
	harness_close(h);
}
END_TEST

START_TEST(test_standbys_that_no_commit_would_wait_for_are_refused)
{
	run_by_hand("ALTER SYSTEM SET synchronous_commit = local");
	name_standbys("*");
	expect_refused(NULL, "synchronous_commit=local and names synchronous standbys");
	name_standbys("");
	run_by_hand("ALTER SYSTEM RESET synchronous_commit");
	reload();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres durability");
	TCase *settings = add_group(s, "settings");
	tcase_add_test(settings, test_a_server_that_does_not_keep_what_it_commits_is_refused);
	tcase_add_loop_test(settings, test_a_relaxed_default_is_overruled_told_and_refused_at_the_next_start, 0,
	                    COUNT(relaxed_defaults));
	tcase_add_test(settings, test_what_a_session_already_has_is_overruled_and_told_within_two_seconds);
	tcase_add_loop_test(settings, test_a_setting_that_no_session_can_overrule_stops_the_acknowledging, 0,
	                    COUNT(unsafe_settings));
	tcase_add_loop_test(settings, test_a_table_that_a_crash_empties_takes_no_event, 0, COUNT(unlogged));
	tcase_add_test(settings, test_a_dead_letter_is_not_kept_where_a_crash_would_take_it);

	TCase *visible = add_group(s, "visible is not durable");
	tcase_add_test(visible, test_a_row_from_before_the_standby_was_named_is_confirmed_first);
	tcase_add_test(visible,
	               test_a_row_that_others_committed_without_waiting_is_on_disk_before_its_duplicate_is_answered);
	tcase_add_test(visible, test_a_duplicate_writes_nothing_where_all_is_on_disk);
	tcase_add_test(visible, test_a_warning_from_a_trigger_at_commit_costs_nothing);
	tcase_add_test(visible, test_a_warning_is_a_failed_commit_unless_it_is_known_to_be_about_something_else);
	tcase_add_test(visible, test_standbys_that_no_commit_would_wait_for_are_refused);

	TCase *pair = tcase_create("with a standby");
	tcase_add_unchecked_fixture(pair, start_pair, stop_pair);
	tcase_add_checked_fixture(pair, join_pair, NULL);
	tcase_set_timeout(pair, 60);
	suite_add_tcase(s, pair);
	tcase_add_loop_test(pair, test_a_wait_for_a_standby_that_is_ended_is_no_commit, 0, COUNT(ends));
	tcase_add_test(pair, test_a_primary_that_comes_back_alone_acknowledges_nothing);
	tcase_add_test(pair, test_a_commit_that_nobody_confirms_keeps_its_place_in_the_pool);
	tcase_add_test(pair, test_places_are_free_again_when_another_server_takes_over); /* the last: it promotes */
	return s;
}

UNIT_SUITE(test_persist_postgres_durability, suite)
