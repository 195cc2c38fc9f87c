/*
 * The fast reader of plain objects: it agrees with jansson wherever it takes a line, and takes no line that jansson
 * does not.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/host.h>

#include "base/arena.h"
#include "base/prng.h"
#include "lab/load/plain.h"

static struct plain plain;

static void tear_down(void)
{
	plain_finish(&plain);
}

static const char *const takes[] = {
	"{\"a\":\"\"}",
	"{\"a\":\"b\",\"c\":0}\n",
	"{\"a\":-12,\"b\":999999999999999999,\"c\":-0}",
	"{\"body\":\"{\\\"messageId\\\":\\\"m\\\",\\\"n\\\":1}\"}",
	"{\"a\":\"\\\\ \\/ \\b\\f\\n\\r\\t\"}",
	"{\"a\":\"Zoë 你好 🙂\"}",
};

static const char *const leaves[] = {
	"",
	"\n",
	"}",
	"{}",
	"{",
	"[1]",
	"{\"a\":1",
	"{\"a\":1}}",
	"{\"a\":1}\n\n",
	"{\"a\":1,}",
	"{,\"a\":1}",
	"{\"a\":1 }",
	"{ \"a\":1}",
	"{\"a\": 1}",
	"{\"a\":01}",
	"{\"a\":-}",
	"{\"a\":1.5}",
	"{\"a\":1e3}",
	"{\"a\":+1}",
	"{\"a\":1000000000000000000}",
	"{\"a\":true}",
	"{\"a\":null}",
	"{\"a\":{\"b\":1}}",
	"{\"a\":[]}",
	"{a:1}",
	"{\"a\"}",
	"{\"\\u0061\":1}",
	"{\"a\":\"\\u0061\"}",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\",
	"{\"a\":\"b}",
	"{\"a\":\"\t\"}",
	"{\"a\":\"\xff\"}",
	"{\"a\":\"\xed\xa0\x80\"}",
	"{\"a name of more than thirty-one bytes\":1}",
};

/* Whether the text is taken; each member must then be what jansson says. */
static bool takes_as_jansson(const char *text, size_t size)
{
	json_t *object = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
	size_t count = 0;
	plain_begin(&plain, text, size);
	while (plain_next(&plain)) {
		const json_t *value = json_object_get(object, plain.name);
		if (plain.type == PLAIN_NUMBER && value)
			ck_assert_int_eq(plain.number, json_integer_value(value));
		else if (value)
			ck_assert(sluice_bytes_equal(plain.text, (struct sluice_bytes){json_string_value(value),
			                                                               json_string_length(value)}));
		count++;
	}
	if (plain.is_complete)
		ck_assert_uint_eq(json_object_size(object), count);
	json_decref(object);
	return plain.is_complete;
}

START_TEST(test_plain_line_is_taken_as_jansson_takes_it)
{
	ck_assert_msg(takes_as_jansson(takes[_i], strlen(takes[_i])), "%s", takes[_i]);
}
END_TEST

START_TEST(test_anything_else_is_left)
{
	ck_assert_msg(!takes_as_jansson(leaves[_i], strlen(leaves[_i])), "%s", leaves[_i]);
}
END_TEST

START_TEST(test_line_that_is_cut_is_left)
{
	const char *text = takes[_i];
	size_t end = (size_t)(strrchr(text, '}') - text);
	for (size_t size = 0; size <= end; size++)
		ck_assert(!takes_as_jansson(text, size));
}
END_TEST

/* One byte of a good line becomes another, but no name twice the same, which is the caller's to see: what is still
 * taken must be what jansson says. */
START_TEST(test_damaged_line_is_never_taken_for_something_else)
{
	static const char bytes[] = "\"\\{}:,0z-1 \n\x80\xc3";
	struct prng random;
	prng_init(&random, (uint64_t)_i);
	for (size_t round = 0; round < 20000; round++) {
		char text[128];
		(void)snprintf(text, sizeof(text), "%s", takes[_i]);
		text[prng_below(&random, strlen(text))] = bytes[prng_below(&random, sizeof(bytes))];
		(void)takes_as_jansson(text, strlen(takes[_i]));
	}
}
END_TEST

#define COUNT_OF(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("plain");
	TCase *tc = tcase_create("core");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_loop_test(tc, test_plain_line_is_taken_as_jansson_takes_it, 0, COUNT_OF(takes));
	tcase_add_loop_test(tc, test_anything_else_is_left, 0, COUNT_OF(leaves));
	tcase_add_loop_test(tc, test_line_that_is_cut_is_left, 0, COUNT_OF(takes));
	tcase_add_loop_test(tc, test_damaged_line_is_never_taken_for_something_else, 0, COUNT_OF(takes));
	suite_add_tcase(s, tc);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
