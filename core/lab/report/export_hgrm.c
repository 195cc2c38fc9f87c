/*
 * HdrHistogram's percentile distribution, as its outputPercentileDistribution() prints it with five ticks per half
 * distance: the steps halve each time the distance to 100 % has halved. A value is the one that this share of all
 * values does not exceed.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "lab/report/export_formats.h"
#include "lab/run/estimate.h"
#include "lab/run/parts.h"

enum { TICKS_PER_HALF = 5 };

struct distribution {
	int64_t *sorted; /* ns */
	size_t count;
};

static double ms(double ns)
{
	return ns / (double)NS_PER_MS;
}

static void gather(const struct sample_arm *arm, struct distribution *all)
{
	all->sorted = must_calloc(arm->count + 1, sizeof(*all->sorted));
	for (size_t i = 0; i < arm->count; i++) {
		struct parts parts;
		if (parts_of(&arm->records[i], &parts) == PARTS_KNOWN)
			all->sorted[all->count++] = parts.total_ns;
	}
	estimate_sort(all->sorted, all->count);
}

/* How many values are at most the one of rank `rank` (from 1). */
static size_t count_at_most(const struct distribution *all, size_t rank)
{
	while (rank < all->count && all->sorted[rank] == all->sorted[rank - 1])
		rank++;
	return rank;
}

static size_t rank_of(const struct distribution *all, double level)
{
	size_t rank = (size_t)ceil(level * (double)all->count);
	return rank > 0 ? rank : 1;
}

static double next_level(double level)
{
	double halves = floor(log2(1 / (1 - level))) + 1;
	return level + 1 / (TICKS_PER_HALF * exp2(halves));
}

static void write_line(struct buffer *out, const struct distribution *all, double level, size_t rank)
{
	buffer_printf(out, "%12.3f %2.12f %10zu", ms((double)all->sorted[rank - 1]), level, count_at_most(all, rank));
	if (level < 1)
		buffer_printf(out, " %14.2f", 1 / (1 - level));
	buffer_add_text(out, "\n");
}

static void write_lines(struct buffer *out, const struct distribution *all)
{
	double level = 0;
	for (size_t rank = 1; count_at_most(all, rank) < all->count; rank = rank_of(all, level)) {
		write_line(out, all, level, rank);
		level = next_level(level);
	}
	write_line(out, all, 1, all->count);
}

static void write_trailer(struct buffer *out, const struct distribution *all)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < all->count; i++)
		sum += (double)all->sorted[i];
	double mean = sum / (double)all->count;
	for (size_t i = 0; i < all->count; i++)
		squares += ((double)all->sorted[i] - mean) * ((double)all->sorted[i] - mean);
	buffer_printf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", ms(mean),
	              ms(sqrt(squares / (double)all->count)));
	buffer_printf(out, "#[Max     = %12.3f, Total count    = %12zu]\n", ms((double)all->sorted[all->count - 1]),
	              all->count);
	buffer_printf(out, "#[Buckets = %12d, SubBuckets     = %12zu]\n", 1, all->count);
}

bool export_hgrm(struct export *export, struct sluice_error *error)
{
	struct distribution all = {0};
	if (export->arm_count > 1)
		return sluice_error_set(error, "%s: hgrm is one distribution and there are two arms: --arm a or b",
		                        export->samples->path);
	gather(export->arms[0], &all);
	buffer_printf(&export->out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
	if (all.count > 0) {
		write_lines(&export->out, &all);
		write_trailer(&export->out, &all);
	}
	free(all.sorted);
	return true;
}
