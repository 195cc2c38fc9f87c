/*
 * The test that a canary's guards rely on: how often it is wrong while both arms are alike, however often it is looked at, and
 * how soon it sees what the plan of a canary promises.
 */
#include <check.h>

#include "base/prng.h"
#include "serve/canary.h"
#include "serve/canary_plan.h"
#include "serve/sequential.h"
#include "support/unit.h"

/* Looked at after each of 2,000 bad events; at most one run in a thousand may trip, and five in 2,000 are rare enough
 * (probability below 0.05 at the bound itself, which is not reached). */
START_TEST(test_like_arms_hardly_ever_trip_though_looked_at_after_each_event)
{
	static const double shares[] = {0.01, 0.05, 0.5};
	const double share = shares[_i];
	struct prng prng;
	unsigned tripped = 0;
	prng_init(&prng, 42);
	for (int run = 0; run < 2000; run++) {
		struct sequential test = {0};
		bool trips = false;
		for (int event = 0; event < 2000 && !trips; event++) {
			const bool is_canary = prng_unit(&prng) < share;
			sequential_add(&test, share, is_canary, !is_canary);
			trips = sequential_evidence(&test) >= SEQUENTIAL_TRIPS;
		}
		tripped += trips;
	}
	ck_assert_uint_le(tripped, 5);
}
END_TEST

START_TEST(test_a_canary_with_all_bad_events_trips_after_few)
{
	struct sequential test = {0};
	unsigned count = 0;
	while (sequential_evidence(&test) < SEQUENTIAL_TRIPS && count < 100) {
		sequential_add(&test, 0.05, 1, 0);
		count++;
	}
	ck_assert_uint_le(count, 4);
}
END_TEST

START_TEST(test_a_canary_that_is_better_never_trips)
{
	struct sequential test = {0};
	sequential_add(&test, 0.5, 10, 1000);
	ck_assert(sequential_evidence(&test) < 1);
}
END_TEST

START_TEST(test_all_or_none_of_the_traffic_says_nothing)
{
	struct sequential test = {0};
	sequential_add(&test, 0, 10, 0);
	sequential_add(&test, 1, 10, 0);
	ck_assert(sequential_evidence(&test) == 1);
}
END_TEST

START_TEST(test_many_errors_are_five_and_more_than_one_in_a_thousand)
{
	ck_assert(!sequential_are_many(4, 4));
	ck_assert(sequential_are_many(5, 100));
	ck_assert(!sequential_are_many(5, 5000));
	ck_assert(sequential_are_many(6, 5000));
}
END_TEST

/* A burst makes all events of a window slow in one arm, whichever: the canary in every second. */
START_TEST(test_bursts_that_come_to_both_arms_never_trip)
{
	struct windows windows = {0};
	struct prng prng;
	prng_init(&prng, 42);
	for (int i = 0; i < 20000; i++) {
		const bool is_canary = prng_unit(&prng) < 0.5;
		windows_add(&windows, (struct window_counts){100, is_canary ? 100 : 0},
		            (struct window_counts){100, is_canary ? 0 : 100});
		ck_assert(windows_evidence(&windows) < SEQUENTIAL_TRIPS);
	}
	ck_assert_uint_eq(windows.worse + windows.better, 20000);
}
END_TEST

START_TEST(test_a_canary_that_is_slower_in_all_windows_trips_after_twenty)
{
	struct windows windows = {0};
	windows_add(&windows, (struct window_counts){100, 5}, (struct window_counts){200, 10});
	ck_assert_uint_eq(windows.worse + windows.better, 0);
	for (int i = 0; i < 20; i++)
		windows_add(&windows, (struct window_counts){100, 6}, (struct window_counts){200, 10});
	ck_assert(windows_evidence(&windows) >= SEQUENTIAL_TRIPS);
}
END_TEST

/* At 500 events a second and half of the traffic, half of the requests failing is seen in a tenth of a second. */
START_TEST(test_the_plan_says_how_soon_half_failing_is_seen)
{
	struct canary_forecast forecast;
	canary_forecast(&(struct canary_plan){.rate = 500, .weight = 0.5, .before = 0, .after = 0.5, .errors = true},
	                &forecast);
	ck_assert(forecast.seen == 1);
	ck_assert(forecast.p95_s <= 0.2);
	ck_assert_uint_ge(forecast.p95, 5);
	ck_assert_uint_le(forecast.p95, 30);
}
END_TEST

START_TEST(test_the_plan_says_that_all_being_slow_is_seen_within_ten_seconds)
{
	struct canary_forecast forecast;
	canary_forecast(&(struct canary_plan){.rate = 500, .weight = 0.5, .before = 0.05, .after = 1}, &forecast);
	ck_assert(forecast.seen == 1);
	ck_assert(forecast.p95_s > CANARY_WARM_UP_S && forecast.p95_s <= 10);
}
END_TEST

START_TEST(test_the_plan_says_that_no_harm_is_not_seen)
{
	struct canary_forecast forecast;
	canary_forecast(&(struct canary_plan){.rate = 100, .weight = 0.5, .before = 0.05, .after = 0.05}, &forecast);
	ck_assert(forecast.seen <= 0.01);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("sequential");
	TCase *group = tcase_create("sequential");
	tcase_set_timeout(group, 120);
	tcase_add_loop_test(group, test_like_arms_hardly_ever_trip_though_looked_at_after_each_event, 0, 3);
	tcase_add_test(group, test_a_canary_with_all_bad_events_trips_after_few);
	tcase_add_test(group, test_a_canary_that_is_better_never_trips);
	tcase_add_test(group, test_all_or_none_of_the_traffic_says_nothing);
	tcase_add_test(group, test_many_errors_are_five_and_more_than_one_in_a_thousand);
	tcase_add_test(group, test_the_plan_says_how_soon_half_failing_is_seen);
	tcase_add_test(group, test_bursts_that_come_to_both_arms_never_trip);
	tcase_add_test(group, test_a_canary_that_is_slower_in_all_windows_trips_after_twenty);
	tcase_add_test(group, test_the_plan_says_that_all_being_slow_is_seen_within_ten_seconds);
	tcase_add_test(group, test_the_plan_says_that_no_harm_is_not_seen);
	suite_add_tcase(all, group);
	return all;
}

UNIT_SUITE(test_sequential, suite)
