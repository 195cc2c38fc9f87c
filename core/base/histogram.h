/*
 * A log-linear histogram of durations: 100 ns to 60 s with a relative error of at most 1 %.
 *
 * Each power of two is cut into 64 equal buckets; a bucket is reported by its middle, so the error is at most 1/128 of
 * the value. What lies outside the range is counted in the first or last bucket. One thread records without a lock, any
 * thread may read at the same time: what it sees is a moment's truth, each counter whole.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_SUB_BITS = 6,
	HISTOGRAM_FIRST_OCTAVE = 6, /* 64 ns */
	HISTOGRAM_LAST_OCTAVE = 35, /* up to 68.7 s */
	HISTOGRAM_BUCKETS = (HISTOGRAM_LAST_OCTAVE - HISTOGRAM_FIRST_OCTAVE + 1) << HISTOGRAM_SUB_BITS,
};

struct histogram {
	_Atomic uint64_t count; /* before the buckets: in one page with those of short times */
	_Atomic uint64_t sum_ns;
	_Atomic int64_t max_ns; /* exact */
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS];
};

/* Starts zeroed. By one thread; negative counts as 0. */
void histogram_record(struct histogram *histogram, int64_t ns);

/* into += from; into -= from (of an earlier copy of the same; the maximum is then that of the highest bucket left).
 * `into` belongs to the caller. */
void histogram_add(struct histogram *into, const struct histogram *from);
void histogram_subtract(struct histogram *into, const struct histogram *from);

/* The smallest value that at least `fraction` (0–1) of the values do not exceed, by nearest rank; 0 when there are
 * none. */
int64_t histogram_quantile(const struct histogram *histogram, double fraction);

/* How many values are at most `ns` (whole buckets, by their middle; so within 1 % of `ns`). */
uint64_t histogram_count_at_most(const struct histogram *histogram, int64_t ns);

/* For exporters: the bounds of a bucket, [low, high). */
void histogram_bucket_bounds(size_t bucket, int64_t *low_ns, int64_t *high_ns);

#endif
