/*
 * idempotency/memory: what it knows, what waits, what is forgotten.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "conform/bench.h"
#include "support/harness.h"
#include "support/unit.h"

static struct harness *h;

static void open_with(const char *const *options)
{
	h = harness_open(SLUICE_KIND_IDEMPOTENCY, "memory", options);
}

static void open_default(void)
{
	open_with((const char *const[]){"capacity=1000", NULL});
}

static void close_stage(void)
{
	harness_close(h);
}

static struct sluice_event *event(const char *id, const char *payload)
{
	struct sluice_event *e = harness_event(h);
	harness_fields(e, id, "type", NULL, payload);
	return e;
}

static int count_kept(void)
{
	char *gauges = bench_observe((struct bench *)h);
	int count = -1;
	ck_assert_int_eq(sscanf(gauges, "idempotency_entries{state=\"kept\"} %d", &count), 1);
	free(gauges);
	return count;
}

/* Sends one through to its end. */
static enum sluice_verdict pass_through(const char *id, const char *payload, enum sluice_verdict end)
{
	struct sluice_event *e = event(id, payload);
	enum sluice_verdict verdict = harness_process(h, e);
	harness_settle(h, e, verdict == SLUICE_PASS ? end : verdict);
	return verdict;
}

START_TEST(test_kept_event_makes_its_copy_a_duplicate)
{
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_PASS);
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_DONE);
	ck_assert_int_eq(pass_through("n", "{}", SLUICE_PASS), SLUICE_PASS);
}
END_TEST

START_TEST(test_same_id_with_other_content_is_a_conflict)
{
	pass_through("m", "{}", SLUICE_PASS);
	struct sluice_event *e = event("m", "{\"changed\":1}");
	ck_assert_int_eq(harness_process(h, e), SLUICE_REJECT);
	ck_assert_int_eq(harness_status(e), 422);
	harness_settle(h, e, SLUICE_REJECT);
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_DONE);
}
END_TEST

START_TEST(test_failed_event_leaves_nothing_behind)
{
	static const enum sluice_verdict ends[] = {SLUICE_RETRY, SLUICE_FAIL, SLUICE_REJECT};
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(pass_through("m", "{}", ends[i]), SLUICE_PASS);
	ck_assert_int_eq(pass_through("m", "{\"other\":1}", SLUICE_PASS), SLUICE_PASS);
}
END_TEST

START_TEST(test_duplicates_in_flight_wait_and_share_the_fate)
{
	struct sluice_event *first = event("m", "{}");
	ck_assert_int_eq(harness_process(h, first), SLUICE_PASS);
	struct sluice_event *same = event("m", "{}"), *other = event("m", "{\"x\":1}");
	ck_assert_int_eq(harness_process(h, same), SLUICE_WAIT);
	ck_assert_int_eq(harness_process(h, other), SLUICE_WAIT);
	ck_assert(!harness_is_resumed(same));
	harness_settle(h, first, SLUICE_PASS);
	enum sluice_verdict verdict;
	ck_assert(harness_wait_resumed(same, &verdict));
	ck_assert_int_eq(verdict, SLUICE_DONE);
	ck_assert(harness_wait_resumed(other, &verdict));
	ck_assert_int_eq(verdict, SLUICE_REJECT);
	ck_assert_int_eq(harness_status(other), 422);
	harness_settle(h, same, SLUICE_DONE);
	harness_settle(h, other, SLUICE_REJECT);
}
END_TEST

START_TEST(test_duplicate_of_failed_original_takes_its_place)
{
	struct sluice_event *first = event("m", "{}"), *second = event("m", "{}"), *third = event("m", "{}");
	ck_assert_int_eq(harness_process(h, first), SLUICE_PASS);
	ck_assert_int_eq(harness_process(h, second), SLUICE_WAIT);
	ck_assert_int_eq(harness_process(h, third), SLUICE_WAIT);
	harness_settle(h, first, SLUICE_FAIL);
	enum sluice_verdict verdict;
	ck_assert(harness_wait_resumed(second, &verdict));
	ck_assert_int_eq(verdict, SLUICE_PASS);
	ck_assert(!harness_is_resumed(third));
	harness_settle(h, second, SLUICE_PASS);
	ck_assert(harness_wait_resumed(third, &verdict));
	ck_assert_int_eq(verdict, SLUICE_DONE);
	harness_settle(h, third, SLUICE_DONE);
}
END_TEST

