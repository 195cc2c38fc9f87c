/*
 * When requests are due, where they go and what they wait for: fixed before the start, by plan and seed.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/load/schedule.h"
#include "support/unit.h"

enum { COUNT = 20000, STREAMS = 7 };

static struct input input;
static struct replay_plan plan;
static struct schedule schedule;

static struct sluice_bytes text(const char *format, size_t number)
{
	char buffer[32];
	int size = snprintf(buffer, sizeof(buffer), format, number);
	return (struct sluice_bytes){arena_strndup(&input.arena, buffer, (size_t)size), (size_t)size};
}

/* Every fourth line is a duplicate of the one three before it, every fifth has no stream. */
static void set_up(void)
{
	input_init(&input);
	for (size_t i = 0; i < COUNT; i++) {
		struct input_event *event = input_add(&input);
		bool is_duplicate = i % 4 == 3;
		event->kind = is_duplicate ? INPUT_DUPLICATE : INPUT_NEW;
		event->message_id = text("m-%zu", is_duplicate ? i - 3 : i);
		if (i % 5 != 0)
			event->stream = text("s-%zu", i % STREAMS);
	}
	plan = (struct replay_plan){.input = &input, .count = COUNT, .target_count = 1, .rate = 500, .seed = 1};
}

static void tear_down(void)
{
	schedule_finish(&schedule);
	input_finish(&input);
}

START_TEST(test_uniform_arrivals_are_a_period_apart_without_adding_up_roundings)
{
	plan.rate = 300;
	schedule_init(&schedule, &plan);
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_int_le(llabs(schedule.items[i].due_ns - (int64_t)(i * INT64_C(1000000000) / 300)), 1);
}
END_TEST

/* Exponential gaps: their deviation equals their mean, and the share beyond k means is e⁻ᵏ. The bounds are 5 standard
 * errors. */
START_TEST(test_poisson_gaps_are_exponential_with_the_mean_of_the_rate)
{
	double sum = 0, squares = 0;
	size_t beyond = 0;
	plan.arrivals = REPLAY_POISSON;
	schedule_init(&schedule, &plan);
	ck_assert_int_eq(schedule.items[0].due_ns, 0);
	for (size_t i = 1; i < COUNT; i++) {
		double gap = (double)(schedule.items[i].due_ns - schedule.items[i - 1].due_ns) / 2e6;
		ck_assert_double_ge(gap, 0);
		sum += gap;
		squares += gap * gap;
		beyond += gap > 2;
	}
	double mean = sum / (COUNT - 1), deviation = sqrt(squares / (COUNT - 1) - mean * mean);
	ck_assert_double_eq_tol(mean, 1, 5 / sqrt(COUNT));
	ck_assert_double_eq_tol(deviation, 1, 5 * sqrt(2.0 / COUNT));
	ck_assert_double_eq_tol((double)beyond / (COUNT - 1), exp(-2), 5 * sqrt(exp(-2) / COUNT));
}
END_TEST

START_TEST(test_same_seed_gives_the_same_schedule_and_another_one_another)
{
	struct schedule again, other;
	plan.arrivals = REPLAY_POISSON;
	plan.target_count = 2;
	schedule_init(&schedule, &plan);
	schedule_init(&again, &plan);
	plan.seed = 2;
	schedule_init(&other, &plan);
	size_t moved = 0, elsewhere = 0;
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_int_eq(schedule.items[i].due_ns, again.items[i].due_ns);
		ck_assert_uint_eq(schedule.items[i].target, again.items[i].target);
		ck_assert_uint_eq(schedule.items[i].stream, again.items[i].stream);
		moved += schedule.items[i].due_ns != other.items[i].due_ns;
		elsewhere += schedule.items[i].target != other.items[i].target;
	}
	ck_assert_uint_ge(moved, COUNT - 1);
	ck_assert_uint_gt(elsewhere, COUNT / 3);
	schedule_finish(&again);
	schedule_finish(&other);
}
END_TEST

START_TEST(test_closed_loop_has_nothing_to_wait_for)
{
	plan.rate = 0;
	schedule_init(&schedule, &plan);
	for (size_t i = 0; i < COUNT; i++)
		ck_assert_int_eq(schedule.items[i].due_ns, 0);
}
END_TEST

