/*
 * The ways to judge a row: by a share and its exact bounds, by a value that has none, by an interval of a change.
 */
#include <math.h>
#include <string.h>

#include "lab/gate/criteria.h"
#include "lab/run/estimate.h"

#define NS_PER_MS 1e6

/* A limit written in decimal and a share that was counted meet exactly where a person would say so. */
#define SLACK 1e-9

/* Two runs that were not interleaved differ by the hour as well as by what was changed; only a difference that an hour
 * does not make says something. */
#define APART_MARGIN 0.25

static double to_ms(int64_t ns)
{
	return ns == INT64_MAX ? INFINITY : (double)ns / NS_PER_MS;
}

double gate_limit_value(const struct gate_criterion *criterion, union gate_limit limit)
{
	switch (criterion->option->type) {
	case SLUICE_TYPE_DURATION:
		return to_ms(limit.duration.ns);
	case SLUICE_TYPE_PERCENT:
		return limit.share;
	case SLUICE_TYPE_INT:
		return (double)limit.number;
	default:
		return NAN;
	}
}

static void certify(struct gate_row *row, double confidence)
{
	double lower = estimate_share_lower(row->bad, row->count, confidence);
	double upper = estimate_share_upper(row->bad, row->count, confidence);
	if ((double)row->bad > row->allowed * (double)row->count * (1 + SLACK))
		row->verdict = GATE_FAILED;
	else
		row->verdict = upper <= row->allowed + SLACK ? GATE_MET : GATE_NOT_CERTIFIED;
	row->proven = row->verdict == GATE_FAILED && lower > row->allowed;
}

static size_t count_over(const struct gate_sample *sample, int64_t limit_ns)
{
	size_t low = 0, high = sample->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sample->sorted[middle] <= limit_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return sample->count - low;
}

/* "P95 ≤ limit" says the same as "at most 5 % are over the limit", and that is a share. */
void gate_judge_latency(const struct gate_question *question, struct gate_row *row)
{
	const struct gate_sample *sample = &question->figure->sample;
	double fraction = question->criterion->fraction;
	size_t low, high;
	row->point = to_ms(estimate_quantile(sample->sorted, sample->count, fraction));
	row->bad = count_over(sample, question->limit.duration.ns);
	row->count = sample->count;
	row->allowed = 1 - fraction;
	certify(row, question->confidence);
	/* One-sided at c on either side is two-sided at 2c − 1. */
	if (estimate_quantile_ranks(sample->count, fraction, 2 * question->confidence - 1, &low, &high)) {
		row->low = to_ms(sample->sorted[low - 1]);
		row->high = to_ms(sample->sorted[high - 1]);
	}
}

void gate_judge_share(const struct gate_question *question, struct gate_row *row)
{
	double limit = question->limit.share;
	bool at_least = question->criterion->at_least;
	row->bad = question->figure->bad;
	row->count = question->figure->count;
	row->allowed = at_least ? 1 - limit : limit;
	double lower = estimate_share_lower(row->bad, row->count, question->confidence);
	double upper = estimate_share_upper(row->bad, row->count, question->confidence);
	row->point = (double)(at_least ? row->count - row->bad : row->bad) / (double)row->count;
	row->low = at_least ? 1 - upper : lower;
	row->high = at_least ? 1 - lower : upper;
	certify(row, question->confidence);
}

/* What is counted in full has no interval. */
void gate_judge_value(const struct gate_question *question, struct gate_row *row)
{
	row->point = row->low = row->high = question->figure->value;
	row->proven = row->point > row->limit * (1 + SLACK);
	row->verdict = row->proven ? GATE_FAILED : GATE_MET;
}

/* Counted in full, too. But the server might go on growing: then it has only kept the limit for as long as the run was. */
void gate_judge_growth(const struct gate_question *question, struct gate_row *row)
{
	const struct gate_figure *figure = question->figure;
	gate_judge_value(question, row);
	if (!figure->has_interval)
		return;
	row->low = figure->change.low;
	row->high = figure->change.high;
	if (row->verdict == GATE_MET && row->high > row->limit * (1 + SLACK))
		row->verdict = GATE_NOT_CERTIFIED;
}

void gate_judge_change(const struct gate_question *question, struct gate_row *row)
{
	const struct gate_change *change = &question->figure->change;
	row->limit = change->apart ? -APART_MARGIN : change->margin;
	row->point = change->change;
	row->low = change->low;
	row->high = change->high;
	if (row->high <= row->limit)
		row->verdict = GATE_MET;
	else if (row->point <= fabs(row->limit))
		row->verdict = GATE_NOT_CERTIFIED;
	else
		row->verdict = GATE_FAILED;
	row->proven = row->verdict == GATE_FAILED && row->low > (change->apart ? APART_MARGIN : 0);
}
