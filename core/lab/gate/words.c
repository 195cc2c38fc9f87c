/*
 * What the gate says in words: why it came out so, and what to do next.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "lab/gate/criteria.h"
#include "lab/run/estimate.h"

enum { GROWTH_MAX = 1000 /* times as many requests are no advice any more */ };

static bool would_certify(const struct gate_row *row, double confidence, size_t count)
{
	size_t bad = (size_t)ceil((double)row->bad / (double)row->count * (double)count);
	return estimate_share_upper(bad, count, confidence) <= row->allowed;
}

/* To two digits. */
static size_t round_up(size_t count)
{
	size_t step = 1;
	while (count / step >= 100)
		step *= 10;
	return (count + step - 1) / step * step;
}

/* How many requests with as large a share of bad ones would certify the row; 0: no number worth trying. */
static size_t requests_needed(const struct gate_row *row, double confidence)
{
	size_t low = row->count, high = row->count;
	while (row->allowed > 0 && !would_certify(row, confidence, high) && high < row->count * GROWTH_MAX)
		high *= 2;
	if (row->allowed <= 0 || !would_certify(row, confidence, high))
		return 0;
	while (high - low > 1 && high - low > high / 100) {
		size_t middle = low + (high - low) / 2;
		if (would_certify(row, confidence, middle))
			high = middle;
		else
			low = middle;
	}
	return round_up(high);
}

static void say_row(const struct gate_row *row, struct buffer *out)
{
	const struct gate_criterion *criterion = row->criterion;
	struct gate_row_texts texts = gate_row_texts(row);
	if (row->verdict == GATE_FAILED)
		buffer_printf(out, "%s: %s, limit %s%s", criterion->title, texts.value, texts.limit,
		              row->proven && texts.bound[0] ? " (proven)" : "");
	else if (texts.bound[0])
		buffer_printf(out, "%s: %s, but its %s bound, %s, misses the limit %s", criterion->title, texts.value,
		              criterion->at_least ? "lower" : "upper", texts.bound, texts.limit);
	else
		buffer_printf(out, "%s: %s, too few requests to certify it", criterion->title, texts.value);
}

/* The rows that the outcome comes from; those that are not measured share one sentence. */
static void say_rows(const struct gate_result *result, struct buffer *out)
{
	const char *before = "";
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		if (row->outcome != result->outcome || row->verdict == GATE_MET || row->verdict == GATE_NOT_MEASURED ||
		    row->is_target)
			continue;
		buffer_add_text(out, before);
		say_row(row, out);
		before = "; ";
	}
	const char *lead = *before ? ". Not measured: " : "not measured: ";
	for (size_t i = 0; i < result->row_count && result->outcome == GATE_CONDITIONAL; i++) {
		if (result->rows[i].verdict != GATE_NOT_MEASURED || result->rows[i].is_target)
			continue;
		buffer_printf(out, "%s%s", lead, result->rows[i].criterion->title);
		lead = ", ";
	}
	buffer_add_text(out, ".");
}

static size_t count_rows(const struct gate_result *result, enum gate_verdict verdict)
{
	size_t count = 0;
	for (size_t i = 0; i < result->row_count; i++)
		count += result->rows[i].verdict == verdict && !result->rows[i].is_target;
	return count;
}

static size_t count_targets(const struct gate_result *result)
{
	size_t count = 0;
	for (size_t i = 0; i < result->row_count; i++)
		count += result->rows[i].is_target;
	return count;
}

static bool misses_target(const struct gate_row *row)
{
	return row->is_target && row->verdict == GATE_FAILED;
}

static void say_targets(const struct gate_result *result, struct buffer *out)
{
	const char *lead = " Targets missed: ";
	for (size_t i = 0; i < result->row_count; i++) {
		if (!misses_target(&result->rows[i]))
			continue;
		buffer_add_text(out, lead);
		say_row(&result->rows[i], out);
		lead = "; ";
	}
	if (lead[0] == ';')
		buffer_add_text(out, ".");
}

