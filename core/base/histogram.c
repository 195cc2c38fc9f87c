/*
 * The log-linear histogram; see histogram.h.
 *
 * Only one thread writes a histogram, so a relaxed load and store make an increment; no locked instruction is needed.
 */
#include "base/histogram.h"

enum { SUB_BUCKETS = 1 << HISTOGRAM_SUB_BITS };

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void bump(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, load(counter) + by, memory_order_relaxed);
}

static size_t bucket_of(uint64_t ns)
{
	if (ns < UINT64_C(1) << HISTOGRAM_FIRST_OCTAVE)
		return 0;
	unsigned octave = 63U - (unsigned)__builtin_clzll(ns);
	if (octave > HISTOGRAM_LAST_OCTAVE)
		return HISTOGRAM_BUCKETS - 1;
	size_t within = (size_t)(ns >> (octave - HISTOGRAM_SUB_BITS)) & (SUB_BUCKETS - 1);
	return ((size_t)(octave - HISTOGRAM_FIRST_OCTAVE) << HISTOGRAM_SUB_BITS) + within;
}

void histogram_bucket_bounds(size_t bucket, int64_t *low_ns, int64_t *high_ns)
{
	unsigned shift = (unsigned)(bucket >> HISTOGRAM_SUB_BITS) + HISTOGRAM_FIRST_OCTAVE - HISTOGRAM_SUB_BITS;
	uint64_t within = (bucket & (SUB_BUCKETS - 1)) + SUB_BUCKETS;
	*low_ns = (int64_t)(within << shift);
	*high_ns = (int64_t)((within + 1) << shift);
}

static int64_t middle_of(size_t bucket)
{
	int64_t low, high;
	histogram_bucket_bounds(bucket, &low, &high);
	return low + (high - low) / 2;
}

void histogram_record(struct histogram *histogram, int64_t ns)
{
	uint64_t value = ns > 0 ? (uint64_t)ns : 0;
	bump(&histogram->counts[bucket_of(value)], 1);
	bump(&histogram->count, 1);
	bump(&histogram->sum_ns, value);
	if ((int64_t)value > atomic_load_explicit(&histogram->max_ns, memory_order_relaxed))
		atomic_store_explicit(&histogram->max_ns, (int64_t)value, memory_order_relaxed);
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
	uint64_t count = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t more = load(&from->counts[i]);
		if (more == 0)
			continue;
		bump(&into->counts[i], more);
		count += more;
	}
	/* The buckets' own sum rather than from->count: read while another thread records, the two may differ by one.
	 */
	bump(&into->count, count);
	bump(&into->sum_ns, load(&from->sum_ns));
	int64_t max = atomic_load_explicit(&from->max_ns, memory_order_relaxed);
	if (max > atomic_load_explicit(&into->max_ns, memory_order_relaxed))
		atomic_store_explicit(&into->max_ns, max, memory_order_relaxed);
}

void histogram_subtract(struct histogram *into, const struct histogram *from)
{
	uint64_t count = 0;
	int64_t highest = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t left = load(&into->counts[i]) - load(&from->counts[i]);
		atomic_store_explicit(&into->counts[i], left, memory_order_relaxed);
		count += left;
		if (left)
			highest = middle_of(i);
	}
	atomic_store_explicit(&into->count, count, memory_order_relaxed);
	atomic_store_explicit(&into->sum_ns, load(&into->sum_ns) - load(&from->sum_ns), memory_order_relaxed);
	atomic_store_explicit(&into->max_ns, highest, memory_order_relaxed);
}

int64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
	uint64_t count = load(&histogram->count);
	if (count == 0)
		return 0;
	double exact = fraction * (double)count;
	uint64_t rank = (uint64_t)exact;
	if ((double)rank < exact)
		rank++;
	if (rank < 1)
		rank = 1;
	int64_t max = atomic_load_explicit(&histogram->max_ns, memory_order_relaxed);
	uint64_t seen = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += load(&histogram->counts[i]);
		if (seen < rank)
			continue;
		int64_t middle = middle_of(i);
		return middle < max ? middle : max;
	}
	return max;
}

uint64_t histogram_count_at_most(const struct histogram *histogram, int64_t ns)
{
	uint64_t count = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS && middle_of(i) <= ns; i++)
		count += load(&histogram->counts[i]);
	return count;
}