START_TEST(test_what_the_store_had_already_is_kept)
{
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_DONE), SLUICE_PASS);
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_DONE);
}
END_TEST

START_TEST(test_kept_ids_expire)
{
	close_stage();
	harness_set_clock(INT64_C(1700000000) * NS_PER_S);
	open_with((const char *const[]){"ttl=10s", NULL});
	pass_through("m", "{}", SLUICE_PASS);
	harness_advance_clock(10 * NS_PER_S - 1);
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_DONE);
	harness_advance_clock(1);
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_PASS);
}
END_TEST

START_TEST(test_tick_frees_what_has_expired_while_no_event_comes)
{
	close_stage();
	harness_set_clock(INT64_C(1700000000) * NS_PER_S);
	open_with((const char *const[]){"ttl=10s", NULL});
	ck_assert_int_eq(h->ops->tick(&h->stage), 10 * NS_PER_S);
	pass_through("m", "{}", SLUICE_PASS);
	harness_advance_clock(4 * NS_PER_S);
	ck_assert_int_eq(h->ops->tick(&h->stage), 6 * NS_PER_S);
	ck_assert_int_eq(count_kept(), 1);
	harness_advance_clock(6 * NS_PER_S);
	ck_assert_int_eq(h->ops->tick(&h->stage), 10 * NS_PER_S);
	ck_assert_int_eq(count_kept(), 0);
}
END_TEST

START_TEST(test_in_a_new_epoch_the_store_decides_anew)
{
	struct sluice_event *in_flight = event("flight", "{}"), *waiting = event("flight", "{}");
	enum sluice_verdict verdict;
	ck_assert_int_eq(harness_process(h, in_flight), SLUICE_PASS);
	ck_assert_int_eq(harness_process(h, waiting), SLUICE_WAIT);
	pass_through("m", "{}", SLUICE_PASS);
	bench_doubt_store();
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_FAIL), SLUICE_PASS);
	ck_assert_int_eq(pass_through("m", "{\"other\":1}", SLUICE_PASS), SLUICE_PASS);
	ck_assert_int_eq(pass_through("m", "{\"other\":1}", SLUICE_PASS), SLUICE_DONE);
	harness_settle(h, in_flight, SLUICE_PASS);
	ck_assert(harness_wait_resumed(waiting, &verdict));
	ck_assert_int_eq(verdict, SLUICE_DONE);
	harness_settle(h, waiting, SLUICE_DONE);
	ck_assert_int_eq(pass_through("flight", "{}", SLUICE_DONE), SLUICE_PASS);
	ck_assert_int_eq(pass_through("flight", "{}", SLUICE_PASS), SLUICE_DONE);
}
END_TEST

START_TEST(test_heir_of_a_new_epoch_is_believed)
{
	struct sluice_event *first = event("m", "{}"), *second = event("m", "{}");
	ck_assert_int_eq(harness_process(h, first), SLUICE_PASS);
	ck_assert_int_eq(harness_process(h, second), SLUICE_WAIT);
	bench_doubt_store();
	harness_settle(h, first, SLUICE_RETRY);
	ck_assert(harness_wait_resumed(second, NULL));
	harness_settle(h, second, SLUICE_PASS);
	ck_assert_int_eq(pass_through("m", "{}", SLUICE_PASS), SLUICE_DONE);
}
END_TEST

START_TEST(test_claims_do_not_expire)
{
	close_stage();
	harness_set_clock(INT64_C(1700000000) * NS_PER_S);
	open_with((const char *const[]){"ttl=1s", "capacity=1", NULL});
	struct sluice_event *first = event("m", "{}");
	ck_assert_int_eq(harness_process(h, first), SLUICE_PASS);
	harness_advance_clock(100 * NS_PER_S);
	pass_through("n", "{}", SLUICE_PASS);
	struct sluice_event *second = event("m", "{}");
	ck_assert_int_eq(harness_process(h, second), SLUICE_WAIT);
	harness_settle(h, first, SLUICE_PASS);
	harness_settle(h, second, SLUICE_DONE);
}
END_TEST

