/* What is put off until a batch is over. */
#include <check.h>
#include <pthread.h>

#include "base/deferred.h"
#include "support/unit.h"

static _Thread_local int calls[32];

static void count(int argument)
{
	calls[argument]++;
}

static void setup(void)
{
	for (int i = 0; i < 32; i++)
		calls[i] = 0;
}

START_TEST(test_nothing_is_put_off_outside)
{
	ck_assert_int_eq(deferred_add(count, 1), DEFERRED_NOT);
	ck_assert_int_eq(calls[1], 0);
}
END_TEST

START_TEST(test_the_same_is_done_once_at_the_end)
{
	deferred_begin();
	ck_assert_int_eq(deferred_add(count, 1), DEFERRED_NEW);
	ck_assert_int_eq(deferred_add(count, 2), DEFERRED_NEW);
	ck_assert_int_eq(deferred_add(count, 1), DEFERRED_BEFORE);
	ck_assert_int_eq(calls[1] + calls[2], 0);
	deferred_end();
	ck_assert_int_eq(calls[1], 1);
	ck_assert_int_eq(calls[2], 1);
	deferred_begin();
	deferred_end();
	ck_assert_int_eq(calls[1], 1);
}
END_TEST

START_TEST(test_the_outermost_end_counts)
{
	deferred_begin();
	deferred_begin();
	ck_assert_int_eq(deferred_add(count, 1), DEFERRED_NEW);
	deferred_end();
	ck_assert_int_eq(calls[1], 0);
	deferred_end();
	ck_assert_int_eq(calls[1], 1);
}
END_TEST

START_TEST(test_what_does_not_fit_is_not_put_off)
{
	int kept = 0;
	deferred_begin();
	for (int i = 0; i < 32; i++)
		kept += deferred_add(count, i) == DEFERRED_NEW;
	ck_assert_int_ge(kept, 8);
	ck_assert_int_lt(kept, 32);
	ck_assert_int_eq(deferred_add(count, 0), DEFERRED_BEFORE);
	deferred_end();
	for (int i = 0; i < 32; i++)
		ck_assert_int_eq(calls[i], i < kept);
}
END_TEST

static void *add_elsewhere(void *argument)
{
	*(enum deferral *)argument = deferred_add(count, 1);
	return NULL;
}

START_TEST(test_another_thread_is_not_concerned)
{
	enum deferral elsewhere = DEFERRED_NEW;
	pthread_t thread;
	deferred_begin();
	ck_assert_int_eq(pthread_create(&thread, NULL, add_elsewhere, &elsewhere), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	deferred_end();
	ck_assert_int_eq(elsewhere, DEFERRED_NOT);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("what is put off");
	TCase *batch = tcase_create("batch");
	tcase_add_checked_fixture(batch, setup, NULL);
	tcase_add_test(batch, test_nothing_is_put_off_outside);
	tcase_add_test(batch, test_the_same_is_done_once_at_the_end);
	tcase_add_test(batch, test_the_outermost_end_counts);
	tcase_add_test(batch, test_what_does_not_fit_is_not_put_off);
	tcase_add_test(batch, test_another_thread_is_not_concerned);
	suite_add_tcase(suite, batch);
	return suite;
}

UNIT_SUITE(test_deferred, suite)
