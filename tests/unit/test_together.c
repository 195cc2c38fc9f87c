/*
 * Overlays together: what two do beyond what each does alone, and which set to keep, on changes that were planted.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "lab/judge/together.h"
#include "support/unit.h"

enum { A = 1, B = 2, C = 4 };

#define MARGIN 0.05

static struct together_set set_of(uint64_t overlays, double change, double half, enum verdict_outcome outcome)
{
	return (struct together_set){overlays, {log1p(change), half}, outcome};
}

START_TEST(test_word_says_what_two_do_beyond_what_each_does_alone)
{
	static const struct {
		double one, other, together, half;
		enum together_word expected;
	} cases[] = {
		{-0.2, -0.1, -0.28, 0.01, TOGETHER_ADD_UP}, /* 0.8 · 0.9 = 0.72 */
		{-0.2, -0.1, -0.20, 0.01, TOGETHER_HINDER}, /* the second adds nothing */
		{-0.2, -0.1, -0.40, 0.01, TOGETHER_HELP},
		{+0.1, -0.3, -0.30, 0.01, TOGETHER_HELP}, /* beside the other it does no harm */
		{-0.2, -0.1, -0.20, 0.20, TOGETHER_OPEN},
		{-0.2, -0.1, -0.28, INFINITY, TOGETHER_OPEN},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct together_set sets[] = {set_of(A, cases[i].one, cases[i].half, VERDICT_BETTER),
		                                    set_of(B, cases[i].other, cases[i].half, VERDICT_BETTER),
		                                    set_of(A | B, cases[i].together, cases[i].half, VERDICT_BETTER)};
		struct together_pair pair;
		ck_assert(together_judge(sets, 3, A, B, MARGIN, &pair));
		ck_assert_msg(pair.word == cases[i].expected, "case %zu: %s", i, together_texts[pair.word].name);
		ck_assert_double_eq_tol(expm1(pair.expected.mean), (1 + cases[i].one) * (1 + cases[i].other) - 1, 1e-9);
	}
}
END_TEST

START_TEST(test_interval_of_what_is_beyond_holds_that_of_all_three)
{
	const struct together_set sets[] = {set_of(A, -0.2, 0.02, VERDICT_BETTER),
	                                    set_of(B, -0.1, 0.06, VERDICT_BETTER),
	                                    set_of(A | B, -0.3, 0.09, VERDICT_BETTER)};
	struct together_pair pair;
	ck_assert(together_judge(sets, 3, A, B, MARGIN, &pair));
	ck_assert_double_eq_tol(pair.beyond.half, 0.11, 1e-9);
	ck_assert_double_eq_tol(together_chain(sets[2].change, sets[1].change).mean, log(0.7 / 0.9), 1e-9);
}
END_TEST

START_TEST(test_pair_that_was_not_compared_is_not_judged)
{
	const struct together_set sets[] = {set_of(A, -0.2, 0.01, VERDICT_BETTER),
	                                    set_of(B, -0.1, 0.01, VERDICT_BETTER),
	                                    set_of(A | B | C, -0.3, 0.01, VERDICT_BETTER)};
	struct together_pair pair;
	ck_assert(!together_judge(sets, 3, A, B, MARGIN, &pair));
	ck_assert(!together_judge(sets, 3, A, C, MARGIN, &pair));
}
END_TEST

static void assert_recommended(const struct together_set *sets, size_t count, uint64_t expected, uint64_t expected_best)
{
	const struct together_set *best, *chosen = together_recommend(sets, count, MARGIN, &best);
	ck_assert_uint_eq(chosen ? chosen->overlays : 0, expected);
	ck_assert_uint_eq(best ? best->overlays : 0, expected_best);
}

START_TEST(test_smallest_set_within_the_margin_of_the_best_is_recommended)
{
	const struct together_set sets[] = {
		set_of(A, -0.27, 0.01, VERDICT_BETTER),
		set_of(B, -0.10, 0.01, VERDICT_BETTER),
		set_of(A | B, -0.29, 0.01, VERDICT_BETTER),
		set_of(A | B | C, -0.30, 0.01, VERDICT_BETTER),
	};
	assert_recommended(sets, 4, A, A | B | C);
	assert_recommended(sets + 1, 3, A | B, A | B | C); /* without the comparison of A alone */
	assert_recommended(sets + 1, 1, B, B);
}
END_TEST

START_TEST(test_of_as_many_overlays_the_best_is_recommended)
{
	const struct together_set sets[] = {set_of(A, -0.27, 0.01, VERDICT_BETTER),
	                                    set_of(B, -0.28, 0.01, VERDICT_BETTER),
	                                    set_of(A | B, -0.29, 0.01, VERDICT_BETTER)};
	assert_recommended(sets, 3, B, A | B);
}
END_TEST

/* A low P95 of a set that loses events, or of one that may be chance, is none. */
START_TEST(test_what_is_not_proven_to_be_better_is_not_recommended)
{
	const struct together_set sets[] = {set_of(A, -0.6, 0.01, VERDICT_WORSE),
	                                    set_of(B, -0.5, 0.9, VERDICT_INCONCLUSIVE),
	                                    set_of(C, -0.2, 0.01, VERDICT_BETTER)};
	assert_recommended(sets, 3, C, C);
	assert_recommended(sets, 2, 0, 0);
	assert_recommended(sets, 0, 0, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("together");
	TCase *words = tcase_create("words");
	tcase_add_test(words, test_word_says_what_two_do_beyond_what_each_does_alone);
	tcase_add_test(words, test_interval_of_what_is_beyond_holds_that_of_all_three);
	tcase_add_test(words, test_pair_that_was_not_compared_is_not_judged);
	suite_add_tcase(s, words);
	TCase *sets = tcase_create("sets");
	tcase_add_test(sets, test_smallest_set_within_the_margin_of_the_best_is_recommended);
	tcase_add_test(sets, test_of_as_many_overlays_the_best_is_recommended);
	tcase_add_test(sets, test_what_is_not_proven_to_be_better_is_not_recommended);
	suite_add_tcase(s, sets);
	return s;
}

UNIT_SUITE(test_together, suite)