START_TEST(test_at_capacity_the_oldest_gives_way)
{
	close_stage();
	open_with((const char *const[]){"capacity=2", NULL});
	pass_through("a", "{}", SLUICE_PASS);
	pass_through("b", "{}", SLUICE_PASS);
	pass_through("c", "{}", SLUICE_PASS);
	ck_assert_int_eq(pass_through("c", "{}", SLUICE_PASS), SLUICE_DONE);
	ck_assert_int_eq(pass_through("b", "{}", SLUICE_PASS), SLUICE_DONE);
	ck_assert_int_eq(pass_through("a", "{}", SLUICE_PASS), SLUICE_PASS);
}
END_TEST

START_TEST(test_many_ids_are_all_known)
{
	close_stage();
	open_with((const char *const[]){"capacity=20000", NULL});
	char id[32];
	for (int i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "message-%d", i);
		ck_assert_int_eq(pass_through(id, "{}", SLUICE_PASS), SLUICE_PASS);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "message-%d", i);
		ck_assert_int_eq(pass_through(id, "{}", SLUICE_PASS), SLUICE_DONE);
	}
}
END_TEST

START_TEST(test_event_without_an_id_fails)
{
	struct sluice_event *e = harness_event(h);
	ck_assert_int_eq(harness_process(h, e), SLUICE_FAIL);
	harness_settle(h, e, SLUICE_FAIL);
}
END_TEST

/* Of all that come at once, exactly one at a time is on its way. */
enum { THREADS = 8, TURNS = 400 };
static _Atomic int inside, passed, most;

static void *race(void *unused)
{
	(void)unused;
	for (int i = 0; i < TURNS; i++) {
		struct sluice_event *e = event("m", "{}");
		enum sluice_verdict verdict = harness_process(h, e);
		if (verdict == SLUICE_WAIT)
			ck_assert(harness_wait_resumed(e, &verdict));
		if (verdict == SLUICE_PASS) {
			int now = ++inside;
			if (now > most)
				most = now;
			passed++;
			inside--;
			verdict = SLUICE_RETRY; /* fails, so that the next takes its place */
		}
		harness_settle(h, e, verdict);
	}
	return NULL;
}

START_TEST(test_one_claim_at_a_time_under_load)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, race, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(passed, THREADS * TURNS);
	ck_assert_int_eq(most, 1);
}
END_TEST

static Suite *make_suite(void)
{
	TCase *all = tcase_create("idempotency/memory");
	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, open_default, close_stage);
	tcase_add_test(all, test_kept_event_makes_its_copy_a_duplicate);
	tcase_add_test(all, test_same_id_with_other_content_is_a_conflict);
	tcase_add_test(all, test_failed_event_leaves_nothing_behind);
	tcase_add_test(all, test_duplicates_in_flight_wait_and_share_the_fate);
	tcase_add_test(all, test_duplicate_of_failed_original_takes_its_place);
	tcase_add_test(all, test_what_the_store_had_already_is_kept);
	tcase_add_test(all, test_kept_ids_expire);
	tcase_add_test(all, test_tick_frees_what_has_expired_while_no_event_comes);
	tcase_add_test(all, test_in_a_new_epoch_the_store_decides_anew);
	tcase_add_test(all, test_heir_of_a_new_epoch_is_believed);
	tcase_add_test(all, test_claims_do_not_expire);
	tcase_add_test(all, test_at_capacity_the_oldest_gives_way);
	tcase_add_test(all, test_many_ids_are_all_known);
	tcase_add_test(all, test_event_without_an_id_fails);
	tcase_add_test(all, test_one_claim_at_a_time_under_load);
	Suite *suite = suite_create("idempotency/memory");
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_idempotency_memory, make_suite)
