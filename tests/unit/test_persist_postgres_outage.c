/* persist/postgres: what the server and the network do to it, what it says of that, and how it heals. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/proxy.h"
#include "support/unit.h"

START_TEST(test_a_failed_transaction_is_tried_again)
{
	struct harness *h = open_store();
	run_by_hand("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING "
	            "ERRCODE = '40P01'; END $$;CREATE TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE "
	            "FUNCTION fail()");
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "40P01"));
	ck_assert_str_eq(store_unhealthy(h), "");
	run_by_hand("DROP TRIGGER t ON webhook_events");
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_statement_that_waits_too_long_is_tried_again)
{
	harness_close(open_store()); /* so that there is less to do in the short time */
	struct harness *h = open_with("statement_timeout=300ms", NULL);
	PGconn *pg = connect_by_hand();
	run_on(pg,
	       "BEGIN; INSERT INTO webhook_events (message_id, payload, digest, request_id, received_at) VALUES ('id', '', decode(repeat('00', 32), 'hex'), 'r', now())");
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "57014"));
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_commit_whose_answer_was_lost_is_stored_once)
{
	struct proxy proxy;
	char option[OPTION_SIZE];
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, stage_name, (const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "before", "s", "x"), SLUICE_PASS);
	atomic_store(&proxy.cut_commits, 1);
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 2);
	event->attempt = 2;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "after", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), 3);
	ck_assert_uint_eq(store_audit_rows(h), 3);
	harness_close(h);
	proxy_stop(&proxy);
}
END_TEST

START_TEST(test_a_killed_server_is_survived)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", "s", "x"), SLUICE_PASS);
	postgres_kill(&server);
	int64_t start_ns = clock_now_ns();
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_int_eq(harness_status(event), 503);
	WAIT_FOR(strstr(store_unhealthy(h), "cannot connect to PostgreSQL") != NULL);
	ck_assert_ptr_null(strstr(store_unhealthy(h), server.password));
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY); /* at once, not after pool.connect_timeout */
	ck_assert_int_lt(clock_now_ns() - start_ns, 3 * NS_PER_S);
	postgres_restart(&server, "");
	WAIT_FOR(!store_unhealthy(h)[0]); /* without any traffic */
	event->attempt = 3;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), 2);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_what_passed_is_there_after_the_server_was_killed_under_load)
{
	enum { THREADS = 6, EVENTS = 3000, KILLS = 3 };
	struct harness *h = open_store();
	struct hammer hammers[THREADS];
	atomic_bool stop = false;
	for (int i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.h = h, .number = i, .count = EVENTS, .own_ids = true, .stop = &stop};
		hammers[i].ids = calloc(EVENTS, sizeof(*hammers[i].ids));
		hammer_start(&hammers[i]);
	}
	for (int i = 0; i < KILLS; i++) {
		int before = ask_by_hand("SELECT count(*) FROM webhook_events");
		WAIT_FOR(ask_by_hand("SELECT count(*) FROM webhook_events") > before + 50);
		postgres_kill(&server);
		postgres_restart(&server, "");
	}
	int before = ask_by_hand("SELECT count(*) FROM webhook_events");
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM webhook_events") > before + 20);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		hammer_join(&hammers[i]);
	struct store_image image = stored_read(h);
	size_t lost = 0, passed = 0;
	for (int i = 0; i < THREADS; i++) {
		for (size_t j = 0; j < hammers[i].passed; j++)
			lost += !stored_find(&image, hammers[i].ids[j]);
		passed += hammers[i].passed;
		free(hammers[i].ids);
	}
	ck_assert_uint_gt(passed, 150);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_ge(image.count, passed);
	stored_free(&image);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