static void say_clean(const struct gate_spec *spec, const struct gate_result *result, struct buffer *out)
{
	size_t open = count_rows(result, GATE_NOT_CERTIFIED);
	if (spec->kind == GATE_SMOKE)
		buffer_add_text(out, "smoke test: no gross failure; ");
	buffer_printf(out, "all %zu criteria are met", result->row_count - count_targets(result));
	if (result->outcome == GATE_PASS)
		buffer_printf(out, ", each certified at %g %%", 100 * spec->confidence);
	else if (open > 0)
		buffer_printf(out, " by the measured values; %zu of them would take more requests to certify", open);
	buffer_add_text(out, ".");
}

/* What the interval does not settle. */
static void say_open(const struct gate_result *result, struct buffer *out)
{
	const struct gate_row *row = gate_find_row(result, GATE_P95);
	if (!row || result->best == result->worst)
		return;
	buffer_printf(out, " The interval of P95 (%s) spans a threshold: by P95 alone, ", gate_row_texts(row).interval);
	for (enum gate_outcome i = result->best; i <= result->worst; i++)
		buffer_printf(out, "%s%s",
		              i == result->best    ? ""
		              : i == result->worst ? " and "
		                                   : ", ",
		              gate_outcomes[i].name);
	buffer_add_text(out, " are possible.");
}

static void say_sentence(const struct gate_spec *spec, const struct gate_result *result, struct buffer *out)
{
	buffer_printf(out, "%s: ", gate_outcomes[result->outcome].name);
	if (result->outcome == GATE_INVALID)
		buffer_printf(out, "the run does not count: %s.", result->invalid);
	else if (result->outcome == GATE_PASS || result->outcome == GATE_PROCEED)
		say_clean(spec, result, out);
	else
		say_rows(result, out);
	if (result->outcome == GATE_INVALID)
		return;
	say_targets(result, out);
	say_open(result, out);
}

static int64_t p95_of(const struct gate_sample *sample)
{
	return estimate_quantile(sample->sorted, sample->count, 0.95);
}

/* The stage whose P95 is the largest; NULL: no stage was measured. */
static const struct gate_criterion *find_hotspot(const struct gate_facts *facts)
{
	const struct gate_criterion *hotspot = NULL;
	int64_t largest = 0;
	for (size_t i = 0; i < gate_criteria_count; i++) {
		int64_t p95_ns = gate_criteria[i].dominant ? p95_of(&facts->figures[i].sample) : 0;
		if (p95_ns > largest) {
			largest = p95_ns;
			hotspot = &gate_criteria[i];
		}
	}
	return hotspot;
}

/* Under the limit from the sending, over it from the intended time: the server does not keep up. */
static bool is_behind(const struct gate_spec *spec, const struct gate_facts *facts)
{
	size_t p95 = gate_criterion_index(GATE_P95);
	int64_t limit_ns = spec->limits[p95].duration.ns;
	return spec->asked[p95] && facts->raw.count > 0 && p95_of(&facts->raw) <= limit_ns &&
	       p95_of(&facts->latency) > limit_ns;
}

/* Every stage that has a target meets it: then the time is not in the stages. */
static bool stages_meet_theirs(const struct gate_result *result)
{
	size_t asked = 0;
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		if (!row->criterion->time)
			continue;
		if (row->verdict != GATE_MET)
			return false;
		asked++;
	}
	return asked > 0;
}

/* How the stages get measured; the same for all. */
static const char *stages_measuring(void)
{
	const struct gate_criterion *stage = gate_criteria;
	while (!stage->time)
		stage++;
	return stage->measuring;
}

static void advise_change(const struct gate_spec *spec, const struct gate_facts *facts,
                          const struct gate_result *result, struct buffer *out)
{
	const struct gate_criterion *hotspot = find_hotspot(facts);
	buffer_add_text(out, "Hold the release; next, try the change that tells you most: ");
	if (is_behind(spec, facts))
		buffer_add_text(
			out,
			"requests are answered in time once they are sent, but they wait to be sent, so the server does not keep up with the rate; ");
	if (stages_meet_theirs(result))
		buffer_add_text(
			out,
			"every stage meets its target and the total does not, so the time is spent outside the stages; ");
	buffer_add_text(out, hotspot ? hotspot->dominant : stages_measuring());
	buffer_add_text(
		out,
		". Compare it with the base by sluice compare before you switch it on; sluice analyze names the overlay to try.");
}

