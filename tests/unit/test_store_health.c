/* What health says of a store that stage authors gave no health of its own: it follows the last calls of store(). */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/store_health.h"
#include "support/unit.h"

static int64_t now_ns = NS_PER_S;
static struct store_health health;
static char told[SLUICE_DETAIL_MAX];
static int told_count;
static const char *stage_says; /* NULL: nothing */
static int gauges;

static int64_t get_now_ns(void)
{
	return now_ns;
}

static void setup(void)
{
	clock_replace(get_now_ns, NULL);
	store_health_init(&health);
}

static void finish(void)
{
	store_health_finish(&health);
}

static void count_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                        double value, const char *help)
{
	(void)observer, (void)name, (void)label, (void)label_value, (void)value, (void)help;
	gauges++;
}

static void note_reason(struct sluice_observer *observer, const char *reason)
{
	(void)observer;
	told_count++;
	(void)snprintf(told, sizeof(told), "%s", reason);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	(void)stage;
	observer->gauge(observer, "db_size_bytes", NULL, NULL, 1, "Size.");
	if (stage_says)
		observer->unhealthy(observer, stage_says);
}

/* What health says now; "" if it is good. */
static const char *look(void)
{
	static const struct sluice_stage_ops ops = {.name = "scripted", .observe = observe};
	struct sluice_stage stage = {.ops = &ops};
	struct sluice_observer observer = {.gauge = count_gauge, .unhealthy = note_reason};
	told[0] = '\0';
	told_count = 0;
	store_health_observe(&health, &stage, &observer);
	return told;
}

static void note(enum sluice_verdict verdict)
{
	const char *reason = verdict == SLUICE_RETRY  ? "the table was dropped"
	                     : verdict == SLUICE_FAIL ? "a trigger said no"
	                                              : NULL;
	store_health_note(&health, &verdict, 1, reason);
}

/* So many events, over that time, of which the last comes now. */
static void refuse(int count, int64_t over_ns)
{
	for (int i = 0; i < count; i++) {
		now_ns += i > 0 ? over_ns / (count - 1) : 0;
		note(SLUICE_FAIL);
	}
}

START_TEST(test_failures_without_a_success_are_told_with_their_reason)
{
	note(SLUICE_RETRY);
	ck_assert_str_eq(look(), "");
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "the table was dropped");
	note(SLUICE_RETRY);
	ck_assert_str_eq(look(), "the table was dropped");
	ck_assert_int_eq(told_count, 1);
}
END_TEST

START_TEST(test_a_success_of_any_kind_ends_it)
{
	static const enum sluice_verdict successes[] = {SLUICE_PASS, SLUICE_DONE, SLUICE_REJECT};
	note(SLUICE_RETRY);
	now_ns += NS_PER_S;
	ck_assert_str_ne(look(), "");
	note(successes[_i]);
	ck_assert_str_eq(look(), "");
}
END_TEST

START_TEST(test_a_failure_among_successes_is_not_told)
{
	for (int i = 0; i < 100; i++) {
		note(SLUICE_RETRY);
		now_ns += 100 * NS_PER_MS;
		ck_assert_str_eq(look(), "");
		note(SLUICE_PASS);
	}
}
END_TEST

START_TEST(test_one_stored_event_of_a_batch_is_a_success)
{
	static const enum sluice_verdict batch[] = {SLUICE_RETRY, SLUICE_FAIL, SLUICE_PASS};
	store_health_note(&health, batch, 3, "one stream waits");
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "");
}
END_TEST

START_TEST(test_poison_says_nothing_of_the_store)
{
	note(SLUICE_FAIL);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "");
	note(SLUICE_RETRY);
	now_ns += NS_PER_S;
	note(SLUICE_FAIL);
	ck_assert_str_eq(look(), "the table was dropped");
}
END_TEST

#define EVERY_EVENT "every event is refused: a trigger said no"

START_TEST(test_a_store_that_refuses_every_event_is_told_until_the_first_success)
{
	static const enum sluice_verdict successes[] = {SLUICE_PASS, SLUICE_DONE, SLUICE_REJECT};
	refuse(STORE_REFUSALS, 2 * NS_PER_S);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), EVERY_EVENT);
	note(SLUICE_FAIL);
	ck_assert_str_eq(look(), EVERY_EVENT);
	note(successes[_i]);
	ck_assert_str_eq(look(), "");
	refuse(STORE_REFUSALS - 1, 2 * NS_PER_S);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "");
}
END_TEST