/* What an operator or fate does to a running server; what is to be read in the health; and how it is mended. */
static const struct {
	const char *harm, *words, *mend;
} faults[] = {
	{"ALTER TABLE webhook_events RENAME event_type TO t", "a column of Sluice's tables is missing",
         "ALTER TABLE webhook_events RENAME t TO event_type"},
	{"ALTER TABLE webhook_events RENAME digest TO d", "a column of Sluice's tables is missing",
         "ALTER TABLE webhook_events RENAME d TO digest"},
	{"ALTER TABLE webhook_audit_trail RENAME TO gone", "these do not exist: webhook_audit_trail",
         "ALTER TABLE gone RENAME TO webhook_audit_trail"},
	{"ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_message_id_key", "unique key of webhook_events",
         "ALTER TABLE webhook_events ADD UNIQUE (message_id)"},
	{"ALTER SCHEMA public RENAME TO elsewhere", "version 0 instead of 1",
         "ALTER SCHEMA elsewhere RENAME TO public"},
	{"CREATE TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION fail('53100')",
         "the disk of the server is full (SQLSTATE 53100)", "DROP TRIGGER t ON webhook_events"},
	{"CREATE TRIGGER t BEFORE INSERT ON webhook_audit_trail FOR EACH ROW EXECUTE FUNCTION fail('XX001')",
         "a table is damaged", "DROP TRIGGER t ON webhook_audit_trail"},
	{"CREATE CONSTRAINT TRIGGER t AFTER INSERT ON webhook_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
         "FUNCTION fail('53200')",
         "out of memory", "DROP TRIGGER t ON webhook_events"},
	{"CREATE TRIGGER t BEFORE INSERT ON webhook_audit_trail FOR EACH ROW EXECUTE FUNCTION fail('23514')",
         "SQLSTATE 23514", "DROP TRIGGER t ON webhook_audit_trail"},
};

#define FAIL                                                                                                           \
	"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this, %', "          \
	"current_setting('listen_addresses') USING ERRCODE = TG_ARGV[0]; END $$"

START_TEST(test_health_says_what_hinders_the_commits_and_heals_without_traffic)
{
	struct harness *h = open_store();
	run_by_hand(FAIL);
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	run_by_hand(faults[_i].harm);
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	int64_t start_ns = clock_now_ns();
	WAIT_FOR(store_unhealthy(h)[0]);
	ck_assert_int_lt(clock_now_ns() - start_ns, 2 * NS_PER_S);
	WAIT_FOR(strstr(store_unhealthy(h),
	                faults[_i].words)); /* the statement that failed may have had the first word */
	ck_assert_ptr_null(strstr(store_unhealthy(h), "127.0.0.1"));
	ck_assert_ptr_null(strstr(store_unhealthy(h), "not this"));
	run_by_hand(faults[_i].mend);
	start_ns = clock_now_ns();
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_lt(clock_now_ns() - start_ns, 6 * NS_PER_S);
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	ck_assert_str_eq(store_unhealthy(h), "");
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 2); /* the probes have left nothing */
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_a_server_that_only_reads_is_told_and_left_alone_until_it_writes)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	postgres_reload(&server, "default_transaction_read_only=on");
	struct sluice_event *event = store_event(h, "id", NULL, "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	WAIT_FOR(strstr(store_unhealthy(h), "only reads"));
	expect_refused(NULL, "PostgreSQL only reads here");
	postgres_reload(&server, "default_transaction_read_only=off");
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_eq(store_until_through(h, event), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_locked_table_is_told_within_two_seconds)
{
	struct waiter waiter;
	struct harness *h = open_store();
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	waiter_start(&waiter, store_event(h, "id", NULL, "x"), h);
	int64_t start_ns = clock_now_ns();
	WAIT_FOR(strstr(store_unhealthy(h), "has not answered for"));
	ck_assert_int_lt(clock_now_ns() - start_ns, 3 * NS_PER_S);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "locked"));
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	ck_assert_int_eq(waiter_finish(&waiter), SLUICE_PASS);
	WAIT_FOR(!store_unhealthy(h)[0]);
	harness_close(h);
}
END_TEST

START_TEST(test_a_failure_among_successes_is_not_told)
{
	harness_close(open_store());
	struct harness *h = open_with("statement_timeout=300ms", NULL);
	PGconn *pg = connect_by_hand();
	run_on(pg,
	       "BEGIN; INSERT INTO webhook_events (message_id, payload, digest, request_id, received_at) VALUES ('id', "
	       "'', decode(repeat('00', 32), 'hex'), 'r', now())");
	for (int i = 0; i < 3; i++) {
		char id[8];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_RETRY);
		ck_assert_int_eq(store_until_through(h, store_event(h, id, NULL, "x")), SLUICE_PASS);
		ck_assert_str_eq(store_unhealthy(h), "");
	}
	PQfinish(pg);
	harness_close(h);
}
END_TEST

