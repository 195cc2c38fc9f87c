/*
 * Judging: each row by itself, as its criterion says; the gate's outcome is that of its worst row that is no target.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "lab/gate/criteria.h"

#define NS_PER_MS 1e6

/* A rate that was computed and one that is written meet exactly where a person would say so. */
#define SLACK 1e-9

static struct gate_row judge_row(const struct gate_spec *spec, const struct gate_facts *facts, size_t i)
{
	const struct gate_criterion *criterion = &gate_criteria[i];
	const struct gate_question question = {criterion, &facts->figures[i], spec->limits[i], spec->confidence};
	struct gate_row row = {.criterion = criterion,
	                       .is_target = spec->is_target[i],
	                       .verdict = GATE_NOT_MEASURED,
	                       .limit = gate_limit_value(criterion, spec->limits[i]),
	                       .point = NAN,
	                       .low = NAN,
	                       .high = NAN};
	if (question.figure->measured)
		criterion->judge(&question, &row);
	return row;
}

/* Clean as far as this kind of gate can tell. */
static enum gate_outcome clean(const struct gate_spec *spec)
{
	return spec->kind == GATE_FINAL ? GATE_PASS : GATE_PROCEED;
}

/* Where a P95 of `ms` lies between the edges; `failed`: what it comes to where no edge says so. */
static enum gate_outcome band_of(const struct gate_spec *spec, double ms, enum gate_outcome failed)
{
	const struct {
		int64_t up_to_ns;
		enum gate_outcome outcome;
	} bands[] = {{spec->limits[gate_criterion_index(GATE_P95)].duration.ns, clean(spec)},
	             {spec->conditional.ns, GATE_CONDITIONAL},
	             {spec->flag.ns, GATE_FLAG}};
	for (size_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++) {
		if (bands[i].up_to_ns > 0 && ms <= (double)bands[i].up_to_ns / NS_PER_MS)
			return bands[i].outcome;
	}
	bool is_above = spec->rollback_above.ns > 0 && ms > (double)spec->rollback_above.ns / NS_PER_MS;
	return is_above ? GATE_ROLLBACK : failed;
}

static enum gate_outcome consequence(const struct gate_row *row)
{
	return row->proven ? row->criterion->proven : row->criterion->missed;
}

static bool is_p95(const struct gate_row *row)
{
	return row->criterion == &gate_criteria[gate_criterion_index(GATE_P95)];
}

static enum gate_outcome row_outcome(const struct gate_spec *spec, const struct gate_row *row)
{
	switch (row->verdict) {
	case GATE_MET:
		return clean(spec);
	case GATE_NOT_CERTIFIED: /* so few requests certify nothing; a smoke test looks for gross failures */
		return spec->kind == GATE_FINAL ? GATE_CONDITIONAL : GATE_PROCEED;
	case GATE_NOT_MEASURED:
		return GATE_CONDITIONAL;
	default:
		return is_p95(row) ? band_of(spec, row->point, consequence(row)) : consequence(row);
	}
}

static struct buffer *next_reason(struct buffer *reasons)
{
	buffer_add_text(reasons, reasons->size > 0 ? "; " : "");
	return reasons;
}

static void check_run(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result)
{
	struct buffer reasons = {0};
	buffer_add_text(&reasons, facts->late);
	if (facts->interrupted)
		buffer_add_text(next_reason(&reasons), "the run was interrupted");
	if (facts->requests < (size_t)spec->requests)
		buffer_printf(next_reason(&reasons), "it had %zu requests, expected at least %" PRId64, facts->requests,
		              spec->requests);
	if (spec->rate > 0 && facts->rate <= 0)
		buffer_printf(next_reason(&reasons), "it had no schedule, expected %" PRId64 " requests/s", spec->rate);
	else if (facts->rate < (double)spec->rate * (1 - SLACK))
		buffer_printf(next_reason(&reasons), "it was scheduled at %g requests/s, expected at least %" PRId64,
		              facts->rate, spec->rate);
	if (spec->connections > 0 && facts->connections != (size_t)spec->connections)
		buffer_printf(next_reason(&reasons), "it had %zu connections, expected %" PRId64, facts->connections,
		              spec->connections);
	(void)snprintf(result->invalid, sizeof(result->invalid), "%s", reasons.data);
	buffer_finish(&reasons);
}

/* What the interval of P95 leaves open, edge by edge. */
static void bracket(const struct gate_spec *spec, struct gate_result *result)
{
	const struct gate_row *row = gate_find_row(result, GATE_P95);
	if (!row || isnan(row->low) || isnan(row->high))
		return;
	result->best = band_of(spec, row->low, consequence(row));
	result->worst = band_of(spec, row->high, consequence(row));
}

void gate_judge(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result_out)
{
	*result_out = (struct gate_result){.outcome = clean(spec), .best = clean(spec), .worst = clean(spec)};
	bool always = false; /* a row failed that counts in any run */
	for (size_t i = 0; i < gate_criteria_count; i++) {
		if (!spec->asked[i])
			continue;
		struct gate_row *row = &result_out->rows[result_out->row_count++];
		*row = judge_row(spec, facts, i);
		row->outcome = row->is_target ? clean(spec) : row_outcome(spec, row);
		if (row->is_target)
			continue;
		always = always || (row->criterion->always && row->verdict == GATE_FAILED);
		if (row->outcome > result_out->outcome)
			result_out->outcome = row->outcome;
	}
	bracket(spec, result_out);
	check_run(spec, facts, result_out);
	if (result_out->invalid[0] && !always)
		result_out->outcome = GATE_INVALID;
	gate_explain(spec, facts, result_out);
}
