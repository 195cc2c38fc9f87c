/*
 * Judging: each row by itself, from a table; the gate's outcome is that of its worst row.
 */
#include "lab/judge/gate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lab/run/estimate.h"

#define NS_PER_MS 1e6

/* A limit written in decimal and a share that was counted meet exactly where a person would say so. */
#define SLACK 1e-9

const struct gate_outcome_words gate_outcomes[GATE_OUTCOMES] = {
	[GATE_PASS] = {"PASS", 0},  [GATE_PROCEED] = {"PROCEED", 10},  [GATE_CONDITIONAL] = {"CONDITIONAL", 11},
	[GATE_FLAG] = {"FLAG", 12}, [GATE_ROLLBACK] = {"ROLLBACK", 1}, [GATE_INVALID] = {"INVALID", 30},
};

const char *const gate_verdict_names[] = {
	[GATE_MET] = "met",
	[GATE_NOT_CERTIFIED] = "not certified",
	[GATE_FAILED] = "failed",
	[GATE_NOT_MEASURED] = "not measured",
};

const struct gate_words gate_criteria[GATE_CRITERIA] = {
	[GATE_P95] = {"p95", "P95", GATE_MS},
	[GATE_P99] = {"p99", "P99", GATE_MS},
	[GATE_ACCEPTANCE] = {"acceptance", "accepted", GATE_SHARE},
	[GATE_ERRORS] = {"errors", "errors", GATE_SHARE},
	[GATE_VIOLATIONS] = {"violations", "violations", GATE_NUMBER},
	[GATE_AUTH] = {"stages.auth", "auth P95", GATE_MS},
	[GATE_PARSE] = {"stages.parse", "parse P95", GATE_MS},
	[GATE_IDEMPOTENCY] = {"stages.idempotency", "idempotency P95", GATE_MS},
	[GATE_QUEUE] = {"stages.queue", "queue P95", GATE_MS},
	[GATE_PERSIST] = {"stages.persist", "persist P95", GATE_MS},
	[GATE_STORE] = {"stages.store", "queue and persist P95", GATE_MS},
	[GATE_RESPOND] = {"stages.respond", "respond P95", GATE_MS},
	[GATE_BASELINE] = {"baseline", "P95 against the baseline", GATE_CHANGE},
	[GATE_MEMORY_GROWTH] = {"memory_growth", "memory growth", GATE_CHANGE},
	[GATE_MEMORY] = {"memory", "memory", GATE_SHARE},
	[GATE_DESCRIPTOR_GROWTH] = {"descriptor_growth", "descriptor growth", GATE_NUMBER},
};

/* What a row that is failed comes to, by its point alone and where the bound proves it. */
static const struct {
	enum gate_outcome failed, proven;
} consequences[GATE_CRITERIA] = {
	[GATE_P95] = {GATE_CONDITIONAL, GATE_FLAG}, /* unless there are edges, see p95_outcome() */
	[GATE_P99] = {GATE_CONDITIONAL, GATE_FLAG},          [GATE_ACCEPTANCE] = {GATE_CONDITIONAL, GATE_ROLLBACK},
	[GATE_ERRORS] = {GATE_CONDITIONAL, GATE_ROLLBACK},   [GATE_VIOLATIONS] = {GATE_ROLLBACK, GATE_ROLLBACK},
	[GATE_AUTH] = {GATE_CONDITIONAL, GATE_CONDITIONAL}, /* the total is what was promised */
	[GATE_PARSE] = {GATE_CONDITIONAL, GATE_CONDITIONAL}, [GATE_IDEMPOTENCY] = {GATE_CONDITIONAL, GATE_CONDITIONAL},
	[GATE_QUEUE] = {GATE_CONDITIONAL, GATE_CONDITIONAL}, [GATE_PERSIST] = {GATE_CONDITIONAL, GATE_CONDITIONAL},
	[GATE_STORE] = {GATE_CONDITIONAL, GATE_CONDITIONAL}, [GATE_RESPOND] = {GATE_CONDITIONAL, GATE_CONDITIONAL},
	[GATE_BASELINE] = {GATE_CONDITIONAL, GATE_ROLLBACK}, [GATE_MEMORY_GROWTH] = {GATE_ROLLBACK, GATE_ROLLBACK},
	[GATE_MEMORY] = {GATE_ROLLBACK, GATE_ROLLBACK},      [GATE_DESCRIPTOR_GROWTH] = {GATE_ROLLBACK, GATE_ROLLBACK},
};

static struct gate_row new_row(enum gate_criterion criterion, double limit)
{
	return (struct gate_row){.criterion = criterion,
	                         .verdict = GATE_NOT_MEASURED,
	                         .limit = limit,
	                         .point = NAN,
	                         .low = NAN,
	                         .high = NAN};
}

