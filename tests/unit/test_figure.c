/* Figures for people. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "lab/run/figure.h"
#include "support/unit.h"

START_TEST(test_measured_figures_have_three_digits_and_a_fitting_unit)
{
	static const struct {
		double value;
		const char *unit, *text;
	} cases[] = {
		{231.4, "ms", "231\u00a0ms"},
		{62.14, "ms", "62.1\u00a0ms"},
		{0.04123, "ms", "41.2\u00a0µs"},
		{1430, "ms", "1.43\u00a0s"},
		{412, "µs", "412\u00a0µs"},
		{2500000, "µs", "2.50\u00a0s"},
		{1822, "B", "1.78\u00a0KiB"},
		{61203456, "bytes", "58.4\u00a0MiB"},
		{499.6, "1/s", "500/s"},
		{17342, "1/s", "17,300/s"},
		{-12.34, "", "−12.3"},
		{0, "ms", "0\u00a0ms"},
		{NAN, "ms", "–"},
		{INFINITY, "ms", "–"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(figure_of(cases[i].value, cases[i].unit).text, cases[i].text);
}
END_TEST

START_TEST(test_given_figures_stay_as_they_were_given)
{
	ck_assert_str_eq(figure_given(95, "%").text, "95\u00a0%");
	ck_assert_str_eq(figure_given(100 * 0.05, "%").text, "5\u00a0%");
	ck_assert_str_eq(figure_given(0.00005, "").text, "0.00005");
	ck_assert_str_eq(figure_given(0.0042, "").text, "0.0042");
	ck_assert_str_eq(figure_given(12500, "").text, "12,500");
	ck_assert_str_eq(figure_given(NAN, "").text, "–");
}
END_TEST

START_TEST(test_counts_are_whole_and_have_commas)
{
	ck_assert_str_eq(figure_count(0).text, "0");
	ck_assert_str_eq(figure_count(999).text, "999");
	ck_assert_str_eq(figure_count(30000).text, "30,000");
	ck_assert_str_eq(figure_count(1234567).text, "1,234,567");
	ck_assert_str_eq(figure_count(NAN).text, "–");
}
END_TEST

START_TEST(test_changes_have_a_sign_and_shares_have_none)
{
	ck_assert_str_eq(figure_change(-0.7316).text, "−73.2\u00a0%");
	ck_assert_str_eq(figure_change(0.0006).text, "+0.06\u00a0%");
	ck_assert_str_eq(figure_change(0).text, "0\u00a0%");
	ck_assert_str_eq(figure_change(12.5).text, "+1,250\u00a0%");
	ck_assert_str_eq(figure_change(NAN).text, "–");
	ck_assert_str_eq(figure_share(0.083).text, "8.30\u00a0%");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("figure");
	TCase *figures = tcase_create("figures");
	tcase_add_test(figures, test_measured_figures_have_three_digits_and_a_fitting_unit);
	tcase_add_test(figures, test_given_figures_stay_as_they_were_given);
	tcase_add_test(figures, test_counts_are_whole_and_have_commas);
	tcase_add_test(figures, test_changes_have_a_sign_and_shares_have_none);
	suite_add_tcase(suite, figures);
	return suite;
}

UNIT_SUITE(test_figure, make_suite)
