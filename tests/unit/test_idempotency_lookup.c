/* idempotency/lookup: what it says of ids that are stored, in flight, or not to be asked for. */
#include <string.h>

#include "support/postgres_store.h"
#include "support/unit.h"

static struct harness *open_lookup(const char *option)
{
	return harness_open(SLUICE_KIND_IDEMPOTENCY, "lookup", (const char *[]){url_option, option, NULL});
}

static enum sluice_verdict ask(struct harness *h, const char *id, const char *payload)
{
	struct sluice_event *event = store_event(h, id, "s", payload);
	enum sluice_verdict verdict = harness_process(h, event);
	harness_settle(h, event, verdict == SLUICE_PASS ? SLUICE_FAIL : verdict);
	return verdict;
}

START_TEST(test_what_is_stored_is_a_duplicate_or_a_conflict_also_for_another_process)
{
	struct harness *store = open_store(), *h = open_lookup(NULL);
	ck_assert_int_eq(ask(h, "id", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(store, "id", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(ask(h, "id", "x"), SLUICE_DONE);
	struct sluice_event *other = store_event(h, "id", "s", "y");
	ck_assert_int_eq(harness_process(h, other), SLUICE_REJECT);
	ck_assert_int_eq(harness_status(other), 422);
	harness_settle(h, other, SLUICE_REJECT);
	run_by_hand("DELETE FROM webhook_events");
	ck_assert_int_eq(ask(h, "id", "y"), SLUICE_PASS);
	harness_close(h);
	harness_close(store);
}
END_TEST

START_TEST(test_a_duplicate_of_one_in_flight_shares_its_fate_without_a_question)
{
	struct harness *store = open_store(), *h = open_lookup(NULL);
	struct sluice_event *first = store_event(h, "id", "s", "x"), *second = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, first), SLUICE_PASS);
	ck_assert_int_eq(harness_process(h, second), SLUICE_WAIT);
	harness_settle(h, first, SLUICE_PASS);
	enum sluice_verdict verdict = SLUICE_FAIL;
	ck_assert(harness_wait_resumed(second, &verdict));
	ck_assert_int_eq(verdict, SLUICE_DONE);
	harness_settle(h, second, SLUICE_DONE);
	harness_close(h);
	harness_close(store);
}
END_TEST

START_TEST(test_without_the_database_events_are_tried_again_and_nothing_stays_claimed)
{
	struct harness *store = open_store(), *h = open_lookup("pool.connect_timeout=1s");
	ck_assert_int_eq(ask(h, "before", "x"), SLUICE_PASS);
	postgres_kill(&server);
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_int_eq(harness_status(event), 503);
	harness_settle(h, event, SLUICE_RETRY);
	WAIT_FOR(strstr(store_unhealthy(h), "PostgreSQL") != NULL);
	ck_assert_double_eq(store_gauge(h, "idempotency_entries", "in_flight"), 0);
	postgres_restart(&server, "");
	WAIT_FOR(!store_unhealthy(h)[0]);
	ck_assert_int_eq(ask(h, "id", "x"), SLUICE_PASS);
	harness_close(h);
	harness_close(store);
}
END_TEST

START_TEST(test_a_locked_table_makes_senders_wait_no_longer_than_they_do)
{
	struct harness *store = open_store(), *h = open_lookup("statement_timeout=500ms");
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "57014"));
	harness_settle(h, event, SLUICE_RETRY);
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	WAIT_FOR(ask(h, "id", "x") == SLUICE_PASS);
	harness_close(h);
	harness_close(store);
}
END_TEST

/* A queue tells of a million of them before the start is through. */
START_TEST(test_an_id_of_a_backlog_is_not_asked_for)
{
	struct harness *store = open_store(), *h = open_lookup(NULL);
	run_by_hand("ALTER TABLE webhook_events RENAME TO gone"); /* a question fails */
	struct sluice_event *event = store_event(h, "id", "s", "x");
	event->acknowledged = true;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(ask(h, "id", "x"), SLUICE_RETRY);
	harness_close(h);
	harness_close(store);
}
END_TEST

START_TEST(test_an_id_that_no_text_can_be_is_refused)
{
	struct harness *store = open_store(), *h = open_lookup(NULL);
	struct sluice_event *event = store_event(h, "", "s", "x");
	event->message_id = sluice_copy(event, "a\0b", 3);
	ck_assert_int_eq(harness_process(h, event), SLUICE_FAIL);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "22021"));
	harness_settle(h, event, SLUICE_FAIL);
	harness_close(h);
	harness_close(store);
}
END_TEST

START_TEST(test_without_tables_it_does_not_start)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_IDEMPOTENCY, "lookup", (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "a table of Sluice's is missing") != NULL, "said \"%s\"", error.text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("idempotency/lookup");
	TCase *group = add_group(s, "lookup");
	tcase_add_test(group, test_what_is_stored_is_a_duplicate_or_a_conflict_also_for_another_process);
	tcase_add_test(group, test_a_duplicate_of_one_in_flight_shares_its_fate_without_a_question);
	tcase_add_test(group, test_without_the_database_events_are_tried_again_and_nothing_stays_claimed);
	tcase_add_test(group, test_a_locked_table_makes_senders_wait_no_longer_than_they_do);
	tcase_add_test(group, test_an_id_of_a_backlog_is_not_asked_for);
	tcase_add_test(group, test_an_id_that_no_text_can_be_is_refused);
	tcase_add_test(group, test_without_tables_it_does_not_start);
	return s;
}

UNIT_SUITE(test_idempotency_lookup, suite)
