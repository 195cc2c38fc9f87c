/*
 * parse/json against bodies made to cost more than they weigh, or to be read in two ways.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "conform/bench.h"
#include "support/harness.h"
#include "support/unit.h"

/* Every test runs with both stages, which agree in everything. */
static const char *implementation;

static void use_json(void)
{
	implementation = "json";
}

static void use_scan(void)
{
	implementation = "scan";
}

#define REPEATED "the body: expected each key once in the outermost object, got a duplicate"

static const char *const whole_body[] = {"message_id=header:Id", "event_type=header:Id", "payload=", NULL};

static struct sluice_event *parse(struct harness *h, const void *body, size_t size, enum sluice_verdict *verdict_out)
{
	struct sluice_event *event = harness_event(h);
	harness_header(event, "Id", "m");
	harness_body(event, body, size);
	*verdict_out = harness_process(h, event);
	return event;
}

/* What became of an object with these members: "" if it was taken, else the sentence. */
static const char *judge(struct harness *h, const char *members)
{
	static char sentence[256];
	struct buffer body = {0};
	buffer_printf(&body, "{%s}", members);
	enum sluice_verdict verdict;
	struct sluice_event *event = parse(h, body.data, body.size, &verdict);
	(void)snprintf(sentence, sizeof(sentence), "%s", verdict == SLUICE_PASS ? "" : harness_detail(event));
	harness_free(event);
	buffer_finish(&body);
	return sentence;
}

START_TEST(test_keys_are_the_same_by_their_characters_alone)
{
	static const struct {
		const char *members;
		bool same;
	} cases[] = {
		{"\"a\\u0000\":1,\"a\\ufdd0\":2", false},
		{"\"a\\u0000\":1,\"a\xef\xb7\x90\":2", false},
		{"\"a\\\\u0000\":1,\"a\\\\ufdd0\":2", false},
		{"\"a\\u0000\":1,\"a\":2", false},
		{"\"a\\u0000b\":1,\"a\\u0000c\":2", false},
		{"\"\\u0000\":1,\"\":2", false},
		{"\"\\u0000\":1,\"\\u0000\\u0000\":2", false},
		{"\"a\":1,\"A\":2", false},
		{"\"e\\u0301\":1,\"\\u00e9\":2", false}, /* not normalised */
		{"\"\\ud83d\\ude00\":1,\"\\ud83d\\ude01\":2", false},
		{"\"\\\\n\":1,\"\\n\":2", false},
		{"\"a\\u0000\":1,\"a\\u0000\":2", true},
		{"\"a\\ufdd0\":1,\"a\xef\xb7\x90\":2", true},
		{"\"\\u0061\":1,\"a\":2", true},
		{"\"\\/\":1,\"/\":2", true},
		{"\"\\u000a\":1,\"\\n\":2", true},
		{"\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2", true},
		{"\"\\u00E9\":1,\"\\u00e9\":2", true},
		{"\"\":1,\"\":2", true},
		{"\"x\":{\"a\":1,\"a\":2}", false},
	};
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, whole_body);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *sentence = judge(h, cases[i].members);
		ck_assert_msg(strcmp(sentence, cases[i].same ? REPEATED : "") == 0, "%s: '%s'", cases[i].members,
		              sentence);
	}
	harness_close(h);
}
END_TEST

/* So many members "k0":0, …, of which the last may repeat another. */
static void make_members(struct buffer *body, size_t count, size_t repeated)
{
	buffer_add_text(body, "{");
	for (size_t i = 0; i < count; i++)
		buffer_printf(body, "%s\"k%zu\":%zu", i ? "," : "", i == count - 1 ? repeated : i, i);
	buffer_add_text(body, "}");
}

START_TEST(test_one_duplicate_among_many_keys_is_found)
{
	static const size_t counts[] = {2, 63, 64, 65, 127, 128, 129, 1000, 65536, 100000};
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, whole_body);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		size_t count = counts[i], last = count - 1;
		const size_t repeated[] = {last, 0, last / 2, last - 1};
		for (size_t j = 0; j < sizeof(repeated) / sizeof(repeated[0]); j++) {
			struct buffer body = {0};
			make_members(&body, count, repeated[j]);
			enum sluice_verdict verdict;
			struct sluice_event *event = parse(h, body.data, body.size, &verdict);
			ck_assert_msg(verdict == (repeated[j] == last ? SLUICE_PASS : SLUICE_REJECT),
			              "%zu keys, the last of which is number %zu: %s", count, repeated[j],
			              harness_detail(event));
			harness_free(event);
			buffer_finish(&body);
		}
	}
	harness_close(h);
}
END_TEST

START_TEST(test_long_keys_with_escapes_are_compared_whole)
{
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, whole_body);
	struct buffer members = {0};
	for (int same = 0; same < 2; same++) {
		buffer_empty(&members);
		for (int key = 0; key < 2; key++) {
			buffer_add_text(&members, key ? ",\"" : "\"");
			for (int i = 0; i < 1000; i++)
				buffer_add_text(&members, key ? "\\u0061" : "a");
			buffer_add_text(&members, same || key ? "b\":1" : "c\":1");
		}
		buffer_add(&members, "", 1);
		ck_assert_str_eq(judge(h, members.data), same ? REPEATED : "");
	}
	buffer_finish(&members);
	harness_close(h);
}
END_TEST

