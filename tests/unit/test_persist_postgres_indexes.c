/* persist/postgres: indexes that are made, made again and dropped beside the traffic. */
#include <stdio.h>

#include "support/postgres_store.h"
#include "support/unit.h"

#define VALID(name)                                                                                                    \
	"SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = to_regclass('webhook_events_by_" name "')"

static const char all[] = "indexes=message_id, event_type, request_id, event_type_message_id, received_at";

static int ours(void)
{
	return ask_by_hand("SELECT count(*) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indisvalid AND "
	                   "relname LIKE 'webhook\\_events\\_by\\_%'");
}

START_TEST(test_what_is_named_is_made_beside_the_traffic)
{
	struct harness *h = open_with(all, NULL);
	for (int i = 0; i < 20; i++) {
		char id[8];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
	}
	WAIT_FOR(ours() == 4);
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL AND relname IN "
	                     "('webhook_events', 'webhook_audit_trail')") == 2);
	ck_assert_int_eq(
		ask_by_hand("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%USING brin (received_at)' OR "
	                    "indexdef LIKE '%(event_type, message_id, received_at DESC)'"),
		2);
	harness_close(h);
}
END_TEST

START_TEST(test_what_is_no_longer_named_stays_unless_it_is_to_be_dropped)
{
	struct harness *h = open_with("indexes=event_type, request_id", NULL);
	WAIT_FOR(ours() == 2);
	harness_close(h);
	h = open_with("indexes=received_at", NULL);
	WAIT_FOR(ours() == 3);
	harness_close(h);
	h = open_with("indexes=request_id", "drop_indexes=true");
	WAIT_FOR(ours() == 1);
	ck_assert_int_eq(ask_by_hand(VALID("request_id")), 1);
	harness_close(h);
	h = open_with("drop_indexes=true", NULL);
	WAIT_FOR(ours() == 0);
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_DONE); /* the unique key is none of these */
	harness_close(h);
}
END_TEST

START_TEST(test_an_invalid_leftover_is_made_again)
{
	struct harness *h = open_with("indexes=request_id", NULL);
	WAIT_FOR(ours() == 1);
	harness_close(h);
	run_by_hand(
		"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'webhook_events_by_request_id'::regclass");
	ck_assert_int_eq(ours(), 0);
	h = open_with("indexes=request_id", NULL);
	WAIT_FOR(ours() == 1);
	harness_close(h);
}
END_TEST

/* CREATE INDEX CONCURRENTLY waits for transactions that write to the table: this one, until it is let go. */
static PGconn *hold_up(void)
{
	PGconn *writer = connect_by_hand();
	run_on(writer, "BEGIN; LOCK TABLE webhook_events IN ROW EXCLUSIVE MODE");
	return writer;
}

static void let_go(PGconn *writer)
{
	run_on(writer, "COMMIT");
	PQfinish(writer);
}

/* A store that is making an index, and is held up. */
static struct harness *open_held_up(void)
{
	struct harness *h = open_with("indexes=request_id", NULL);
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'") == 1);
	return h;
}

START_TEST(test_a_stop_cancels_and_the_next_start_goes_on)
{
	harness_close(open_store());
	PGconn *writer = hold_up();
	struct harness *h = open_held_up();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	harness_close(h);
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_progress_create_index") == 0);
	ck_assert_int_eq(ours(), 0);
	h = open_with("indexes=request_id", NULL);
	let_go(writer);
	WAIT_FOR(ours() == 1);
	harness_close(h);
}
END_TEST

START_TEST(test_what_another_process_makes_is_waited_for)
{
	harness_close(open_store());
	PGconn *writer = hold_up();
	struct harness *first = open_held_up();
	struct harness *second = open_with("indexes=request_id, event_type", NULL);
	ck_assert_int_eq(store_one(second, "1", "s", "x"), SLUICE_PASS);
	let_go(writer);
	WAIT_FOR(ours() == 2);
	harness_close(first);
	harness_close(second);
	ck_assert_int_eq(ours(), 2);
}
END_TEST

START_TEST(test_an_unknown_name_is_refused)
{
	expect_refused(
		"indexes=event_type, message",
		"indexes: expected event_type, request_id, event_type_message_id or received_at, got \"message\"");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("persist/postgres: indexes");
	TCase *group = add_group(suite, "indexes");
	tcase_add_test(group, test_what_is_named_is_made_beside_the_traffic);
	tcase_add_test(group, test_what_is_no_longer_named_stays_unless_it_is_to_be_dropped);
	tcase_add_test(group, test_an_invalid_leftover_is_made_again);
	tcase_add_test(group, test_a_stop_cancels_and_the_next_start_goes_on);
	tcase_add_test(group, test_what_another_process_makes_is_waited_for);
	tcase_add_test(group, test_an_unknown_name_is_refused);
	return suite;
}

UNIT_SUITE(test_persist_postgres_indexes, suite)
