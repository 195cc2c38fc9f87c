/* idempotency/filter: what it says without a question, and when it asks. Beside what idempotency/lookup does. */
#include "conform/bench.h"
#include "support/postgres_store.h"
#include "support/unit.h"

static struct harness *open_filter(const char *option)
{
	return harness_open(SLUICE_KIND_IDEMPOTENCY, "filter", (const char *[]){url_option, option, NULL});
}

static struct harness *open_whole(const char *option)
{
	struct harness *h = open_filter(option);
	WAIT_FOR(store_gauge(h, "idempotency_filter_whole", NULL) == 1);
	return h;
}

/* A store says so at each connect, also in its own time, and each time begins an epoch: here it does so no more. */
static void make_tables(void)
{
	harness_close(open_store());
}

static enum sluice_verdict ask(struct harness *h, const char *id, const char *payload)
{
	struct sluice_event *event = store_event(h, id, "s", payload);
	enum sluice_verdict verdict = harness_process(h, event);
	harness_settle(h, event, verdict == SLUICE_PASS ? SLUICE_FAIL : verdict);
	return verdict;
}

static double ways(struct harness *h, const char *way)
{
	return store_gauge(h, "idempotency_filter_events", way);
}

static void insert_many(const char *prefix, int count)
{
	char sql[400];
	(void)snprintf(
		sql, sizeof(sql),
		"INSERT INTO webhook_events (message_id, event_type, payload, digest, request_id, received_at) "
		"SELECT '%s' || n, 'type', '', decode(repeat('00', 32), 'hex'), '', now() FROM generate_series(1, %d) n",
		prefix, count);
	run_by_hand(sql);
}

