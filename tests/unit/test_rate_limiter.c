/* Rates of many senders in a table of fixed size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rate_limiter.h"
#include "support/unit.h"

static struct rate_limiter *limiter;
static const struct rate ten_a_second = {.interval_ns = NS_PER_S / 10, .burst = 5};

static void make(void)
{
	limiter = calloc(1, sizeof(*limiter));
	ck_assert_ptr_nonnull(limiter);
	rate_limiter_init(limiter);
}

static void drop(void)
{
	rate_limiter_finish(limiter);
	free(limiter);
}

static int64_t take(const struct rate *rate, const char *key, int64_t now_ns)
{
	return rate_limiter_take(limiter, rate, key, strlen(key), now_ns);
}

START_TEST(test_a_burst_passes_and_what_follows_waits_for_its_turn)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S), 0);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S), NS_PER_S / 10);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + NS_PER_S / 20), NS_PER_S / 20);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + NS_PER_S / 10), 0);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + NS_PER_S / 10), NS_PER_S / 10);
}
END_TEST

START_TEST(test_who_keeps_to_the_rate_never_waits)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + i * (NS_PER_S / 10)), 0);
}
END_TEST

START_TEST(test_what_is_refused_costs_nothing)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S), NS_PER_S / 10);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + NS_PER_S / 10), 0);
}
END_TEST

START_TEST(test_one_sender_does_not_cost_another_its_share)
{
	while (take(&ten_a_second, "loud", NS_PER_S) == 0)
		;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(take(&ten_a_second, "quiet", NS_PER_S), 0);
	ck_assert_int_gt(take(&ten_a_second, "quiet", NS_PER_S), 0);
}
END_TEST

START_TEST(test_rest_fills_the_bucket_and_no_more)
{
	for (int i = 0; i < 5; i++)
		(void)take(&ten_a_second, "a", NS_PER_S);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(take(&ten_a_second, "a", 3600 * NS_PER_S), 0);
	ck_assert_int_gt(take(&ten_a_second, "a", 3600 * NS_PER_S), 0);
}
END_TEST

/* A hundred times as many as there are places, all of them quiet. */
START_TEST(test_a_crowd_of_quiet_senders_does_not_free_a_loud_one)
{
	char key[24];
	while (take(&ten_a_second, "loud", NS_PER_S) == 0)
		;
	for (int i = 0; i < 100 * RATE_KEYS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "quiet-%d", i);
		ck_assert_int_eq(take(&ten_a_second, key, NS_PER_S), 0);
	}
	ck_assert_int_gt(take(&ten_a_second, "loud", NS_PER_S), 0);
}
END_TEST

START_TEST(test_a_faster_rate_holds_at_once_for_who_had_used_up_a_slower_one)
{
	const struct rate hourly = {.interval_ns = 3600 * NS_PER_S, .burst = 5};
	while (take(&hourly, "a", NS_PER_S) == 0)
		;
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S), NS_PER_S / 10);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + NS_PER_S / 10), 0);
	ck_assert_int_eq(take(&ten_a_second, "a", NS_PER_S + NS_PER_S / 10), NS_PER_S / 10);
}
END_TEST

START_TEST(test_the_slowest_rate_does_not_overflow)
{
	const struct rate slow = {.interval_ns = 3600 * NS_PER_S, .burst = 1000000};
	ck_assert_int_eq(take(&slow, "a", INT64_MAX / 4), 0);
	const struct rate single = {.interval_ns = 3600 * NS_PER_S, .burst = 1};
	ck_assert_int_eq(take(&single, "b", NS_PER_S), 0);
	ck_assert_int_eq(take(&single, "b", NS_PER_S), 3600 * NS_PER_S);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rate_limiter");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, make, drop);
	tcase_add_test(all, test_a_burst_passes_and_what_follows_waits_for_its_turn);
	tcase_add_test(all, test_who_keeps_to_the_rate_never_waits);
	tcase_add_test(all, test_what_is_refused_costs_nothing);
	tcase_add_test(all, test_one_sender_does_not_cost_another_its_share);
	tcase_add_test(all, test_rest_fills_the_bucket_and_no_more);
	tcase_add_test(all, test_a_crowd_of_quiet_senders_does_not_free_a_loud_one);
	tcase_add_test(all, test_a_faster_rate_holds_at_once_for_who_had_used_up_a_slower_one);
	tcase_add_test(all, test_the_slowest_rate_does_not_overflow);
	tcase_set_timeout(all, 60);
	suite_add_tcase(s, all);
	return s;
}

UNIT_SUITE(test_rate_limiter, suite)
