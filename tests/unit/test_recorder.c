/*
 * The recorder: what becomes of an event's times.
 */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "runtime/recorder.h"
#include "support/unit.h"

static struct recorder *recorder;

static void create(void)
{
	recorder = recorder_create();
	ck_assert_ptr_nonnull(recorder);
}

static void destroy(void)
{
	recorder_destroy(recorder);
}

struct figures {
	uint64_t count, sum_ns;
};

static struct figures figures_of_series(size_t series)
{
	struct histogram histogram;
	memset(&histogram, 0, sizeof(histogram));
	recorder_merge(recorder, series, &histogram);
	return (struct figures){histogram.count, histogram.sum_ns};
}

static uint64_t count_of(enum sluice_kind kind, unsigned part)
{
	return figures_of_series(series_of(kind, part)).count;
}

static uint64_t sum_of(enum sluice_kind kind, unsigned part)
{
	return figures_of_series(series_of(kind, part)).sum_ns;
}

/* All stages, each with times of its own. */
static struct event_times times_of_all(void)
{
	struct event_times times = {0};
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		times.stages[kind] = (struct stage_times){.ran = true, .work_ns = 1000 + kind};
	return times;
}

START_TEST(test_every_series_is_apart_from_the_others)
{
	for (size_t series = 0; series < SERIES_COUNT; series++)
		for (size_t i = 0; i <= series; i++)
			recorder_record(recorder, series, 1000);
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		for (unsigned part = PART_WAIT; part < PART_WHOLE; part++)
			ck_assert_uint_eq(count_of((enum sluice_kind)kind, part),
			                  series_of((enum sluice_kind)kind, part) + 1);
	ck_assert_uint_eq(figures_of_series(SERIES_RESPOND).count, SERIES_RESPOND + 1);
	ck_assert_uint_eq(figures_of_series(SERIES_TOTAL).count, SERIES_TOTAL + 1);
}
END_TEST

START_TEST(test_stage_without_delay_is_one_value_of_work_and_of_whole)
{
	struct event_times times = times_of_all();
	recorder_record_stages(recorder, &times, SLUICE_KIND_AUTH, SLUICE_KIND_IDEMPOTENCY);
	for (unsigned kind = SLUICE_KIND_AUTH; kind <= SLUICE_KIND_IDEMPOTENCY; kind++) {
		ck_assert_uint_eq(count_of((enum sluice_kind)kind, PART_WORK), 1);
		ck_assert_uint_eq(sum_of((enum sluice_kind)kind, PART_WORK), 1000 + kind);
		ck_assert_uint_eq(sum_of((enum sluice_kind)kind, PART_WHOLE), 1000 + kind);
		ck_assert_uint_eq(count_of((enum sluice_kind)kind, PART_WAIT), 0);
		ck_assert_uint_eq(count_of((enum sluice_kind)kind, PART_PARKED), 0);
	}
}
END_TEST

START_TEST(test_delays_are_figures_of_their_own_and_part_of_the_whole)
{
	struct event_times times = times_of_all();
	times.stages[SLUICE_KIND_IDEMPOTENCY].parked_ns = 5000;
	times.stages[SLUICE_KIND_PERSIST].wait_ns = 7000;
	recorder_record_stages(recorder, &times, SLUICE_KIND_IDEMPOTENCY, SLUICE_KIND_PERSIST);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_IDEMPOTENCY, PART_WORK), 1000 + SLUICE_KIND_IDEMPOTENCY);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_IDEMPOTENCY, PART_PARKED), 5000);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_IDEMPOTENCY, PART_WHOLE), 6000 + SLUICE_KIND_IDEMPOTENCY);
	ck_assert_uint_eq(count_of(SLUICE_KIND_IDEMPOTENCY, PART_WAIT), 0);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_PERSIST, PART_WAIT), 7000);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_PERSIST, PART_WHOLE), 8000 + SLUICE_KIND_PERSIST);
	ck_assert_uint_eq(count_of(SLUICE_KIND_PERSIST, PART_PARKED), 0);
}
END_TEST

START_TEST(test_work_of_a_queue_is_left_to_who_measured_it)
{
	struct event_times times = times_of_all();
	times.stages[SLUICE_KIND_QUEUE].wait_ns = 3000;
	recorder_record_stages(recorder, &times, SLUICE_KIND_QUEUE, SLUICE_KIND_QUEUE);
	ck_assert_uint_eq(count_of(SLUICE_KIND_QUEUE, PART_WORK), 0);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_QUEUE, PART_WAIT), 3000);
	ck_assert_uint_eq(sum_of(SLUICE_KIND_QUEUE, PART_WHOLE), 4000 + SLUICE_KIND_QUEUE);
}
END_TEST

START_TEST(test_stage_that_did_not_run_is_not_counted)
{
	struct event_times times = times_of_all();
	times.stages[SLUICE_KIND_PARSE].ran = false;
	recorder_record_stages(recorder, &times, 0, KIND_COUNT - 1);
	ck_assert_uint_eq(count_of(SLUICE_KIND_PARSE, PART_WHOLE), 0);
	ck_assert_uint_eq(count_of(SLUICE_KIND_AUTH, PART_WHOLE), 1);
}
END_TEST

static void *record_one(void *unused)
{
	struct event_times times = times_of_all();
	recorder_record_stages(recorder, &times, 0, KIND_COUNT - 1);
	return unused;
}

START_TEST(test_what_ended_threads_recorded_is_kept)
{
	enum { THREADS = 4 };
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;
		ck_assert_int_eq(pthread_create(&thread, NULL, record_one, NULL), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	ck_assert_uint_eq(count_of(SLUICE_KIND_PERSIST, PART_WORK), THREADS);
}
END_TEST

START_TEST(test_restarted_series_begins_again_alone)
{
	const size_t series = series_of(SLUICE_KIND_PERSIST, PART_SPAN);
	recorder_record(recorder, series, 1000);
	recorder_record(recorder, series + KIND_COUNT, 1000);
	for (uint64_t round = 0; round < 2; round++) {
		recorder_restart(recorder, series);
		ck_assert_uint_eq(figures_of_series(series).count, 0);
		recorder_record(recorder, series, 3000);
		ck_assert_uint_eq(figures_of_series(series).count, 1);
		ck_assert_uint_eq(figures_of_series(series).sum_ns, 3000);
	}
	ck_assert_uint_eq(figures_of_series(series + KIND_COUNT).count, 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("recorder");
	TCase *tests = tcase_create("recorder");
	tcase_add_checked_fixture(tests, create, destroy);
	tcase_add_test(tests, test_every_series_is_apart_from_the_others);
	tcase_add_test(tests, test_stage_without_delay_is_one_value_of_work_and_of_whole);
	tcase_add_test(tests, test_delays_are_figures_of_their_own_and_part_of_the_whole);
	tcase_add_test(tests, test_work_of_a_queue_is_left_to_who_measured_it);
	tcase_add_test(tests, test_stage_that_did_not_run_is_not_counted);
	tcase_add_test(tests, test_what_ended_threads_recorded_is_kept);
	tcase_add_test(tests, test_restarted_series_begins_again_alone);
	suite_add_tcase(suite, tests);
	return suite;
}

UNIT_SUITE(test_recorder, make_suite)
