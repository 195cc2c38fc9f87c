/*
 * Estimates: against printed tables, against sums computed another way, and by simulation with fixed seeds.
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "lab/run/estimate.h"
#include "support/unit.h"

enum { REQUESTS = 30000, PAIRS_MAX = 40 };

static uint64_t dice;

static void start_dice(void)
{
	dice = 20261125;
}

/* xorshift64*: another generator than the one under test */
static double uniform(void)
{
	dice ^= dice >> 12;
	dice ^= dice << 25;
	dice ^= dice >> 27;
	return ((double)(dice * UINT64_C(2685821657736338717) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

START_TEST(test_quantile_is_the_nearest_rank)
{
	int64_t values[100];
	for (int64_t i = 0; i < 100; i++)
		values[i] = (i * 37) % 100 + 1; /* 1 … 100, shuffled */
	estimate_sort(values, 100);
	ck_assert_int_eq(estimate_quantile(values, 100, 0.5), 50);
	ck_assert_int_eq(estimate_quantile(values, 100, 0.95), 95);
	ck_assert_int_eq(estimate_quantile(values, 100, 0.951), 96);
	ck_assert_int_eq(estimate_quantile(values, 100, 0.07), 7);
	ck_assert_int_eq(estimate_quantile(values, 100, 0), 1);
	ck_assert_int_eq(estimate_quantile(values, 100, 1), 100);
	ck_assert_int_eq(estimate_quantile(values, 1, 0.95), 1);
	ck_assert_int_eq(estimate_quantile(values, 0, 0.95), 0);
}
END_TEST

START_TEST(test_t_quantiles_are_those_of_the_tables)
{
	static const struct {
		double p, freedom, t;
	} rows[] = {
		{0.975, 1, 12.706205}, {0.975, 2, 4.302653},   {0.95, 10, 1.812461},   {0.975, 19, 2.093024},
		{0.975, 39, 2.022691}, {0.995, 5, 4.032143},   {0.9995, 3, 12.923979}, {0.975, 1e6, 1.959966},
		{0.5, 7, 0},           {0.025, 19, -2.093024},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_double_eq_tol(estimate_t_quantile(rows[i].p, rows[i].freedom), rows[i].t, 1e-5);
}
END_TEST

START_TEST(test_normal_quantiles_are_those_of_the_tables)
{
	ck_assert_double_eq_tol(estimate_normal_quantile(0.5), 0, 1e-9);
	ck_assert_double_eq_tol(estimate_normal_quantile(0.95), 1.644853627, 1e-8);
	ck_assert_double_eq_tol(estimate_normal_quantile(0.975), 1.959963985, 1e-8);
	ck_assert_double_eq_tol(estimate_normal_quantile(0.001), -3.090232306, 1e-8);
}
END_TEST

/* P(at most k of n), term by term. */
static double at_most(size_t k, size_t n, double p)
{
	double sum = 0;
	for (size_t i = 0; i <= k; i++) {
		double term = lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1);
		sum += exp(term + (double)i * log(p) + (double)(n - i) * log1p(-p));
	}
	return sum;
}

START_TEST(test_bounds_of_a_share_leave_exactly_the_error_allowed)
{
	static const struct {
		size_t bad, count;
	} rows[] = {{0, 1},      {1, 2},        {0, 1000},      {1, 20},     {5, 10},
	            {20, 30000}, {1437, 30000}, {29999, 30000}, {7, 5000000}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t bad = rows[i].bad, count = rows[i].count;
		double upper = estimate_share_upper(bad, count, 0.95), lower = estimate_share_lower(bad, count, 0.95);
		ck_assert_double_eq_tol(at_most(bad, count, upper), 0.05, 1e-6);
		if (bad > 0)
			ck_assert_double_eq_tol(1 - at_most(bad - 1, count, lower), 0.05, 1e-6);
		ck_assert_double_lt(lower, upper);
	}
}
END_TEST

START_TEST(test_bounds_of_a_share_are_those_printed)
{
	ck_assert_double_eq_tol(estimate_share_lower(5, 10, 0.975), 0.1871, 5e-5);
	ck_assert_double_eq_tol(estimate_share_upper(5, 10, 0.975), 0.8129, 5e-5);
	ck_assert_double_eq_tol(estimate_share_lower(1, 20, 0.975), 0.0013, 5e-5);
	ck_assert_double_eq_tol(estimate_share_upper(1, 20, 0.975), 0.2487, 5e-5);
	ck_assert_double_eq_tol(estimate_share_upper(0, 1000, 0.95), 1 - pow(0.05, 0.001), 1e-12);
	ck_assert_double_eq_tol(estimate_share_upper(0, 1000, 0.95), 0.0030, 5e-5);
}
END_TEST

START_TEST(test_bounds_of_a_share_at_the_ends)
{
	ck_assert_double_eq(estimate_share_upper(0, 0, 0.95), 1);
	ck_assert_double_eq(estimate_share_lower(0, 0, 0.95), 0);
	ck_assert_double_eq(estimate_share_upper(9, 9, 0.95), 1);
	ck_assert_double_eq(estimate_share_lower(0, 9, 0.95), 0);
	ck_assert_double_eq_tol(estimate_share_lower(9, 9, 0.95), pow(0.05, 1.0 / 9), 1e-12);
}
END_TEST

START_TEST(test_thirty_thousand_requests_certify_what_they_can)
{
	ck_assert(estimate_share_upper(20, REQUESTS, 0.95) <= 0.001);
	ck_assert(estimate_share_upper(21, REQUESTS, 0.95) > 0.001);
	ck_assert(estimate_share_lower(40, REQUESTS, 0.95) > 0.001);
	ck_assert(estimate_share_lower(39, REQUESTS, 0.95) <= 0.001);
	ck_assert(estimate_share_upper(1437, REQUESTS, 0.95) <= 0.05);
	ck_assert(estimate_share_upper(1438, REQUESTS, 0.95) > 0.05);
	ck_assert(estimate_share_upper(271, REQUESTS, 0.95) <= 0.01);
	ck_assert(estimate_share_upper(272, REQUESTS, 0.95) > 0.01);
}
END_TEST

START_TEST(test_ranks_hold_the_quantile_with_the_confidence_asked_for)
{
	static const struct {
		size_t count;
		double fraction;
	} rows[] = {{6, 0.5}, {100, 0.5}, {1000, 0.95}, {30000, 0.95}, {30000, 0.99}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t low, high, count = rows[i].count;
		double fraction = rows[i].fraction;
		ck_assert(estimate_quantile_ranks(count, fraction, 0.95, &low, &high));
		/* Each side alone leaves out at most 2.5 %, and one rank closer would leave out more. */
		ck_assert(at_most(low - 1, count, fraction) <= 0.025);
		ck_assert(at_most(low, count, fraction) > 0.025);
		ck_assert(at_most(high - 1, count, fraction) >= 0.975);
		ck_assert(at_most(high - 2, count, fraction) < 0.975);
	}
}
END_TEST

START_TEST(test_too_few_values_have_no_ranks)
{
	size_t low, high;
	ck_assert(!estimate_quantile_ranks(5, 0.5, 0.95, &low, &high));
	ck_assert(!estimate_quantile_ranks(71, 0.95, 0.95, &low, &high)); /* 0.95^71 is above 0.025, 0.95^72 below */
	ck_assert(estimate_quantile_ranks(72, 0.95, 0.95, &low, &high));
	ck_assert(!estimate_quantile_ranks(0, 0.5, 0.95, &low, &high));
}
END_TEST

START_TEST(test_pairs_give_mean_interval_and_p_by_hand)
{
	const double d[] = {0.1, 0.2, 0.3, 0.4};
	struct estimate_pairs result;
	estimate_pairs(d, 4, 0.05, 1, &result);
	ck_assert_uint_eq(result.pairs, 4);
	ck_assert_double_eq_tol(result.mean, 0.25, 1e-12);
	ck_assert_double_eq_tol(result.deviation, 0.1290994449, 1e-9);
	ck_assert_double_eq_tol(result.half_width, 3.182446305 * 0.1290994449 / 2, 1e-8);
	ck_assert_double_eq_tol(result.high - result.low, 2 * result.half_width, 1e-12);
	ck_assert_double_eq_tol(result.p, 2.0 / 16, 1e-12); /* only all of one sign is as far from zero */
}
END_TEST

START_TEST(test_few_pairs_say_nothing)
{
	struct estimate_pairs result;
	estimate_pairs((const double[]){0.7}, 1, 0.05, 1, &result);
	ck_assert_double_eq(result.mean, 0.7);
	ck_assert(isinf(result.low) && isinf(result.high) && isinf(result.half_width));
	ck_assert_double_eq(result.p, 1);
	estimate_pairs(NULL, 0, 0.05, 1, &result);
	ck_assert(isinf(result.low) && isinf(result.high));
	ck_assert_double_eq(result.p, 1);
}
END_TEST

START_TEST(test_p_of_many_pairs_is_near_the_exact_one_and_the_same_each_time)
{
	/* 16 pairs are exact; a seventeenth of zero changes no sum's size, so p must come out alike at random. */
	double d[17] = {0};
	struct estimate_pairs exact, random, again;
	start_dice();
	for (size_t i = 0; i < 16; i++)
		d[i] = 0.3 + normal();
	estimate_pairs(d, 16, 0.05, 1, &exact);
	estimate_pairs(d, 17, 0.05, 1, &random);
	estimate_pairs(d, 17, 0.05, 1, &again);
	ck_assert_double_eq_tol(random.p, exact.p, 0.01);
	ck_assert_double_eq(random.p, again.p);
	estimate_pairs(d, 17, 0.05, 2, &again);
	ck_assert_double_ne(random.p, again.p);
}
END_TEST

/* Two sides that are alike: differences of skewed noise, as latencies have it. */
static void draw_alike(double *d, size_t pairs)
{
	for (size_t i = 0; i < pairs; i++)
		d[i] = log(exp(normal() / 2) + 1) - log(exp(normal() / 2) + 1);
}

static void assert_alike_is_told_right(size_t pairs, size_t simulations)
{
	size_t covered = 0, significant = 0;
	start_dice();
	for (size_t i = 0; i < simulations; i++) {
		double d[PAIRS_MAX];
		struct estimate_pairs result;
		draw_alike(d, pairs);
		estimate_pairs(d, pairs, 0.05, i, &result);
		covered += result.low <= 0 && 0 <= result.high;
		significant += result.p < 0.05;
	}
	double share = (double)covered / (double)simulations, false_share = (double)significant / (double)simulations;
	ck_assert_msg(0.935 <= share && share <= 0.965, "%zu pairs: %.3f covered", pairs, share);
	ck_assert_msg(0.035 <= false_share && false_share <= 0.065, "%zu pairs: %.3f false", pairs, false_share);
}

START_TEST(test_alike_sides_differ_in_five_of_a_hundred)
{
	assert_alike_is_told_right(12, 2000); /* exact flips */
	assert_alike_is_told_right(20, 2000); /* random flips */
}
END_TEST

/* Whether a comparison of alike sides, judged at those looks, is ever called a difference. */
static bool looks_go_wrong(const size_t *at, const double *limits, size_t looks, uint64_t seed)
{
	double d[PAIRS_MAX];
	draw_alike(d, PAIRS_MAX);
	for (size_t i = 0; i < looks; i++) {
		struct estimate_pairs result;
		estimate_pairs(d, at[i], 0.05, seed, &result);
		if (result.p < limits[i])
			return true;
	}
	return false;
}

static double share_gone_wrong(const size_t *at, const double *limits, size_t looks, size_t simulations)
{
	size_t wrong = 0;
	start_dice();
	for (size_t i = 0; i < simulations; i++)
		wrong += looks_go_wrong(at, limits, looks, i);
	return (double)wrong / (double)simulations;
}

START_TEST(test_first_look_can_stop)
{
	double d[10];
	struct estimate_pairs result;
	for (size_t i = 0; i < estimate_look_pairs[0]; i++)
		d[i] = 0.1 + 0.01 * (double)i;
	estimate_pairs(d, estimate_look_pairs[0], 0.05, 1, &result);
	ck_assert_double_lt(result.p, estimate_look_p[0]);
	d[0] = -d[0]; /* nine against one are not enough */
	estimate_pairs(d, estimate_look_pairs[0], 0.05, 1, &result);
	ck_assert_double_ge(result.p, estimate_look_p[0]);
}
END_TEST

START_TEST(test_planned_looks_keep_the_error_and_peeking_does_not)
{
	size_t each[PAIRS_MAX];
	double always[PAIRS_MAX];
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		each[i] = i + 1;
		always[i] = 0.05;
	}
	double planned = share_gone_wrong(estimate_look_pairs, estimate_look_p, ESTIMATE_LOOKS, 2000);
	double peeking = share_gone_wrong(each, always, PAIRS_MAX, 300);
	ck_assert_msg(0.035 <= planned && planned <= 0.062, "planned: %.3f", planned);
	ck_assert_msg(0.2 <= peeking && peeking <= 0.35, "peeking: %.3f", peeking);
}
END_TEST

START_TEST(test_pairs_needed_are_the_fewest_that_do)
{
	static const struct {
		double deviation, half_width;
	} rows[] = {{0.1, 0.05}, {0.2, 0.02}, {0.25, 0.11}, {0.01, 0.5}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double deviation = rows[i].deviation, half_width = rows[i].half_width;
		size_t pairs = estimate_pairs_needed(deviation, half_width, 0.05);
		ck_assert_uint_ge(pairs, 2);
		double reached = estimate_t_quantile(0.975, (double)pairs - 1) * deviation / sqrt((double)pairs);
		ck_assert(reached <= half_width || pairs == 2);
		if (pairs > 2)
			ck_assert(estimate_t_quantile(0.975, (double)pairs - 2) * deviation / sqrt((double)pairs - 1) >
			          half_width);
	}
	ck_assert_uint_eq(estimate_pairs_needed(0, 0.1, 0.05), 2);
	ck_assert_uint_ge(estimate_pairs_needed(0.1, 0.1, 1e-308), 1 << 30); /* and not for ever */
	ck_assert_uint_eq(estimate_pairs_needed(0.1, 0, 0.05), SIZE_MAX);
	ck_assert_uint_gt(estimate_pairs_needed(1, 1e-6, 0.05), 3000000000000);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("estimate");
	TCase *tables = tcase_create("tables");
	TCase *pairs = tcase_create("pairs");
	tcase_add_test(tables, test_quantile_is_the_nearest_rank);
	tcase_add_test(tables, test_t_quantiles_are_those_of_the_tables);
	tcase_add_test(tables, test_normal_quantiles_are_those_of_the_tables);
	tcase_add_test(tables, test_bounds_of_a_share_leave_exactly_the_error_allowed);
	tcase_add_test(tables, test_bounds_of_a_share_are_those_printed);
	tcase_add_test(tables, test_bounds_of_a_share_at_the_ends);
	tcase_add_test(tables, test_thirty_thousand_requests_certify_what_they_can);
	tcase_add_test(tables, test_ranks_hold_the_quantile_with_the_confidence_asked_for);
	tcase_add_test(tables, test_too_few_values_have_no_ranks);
	tcase_add_test(pairs, test_pairs_give_mean_interval_and_p_by_hand);
	tcase_add_test(pairs, test_few_pairs_say_nothing);
	tcase_add_test(pairs, test_p_of_many_pairs_is_near_the_exact_one_and_the_same_each_time);
	tcase_add_test(pairs, test_alike_sides_differ_in_five_of_a_hundred);
	tcase_add_test(pairs, test_first_look_can_stop);
	tcase_add_test(pairs, test_planned_looks_keep_the_error_and_peeking_does_not);
	tcase_add_test(pairs, test_pairs_needed_are_the_fewest_that_do);
	tcase_set_timeout(pairs, 120); /* simulations, under a sanitizer too */
	suite_add_tcase(suite, tables);
	suite_add_tcase(suite, pairs);
	return suite;
}

UNIT_SUITE(test_estimate, make_suite)