/* At most `allowed` of them may be bad. */
static void judge_share(struct gate_row *row, double allowed, double confidence)
{
	double lower = estimate_share_lower(row->bad, row->count, confidence);
	double upper = estimate_share_upper(row->bad, row->count, confidence);
	if ((double)row->bad > allowed * (double)row->count * (1 + SLACK))
		row->verdict = GATE_FAILED;
	else
		row->verdict = upper <= allowed + SLACK ? GATE_MET : GATE_NOT_CERTIFIED;
	row->proven = row->verdict == GATE_FAILED && lower > allowed;
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

static double to_ms(int64_t ns)
{
	return ns == INT64_MAX ? INFINITY : (double)ns / NS_PER_MS;
}

/* "P95 ≤ limit" says the same as "at most 5 % are over the limit", and that is a share. */
static struct gate_row judge_latency(enum gate_criterion criterion, const struct gate_sample *sample, double fraction,
                                     int64_t limit_ns, double confidence)
{
	struct gate_row row = new_row(criterion, to_ms(limit_ns));
	size_t low, high;
	if (sample->count == 0)
		return row;
	row.point = to_ms(estimate_quantile(sample->sorted, sample->count, fraction));
	row.bad = count_over(sample, limit_ns);
	row.count = sample->count;
	judge_share(&row, 1 - fraction, confidence);
	/* One-sided at c on either side is two-sided at 2c − 1. */
	if (estimate_quantile_ranks(sample->count, fraction, 2 * confidence - 1, &low, &high)) {
		row.low = to_ms(sample->sorted[low - 1]);
		row.high = to_ms(sample->sorted[high - 1]);
	}
	return row;
}

static struct gate_row judge_errors(const struct gate_spec *spec, const struct gate_facts *facts)
{
	struct gate_row row = new_row(GATE_ERRORS, spec->errors);
	if (!facts->answers_known || facts->requests == 0)
		return row;
	row.bad = facts->errors;
	row.count = facts->requests;
	row.point = (double)row.bad / (double)row.count;
	row.low = estimate_share_lower(row.bad, row.count, spec->confidence);
	row.high = estimate_share_upper(row.bad, row.count, spec->confidence);
	judge_share(&row, spec->errors, spec->confidence);
	return row;
}

static struct gate_row judge_acceptance(const struct gate_spec *spec, const struct gate_facts *facts)
{
	struct gate_row row = new_row(GATE_ACCEPTANCE, spec->acceptance);
	if (!facts->answers_known || facts->expected_good == 0)
		return row;
	row.bad = facts->expected_good - facts->accepted;
	row.count = facts->expected_good;
	row.point = (double)facts->accepted / (double)row.count;
	row.low = 1 - estimate_share_upper(row.bad, row.count, spec->confidence);
	row.high = 1 - estimate_share_lower(row.bad, row.count, spec->confidence);
	judge_share(&row, 1 - spec->acceptance, spec->confidence);
	return row;
}

/* What is counted in full has no interval. */
static struct gate_row judge_exact(enum gate_criterion criterion, bool measured, double value, double limit)
{
	struct gate_row row = new_row(criterion, limit);
	if (!measured)
		return row;
	row.point = row.low = row.high = value;
	row.proven = value > limit * (1 + SLACK);
	row.verdict = row.proven ? GATE_FAILED : GATE_MET;
	return row;
}

/* Two runs that were not interleaved differ by the hour as well as by what was changed; only a difference that an hour
 * does not make says something. */
#define APART_MARGIN 0.25

static struct gate_row judge_baseline(const struct gate_baseline *baseline)
{
	struct gate_row row = new_row(GATE_BASELINE, NAN);
	if (!baseline->measured)
		return row;
	row.limit = baseline->apart ? -APART_MARGIN : baseline->margin;
	row.point = baseline->change;
	row.low = baseline->low;
	row.high = baseline->high;
	if (baseline->high <= row.limit)
		row.verdict = GATE_MET;
	else if (baseline->change <= fabs(row.limit))
		row.verdict = GATE_NOT_CERTIFIED;
	else
		row.verdict = GATE_FAILED;
	row.proven = row.verdict == GATE_FAILED && baseline->low > (baseline->apart ? APART_MARGIN : 0);
	return row;
}

static double growth(const struct gate_gauge *gauge)
{
	return gauge->first > 0 ? gauge->last / gauge->first - 1 : 0;
}

static struct gate_row judge_row(const struct gate_spec *spec, const struct gate_facts *facts,
                                 enum gate_criterion criterion)
{
	double confidence = spec->confidence;
	switch (criterion) {
	case GATE_P95:
		return judge_latency(criterion, &facts->latency, 0.95, spec->p95.ns, confidence);
	case GATE_P99:
		return judge_latency(criterion, &facts->latency, 0.99, spec->p99.ns, confidence);
	case GATE_ACCEPTANCE:
		return judge_acceptance(spec, facts);
	case GATE_ERRORS:
		return judge_errors(spec, facts);
	case GATE_VIOLATIONS:
		return judge_exact(criterion, facts->verified, (double)facts->violations, (double)spec->violations);
	case GATE_BASELINE:
		return judge_baseline(&facts->baseline);
	case GATE_MEMORY_GROWTH:
		return judge_exact(criterion, facts->memory.measured, growth(&facts->memory), spec->memory_growth);
	case GATE_MEMORY:
		return judge_exact(criterion, facts->memory.highest > 0 && facts->memory_total > 0,
		                   facts->memory.highest / facts->memory_total, spec->memory);
	case GATE_DESCRIPTOR_GROWTH:
		return judge_exact(criterion, facts->descriptors.measured,
		                   facts->descriptors.last - facts->descriptors.first, (double)spec->descriptor_growth);
	default: /* a stage */
		return judge_latency(criterion, &facts->stages[criterion - GATE_AUTH], 0.95,
		                     spec->stages[criterion - GATE_AUTH].ns, confidence);
	}
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
	} bands[] = {{spec->p95.ns, clean(spec)}, {spec->conditional.ns, GATE_CONDITIONAL}, {spec->flag.ns, GATE_FLAG}};
	for (size_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++) {
		if (bands[i].up_to_ns > 0 && ms <= to_ms(bands[i].up_to_ns))
			return bands[i].outcome;
	}
	return spec->rollback_above.ns > 0 && ms > to_ms(spec->rollback_above.ns) ? GATE_ROLLBACK : failed;
}

