/*
 * What a run says about itself: whether it measures what it is meant to, and what its requests came to.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lab/load/about.h"
#include "support/unit.h"

#define MS INT64_C(1000000)

enum { COUNT = 100 };

static struct trace_record records[COUNT];

/* One a millisecond, answered 202 after 5 ms, late by 0.1 ms. */
static void set_up(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		struct trace_record *record = &records[i];
		trace_record_init(record);
		record->intended_ns = record->ready_ns = (int64_t)i * MS;
		record->sent_ns = record->intended_ns + MS / 10;
		record->answered_ns = record->intended_ns + 5 * MS;
		record->message = i + 1;
		record->status = 202;
		record->tries = 1;
	}
}

/* How many reasons there are, and whether one of them has the words. */
static size_t reasons_at(int64_t cpu_ns, const char *words)
{
	json_t *generator = about_generator(records, COUNT, about_cpu_share(cpu_ns, 1000 * MS), about_processors()),
	       *reason;
	const json_t *reasons = json_object_get(generator, "reasons");
	size_t count = json_array_size(reasons);
	size_t i, found = 0;
	json_array_foreach (reasons, i, reason) {
		found += strstr(json_string_value(reason), words) != NULL;
	}
	ck_assert_int_eq(json_is_true(json_object_get(generator, "valid")), count == 0);
	ck_assert_msg(count == 0 || found == 1, "%s is not among the reasons", words);
	json_decref(generator);
	return count;
}

START_TEST(test_run_in_time_with_new_ids_is_valid)
{
	ck_assert_uint_eq(reasons_at(0, ""), 0);
}
END_TEST

START_TEST(test_lag_over_a_tenth_of_the_latency_is_invalid)
{
	for (size_t i = 0; i < COUNT / 20; i++)
		records[i].sent_ns = records[i].ready_ns + 3 * MS;
	ck_assert_uint_eq(reasons_at(0, ""), 0);
	records[COUNT - 1].sent_ns = records[COUNT - 1].ready_ns + 3 * MS;
	ck_assert_uint_eq(reasons_at(0, "the generator was late"), 1);
}
END_TEST

START_TEST(test_server_that_never_answers_does_not_make_the_generator_late)
{
	for (size_t i = 0; i < COUNT; i++) {
		records[i].status = 0;
		records[i].answered_ns = -1;
	}
	ck_assert_uint_eq(reasons_at(0, ""), 0);
}
END_TEST

/* On two processors a thread that is always busy takes half of them, on many a small share. */
START_TEST(test_generator_that_was_always_busy_is_invalid)
{
	ck_assert_uint_eq(reasons_at(1000 * MS, "the generator "), 1);
}
END_TEST

static const struct {
	const char *name;
	int statuses[3]; /* of one message; 0 in the first two places is no answer, −1 ends them */
	int tries;
	bool is_stale;
} histories[] = {
	{"known at once", {200, -1}, 1, true},
	{"known at once, twice", {200, 200, -1}, 1, true},
	{"known at once, and refused", {200, 422, -1}, 1, true},
	{"new, then known", {202, 200, -1}, 1, false},
	{"the duplicate came first", {200, 202, -1}, 1, false},
	{"the first answer was lost", {0, 200, -1}, 1, false},
	{"the first answer was a failure", {503, 200, -1}, 1, false},
	{"known when it was tried again", {200, -1}, 2, false},
	{"refused", {422, 400, -1}, 1, false},
};

START_TEST(test_message_is_stale_if_this_run_cannot_have_stored_it)
{
	for (size_t i = 0; i < 3 && histories[_i].statuses[i] >= 0; i++) {
		struct trace_record *record = &records[COUNT / 2 + i];
		record->message = 7777;
		record->status = (uint16_t)histories[_i].statuses[i];
		record->tries = (uint8_t)histories[_i].tries;
	}
	size_t expected = histories[_i].is_stale ? 1 : 0;
	ck_assert_msg(reasons_at(0, "1 events were in the store before") == expected, "%s", histories[_i].name);
}
END_TEST

START_TEST(test_results_count_by_status_and_by_kind)
{
	static const struct {
		enum input_kind kind;
		int status;
	} lines[] = {{INPUT_NEW, 202},       {INPUT_NEW, 503},           {INPUT_DUPLICATE, 200}, {INPUT_NEW, 0},
	             {INPUT_CONFLICT, 422},  {INPUT_BAD_SIGNATURE, 401}, {INPUT_MALFORMED, 400}, {INPUT_MALFORMED, 202},
	             {INPUT_DUPLICATE, 202}, {INPUT_CONFLICT, 200}};
	enum { LINES = sizeof(lines) / sizeof(lines[0]) };
	struct input input;
	input_init(&input);
	for (uint32_t i = 0; i < LINES; i++) {
		input_add(&input)->kind = lines[i].kind;
		records[i].input = i;
		records[i].status = (uint16_t)lines[i].status;
		records[i].answered_ns = lines[i].status ? records[i].sent_ns + (i + 1) * MS : -1;
	}
	json_t *results = about_results(&input, records, LINES, true, 3, 2.0);
	json_t *expected = json_pack("{s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i}, s:i, s:i, s:i, s:i, s:f}",
	                             "requests", 10, "answered", 9, "statuses", "0", 1, "200", 2, "202", 3, "400", 1,
	                             "401", 1, "422", 1, "503", 1, "expected_good", 5, "accepted", 3, "errors", 4,
	                             "retried", 3, "rate", 4.5);
	const char *name;
	json_t *value;
	json_object_foreach (expected, name, value) {
		ck_assert_msg(json_equal(value, json_object_get(results, name)), "%s", name);
	}
	const json_t *malformed = json_object_get(json_object_get(results, "by_kind"), "malformed");
	ck_assert_int_eq(json_integer_value(json_object_get(malformed, "requests")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(malformed, "right")), 1);
	const json_t *raw = json_object_get(results, "raw");
	ck_assert_double_eq(json_number_value(json_object_get(raw, "max_ms")), 10);
	ck_assert_double_eq(json_number_value(json_object_get(raw, "p50_ms")), 6); /* 1 2 3 5 6 7 8 9 10 */
	json_decref(results);
	json_decref(expected);
	input_finish(&input);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("about");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, test_run_in_time_with_new_ids_is_valid);
	tcase_add_test(tc, test_lag_over_a_tenth_of_the_latency_is_invalid);
	tcase_add_test(tc, test_server_that_never_answers_does_not_make_the_generator_late);
	tcase_add_test(tc, test_generator_that_was_always_busy_is_invalid);
	tcase_add_loop_test(tc, test_message_is_stale_if_this_run_cannot_have_stored_it, 0,
	                    sizeof(histories) / sizeof(histories[0]));
	tcase_add_test(tc, test_results_count_by_status_and_by_kind);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_about, suite)