START_TEST(test_open_connections_leave_a_server_that_only_reads)
{
	struct postgres other;
	struct proxy proxy;
	char option[OPTION_SIZE];
	postgres_start_standby(&other, &server);
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at((const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	WAIT_FOR(shows(other.url, "SELECT count(*) FROM webhook_events", 1));
	postgres_promote(&other);
	postgres_reload(&server, "default_transaction_read_only=on");
	atomic_store(&proxy.server_port, postgres_port(&other)); /* for new connections */
	ck_assert_int_eq(store_until_through(h, store_event(h, "after", NULL, "x")), SLUICE_PASS);
	ck_assert_int_eq(ask_at(other.url, "SELECT count(*) FROM webhook_events"), 2);
	WAIT_FOR(!store_unhealthy(h)[0]);
	harness_close(h);
	proxy_stop(&proxy);
	postgres_stop(&other);
	postgres_reload(&server, "default_transaction_read_only=off");
}
END_TEST

START_TEST(test_a_connection_that_keeps_failing_is_replaced)
{
	struct proxy proxy;
	struct postgres other;
	char option[OPTION_SIZE];
	postgres_start_standby(&other, &server);
	postgres_promote(&other);
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at((const char *[]){option, NULL});
	run_by_hand("DROP TABLE webhook_events"); /* whatever the fault is, the other server does not have it */
	char url[OPTION_SIZE];
	(void)snprintf(url, sizeof(url), "url=%s", other.url);
	harness_close(open_at((const char *[]){url, NULL}));
	atomic_store(&proxy.server_port, postgres_port(&other));
	ck_assert_int_eq(store_until_through(h, store_event(h, "id", NULL, "x")), SLUICE_PASS);
	ck_assert_int_eq(ask_at(other.url, "SELECT count(*) FROM webhook_events"), 1);
	harness_close(h);
	proxy_stop(&proxy);
	postgres_stop(&other);
}
END_TEST

START_TEST(test_a_network_that_swallows_everything_is_told_and_survived)
{
	struct proxy proxy;
	char option[OPTION_SIZE];
	proxy_start(&proxy, postgres_port(&server));
	option_through(option, proxy.port);
	struct harness *h = open_at(
		(const char *[]){option, "statement_timeout=500ms", "pool.connect_timeout=500ms", NULL});
	ck_assert_int_eq(store_one(h, "before", NULL, "x"), SLUICE_PASS);
	atomic_store(&proxy.frozen, true);
	ck_assert_int_eq(store_one(h, "id", NULL, "x"), SLUICE_RETRY);
	WAIT_FOR(store_unhealthy(h)[0]);
	atomic_store(&proxy.frozen, false);
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_ne(store_until_through(h, store_event(h, "id", NULL, "x")), SLUICE_FAIL);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 2);
	harness_close(h);
	proxy_stop(&proxy);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres outage");
	TCase *outage = add_group(s, "outage");
	tcase_add_test(outage, test_a_failed_transaction_is_tried_again);
	tcase_add_test(outage, test_a_statement_that_waits_too_long_is_tried_again);
	tcase_add_test(outage, test_a_commit_whose_answer_was_lost_is_stored_once);
	tcase_add_test(outage, test_a_killed_server_is_survived);
	tcase_add_test(outage, test_what_passed_is_there_after_the_server_was_killed_under_load);
	tcase_add_loop_test(outage, test_health_says_what_hinders_the_commits_and_heals_without_traffic, 0,
	                    COUNT(faults));
	tcase_add_test(outage, test_a_server_that_only_reads_is_told_and_left_alone_until_it_writes);
	tcase_add_test(outage, test_a_locked_table_is_told_within_two_seconds);
	tcase_add_test(outage, test_a_failure_among_successes_is_not_told);
	tcase_add_test(outage, test_open_connections_leave_a_server_that_only_reads);
	tcase_add_test(outage, test_a_connection_that_keeps_failing_is_replaced);
	tcase_add_test(outage, test_a_network_that_swallows_everything_is_told_and_survived);
	return s;
}

UNIT_SUITE(test_persist_postgres_outage, suite)