static enum gate_outcome row_outcome(const struct gate_spec *spec, const struct gate_row *row)
{
	enum gate_outcome failed = row->proven ? consequences[row->criterion].proven
	                                       : consequences[row->criterion].failed;
	switch (row->verdict) {
	case GATE_MET:
		return clean(spec);
	case GATE_NOT_CERTIFIED: /* by so few requests nothing can be; a smoke test only looks for smoke */
		return spec->kind == GATE_FINAL ? GATE_CONDITIONAL : GATE_PROCEED;
	case GATE_NOT_MEASURED:
		return GATE_CONDITIONAL;
	default:
		return row->criterion == GATE_P95 ? band_of(spec, row->point, failed) : failed;
	}
}

SLUICE_PRINTF(2, 3)
static void add_reason(struct gate_result *result, const char *format, ...)
{
	size_t used = strlen(result->invalid);
	if (used > 0 && used + 3 < sizeof(result->invalid)) {
		memcpy(result->invalid + used, "; ", 3);
		used += 2;
	}
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(result->invalid + used, sizeof(result->invalid) - used, format, arguments);
	va_end(arguments);
}

static void check_run(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result)
{
	if (facts->late[0])
		add_reason(result, "%s", facts->late);
	if (facts->interrupted)
		add_reason(result, "the run was interrupted");
	if (facts->requests < (size_t)spec->requests)
		add_reason(result, "it had %zu requests and needs %" PRId64, facts->requests, spec->requests);
	if (spec->rate > 0 && facts->rate <= 0)
		add_reason(result, "it had no schedule and needs %" PRId64 " requests a second", spec->rate);
	else if (facts->rate < (double)spec->rate * (1 - SLACK))
		add_reason(result, "%g requests a second were due and %" PRId64 " need to be", facts->rate, spec->rate);
	if (spec->connections > 0 && facts->connections != (size_t)spec->connections)
		add_reason(result, "it had %zu connections and needs %" PRId64, facts->connections, spec->connections);
}

/* What the interval of P95 leaves open, edge by edge. */
static void bracket(const struct gate_spec *spec, struct gate_result *result)
{
	const struct gate_row *row = gate_find_row(result, GATE_P95);
	if (!row || isnan(row->low) || isnan(row->high))
		return;
	enum gate_outcome failed = row->proven ? consequences[GATE_P95].proven : consequences[GATE_P95].failed;
	result->best = band_of(spec, row->low, failed);
	result->worst = band_of(spec, row->high, failed);
}

void gate_judge(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result_out)
{
	*result_out = (struct gate_result){.outcome = clean(spec), .best = clean(spec), .worst = clean(spec)};
	for (size_t i = 0; i < GATE_CRITERIA; i++) {
		if (!spec->asked[i])
			continue;
		struct gate_row *row = &result_out->rows[result_out->row_count++];
		*row = judge_row(spec, facts, (enum gate_criterion)i);
		row->outcome = row_outcome(spec, row);
		if (row->outcome > result_out->outcome)
			result_out->outcome = row->outcome;
	}
	bracket(spec, result_out);
	check_run(spec, facts, result_out);
	/* What was stored wrongly is wrong whatever the load was. */
	const struct gate_row *violations = gate_find_row(result_out, GATE_VIOLATIONS);
	if (result_out->invalid[0] && !(violations && violations->verdict == GATE_FAILED))
		result_out->outcome = GATE_INVALID;
	gate_explain(spec, facts, result_out);
}

const struct gate_row *gate_find_row(const struct gate_result *result, enum gate_criterion criterion)
{
	for (size_t i = 0; i < result->row_count; i++) {
		if (result->rows[i].criterion == criterion)
			return &result->rows[i];
	}
	return NULL;
}