START_TEST(test_refusals_that_are_few_or_come_at_once_or_among_successes_are_not_told)
{
	refuse(STORE_REFUSALS - 1, 2 * NS_PER_S);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "");
	note(SLUICE_PASS);
	refuse(100 * STORE_REFUSALS, NS_PER_S / 2);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "");
	note(SLUICE_PASS);
	for (int i = 0; i < 10 * STORE_REFUSALS; i++) {
		note(i % (STORE_REFUSALS - 1) == 0 ? SLUICE_PASS : SLUICE_FAIL);
		now_ns += NS_PER_S;
		ck_assert_str_eq(look(), "");
	}
}
END_TEST

START_TEST(test_refusals_in_batches_count_each_and_one_stored_event_makes_up_for_all)
{
	enum sluice_verdict batch[STORE_REFUSALS];
	for (int i = 0; i < STORE_REFUSALS; i++)
		batch[i] = SLUICE_FAIL;
	store_health_note(&health, batch, STORE_REFUSALS, "a trigger said no");
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "");
	store_health_note(&health, batch, 1, "a trigger said no");
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), EVERY_EVENT);
	batch[STORE_REFUSALS / 2] = SLUICE_PASS;
	store_health_note(&health, batch, STORE_REFUSALS, "a trigger said no");
	ck_assert_str_eq(look(), "");
}
END_TEST

START_TEST(test_refusals_without_a_reason_and_after_which_nothing_comes)
{
	enum sluice_verdict verdict = SLUICE_FAIL;
	refuse(STORE_REFUSALS, 2 * NS_PER_S);
	store_health_note(&health, &verdict, 1, "");
	now_ns += NS_PER_S;
	ck_assert_ptr_nonnull(strstr(look(), "gives no reason"));
	now_ns += 3 * NS_PER_S;
	ck_assert_str_eq(look(), "");
}
END_TEST

START_TEST(test_without_traffic_the_last_failure_is_forgotten_and_the_next_one_counts_anew)
{
	note(SLUICE_RETRY);
	now_ns += 2 * NS_PER_S;
	ck_assert_str_ne(look(), "");
	now_ns += 2 * NS_PER_S;
	ck_assert_str_eq(look(), "");
	note(SLUICE_RETRY);
	ck_assert_str_eq(look(), "");
	now_ns += NS_PER_S;
	ck_assert_str_ne(look(), "");
}
END_TEST

START_TEST(test_the_reason_of_the_stage_goes_first_and_its_gauges_go_through)
{
	stage_says = "the disk is full";
	note(SLUICE_RETRY);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "the disk is full");
	ck_assert_int_eq(told_count, 1);
	ck_assert_int_eq(gauges, 1);
}
END_TEST

START_TEST(test_a_stage_that_told_of_it_says_when_it_is_over)
{
	note(SLUICE_RETRY);
	now_ns += NS_PER_S;
	stage_says = "the disk is full";
	ck_assert_str_ne(look(), "");
	stage_says = NULL;
	ck_assert_str_eq(look(), "");
	ck_assert_str_eq(look(), "");
	note(SLUICE_RETRY);
	now_ns += NS_PER_S;
	ck_assert_str_eq(look(), "the table was dropped");
}
END_TEST

START_TEST(test_a_failure_without_a_reason_gets_one)
{
	enum sluice_verdict verdict = SLUICE_RETRY;
	store_health_note(&health, &verdict, 1, "");
	now_ns += NS_PER_S;
	ck_assert_ptr_nonnull(strstr(look(), "gives no reason"));
}
END_TEST

static Suite *store_health_suite(void)
{
	Suite *suite = suite_create("store_health");
	TCase *cases = tcase_create("outcomes");
	tcase_add_checked_fixture(cases, setup, finish);
	tcase_add_test(cases, test_failures_without_a_success_are_told_with_their_reason);
	tcase_add_loop_test(cases, test_a_success_of_any_kind_ends_it, 0, 3);
	tcase_add_test(cases, test_a_failure_among_successes_is_not_told);
	tcase_add_test(cases, test_one_stored_event_of_a_batch_is_a_success);
	tcase_add_test(cases, test_poison_says_nothing_of_the_store);
	tcase_add_loop_test(cases, test_a_store_that_refuses_every_event_is_told_until_the_first_success, 0, 3);
	tcase_add_test(cases, test_refusals_that_are_few_or_come_at_once_or_among_successes_are_not_told);
	tcase_add_test(cases, test_refusals_in_batches_count_each_and_one_stored_event_makes_up_for_all);
	tcase_add_test(cases, test_refusals_without_a_reason_and_after_which_nothing_comes);
	tcase_add_test(cases, test_without_traffic_the_last_failure_is_forgotten_and_the_next_one_counts_anew);
	tcase_add_test(cases, test_the_reason_of_the_stage_goes_first_and_its_gauges_go_through);
	tcase_add_test(cases, test_a_stage_that_told_of_it_says_when_it_is_over);
	tcase_add_test(cases, test_a_failure_without_a_reason_gets_one);
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_store_health, store_health_suite)
