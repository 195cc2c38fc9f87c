/*
 * parse/scan: it agrees with parse/json in everything, whichever kernel it runs. The suites of parse/json run with it as
 * well.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "support/parse_pair.h"
#include "support/unit.h"

static struct parse_pair *pair;

static void open_pair(void)
{
	pair = parse_pair_open();
}

static void close_pair(void)
{
	parse_pair_close(pair);
}

static void assert_same(const char *text, size_t size)
{
	const char *difference = parse_pair_compare(pair, text, size);
	ck_assert_msg(!difference, "%s: %.*s", difference, (int)(size < 400 ? size : 400), text);
}

static void read_file(const char *path, struct buffer *text)
{
	FILE *file = fopen(path, "rb");
	ck_assert_ptr_nonnull(file);
	char part[4096];
	for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
		buffer_add(text, part, size);
	(void)fclose(file);
}

START_TEST(test_corpus_is_judged_alike)
{
	glob_t files;
	ck_assert_int_eq(glob(TEST_SOURCE_DIR "/tests/golden/json/*.json", 0, NULL, &files), 0);
	ck_assert_uint_gt(files.gl_pathc, 300);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct buffer text = {0};
		read_file(files.gl_pathv[i], &text);
		if (text.size < 10000)
			assert_same(text.data ? text.data : "", text.size);
		buffer_finish(&text);
	}
	globfree(&files);
}
END_TEST

/* What stands at the seam of two blocks is where a scanner of blocks goes wrong. */
START_TEST(test_every_token_may_straddle_two_blocks)
{
	static const char *const tails[] = {
		"\"b\":[12,true]}}",
		"\"b\\u00e9\\\\\\\"\\ud83d\\ude00\":{\"\":[-1.5e3,0,null,{}]},\"c\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}}",
		" \"b\" : [ 1 , \"x\" , [ ] , { } ] \n } \t } \r\n",
		"\"b\":1}}x",
		"\"b\":01}}",
		"\"b\":1 2}}",
		"\"b\":tru}}",
		"\"b\" \"c\"}}",
		"\"b\":\"c\":1}}",
		"\"b\":[1:2]}}",
		"\"b\":[\"x\":2]}}",
		"\"b\",\"c\"}}",
		"\"b\":1,}}",
		"\"b\":[1,]}}",
		"\"b\":[1}]}",
		"\"b\":{]}}}",
		"\"b\":\"\\x\"}}",
		"\"b\":\"\\ud800\\u0041\"}}",
		"\"b\":\"\\\\ud800\\udc00\"}}",
		"\"b\":\"\xe2\x82\"}}",
		"\"b\":\"\xed\xa0\x80\"}}",
		"\"b\":\"\xf4\x90\x80\x80\"}}",
		"\"b\":\"\xc0\x80\"}}",
		"\"b\":\"\xe2\x28\xa1\"}}",
		"\"b\":\"\n\"}}",
		"\"b\":1e999}}",
		"b:1}}",
		"\\\"b\":1}}",
		"\"b\":12345678901234567890123456789012345678901234567890123456789012345678901234567890}}",
	};
	for (size_t tail = 0; tail < sizeof(tails) / sizeof(tails[0]); tail++) {
		for (int shift = 0; shift < 70; shift++) {
			char text[400];
			int size = snprintf(text, sizeof(text), "{\"x\":\"%.*s\",\"a\":{%s", shift,
			                    "-------------------------------------------------------------------------",
			                    tails[tail]);
			for (int end = size; end > size - 5 && end > 0; end--)
				assert_same(text, (size_t)end);
		}
	}
}
END_TEST

/* Each first byte, with the others at the edges of what may follow; before, in and behind the seam of two blocks, with whole
 * blocks around. */
START_TEST(test_utf8_is_judged_alike)
{
	static const unsigned char second[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};
	static const unsigned char others[] = {0x7f, 0x80, 0xbf, 0xc0};
	enum { SECOND = sizeof(second), OTHERS = sizeof(others), SEAM = 128 };
	char text[4 * SEAM];
	for (int first = 0x80; first <= 0xff; first++) {
		for (int i = 0; i < SECOND * OTHERS * OTHERS; i++) {
			memset(text, '-', sizeof(text));
			memcpy(text, "{\"a\":\"", 6);
			memcpy(text + sizeof(text) - 2, "\"}", 2);
			char *at = text + SEAM - (first + i) % 5;
			at[0] = (char)first;
			at[1] = (char)second[i % SECOND];
			at[2] = (char)others[i / SECOND % OTHERS];
			at[3] = (char)others[i / SECOND / OTHERS];
			const char *difference = parse_pair_scan(pair, text, sizeof(text));
			ck_assert_msg(!difference, "%s: %02x %02x %02x %02x", difference, first, at[1] & 0xff,
			              at[2] & 0xff, at[3] & 0xff);
		}
	}
}
END_TEST

