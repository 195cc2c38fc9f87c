/* Lineages of a run: single requests in full, and a draw of them that nobody can choose. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/report/lineage.h"
#include "support/paired.h"
#include "support/unit.h"

static struct paired paired;
static struct buffer text;

static void set_up(void)
{
	paired_init(&paired, 5, 100);
}

static void tear_down(void)
{
	paired_finish(&paired);
	buffer_finish(&text);
}

static size_t count_of(const char *part)
{
	size_t count = 0;
	for (const char *at = text.data; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

START_TEST(test_tree_goes_from_the_intended_time_to_the_answer)
{
	struct trace_record *record = paired_record(&paired, 0, 1, 3);
	paired.run->header.wall_ns = 0;
	paired_set_latency(record, 12 * NS_PER_MS);
	record->sent_ns = record->received_ns = record->intended_ns + 3 * NS_PER_MS;
	record->stages[SLUICE_KIND_AUTH].work_ns = 250 * NS_PER_US;
	lineage_append(paired.run, record, &text);
	ck_assert_msg(strncmp(text.data, "request_id: r-103\n  ├─ due: ", strlen("request_id: r-103\n  ├─ due: ")) == 0,
	              "%s", text.data);
	ck_assert_msg(strstr(text.data, "waiting to be sent: 00:00:01.033") != NULL, "%s", text.data);
	ck_assert_msg(strstr(text.data, "(+3ms)\n") != NULL, "%s", text.data);
	ck_assert_msg(strstr(text.data, "(+250µs)\n") != NULL, "%s", text.data);
	ck_assert_msg(strstr(text.data, "  TOTAL: 12ms; status 202, arm b, block 0, batch of 1, tries 1\n") != NULL,
	              "%s", text.data);
	ck_assert_uint_eq(count_of("└─"), 1);
}
END_TEST

START_TEST(test_request_without_an_answer_is_said_so)
{
	struct trace_record *record = paired_record(&paired, 2, 0, 0);
	record->answered_ns = -1;
	lineage_append(paired.run, record, &text);
	ck_assert_str_eq(text.data, "request_id: r-400\n  no answer; arm a, block 2\n");
}
END_TEST

START_TEST(test_draw_is_of_different_requests_in_their_order)
{
	uint32_t before = 0;
	lineage_append_random(paired.run, 10, &text);
	ck_assert_uint_eq(count_of("request_id: r-"), 10);
	for (const char *at = text.data; (at = strstr(at, "request_id: r-")) != NULL; at++) {
		uint32_t number = (uint32_t)strtoul(at + strlen("request_id: r-"), NULL, 10);
		ck_assert(at == text.data || number > before);
		before = number;
	}
}
END_TEST

START_TEST(test_who_draws_again_draws_the_same_and_from_another_run_others)
{
	struct buffer again = {0}, other = {0};
	lineage_append_random(paired.run, 10, &text);
	lineage_append_random(paired.run, 10, &again);
	ck_assert_str_eq(text.data, again.data);
	paired_set_latency(paired_record(&paired, 0, 0, 0), NS_PER_MS);
	lineage_append_random(paired.run, 10, &other);
	ck_assert_str_ne(text.data, other.data);
	buffer_finish(&again);
	buffer_finish(&other);
}
END_TEST

START_TEST(test_small_run_is_drawn_whole)
{
	size_t count = paired.run->count;
	paired.run->count = 4;
	lineage_append_random(paired.run, 10, &text);
	paired.run->count = count;
	ck_assert_uint_eq(count_of("request_id: r-"), 4);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lineages of a run");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, test_tree_goes_from_the_intended_time_to_the_answer);
	tcase_add_test(all, test_request_without_an_answer_is_said_so);
	tcase_add_test(all, test_draw_is_of_different_requests_in_their_order);
	tcase_add_test(all, test_who_draws_again_draws_the_same_and_from_another_run_others);
	tcase_add_test(all, test_small_run_is_drawn_whole);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_run_lineage, make_suite)
