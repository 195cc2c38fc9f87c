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

/* All rows; whether one has failed that counts in any run. */
static bool judge_rows(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result)
{
	bool always = false;
	*result = (struct gate_result){
		.outcome = clean(spec), .calm = clean(spec), .best = clean(spec), .worst = clean(spec)};
	for (size_t i = 0; i < gate_criteria_count; i++) {
		if (!spec->asked[i])
			continue;
		struct gate_row *row = &result->rows[result->row_count++];
		*row = judge_row(spec, facts, i);
		row->outcome = row->is_target ? clean(spec) : row_outcome(spec, row);
		if (row->is_target)
			continue;
		always = always || (row->criterion->always && row->verdict == GATE_FAILED);
		if (row->outcome > result->outcome)
			result->outcome = row->outcome;
	}
	return always;
}

static void say_stalls(const struct gate_host *host, enum gate_outcome calm, bool is_mostly, char *text, size_t size)
{
	size_t used = strlen(text);
	int more = snprintf(text + used, size - used,
	                    "%sthe host decided, not the server: %zu of the %zu slowest requests fall into %zu "
	                    "stall%s of the host; the longest: %s. ",
	                    used > 0 ? "; " : "", host->share.slowest_held, host->share.slowest, host->stalls,
	                    host->stalls == 1 ? "" : "s", host->longest);
	used = more > 0 && (size_t)more < size - used ? used + (size_t)more : size - 1;
	if (is_mostly)
		(void)snprintf(text + used, size - used, "They hold %zu of all %zu requests", host->share.held,
		               host->share.requests);
	else
		(void)snprintf(text + used, size - used, "Without the requests in them it would be %s",
		               gate_outcomes[calm].name);
}

/* Where the stalls of the host have made it worse, or where they hold so much that the rest says nothing. */
static void check_host(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result)
{
	const struct host_share *share = &facts->host.share;
	struct gate_result calm;
	result->calm = result->outcome;
	if (!facts->calm || result->outcome == clean(spec))
		return;
	(void)judge_rows(spec, facts->calm, &calm);
	result->calm = calm.outcome;
	bool is_mostly = 2 * share->held > share->requests;
	if (calm.outcome < result->outcome || is_mostly)
		say_stalls(&facts->host, calm.outcome, is_mostly, result->invalid, sizeof(result->invalid));
}

void gate_judge(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result_out)
{
	bool always = judge_rows(spec, facts, result_out);
	bracket(spec, result_out);
	check_run(spec, facts, result_out);
	check_host(spec, facts, result_out);
	if (result_out->invalid[0] && !always)
		result_out->outcome = GATE_INVALID;
	gate_explain(spec, facts, result_out);
}
