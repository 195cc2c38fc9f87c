/* persist/postgres: the pool of connections. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

START_TEST(test_connections_cut_while_idle_are_not_lent)
{
	struct harness *h = open_with("pool.min=3", NULL);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 3);
	run_by_hand("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sluice'");
	for (int i = 0; i < 5; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
	}
	ck_assert_uint_eq(store_audit_rows(h), 5);
	harness_close(h);
}
END_TEST

START_TEST(test_who_waits_for_a_connection_waits_no_longer_than_its_sender)
{
	struct harness *h = open_with("pool.min=1", "pool.max=1");
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct waiter holder, acknowledged, unawaited;
	waiter_start(&holder, store_event(h, "1", "s", "x"), h);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "busy") == 1);

	struct sluice_event *event = store_event(h, "2", "t", "x");
	event->deadline_ns = clock_now_ns() + 100 * NS_PER_MS;
	int64_t start_ns = clock_now_ns();
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	int64_t waited_ns = clock_now_ns() - start_ns;
	ck_assert_int_ge(waited_ns, 90 * NS_PER_MS);
	ck_assert_int_lt(waited_ns, 1000 * NS_PER_MS);
	ck_assert_int_ge(harness_span_ns(event, 0), 90 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "all 1 connections to PostgreSQL are busy (pool.max)"));
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "all 1 connections to PostgreSQL are busy (pool.max)"));
	ck_assert_double_eq(store_gauge(h, "db_pool_timeouts", NULL), 1);
	ck_assert_double_ge(store_gauge(h, "db_pool_exhausted_seconds", NULL), 0.09);

	event->acknowledged = true;
	waiter_start(&acknowledged, event, h);
	struct sluice_event *other = store_event(h, "3", "u", "x");
	other->deadline_ns = 0; /* nobody waits for the answer */
	waiter_start(&unawaited, other, h);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "waiting") == 2);
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	ck_assert_int_eq(waiter_finish(&holder), SLUICE_PASS);
	ck_assert_int_eq(waiter_finish(&acknowledged), SLUICE_PASS);
	ck_assert_int_eq(waiter_finish(&unawaited), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_the_pool_grows_while_somebody_waits_and_shrinks_again)
{
	enum { WAITERS = 5 };
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, stage_name,
	                                 (const char *[]){url_option, "pool.min=1", "pool.idle_timeout=100ms", NULL});
	ck_assert_double_eq(store_gauge(h, "db_pool_connections", "idle"), 1);
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct waiter waiters[WAITERS];
	for (int i = 0; i < WAITERS; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		waiter_start(&waiters[i], store_event(h, id, NULL, "x"), h);
	}
	WAIT_FOR(store_gauge(h, "db_pool_connections", "busy") == WAITERS);
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	for (int i = 0; i < WAITERS; i++)
		ck_assert_int_eq(waiter_finish(&waiters[i]), SLUICE_PASS);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 1);
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice'") == 1);
	ck_assert_uint_eq(store_audit_rows(h), WAITERS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_server_without_room_for_more_connections_is_lived_with)
{
	enum { WAITERS = 3 };
	char option[300];
	run_by_hand(
		"CREATE ROLE limited LOGIN PASSWORD 'sEcReT' CONNECTION LIMIT 2;GRANT CREATE, USAGE ON SCHEMA public TO limited");
	(void)snprintf(option, sizeof(option), "url=postgresql://limited:sEcReT@127.0.0.1:%d/sluice",
	               postgres_port(&server));
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, stage_name, (const char *[]){option, "pool.min=1", NULL});
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct waiter waiters[WAITERS];
	for (int i = 0; i < WAITERS; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		waiter_start(&waiters[i], store_event(h, id, NULL, "x"), h);
	}
	WAIT_FOR(strstr(store_unhealthy(h), "too many connections"));
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	for (int i = 0; i < WAITERS; i++)
		ck_assert_int_eq(waiter_finish(&waiters[i]), SLUICE_PASS);
	WAIT_FOR(!store_unhealthy(h)[0]);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres pool");
	TCase *pool = add_group(s, "pool");
	tcase_add_test(pool, test_connections_cut_while_idle_are_not_lent);
	tcase_add_test(pool, test_who_waits_for_a_connection_waits_no_longer_than_its_sender);
	tcase_add_test(pool, test_the_pool_grows_while_somebody_waits_and_shrinks_again);
	tcase_add_test(pool, test_a_server_without_room_for_more_connections_is_lived_with);
	return s;
}

UNIT_SUITE(test_persist_postgres_pool, suite)
