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
	struct harness *h = open_with("statement_timeout=100ms", NULL);
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
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, NULL});
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
	WAIT_FOR(store_unhealthy(h)[0]);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "cannot connect to PostgreSQL"));
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

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres outage");
	TCase *outage = add_group(s, "outage");
	tcase_add_test(outage, test_a_failed_transaction_is_tried_again);
	tcase_add_test(outage, test_a_statement_that_waits_too_long_is_tried_again);
	tcase_add_test(outage, test_a_commit_whose_answer_was_lost_is_stored_once);
	tcase_add_test(outage, test_a_killed_server_is_survived);
	tcase_add_test(outage, test_what_passed_is_there_after_the_server_was_killed_under_load);
	return s;
}

UNIT_SUITE(test_persist_postgres_outage, suite)
