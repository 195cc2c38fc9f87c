/*
 * Whether a series has shifted; see estimate.h.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/run/estimate.h"

enum { BATCHES = 6 /* of a third */, BATCH_LEAST = 3 };
_Static_assert(ESTIMATE_SHIFT_LEAST == 3 * BATCHES * BATCH_LEAST, "each batch has as many as it takes");

struct third {
	double mean, variance; /* of the medians; the variance is that of their mean */
};

static double median_of(const int64_t *values, size_t count, int64_t *scratch)
{
	memcpy(scratch, values, count * sizeof(*scratch));
	estimate_sort(scratch, count);
	return (double)estimate_quantile(scratch, count, 0.5);
}

static struct third measure(const int64_t *values, size_t count, int64_t *scratch)
{
	struct third third = {0, 0};
	double medians[BATCHES];
	for (size_t i = 0; i < BATCHES; i++) {
		size_t from = i * count / BATCHES, to = (i + 1) * count / BATCHES;
		medians[i] = median_of(values + from, to - from, scratch);
		third.mean += medians[i] / BATCHES;
	}
	for (size_t i = 0; i < BATCHES; i++)
		third.variance += (medians[i] - third.mean) * (medians[i] - third.mean) / ((BATCHES - 1) * BATCHES);
	return third;
}

/* Welch and Satterthwaite. */
static double freedom_of(const struct third *a, const struct third *b)
{
	double both = a->variance + b->variance;
	return both * both * (BATCHES - 1) / (a->variance * a->variance + b->variance * b->variance);
}

bool estimate_shift(const int64_t *series, size_t count, double alpha, struct estimate_shift *shift_out)
{
	size_t third = count / 3;
	if (count < ESTIMATE_SHIFT_LEAST)
		return false;
	int64_t *scratch = must_calloc(third, sizeof(*scratch));
	struct third first = measure(series, third, scratch);
	struct third last = measure(series + count - third, third, scratch);
	double both = first.variance + last.variance;
	double reach = both > 0 ? estimate_t_quantile(1 - alpha / 2, freedom_of(&first, &last)) * sqrt(both) : 0;
	*shift_out = (struct estimate_shift){first.mean, last.mean, last.mean - first.mean - reach,
	                                     last.mean - first.mean + reach};
	free(scratch);
	return true;
}