static void advise_row(const struct gate_spec *spec, const struct gate_row *row, struct buffer *out)
{
	const struct gate_criterion *criterion = row->criterion;
	size_t needed;
	switch (row->verdict) {
	case GATE_NOT_MEASURED:
		buffer_printf(out, "%s: %s. ", criterion->title, criterion->measuring);
		break;
	case GATE_NOT_CERTIFIED:
		needed = row->count ? requests_needed(row, spec->confidence) : 0;
		if (needed)
			buffer_printf(out, "%s: about %zu requests like these would certify it. ", criterion->title,
			              needed);
		else
			buffer_printf(out, "%s: too close to its limit for a longer run alone to certify it. ",
			              criterion->title);
		break;
	case GATE_FAILED:
		buffer_printf(out, "%s: bring it to %s. ", criterion->title, gate_row_texts(row).limit);
		break;
	default:
		break;
	}
}

static void advise_conditional(const struct gate_spec *spec, const struct gate_result *result, struct buffer *out)
{
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		if (row->is_target)
			continue;
		bool repeats = i > 0 && row->verdict == GATE_NOT_MEASURED && row[-1].verdict == GATE_NOT_MEASURED &&
		               strcmp(row->criterion->measuring, row[-1].criterion->measuring) == 0;
		if (row->outcome == GATE_CONDITIONAL && !repeats)
			advise_row(spec, row, out);
	}
	buffer_add_text(out, "Then run the gate again.");
}

static void advise_rollback(const struct gate_result *result, struct buffer *out)
{
	buffer_add_text(
		out,
		"Switch the optimizations off (ENABLE_OPTIMIZATIONS=false), restart, check that /api/health reports ok, replay 100 events and expect the figures of the baseline.");
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		if (row->verdict == GATE_FAILED && row->criterion->rollback)
			buffer_printf(out, " %s", row->criterion->rollback);
	}
}

static void advise_again(const struct gate_spec *spec, const struct gate_facts *facts, struct buffer *out)
{
	buffer_add_text(out, "Run it again");
	if (spec->requests > 0)
		buffer_printf(out, ", %" PRId64 " requests", spec->requests);
	if (spec->rate > 0)
		buffer_printf(out, ", %" PRId64 " a second", spec->rate);
	if (spec->connections > 0)
		buffer_printf(out, ", over %" PRId64 " connections", spec->connections);
	if (facts->late[0])
		buffer_add_text(out, "; the load generator needs more of this machine, or a machine of its own");
	if (facts->calm)
		buffer_add_text(out, "; on a host where less goes on beside it");
	buffer_add_text(out, ".");
}

/* What to try for a target that is missed: nothing waits for it. */
static void advise_targets(const struct gate_result *result, struct buffer *out)
{
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_criterion *criterion = result->rows[i].criterion;
		if (misses_target(&result->rows[i]))
			buffer_printf(out, " For %s: %s.", criterion->title,
			              criterion->dominant ? criterion->dominant
			                                  : "see which stage takes the time: sluice analyze");
	}
}

static void advise(const struct gate_spec *spec, const struct gate_facts *facts, const struct gate_result *result,
                   struct buffer *out)
{
	switch (result->outcome) {
	case GATE_PASS:
		buffer_add_text(out, "Keep the evidence: sluice evidence pack RUN/.");
		break;
	case GATE_PROCEED:
		buffer_add_text(out, spec->kind == GATE_SMOKE
		                             ? "Go on to the final test; a smoke test only catches gross failures."
		                             : "Go on to the final test.");
		break;
	case GATE_CONDITIONAL:
		advise_conditional(spec, result, out);
		break;
	case GATE_FLAG:
		advise_change(spec, facts, result, out);
		break;
	case GATE_ROLLBACK:
		advise_rollback(result, out);
		break;
	default:
		advise_again(spec, facts, out);
		break;
	}
}

void gate_explain(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result)
{
	struct buffer text = {0};
	say_sentence(spec, result, &text);
	(void)snprintf(result->sentence, sizeof(result->sentence), "%s", text.data);
	buffer_empty(&text);
	advise(spec, facts, result, &text);
	if (result->outcome != GATE_INVALID && result->outcome != GATE_ROLLBACK)
		advise_targets(result, &text);
	(void)snprintf(result->next, sizeof(result->next), "%s", text.data);
	buffer_finish(&text);
}
