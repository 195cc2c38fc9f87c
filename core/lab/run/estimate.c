/*
 * Every distribution here goes back to one function, the regularised incomplete beta function: its continued fraction
 * converges fast on the side of the mean that is asked about, and a quantile is found by bisection, which cannot go
 * astray. Exactness matters more than speed: a verdict hangs on whether 20 or 21 errors certify a limit.
 */
#include "lab/run/estimate.h"

#include <math.h>
#include <stdlib.h>

enum {
	FRACTION_STEPS_MAX = 100000, /* the fraction takes in the order of √(a + b) of them */
	BISECTIONS_MAX = 200,
};

static int compare(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

void estimate_sort(int64_t *values, size_t count)
{
	if (count > 1)
		qsort(values, count, sizeof(*values), compare);
}

int64_t estimate_quantile(const int64_t *sorted, size_t count, double fraction)
{
	if (count == 0)
		return 0;
	/* 0.07 · 100 is a little more than 7 in binary, and the seventh is meant. */
	double rank = ceil(fraction * (double)count * (1 - 1e-12));
	if (rank < 1)
		rank = 1;
	return sorted[rank < (double)count ? (size_t)rank - 1 : count - 1];
}

/* Keeps a denominator of the fraction off zero (Thompson and Barnett, 1986). */
static double off_zero(double value)
{
	return fabs(value) < 1e-300 ? 1e-300 : value;
}

/* The continued fraction of the incomplete beta function (NIST DLMF 8.17.22), by Lentz's method: x below the mean. */
static double beta_fraction(double x, double a, double b)
{
	double c = 1, d = 1 / off_zero(1 - (a + b) * x / (a + 1)), value = d;
	for (int step = 1; step < FRACTION_STEPS_MAX; step++) {
		double m = step;
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / off_zero(1 + even * d);
		c = off_zero(1 + even / c);
		value *= c * d;
		d = 1 / off_zero(1 + odd * d);
		c = off_zero(1 + odd / c);
		value *= c * d;
		if (fabs(c * d - 1) < 1e-15)
			break;
	}
	return value;
}

static double log_gamma(double x)
{
	int sign;
	return lgamma_r(x, &sign);
}

/* I_x(a, b): the probability that a beta variable is at most x. */
static double beta_probability(double x, double a, double b)
{
	if (x <= 0 || x >= 1)
		return x > 0;
	double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(x, a, b) / a;
	return 1 - front * beta_fraction(1 - x, b, a) / b;
}

static double beta_quantile(double p, double a, double b)
{
	double low = 0, high = 1;
	for (int i = 0; i < BISECTIONS_MAX && high - low > 1e-15 * high; i++) {
		double middle = low + (high - low) / 2;
		if (beta_probability(middle, a, b) < p)
			low = middle;
		else
			high = middle;
	}
	return low + (high - low) / 2;
}

double estimate_t_quantile(double p, double freedom)
{
	if (p < 0.5)
		return -estimate_t_quantile(1 - p, freedom);
	double x = beta_quantile(2 * (1 - p), freedom / 2, 0.5);
	return sqrt(freedom * (1 - x) / x);
}

double estimate_normal_quantile(double p)
{
	if (p < 0.5)
		return -estimate_normal_quantile(1 - p);
	double low = 0, high = 40; /* beyond it 1 − p is below the smallest double */
	for (int i = 0; i < BISECTIONS_MAX && high - low > 1e-15; i++) {
		double middle = (low + high) / 2;
		if (erfc(middle / sqrt(2)) / 2 > 1 - p)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

double estimate_share_upper(size_t bad, size_t count, double confidence)
{
	return bad >= count ? 1 : beta_quantile(confidence, (double)bad + 1, (double)(count - bad));
}

double estimate_share_lower(size_t bad, size_t count, double confidence)
{
	return bad == 0 || count == 0 ? 0 : beta_quantile(1 - confidence, (double)bad, (double)(count - bad) + 1);
}

/* P(at most k of n), each with probability p. */
static double binomial_probability(size_t k, size_t n, double p)
{
	return k >= n ? 1 : beta_probability(1 - p, (double)(n - k), (double)k + 1);
}

/* The least k of 0..n with P(at most k) ≥ p. */
static size_t binomial_quantile(double p, size_t n, double share)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (binomial_probability(middle, n, share) < p)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* As many values as a binomial variable says lie below the quantile, so the ranks are quantiles of that. */
bool estimate_quantile_ranks(size_t count, double fraction, double confidence, size_t *low_out, size_t *high_out)
{
	double outside = (1 - confidence) / 2;
	if (count == 0 || fraction <= 0 || fraction >= 1)
		return false;
	/* The low rank's own chance to lie above the quantile must not exceed `outside`, so it is one less than where
	 * that is first passed, unless it is met to the letter. */
	size_t low = binomial_quantile(outside, count, fraction);
	if (binomial_probability(low, count, fraction) <= outside)
		low++;
	size_t high = binomial_quantile(1 - outside, count, fraction) + 1;
	if (low < 1 || high > count)
		return false;
	*low_out = low;
	*high_out = high;
	return true;
}
