/*
 * Lineage: what is kept, for how long, and how it is written.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/lineage.h"
#include "support/unit.h"

#define EIGHT_PM (INT64_C(1700078400) * NS_PER_S) /* 2023-11-15T20:00:00Z */

static struct lineage_entry entry_of(const char *request_id, const char *message_id, int64_t total_ns)
{
	struct lineage_entry entry = {.status = 202, .sent_ns = 1000 + total_ns};
	(void)snprintf(entry.request_id, sizeof(entry.request_id), "%s", request_id);
	entry.message_id_size = (uint16_t)strlen(message_id);
	memcpy(entry.message_id, message_id, strlen(message_id));
	entry.times.start_ns = 1000;
	entry.times.ack_ns = 1000 + total_ns;
	entry.times.wall_ns = EIGHT_PM;
	return entry;
}

static void add(struct lineage *lineage, const char *request_id, const char *message_id, int64_t total_ns)
{
	struct lineage_entry entry = entry_of(request_id, message_id, total_ns);
	lineage_add(lineage, &entry);
}

static bool finds(struct lineage *lineage, const char *id, struct lineage_entry *entry_out)
{
	return lineage_find(lineage, id, strlen(id), entry_out);
}

START_TEST(test_request_is_found_by_either_id)
{
	struct lineage_entry entry;
	struct lineage *lineage = lineage_create(10, 0);
	add(lineage, "r-1", "m-1", 5);
	add(lineage, "r-2", "m-2", 6);
	ck_assert(finds(lineage, "r-1", &entry));
	ck_assert_int_eq(entry.sent_ns, 1005);
	ck_assert(finds(lineage, "m-2", &entry));
	ck_assert_str_eq(entry.request_id, "r-2");
	ck_assert(!finds(lineage, "r-", &entry));
	ck_assert(!finds(lineage, "m-22", &entry));
	ck_assert(!finds(lineage, "", &entry));
	lineage_destroy(lineage);
}
END_TEST

START_TEST(test_newest_of_one_id_is_found)
{
	struct lineage_entry entry;
	struct lineage *lineage = lineage_create(10, 10);
	add(lineage, "r-1", "m", 50);
	add(lineage, "r-2", "m", 5);
	ck_assert(finds(lineage, "m", &entry));
	ck_assert_str_eq(entry.request_id, "r-2");
	lineage_destroy(lineage);
}
END_TEST

START_TEST(test_last_requests_are_kept_and_no_more)
{
	struct lineage_entry entry;
	char id[32];
	struct lineage *lineage = lineage_create(100, 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "r-%d", i);
		add(lineage, id, "", 1);
	}
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "r-%d", i);
		ck_assert_int_eq(finds(lineage, id, &entry), i >= 900);
	}
	lineage_destroy(lineage);
}
END_TEST

START_TEST(test_slowest_outlive_the_last)
{
	struct lineage_entry entry;
	char id[32];
	struct lineage *lineage = lineage_create(10, 3);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "r-%d", i);
		add(lineage, id, "", i * 7919 % 1000);
	}
	for (int i = 0; i < 990; i++) {
		(void)snprintf(id, sizeof(id), "r-%d", i);
		ck_assert_int_eq(finds(lineage, id, &entry), i * 7919 % 1000 >= 997);
	}
	lineage_destroy(lineage);
}
END_TEST

START_TEST(test_nothing_is_kept_when_nothing_is_asked_for)
{
	struct lineage_entry entry;
	struct lineage *lineage = lineage_create(0, 0);
	add(lineage, "r-1", "", 5);
	ck_assert(!finds(lineage, "r-1", &entry));
	lineage_destroy(lineage);
}
END_TEST

START_TEST(test_request_that_timed_out_is_shown_as_it_ended)
{
	struct lineage_entry entry, at_once = entry_of("r", "", 5), later = entry_of("r", "m", 90);
	at_once.timed_out = later.timed_out = true;
	at_once.times.ack_ns = 0;
	for (int order = 0; order < 2; order++) {
		struct lineage *lineage = lineage_create(10, 10);
		lineage_add(lineage, order ? &later : &at_once);
		lineage_add(lineage, order ? &at_once : &later);
		ck_assert(finds(lineage, "r", &entry));
		ck_assert_int_eq(entry.times.ack_ns, 1090);
		lineage_destroy(lineage);
	}
}
END_TEST

static void *add_many(void *lineage)
{
	struct lineage_entry entry;
	char id[32];
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(id, sizeof(id), "%p-%d", (void *)&entry, i);
		add(lineage, id, "same", i % 100);
		if (i % 50 == 0)
			ck_assert(finds(lineage, "same", &entry));
	}
	return NULL;
}

START_TEST(test_threads_add_and_look_at_once)
{
	pthread_t threads[4];
	struct lineage *lineage = lineage_create(64, 8);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, lineage), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	lineage_destroy(lineage);
}
END_TEST

/* The example of the documentation. */
static struct lineage_entry example(void)
{
	struct lineage_entry entry = entry_of("0193", "m-1", 67 * NS_PER_MS);
	static const struct {
		int kind, exit_ms;
	} steps[] = {{SLUICE_KIND_AUTH, 8},
	             {SLUICE_KIND_IDEMPOTENCY, 15},
	             {SLUICE_KIND_QUEUE, 20},
	             {SLUICE_KIND_PERSIST, 65}};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		entry.times.stages[steps[i].kind].ran = true;
		entry.times.stages[steps[i].kind].exit_ns = 1000 + steps[i].exit_ms * NS_PER_MS;
	}
	static const char *const spans[] = {"execute", "commit", NULL};
	entry.times.stages[SLUICE_KIND_PERSIST].work_ns = 40 * NS_PER_MS;
	entry.times.stages[SLUICE_KIND_PERSIST].spans_ns[1] = 30 * NS_PER_MS;
	entry.spans[SLUICE_KIND_PERSIST] = spans;
	return entry;
}