/* A kernel that leaves everything to the plain scanner would agree with it, too. */
START_TEST(test_kernels_take_what_is_json_themselves)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"a\":\"b\",\"c\":{\"d\":[1,-2.5e3,true,false,null,\"\",\"x\"]},\"e\":[[],{},[{}]]}",
		"{ \"a\" : \"b\" ,\n\t\"c\" : [ 1 , \"x\" , { \"d\" : 0 } ] , \"e\" : { } }\r\n",
		"{\"\\\\\":\"\\\"\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\\\\",\"a\":\"\\\\\"}",
		"{\"Ã©\":\"â¬ð\"}",
		"{\"a\":{\"b\":[1,{\"a\":2},3],\"x\":\"y\"},\"payload\":{\"id\":\"i\",\"more\":1}}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (int shift = 0; shift < 70; shift++) {
			char text[400];
			int size = snprintf(text, sizeof(text), "[\"%.*s\",%s]", shift,
			                    "-------------------------------------------------------------------------",
			                    texts[i]);
			const char *kernel = parse_pair_declines(pair, text, (size_t)size);
			ck_assert_msg(!kernel, "%s declines: %s", kernel, text);
		}
	}
}
END_TEST

START_TEST(test_of_equal_keys_below_the_root_the_last_counts)
{
	static const char *const texts[] = {
		"{\"a\":{\"b\":[1,2],\"b\":3},\"payload\":{\"id\":1,\"id\":\"x\"}}",
		"{\"a\":{\"b\":1,\"b\":[1,{\"a\":1},2]}}",
		"{\"a\":{\"\\u0062\":[1,\"2\"],\"c\":{\"b\":[8,9]}},\"payload\":{\"i\\u0064\":7}}",
		"[{\"a\":1},{\"b\":2,\"a\":{\"a\":3}}]",
		"[[0,1],{\"a\":[1]}]",
		"{\"a\":{\"\":1,\"b\":{}},\"payload\":{}}",
		"{\"a\":[],\"a\":1}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_same(texts[i], strlen(texts[i]));
}
END_TEST

/* A text of tokens in random order, most of them where they may stand. */
static size_t make_text(unsigned *seed, char *text, size_t room)
{
	static const char *const tokens[] = {
		"{",
		"}",
		"[",
		"]",
		",",
		":",
		"\"a\"",
		"\"b\"",
		"\"\"",
		"1",
		"-0.5e1",
		"0",
		"true",
		"null",
		" ",
		"\n",
		"{\"a\":",
		"\"a\":{\"b\":[",
		"\"payload\":{\"id\":\"",
		"\"",
		"\\\\",
		"\\\"",
		"\\u12aB",
		"\\ud800\\udc00",
		"\xc3\xa9",
		"\xf0\x9f\x98\x80",
		"]}",
		"}}",
		",\"k\":",
		"0123456789",
		"\t",
		"x",
		"\xff",
		"----------------------------------------------------------------",
	};
	size_t size = 0, count = (size_t)rand_r(seed) % 24;
	for (size_t i = 0; i < count; i++) {
		const char *token = tokens[(size_t)rand_r(seed) % (sizeof(tokens) / sizeof(tokens[0]))];
		if (size + strlen(token) > room)
			break;
		memcpy(text + size, token, strlen(token));
		size += strlen(token);
	}
	return size;
}

/* One that is JSON but for what is changed in it. */
static size_t change_text(unsigned *seed, char *text)
{
	static const char good[] =
		"{\"a\":{\"b\":[1,{\"x\":\"\\u00e9\\n\"},-2.5e-3],\"n\":7},\"payload\":{\"id\":\"d\xc3\xa9j\xc3\xa0 vu\",\"k\":[true,false,null]},"
		"\"stream\" : \"s\" , \"sequence\":12,\"messageId\":\"m-1\",\"eventType\":\"t\",\"more\":[[],{},[[{\"y\":[0]}]]]}\n";
	static const char bytes[] = "{}[]:,\"\\ \n09ex\0\xc3\xa9";
	memcpy(text, good, sizeof(good) - 1);
	for (int changes = rand_r(seed) % 4; changes > 0; changes--)
		text[(size_t)rand_r(seed) % (sizeof(good) - 1)] = bytes[(size_t)rand_r(seed) % (sizeof(bytes) - 1)];
	return sizeof(good) - 1 - (rand_r(seed) % 8 ? 0 : (size_t)rand_r(seed) % (sizeof(good) - 1));
}

START_TEST(test_random_texts_are_judged_alike)
{
	unsigned seed = 20261128;
	char text[2048];
	for (int i = 0; i < 3000; i++) {
		assert_same(text, make_text(&seed, text, sizeof(text)));
		assert_same(text, change_text(&seed, text));
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("parse/scan");
	TCase *cases = tcase_create("against parse/json");
	tcase_add_unchecked_fixture(cases, open_pair, close_pair);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, test_corpus_is_judged_alike);
	tcase_add_test(cases, test_every_token_may_straddle_two_blocks);
	tcase_add_test(cases, test_utf8_is_judged_alike);
	tcase_add_test(cases, test_kernels_take_what_is_json_themselves);
	tcase_add_test(cases, test_of_equal_keys_below_the_root_the_last_counts);
	tcase_add_test(cases, test_random_texts_are_judged_alike);
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_parse_scan, suite)