START_TEST(test_what_is_surely_new_is_not_asked_for)
{
	make_tables();
	struct harness *h = open_whole(NULL);
	ck_assert_int_eq(ask(h, "new", "x"), SLUICE_PASS);
	ck_assert_double_eq(ways(h, "surely_new"), 1);
	ck_assert_double_eq(ways(h, "looked_up_in_vain"), 0);
	run_by_hand("ALTER TABLE webhook_events RENAME TO gone"); /* a question fails */
	ck_assert_int_eq(ask(h, "new", "x"), SLUICE_RETRY);
	run_by_hand("ALTER TABLE gone RENAME TO webhook_events");
	WAIT_FOR(ask(h, "new", "x") == SLUICE_PASS); /* it was not stored */
	ck_assert_double_ge(ways(h, "looked_up_in_vain"), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_what_was_stored_before_its_start_or_since_is_a_duplicate_or_a_conflict)
{
	struct harness *store = open_store();
	ck_assert_int_eq(store_one(store, "before", "s", "x"), SLUICE_PASS);
	struct harness *h = open_filter(NULL);
	ck_assert_int_eq(ask(h, "before", "x"), SLUICE_DONE); /* whole or not */
	WAIT_FOR(store_gauge(h, "idempotency_filter_whole", NULL) == 1);
	ck_assert_int_eq(ask(h, "before", "x"), SLUICE_DONE);
	ck_assert_int_eq(ask(h, "before", "y"), SLUICE_REJECT);
	ck_assert_int_eq(ask(h, "since", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(store, "since", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(ask(h, "since", "x"), SLUICE_DONE);
	ck_assert_int_eq(ask(h, "since", "y"), SLUICE_REJECT);
	harness_close(h);
	harness_close(store);
}
END_TEST

/* A queue tells of a million of them before the start is through. */
START_TEST(test_an_id_of_a_backlog_is_learnt_and_not_asked_for)
{
	struct harness *store = open_store(), *h = open_filter(NULL);
	struct sluice_event *event = store_event(h, "id", "s", "x");
	event->acknowledged = true;
	bench_doubt_store(); /* so that it is not whole */
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	WAIT_FOR(store_gauge(h, "idempotency_filter_whole", NULL) == 1);
	ck_assert_double_eq(ways(h, "looked_up") + ways(h, "looked_up_in_vain"), 0);
	ck_assert_int_eq(store_one(store, "id", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(ask(h, "id", "y"), SLUICE_REJECT);
	harness_close(h);
	harness_close(store);
}
END_TEST

START_TEST(test_while_it_is_not_whole_everything_is_looked_up)
{
	struct harness *store = open_store();
	ck_assert_int_eq(store_one(store, "stored", "s", "x"), SLUICE_PASS);
	struct harness *h = open_whole(NULL);
	double looked_up = 0, before;
	do { /* until it is not whole before the question is answered */
		before = ways(h, "looked_up");
		bench_doubt_store();
		ck_assert_int_eq(ask(h, "stored", "x"), SLUICE_DONE);
		ck_assert_int_eq(ask(h, "new", "x"), SLUICE_PASS);
		looked_up = ways(h, "looked_up") - before;
	} while (store_gauge(h, "idempotency_filter_whole", NULL) == 1);
	ck_assert_double_eq(looked_up, 2);
	harness_close(h);
	harness_close(store);
}
END_TEST

/* As after a failover to a server with rows of its own: in the next epoch they are known. */
START_TEST(test_in_a_new_epoch_of_the_store_it_is_read_again)
{
	make_tables();
	struct harness *h = open_whole(NULL);
	insert_many("other-", 100);
	bench_doubt_store();
	struct sluice_event *event = store_event(h, "other-7", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_REJECT); /* with another digest */
	harness_settle(h, event, SLUICE_REJECT);
	WAIT_FOR(store_gauge(h, "idempotency_filter_whole", NULL) == 1);
	ck_assert_int_eq(ask(h, "other-8", "x"), SLUICE_REJECT);
	ck_assert_int_eq(ask(h, "new", "x"), SLUICE_PASS);
	ck_assert_double_eq(ways(h, "surely_new"), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_row_that_is_gone_is_no_duplicate)
{
	struct harness *store = open_store(), *h = open_whole(NULL);
	ck_assert_int_eq(ask(h, "id", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(store, "id", "s", "x"), SLUICE_PASS);
	run_by_hand("DELETE FROM webhook_events"); /* a restored backup, say */
	ck_assert_int_eq(ask(h, "id", "x"), SLUICE_PASS);
	harness_close(h);
	harness_close(store);
}
END_TEST

/* 32768 bits and 2000 ids: 16.4 bits each, about one in a thousand. Five times as many: about a third. */
START_TEST(test_its_false_positive_rate_is_what_it_says)
{
	static const struct {
		int ids;
		double least, most;
	} cases[] = {{2000, 0.0002, 0.003}, {10000, 0.15, 0.6}};
	enum { ASKED = 3000 };
	make_tables();
	insert_many("stored-", cases[_i].ids);
	struct harness *h = open_whole("size=4KiB");
	double rate = store_gauge(h, "idempotency_filter_false_positive_rate", NULL);
	ck_assert_msg(rate > cases[_i].least && rate < cases[_i].most, "rate %g", rate);
	for (int i = 0; i < ASKED; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "asked-%d", i);
		struct sluice_event *event = store_event(h, id, "s", "x");
		ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
		harness_settle(h, event, SLUICE_FAIL);
	}
	double seen = ways(h, "looked_up_in_vain") / ASKED;
	double grown = store_gauge(h, "idempotency_filter_false_positive_rate", NULL);
	ck_assert_msg(seen > rate / 3 && seen < 3 * grown + 0.003, "said %g to %g, was %g", rate, grown, seen);
	harness_close(h);
}
END_TEST

START_TEST(test_a_duplicate_of_one_in_flight_shares_its_fate_without_a_question)
{
	make_tables();
	struct harness *h = open_whole(NULL);
	struct sluice_event *first = store_event(h, "id", "s", "x"), *second = store_event(h, "id", "s", "x"),
			    *third = store_event(h, "id", "s", "y");
	ck_assert_int_eq(harness_process(h, first), SLUICE_PASS);
	ck_assert_int_eq(harness_process(h, second), SLUICE_WAIT);
	ck_assert_int_eq(harness_process(h, third), SLUICE_WAIT);
	enum sluice_verdict verdict = SLUICE_FAIL;
	harness_settle(h, first, SLUICE_RETRY);
	ck_assert(harness_wait_resumed(second, &verdict));
	ck_assert_int_eq(verdict, SLUICE_PASS);
	harness_settle(h, second, SLUICE_PASS);
	ck_assert(harness_wait_resumed(third, &verdict));
	ck_assert_int_eq(verdict, SLUICE_REJECT);
	harness_settle(h, third, SLUICE_REJECT);
	ck_assert_double_eq(ways(h, "looked_up") + ways(h, "looked_up_in_vain"), 0);
	harness_close(h);
}
END_TEST

START_TEST(test_without_the_database_new_ids_pass_and_others_are_tried_again)
{
	struct harness *store = open_store();
	ck_assert_int_eq(store_one(store, "stored", "s", "x"), SLUICE_PASS);
	struct harness *h = open_whole("pool.connect_timeout=1s");
	harness_close(store); /* before it says that the store is in doubt */
	postgres_kill(&server);
	ck_assert_int_eq(ask(h, "new", "x"), SLUICE_PASS);
	ck_assert_int_eq(ask(h, "stored", "x"), SLUICE_RETRY);
	postgres_restart(&server, "");
	WAIT_FOR(ask(h, "stored", "x") == SLUICE_DONE);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("idempotency/filter");
	TCase *group = add_group(s, "filter");
	tcase_add_test(group, test_what_is_surely_new_is_not_asked_for);
	tcase_add_test(group, test_what_was_stored_before_its_start_or_since_is_a_duplicate_or_a_conflict);
	tcase_add_test(group, test_an_id_of_a_backlog_is_learnt_and_not_asked_for);
	tcase_add_test(group, test_while_it_is_not_whole_everything_is_looked_up);
	tcase_add_test(group, test_in_a_new_epoch_of_the_store_it_is_read_again);
	tcase_add_test(group, test_a_row_that_is_gone_is_no_duplicate);
	tcase_add_loop_test(group, test_its_false_positive_rate_is_what_it_says, 0, 2);
	tcase_add_test(group, test_a_duplicate_of_one_in_flight_shares_its_fate_without_a_question);
	tcase_add_test(group, test_without_the_database_new_ids_pass_and_others_are_tried_again);
	return s;
}

UNIT_SUITE(test_idempotency_filter, suite)
