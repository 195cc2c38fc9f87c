/*
 * Growth over time: found where it is, and not made out of neighbours that are alike, simulated and recorded
 * (tests/fixtures/noise/README.md).
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "lab/run/estimate.h"
#include "support/unit.h"

enum { TRIALS = 1000, SERIES = 3000, BLOCK = 400, PAIRS = 60, WINDOW = 12 /* pairs of a window */ };

static struct prng random_numbers;
static int64_t series[PAIRS * BLOCK];

static double normal(void)
{
	double u = 1 - prng_unit(&random_numbers);
	return sqrt(-2 * log(u)) * cos(6.283185307179586 * prng_unit(&random_numbers));
}

/* Each as near to the one before as `alike`; the whole grows by `growth` of its level from beginning to end. */
static void simulate(size_t count, double alike, double growth)
{
	double state = normal();
	for (size_t i = 0; i < count; i++) {
		state = alike * state + sqrt(1 - alike * alike) * normal();
		series[i] = llround(1e6 * exp(0.3 * state) * (1 + growth * (double)i / (double)count));
	}
}

/* As it was done before: medians of thirds, with intervals by ranks that take every value as independent. */
static bool ranks_lie_apart(const int64_t *values, size_t count)
{
	int64_t sorted[2][PAIRS * BLOCK / 3];
	size_t third = count / 3, low, high;
	memcpy(sorted[0], values, third * sizeof(*values));
	memcpy(sorted[1], values + count - third, third * sizeof(*values));
	estimate_sort(sorted[0], third);
	estimate_sort(sorted[1], third);
	ck_assert(estimate_quantile_ranks(third, 0.5, 0.95, &low, &high));
	return sorted[0][high - 1] < sorted[1][low - 1] || sorted[1][high - 1] < sorted[0][low - 1];
}

static bool has_shifted(const int64_t *values, size_t count)
{
	struct estimate_shift shift;
	ck_assert(estimate_shift(values, count, 0.05, &shift));
	return shift.low > 0 || shift.high < 0;
}

START_TEST(test_shift_is_that_of_the_medians_by_hand)
{
	struct estimate_shift shift;
	for (int64_t i = 0; i < 54; i++)
		series[i] = i < 18 ? 100 : i < 36 ? 5000 : 120;
	ck_assert(estimate_shift(series, 54, 0.05, &shift));
	ck_assert_double_eq_tol(shift.first, 100, 1e-9);
	ck_assert_double_eq_tol(shift.last, 120, 1e-9);
	ck_assert_double_eq_tol(shift.low, 20, 1e-9);
	ck_assert_double_eq_tol(shift.high, 20, 1e-9);
	/* Medians of the last third 120, 121, … 125: mean 122.5, deviation √3.5, t(5) at 97.5 % 2.5706 */
	for (int64_t i = 36; i < 54; i++)
		series[i] = 120 + (i - 36) / 3;
	ck_assert(estimate_shift(series, 54, 0.05, &shift));
	ck_assert_double_eq_tol(shift.high - shift.low, 2 * 2.5705818 * sqrt(3.5 / 6), 1e-5);
	ck_assert_double_eq_tol(shift.last, 122.5, 1e-9);
}
END_TEST

START_TEST(test_too_few_values_have_no_shift)
{
	struct estimate_shift shift;
	ck_assert(!estimate_shift(series, ESTIMATE_SHIFT_LEAST - 1, 0.05, &shift));
	ck_assert(!estimate_shift(NULL, 0, 0.05, &shift));
}
END_TEST

/* Neighbours alike, and none: what was done before calls half of them growth. */
START_TEST(test_neighbours_that_are_alike_are_no_growth)
{
	static const double alike[] = {0, 0.9, 0.98};
	for (size_t k = 0; k < sizeof(alike) / sizeof(alike[0]); k++) {
		int found = 0, found_before = 0;
		prng_init(&random_numbers, 20261129 + k);
		for (int trial = 0; trial < TRIALS; trial++) {
			simulate(SERIES, alike[k], 0);
			found += has_shifted(series, SERIES);
			found_before += ranks_lie_apart(series, SERIES);
		}
		ck_assert_msg(found <= 70, "%g: %d of %d", alike[k], found, TRIALS);
		ck_assert_msg(alike[k] < 0.5 || found_before > 300, "%g: the ranks find %d", alike[k], found_before);
	}
}
END_TEST

START_TEST(test_growth_among_neighbours_that_are_alike_is_found)
{
	int found = 0;
	prng_init(&random_numbers, 7);
	for (int trial = 0; trial < 100; trial++) {
		simulate(SERIES, 0.9, 0.5);
		found += has_shifted(series, SERIES);
	}
	ck_assert_int_ge(found, 95);
}
END_TEST

static void read_noise(void)
{
	char path[512];
	uint32_t block[2 * BLOCK];
	(void)snprintf(path, sizeof(path), TEST_SOURCE_DIR "/tests/fixtures/noise/sqlite.bin");
	FILE *file = fopen(path, "rbe");
	ck_assert_ptr_nonnull(file);
	for (size_t pair = 0; pair < PAIRS; pair++) {
		ck_assert_uint_eq(fread(block, sizeof(*block), 2 * (size_t)BLOCK, file), 2 * (size_t)BLOCK);
		for (size_t i = 0; i < BLOCK; i++)
			series[pair * BLOCK + i] = block[i];
	}
	(void)fclose(file);
}

/* Windows of what was recorded of one arm, with blocks as they came and in any order: in any order nothing grows. */
START_TEST(test_recorded_noise_in_any_order_does_not_grow)
{
	static int64_t window[WINDOW * BLOCK];
	int found = 0, found_before = 0;
	read_noise();
	prng_init(&random_numbers, 11);
	for (int trial = 0; trial < TRIALS; trial++) {
		for (size_t i = 0; i < WINDOW; i++)
			memcpy(window + i * BLOCK, series + BLOCK * (size_t)prng_below(&random_numbers, PAIRS),
			       BLOCK * sizeof(*window));
		found += has_shifted(window, WINDOW * (size_t)BLOCK);
		found_before += ranks_lie_apart(window, WINDOW * (size_t)BLOCK);
	}
	ck_assert_msg(found <= 70, "%d of %d", found, TRIALS);
	ck_assert_msg(found_before > 300, "the ranks find %d", found_before);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("estimate_shift");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 240);
	tcase_add_test(all, test_shift_is_that_of_the_medians_by_hand);
	tcase_add_test(all, test_too_few_values_have_no_shift);
	tcase_add_test(all, test_neighbours_that_are_alike_are_no_growth);
	tcase_add_test(all, test_growth_among_neighbours_that_are_alike_is_found);
	tcase_add_test(all, test_recorded_noise_in_any_order_does_not_grow);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_estimate_shift, make_suite)