START_TEST(test_coin_is_fair_and_a_duplicate_goes_where_its_original_goes)
{
	size_t second = 0;
	plan.target_count = 2;
	schedule_init(&schedule, &plan);
	for (size_t i = 0; i < COUNT; i++) {
		second += schedule.items[i].target;
		if (i % 4 == 3)
			ck_assert_uint_eq(schedule.items[i].target, schedule.items[i - 3].target);
	}
	ck_assert_double_eq_tol((double)second / COUNT, 0.5, 5 * 0.5 * sqrt(2.0 / COUNT));
}
END_TEST

START_TEST(test_streams_are_numbered_for_each_target_by_itself)
{
	static int64_t numbers[2][STREAMS];
	static bool taken[2 * STREAMS];
	memset(numbers, -1, sizeof(numbers));
	plan.target_count = 2;
	schedule_init(&schedule, &plan);
	ck_assert_uint_eq(schedule.stream_count, 2 * STREAMS);
	for (size_t i = 0; i < COUNT; i++) {
		const struct schedule_item *item = &schedule.items[i];
		if (item->stream == SCHEDULE_NO_STREAM)
			continue;
		int64_t *number = &numbers[item->target][i % STREAMS];
		ck_assert_uint_lt(item->stream, schedule.stream_count);
		if (*number < 0)
			ck_assert_msg(!taken[item->stream], "two streams have the number %u", item->stream);
		else
			ck_assert_int_eq(*number, item->stream);
		*number = item->stream;
		taken[item->stream] = true;
	}
}
END_TEST

START_TEST(test_only_new_and_conflicting_events_wait_for_their_stream)
{
	static const bool waits[INPUT_KINDS] = {[INPUT_NEW] = true, [INPUT_CONFLICT] = true};
	for (size_t i = 0; i < COUNT; i++)
		input.events[i].kind = (enum input_kind)(i % INPUT_KINDS);
	schedule_init(&schedule, &plan);
	for (size_t i = 0; i < COUNT; i++) {
		const struct input_event *event = &input.events[i];
		ck_assert_int_eq(schedule.items[i].stream != SCHEDULE_NO_STREAM,
		                 event->stream.data != NULL && waits[event->kind]);
	}
}
END_TEST

START_TEST(test_plan_of_a_part_of_the_input_is_about_that_part)
{
	plan.first = 4; /* a multiple of four, so that no duplicate is without its original */
	plan.count = 8;
	schedule_init(&schedule, &plan);
	ck_assert_int_eq(schedule.items[0].due_ns, 0);
	for (size_t i = 0; i < plan.count; i++) {
		const struct input_event *event = &input.events[4 + i];
		ck_assert_int_eq(schedule.items[i].stream != SCHEDULE_NO_STREAM,
		                 event->stream.data != NULL && event->kind == INPUT_NEW);
	}
}
END_TEST

START_TEST(test_what_is_due_before_a_time_is_counted)
{
	schedule_init(&schedule, &plan);
	ck_assert_uint_eq(schedule_due_before(&schedule, COUNT, 0), 0);
	ck_assert_uint_eq(schedule_due_before(&schedule, COUNT, 1), 1);
	ck_assert_uint_eq(schedule_due_before(&schedule, COUNT, 2000000000), 1000);
	ck_assert_uint_eq(schedule_due_before(&schedule, COUNT, INT64_MAX), COUNT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("schedule");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_uniform_arrivals_are_a_period_apart_without_adding_up_roundings);
	tcase_add_test(tc, test_poisson_gaps_are_exponential_with_the_mean_of_the_rate);
	tcase_add_test(tc, test_same_seed_gives_the_same_schedule_and_another_one_another);
	tcase_add_test(tc, test_closed_loop_has_nothing_to_wait_for);
	tcase_add_test(tc, test_coin_is_fair_and_a_duplicate_goes_where_its_original_goes);
	tcase_add_test(tc, test_streams_are_numbered_for_each_target_by_itself);
	tcase_add_test(tc, test_only_new_and_conflicting_events_wait_for_their_stream);
	tcase_add_test(tc, test_plan_of_a_part_of_the_input_is_about_that_part);
	tcase_add_test(tc, test_what_is_due_before_a_time_is_counted);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_schedule, suite)
