/*
 * What pairs of blocks say. The interval comes from Student's t, the p from flipping signs: if the two sides are alike,
 * every difference could as well have had the other sign, whatever the noise looks like.
 */
#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/prng.h"
#include "lab/run/estimate.h"

enum {
	EXACT_PAIRS_MAX = 16, /* up to here all 2^n flips are looked at */
	RANDOM_FLIPS = 20000,
	GROUP = 8, /* pairs whose sums under all 2^8 flips are kept in a table */
};

const size_t estimate_look_pairs[ESTIMATE_LOOKS] = {10, 20, 30, 40};
const double estimate_look_p[ESTIMATE_LOOKS] = {0.0028, 0.0120, 0.0232, 0.0346};

/* Sums of eight differences under every choice of their signs: a flip of 40 pairs is five look-ups. */
struct group {
	double sums[1 << GROUP];
};

static struct group *make_groups(const double *d, size_t pairs, size_t *count_out)
{
	size_t count = (pairs + GROUP - 1) / GROUP;
	struct group *groups = must_calloc(count + 1, sizeof(*groups));
	for (size_t i = 0; i < pairs; i++) {
		double *sums = groups[i / GROUP].sums;
		for (unsigned flips = 0; flips < 1u << GROUP; flips++)
			sums[flips] += flips >> (i % GROUP) & 1 ? -d[i] : d[i];
	}
	*count_out = count;
	return groups;
}

static double random_sum(const struct group *groups, size_t count, struct prng *random)
{
	double sum = 0;
	uint64_t bits = 0;
	for (size_t i = 0; i < count; i++) {
		bits = i % (64 / GROUP) == 0 ? prng_next(random) : bits >> GROUP;
		sum += groups[i].sums[bits & ((1u << GROUP) - 1)];
	}
	return sum;
}

static double flip_p(const double *d, size_t pairs, double sum, double size, uint64_t seed)
{
	size_t count, extreme = 0, flips = RANDOM_FLIPS;
	struct group *groups = make_groups(d, pairs, &count);
	double least = fabs(sum) - 1e-12 * size; /* the same sum, added up in another order, counts as the same */
	if (pairs <= EXACT_PAIRS_MAX) {
		flips = (size_t)1 << pairs;
		for (size_t i = 0; i < flips; i++) {
			double other = count > 1 ? groups[1].sums[i >> GROUP] : 0;
			extreme += fabs(groups[0].sums[i & ((1u << GROUP) - 1)] + other) >= least;
		}
	} else {
		struct prng random;
		prng_init(&random, seed);
		for (size_t i = 0; i < flips; i++)
			extreme += fabs(random_sum(groups, count, &random)) >= least;
		/* What was seen is one of the flips, too; without it p could be 0 (Phipson and Smyth, 2010). */
		extreme++;
		flips++;
	}
	free(groups);
	return (double)extreme / (double)flips;
}

void estimate_pairs(const double *d, size_t pairs, double alpha, uint64_t seed, struct estimate_pairs *result_out)
{
	double sum = 0, size = 0, squares = 0;
	*result_out = (struct estimate_pairs){
		.pairs = pairs, .low = -INFINITY, .high = INFINITY, .half_width = INFINITY, .p = 1};
	if (pairs == 0)
		return;
	for (size_t i = 0; i < pairs; i++) {
		sum += d[i];
		size += fabs(d[i]);
	}
	result_out->mean = sum / (double)pairs;
	result_out->p = flip_p(d, pairs, sum, size, seed);
	if (pairs == 1)
		return;
	for (size_t i = 0; i < pairs; i++)
		squares += (d[i] - result_out->mean) * (d[i] - result_out->mean);
	double freedom = (double)pairs - 1;
	result_out->deviation = sqrt(squares / freedom);
	result_out->half_width = estimate_t_quantile(1 - alpha / 2, freedom) * result_out->deviation /
	                         sqrt((double)pairs);
	result_out->low = result_out->mean - result_out->half_width;
	result_out->high = result_out->mean + result_out->half_width;
}

enum { PAIRS_NEEDED_MAX = 1 << 30 };

static bool tells_apart(size_t pairs, double deviation, double half_width, double alpha)
{
	return estimate_t_quantile(1 - alpha / 2, (double)pairs - 1) * deviation / sqrt((double)pairs) <= half_width;
}

size_t estimate_pairs_needed(double deviation, double half_width, double alpha)
{
	if (deviation <= 0)
		return 2;
	if (half_width <= 0)
		return SIZE_MAX;
	/* The normal distribution's answer is a little too small; t is asked from there on. */
	double least = deviation * estimate_normal_quantile(1 - alpha / 2) / half_width;
	if (least * least > 1e9)
		return least * least < (double)(SIZE_MAX / 2) ? (size_t)(least * least) : SIZE_MAX;
	size_t pairs = (size_t)(least * least);
	if (pairs < 2)
		pairs = 2;
	if (tells_apart(pairs, deviation, half_width, alpha))
		return pairs;
	/* `pairs` are too few; `enough` are found by doubling, and the least of them between the two. */
	size_t enough = 2 * pairs;
	for (; enough < PAIRS_NEEDED_MAX && !tells_apart(enough, deviation, half_width, alpha); enough *= 2)
		pairs = enough;
	while (enough - pairs > 1) {
		size_t middle = pairs + (enough - pairs) / 2;
		if (tells_apart(middle, deviation, half_width, alpha))
			enough = middle;
		else
			pairs = middle;
	}
	return enough;
}
