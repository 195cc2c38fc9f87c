/*
 * Folding what perf says: callers first, equal stacks together.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/trial/stacks.h"
#include "support/unit.h"

static const struct {
	const char *script, *folded;
	size_t samples;
} cases[] = {
	{"", "", 0},
	{"http \n\t  7f01 inner\n\t  7f02 outer\n\n", "http;outer;inner 1\n", 1},
	{"http \n\t 1 a\n\t 2 b\n\nworker\n\t 1 a\n\nhttp \n\t 3 a\n\t 4 b\n\n", "http;b;a 2\nworker;a 1\n", 3},
	{"work1\n\t 1 a\n\nwork12 \n\t 1 a\n\n7\n\n", "7 1\nwork;a 2\n", 3},
	{"http x \n\t 1 operator new(unsigned long)\n", "http x;operator new(unsigned long) 1\n",
         1}, /* no empty line at the end */
	{"http\n\t 1 a;b\n\t 2\n\n", "http;[unknown];a:b 1\n", 1},
	{"http\n\t 1 [unknown]\n\t 2 [unknown]\n\t 3 a\n\t 4\n\n", "http;[unknown];a;[unknown] 1\n", 1},
	{"http\n\nhttp\n\n", "http 2\n", 2}, /* no stack is a stack, too */
	{"\t 1 astray\n\n\n", "", 0},
};

START_TEST(test_stacks_are_folded)
{
	char *text = strdup(cases[_i].script), *folded = NULL;
	size_t size = 0;
	FILE *script = fmemopen(text[0] ? text : " ", text[0] ? strlen(text) : 1, "r");
	FILE *out = open_memstream(&folded, &size);
	ck_assert(script && out);
	ck_assert_uint_eq(stacks_fold(script, out), cases[_i].samples);
	(void)fclose(script);
	(void)fclose(out);
	ck_assert_str_eq(folded, cases[_i].folded);
	free(folded);
	free(text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("stacks");
	TCase *fold = tcase_create("fold");
	tcase_add_loop_test(fold, test_stacks_are_folded, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, fold);
	return s;
}

UNIT_SUITE(test_stacks, suite)