START_TEST(test_id_with_a_noncharacter_keeps_it)
{
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, NULL);
	static const char body[] = "{\"messageId\":\"a\\ufdd0\",\"eventType\":\"t\",\"payload\":{\"\\u0000\":1}}";
	enum sluice_verdict verdict;
	struct sluice_event *event = parse(h, body, sizeof(body) - 1, &verdict);
	ck_assert_msg(verdict == SLUICE_PASS, "%s", harness_detail(event));
	ck_assert_uint_eq(event->message_id.size, 4);
	ck_assert_mem_eq(event->message_id.data, "a\xef\xb7\x90", 4);
	harness_free(event);
	harness_close(h);
}
END_TEST

/* The judge of the range is strtod(), as it is of senders written in C. */
START_TEST(test_numbers_are_in_range_where_a_double_is)
{
	static const char *const numbers[] = {
		"1.7976931348623157e308",
		"1.7976931348623158e308",
		"1.7976931348623159e308",
		"-1.7976931348623159e308",
		"0.00017976931348623159e312",
		"0.00017976931348623157e312",
		"17976931348623159e292",
		"17976931348623158e292",
		"1e308",
		"1e309",
		"9e307",
		"2e308",
		"-2E+308",
		"10e308",
		"0.1e309",
		"0.1e310",
		"0e999999999999999999999",
		"-0.000e99999",
		"0.0000000000000000000001e330",
		"0.0000000000000000000001e331",
		"1e-99999999999999999999",
		"123e-400",
		"1e00000000000000000000308",
		"1e0000000000000000000309",
	};
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, whole_body);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char members[80];
		(void)snprintf(members, sizeof(members), "\"n\":%s", numbers[i]);
		bool taken = judge(h, members)[0] == '\0';
		ck_assert_msg(taken == !isinf(strtod(numbers[i], NULL)), "%s: %s", numbers[i],
		              taken ? "taken" : "refused");
	}
	harness_close(h);
}
END_TEST

/* 2^1024 - 2^970 and its neighbours as integers, with the digits spread over point and exponent. */
START_TEST(test_the_largest_number_is_known_to_its_last_digit)
{
	static const char halfway[] =
		"179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587"
		"207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711"
		"531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093"
		"042880177904174497792";
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, whole_body);
	for (int last = 1; last <= 3; last++) {
		for (int point = 1; point < 309; point += 44) {
			char members[400];
			(void)snprintf(members, sizeof(members), "\"n\":%.*s.%.*s%d000e%d", point, halfway,
			               309 - point - 1, halfway + point, last, 309 - point);
			ck_assert_msg((judge(h, members)[0] == '\0') == (last < 2), "%s", members);
		}
	}
	harness_close(h);
}
END_TEST

/* What a parser allocates is the event's, so that out of memory is 503: never a refusal, never more than the bound. */
START_TEST(test_without_memory_it_is_tried_again_later)
{
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, NULL);
	struct buffer many = {0}, escaped = {0}, nested = {0};
	make_members(&many, 1000, 999);
	buffer_printf(&escaped, "{\"%0300d\\n\":1}", 0);
	buffer_add_text(&nested, "{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":[");
	for (int i = 0; i < 10000; i++)
		buffer_add_text(&nested, "{\"a\":[{}]},");
	buffer_add_text(&nested, "0]}");
	const struct {
		const struct buffer *body;
		enum sluice_verdict verdict;
	} cases[] = {{&many, SLUICE_RETRY}, {&escaped, SLUICE_RETRY}, {&nested, SLUICE_PASS}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = harness_event(h);
		harness_body(event, cases[i].body->data, cases[i].body->size);
		bench_starve(event);
		ck_assert_int_eq(harness_process(h, event), cases[i].verdict);
		harness_free(event);
	}
	buffer_finish(&many);
	buffer_finish(&escaped);
	buffer_finish(&nested);
	harness_close(h);
}
END_TEST

static void add_cases(Suite *suite, void (*use)(void))
{
	TCase *keys = tcase_create("keys");
	tcase_add_checked_fixture(keys, use, NULL);
	tcase_add_test(keys, test_keys_are_the_same_by_their_characters_alone);
	tcase_add_test(keys, test_one_duplicate_among_many_keys_is_found);
	tcase_add_test(keys, test_long_keys_with_escapes_are_compared_whole);
	tcase_add_test(keys, test_id_with_a_noncharacter_keeps_it);
	suite_add_tcase(suite, keys);
	TCase *costs = tcase_create("numbers and memory");
	tcase_add_checked_fixture(costs, use, NULL);
	tcase_add_test(costs, test_numbers_are_in_range_where_a_double_is);
	tcase_add_test(costs, test_the_largest_number_is_known_to_its_last_digit);
	tcase_add_test(costs, test_without_memory_it_is_tried_again_later);
	suite_add_tcase(suite, costs);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("parse/json, parse/scan: hostile bodies");
	add_cases(suite, use_json);
	add_cases(suite, use_scan);
	return suite;
}

UNIT_SUITE(test_parse_json_hostile, suite)
