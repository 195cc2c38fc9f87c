/*
 * Estimates: quantiles, intervals and bounds, and what two sides in pairs of blocks say about each other. Pure
 * functions of their arguments. What each rests on, and what was measured about it, is in docs/internals/statistics.md.
 */
#ifndef LAB_RUN_ESTIMATE_H
#define LAB_RUN_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void estimate_sort(int64_t *values, size_t count);

/* The smallest of `sorted` that at least `fraction` (0–1) of them do not exceed (nearest rank); 0 of nothing. */
int64_t estimate_quantile(const int64_t *sorted, size_t count, double fraction);

/* The quantile of Student's t with `freedom` degrees: P(T ≤ result) = p; of the normal distribution. 0 < p < 1. */
double estimate_t_quantile(double p, double freedom);
double estimate_normal_quantile(double p);

/* Exact (Clopper–Pearson) one-sided bounds of a share of which `bad` of `count` were seen: the true share is above, or
 * below, with at most 1 − confidence. 1 and 0 of nothing. */
double estimate_share_upper(size_t bad, size_t count, double confidence);
double estimate_share_lower(size_t bad, size_t count, double confidence);

/* The ranks (from 1) of the ordered values between which the quantile `fraction` lies with at least `confidence`,
 * two-sided and free of any distribution. False where there are too few values for that. */
bool estimate_quantile_ranks(size_t count, double fraction, double confidence, size_t *low_out, size_t *high_out);

/* Differences d[i] of pairs, natural logarithms of ratios B/A. */
struct estimate_pairs {
	size_t pairs;
	double mean, low, high; /* of d, with Student's t at 1 − alpha; a single pair: −∞ and ∞ */
	double deviation;       /* standard deviation of d */
	double half_width;      /* (high − low) / 2: what this many pairs can tell apart */
	double p; /* two-sided, by flipping signs: all 2^n up to 16 pairs, else 20,000 at random, by seed */
};
void estimate_pairs(const double *d, size_t pairs, double alpha, uint64_t seed, struct estimate_pairs *result_out);

/* How many pairs it takes for an interval of that half width, given the deviation seen; at least 2. */
size_t estimate_pairs_needed(double deviation, double half_width, double alpha);

/* Whether a series has shifted from its first third to its last. Neighbours are alike, so a thousand values are not a thousand pieces of
 * evidence: each third is cut into six batches of neighbours, the medians of the batches are the observations, and Welch's t gives the
 * interval. A series of n values is taken as known if a batch has three. */
struct estimate_shift {
	double first, last; /* means of the medians */
	double low, high;   /* of last − first, at 1 − alpha */
};
enum { ESTIMATE_SHIFT_LEAST = 54 };
bool estimate_shift(const int64_t *series, size_t count, double alpha, struct estimate_shift *shift_out);

/* The p below which one may stop at look `look` (from 0) of the four at 10, 20, 30 and 40 pairs, 5 % over all: the boundaries of
 * Wang and Tsiatis (1987) with Δ = 0.25, two-sided. Those of O'Brien and Fleming ask for 0.00005 at the first look, which flipping
 * the signs of ten pairs cannot give. Simulated in tests/unit/test_estimate.c. */
enum { ESTIMATE_LOOKS = 4 };
extern const size_t estimate_look_pairs[ESTIMATE_LOOKS];
extern const double estimate_look_p[ESTIMATE_LOOKS];

#endif