START_TEST(test_tree_is_the_documented_one)
{
	struct buffer text = {0};
	struct lineage_entry entry = example();
	lineage_write_text(&entry, &text);
	ck_assert_str_eq(text.data, "request_id: 0193\n"
	                            "  ├─ ingress: 20:00:00.000 (0ms)\n"
	                            "  ├─ auth: 20:00:00.008 (+8ms)\n"
	                            "  ├─ idempotency: 20:00:00.015 (+7ms)\n"
	                            "  ├─ queue: 20:00:00.020 (+5ms)\n"
	                            "  ├─ persist: 20:00:00.065 (+45ms)\n"
	                            "  └─ response: 20:00:00.067 (+2ms)\n"
	                            "  TOTAL: 67ms\n");
	buffer_finish(&text);
}
END_TEST

START_TEST(test_credential_stands_with_the_auth_stage)
{
	struct buffer text = {0};
	struct lineage_entry entry = example();
	(void)strcpy(entry.credential, "secret-2");
	lineage_write_text(&entry, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "\n  ├─ auth: 20:00:00.008 (+8ms) [secret-2]\n  ├─ idempotency:"));
	buffer_empty(&text);
	lineage_write_json(&entry, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "\"credential\":\"secret-2\""));
	buffer_finish(&text);
}
END_TEST

START_TEST(test_tree_of_a_quick_request_shows_microseconds)
{
	struct buffer text = {0};
	struct lineage_entry entry = entry_of("q", "", 812 * NS_PER_US);
	entry.times.stages[SLUICE_KIND_AUTH].ran = true;
	entry.times.stages[SLUICE_KIND_AUTH].exit_ns = 1000 + 12 * NS_PER_US;
	lineage_write_text(&entry, &text);
	ck_assert_str_eq(text.data, "request_id: q\n"
	                            "  ├─ ingress: 20:00:00.000000 (0ms)\n"
	                            "  ├─ auth: 20:00:00.000012 (+12µs)\n"
	                            "  └─ response: 20:00:00.000812 (+800µs)\n"
	                            "  TOTAL: 812µs\n");
	buffer_finish(&text);
}
END_TEST

START_TEST(test_stage_behind_an_early_answer_ends_at_the_ack_point)
{
	struct buffer text = {0};
	struct lineage_entry entry = entry_of("q", "", 20 * NS_PER_MS);
	entry.times.ack_ns = 1000 + 15 * NS_PER_MS;
	entry.times.stages[SLUICE_KIND_QUEUE].ran = true;
	lineage_write_text(&entry, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "queue: 20:00:00.015 (+15ms)"));
	buffer_finish(&text);
}
END_TEST

START_TEST(test_document_holds_each_stage)
{
	struct buffer text = {0};
	struct lineage_entry entry = example();
	lineage_write_json(&entry, &text);
	static const char *const parts[] = {
		"\"request_id\":\"0193\"",
		"\"message_id\":\"m-1\"",
		"\"status\":202",
		"\"outcome\":\"accepted\"",
		"\"received_at\":\"2023-11-15T20:00:00.000000Z\"",
		"\"stage\":\"persist\",\"at\":\"2023-11-15T20:00:00.065000Z\"",
		"\"offset_ms\":65.000,\"took_ms\":45.000,\"work_ms\":40.000",
		"\"spans\":{\"execute\":0.000,\"commit\":30.000}",
		"\"total_ms\":67.000",
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		ck_assert_msg(strstr(text.data, parts[i]) != NULL, "%s is not in %s", parts[i], text.data);
	buffer_finish(&text);
}
END_TEST

START_TEST(test_profile_is_one_line)
{
	struct buffer text = {0};
	struct lineage_entry entry = example();
	lineage_write_profile(&entry, &text);
	ck_assert_str_eq(
		text.data,
		"LATENCY_PROFILE: {\"requestId\":\"0193\",\"messageId\":\"m-1\",\"stages\":{\"auth\":8.000,\"idempotency\":7.000,\"queue\":5.000,\"persist\":45.000,\"response\":2.000},\"total\":67.000}");
	buffer_finish(&text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("lineage");
	TCase *ring = tcase_create("ring");
	tcase_add_test(ring, test_request_is_found_by_either_id);
	tcase_add_test(ring, test_newest_of_one_id_is_found);
	tcase_add_test(ring, test_last_requests_are_kept_and_no_more);
	tcase_add_test(ring, test_slowest_outlive_the_last);
	tcase_add_test(ring, test_nothing_is_kept_when_nothing_is_asked_for);
	tcase_add_test(ring, test_request_that_timed_out_is_shown_as_it_ended);
	tcase_add_test(ring, test_threads_add_and_look_at_once);
	TCase *text = tcase_create("text");
	tcase_add_test(text, test_tree_is_the_documented_one);
	tcase_add_test(text, test_credential_stands_with_the_auth_stage);
	tcase_add_test(text, test_tree_of_a_quick_request_shows_microseconds);
	tcase_add_test(text, test_stage_behind_an_early_answer_ends_at_the_ack_point);
	tcase_add_test(text, test_document_holds_each_stage);
	tcase_add_test(text, test_profile_is_one_line);
	suite_add_tcase(suite, ring);
	suite_add_tcase(suite, text);
	return suite;
}

UNIT_SUITE(test_lineage, make_suite)
