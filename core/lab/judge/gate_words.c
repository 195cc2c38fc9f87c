/*
 * What the gate says in words: why it came out so, and what to do next.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "lab/judge/gate.h"
#include "lab/run/estimate.h"

enum { GROWTH_MAX = 1000 /* times as many requests are no advice any more */ };

static void print_ms(double ms, char *text, size_t size)
{
	int decimals = ms < 1 ? 3 : ms < 10 ? 2 : ms < 1000 ? 1 : 0;
	if (isinf(ms))
		(void)snprintf(text, size, "no answer");
	else
		(void)snprintf(text, size, "%.*f ms", decimals, ms);
}

/* A fraction as a percentage with as many decimals as it takes to tell 0.067 from 0.10. */
static void print_share(double share, bool with_sign, char *text, size_t size)
{
	double percent = 100 * share, distance = fabs(percent) < 50 ? fabs(percent) : fabs(100 - percent);
	int decimals = with_sign ? 1 : distance < 1 ? 3 : distance < 10 ? 2 : 1;
	if (isinf(percent))
		(void)snprintf(text, size, "no answer");
	else
		(void)snprintf(text, size, with_sign ? "%+.*f %%" : "%.*f %%", decimals, percent);
}

static void print_value(enum gate_unit unit, double value, char *text, size_t size)
{
	if (isnan(value))
		(void)snprintf(text, size, "unknown");
	else if (unit == GATE_MS)
		print_ms(value, text, size);
	else if (unit == GATE_NUMBER)
		(void)snprintf(text, size, "%.0f", value);
	else
		print_share(value, unit == GATE_CHANGE, text, size);
}

static bool is_least(const struct gate_row *row)
{
	return row->criterion == GATE_ACCEPTANCE;
}

/* As short as in the gate file. */
static void print_limit(const struct gate_row *row, char *text, size_t size)
{
	enum gate_unit unit = gate_criteria[row->criterion].unit;
	const char *relation = is_least(row) ? "≥" : "≤";
	if (isnan(row->limit))
		(void)snprintf(text, size, "not worse");
	else if (unit == GATE_MS)
		(void)snprintf(text, size, "%s %g ms", relation, row->limit);
	else if (unit == GATE_NUMBER)
		(void)snprintf(text, size, "%s %g", relation, row->limit);
	else
		(void)snprintf(text, size, "%s %g %%", relation, 100 * row->limit);
}

struct gate_row_texts gate_row_texts(const struct gate_row *row)
{
	enum gate_unit unit = gate_criteria[row->criterion].unit;
	bool is_exact = row->count == 0 && row->low == row->high;
	struct gate_row_texts texts = {"", "", "", ""};
	char low[24], high[24];
	print_limit(row, texts.limit, sizeof(texts.limit));
	if (row->verdict == GATE_NOT_MEASURED)
		return texts;
	print_value(unit, row->point, texts.value, sizeof(texts.value));
	if (isnan(row->low) || is_exact)
		return texts;
	print_value(unit, row->low, low, sizeof(low));
	print_value(unit, row->high, high, sizeof(high));
	(void)snprintf(texts.bound, sizeof(texts.bound), "%s", is_least(row) ? low : high);
	(void)snprintf(texts.interval, sizeof(texts.interval), "%s to %s", low, high);
	return texts;
}

/* The share that may be bad, of rows that are about one; 0: it is not. */
static double allowed_share(const struct gate_row *row)
{
	switch (row->criterion) {
	case GATE_ERRORS:
		return row->limit;
	case GATE_ACCEPTANCE:
		return 1 - row->limit;
	case GATE_P99:
		return 0.01;
	default:
		return gate_criteria[row->criterion].unit == GATE_MS ? 0.05 : 0;
	}
}

static bool would_certify(const struct gate_row *row, double allowed, double confidence, size_t count)
{
	size_t bad = (size_t)ceil((double)row->bad / (double)row->count * (double)count);
	return estimate_share_upper(bad, count, confidence) <= allowed;
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
	double allowed = allowed_share(row);
	size_t low = row->count, high = row->count;
	while (allowed > 0 && !would_certify(row, allowed, confidence, high) && high < row->count * GROWTH_MAX)
		high *= 2;
	if (allowed <= 0 || !would_certify(row, allowed, confidence, high))
		return 0;
	while (high - low > high / 100) {
		size_t middle = low + (high - low) / 2;
		if (would_certify(row, allowed, confidence, middle))
			high = middle;
		else
			low = middle;
	}
	return round_up(high);
}

static void say_row(const struct gate_row *row, struct buffer *out)
{
	const char *title = gate_criteria[row->criterion].title;
	struct gate_row_texts texts = gate_row_texts(row);
	if (row->verdict == GATE_FAILED)
		buffer_printf(out, "%s: %s instead of %s%s", title, texts.value, texts.limit,
		              row->proven && texts.bound[0] ? ", beyond doubt" : "");
	else if (texts.bound[0])
		buffer_printf(out, "%s: %s, but certain is only %s %s, which does not meet %s", title, texts.value,
		              is_least(row) ? "at least" : "at most", texts.bound, texts.limit);
	else
		buffer_printf(out, "%s: %s, but so few requests certify nothing", title, texts.value);
}

/* The rows that the outcome comes from; those that are not measured share one sentence. */
static void say_rows(const struct gate_result *result, struct buffer *out)
{
	const char *before = "";
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		if (row->outcome != result->outcome || row->verdict == GATE_MET || row->verdict == GATE_NOT_MEASURED)
			continue;
		buffer_add_text(out, before);
		say_row(row, out);
		before = "; ";
	}
	const char *lead = *before ? ". Not measured: " : "not measured: ";
	for (size_t i = 0; i < result->row_count && result->outcome == GATE_CONDITIONAL; i++) {
		if (result->rows[i].verdict != GATE_NOT_MEASURED)
			continue;
		buffer_printf(out, "%s%s", lead, gate_criteria[result->rows[i].criterion].title);
		lead = ", ";
	}
	buffer_add_text(out, ".");
}

static size_t count_rows(const struct gate_result *result, enum gate_verdict verdict)
{
	size_t count = 0;
	for (size_t i = 0; i < result->row_count; i++)
		count += result->rows[i].verdict == verdict;
	return count;
}

static void say_clean(const struct gate_spec *spec, const struct gate_result *result, struct buffer *out)
{
	size_t open = count_rows(result, GATE_NOT_CERTIFIED);
	if (result->outcome == GATE_PASS)
		buffer_printf(out, "all %zu criteria are met, each certified at %g %%.", result->row_count,
		              100 * spec->confidence);
	else if (open == 0)
		buffer_printf(out, "all %zu criteria are met.", result->row_count);
	else
		buffer_printf(out,
		              "all %zu criteria are met by what was seen; so few requests do not certify %zu of them.",
		              result->row_count, open);
}

/* What the interval does not settle. */
static void say_open(const struct gate_result *result, struct buffer *out)
{
	const struct gate_row *row = gate_find_row(result, GATE_P95);
	if (!row || result->best == result->worst)
		return;
	buffer_printf(out, " The interval of P95 (%s) holds an edge: by P95 alone ", gate_row_texts(row).interval);
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
		buffer_printf(out, "the run says nothing: %s.", result->invalid);
	else if (result->outcome == GATE_PASS || result->outcome == GATE_PROCEED)
		say_clean(spec, result, out);
	else
		say_rows(result, out);
	if (result->outcome != GATE_INVALID)
		say_open(result, out);
}

/* How to get what is not measured. */
static const char *how_to_measure(enum gate_criterion criterion)
{
	switch (criterion) {
	case GATE_ACCEPTANCE:
	case GATE_ERRORS:
		return "keep the input in the run directory, so that each answer can be held against what was sent";
	case GATE_VIOLATIONS:
		return "hold the answers against the store: sluice verify RUN/ PIPELINE";
	case GATE_BASELINE:
		return "judge a directory of sluice compare, or name one with --baseline";
	case GATE_MEMORY_GROWTH:
	case GATE_MEMORY:
	case GATE_DESCRIPTOR_GROWTH:
		return "the run needs blocks that note the server's memory and descriptors, as sluice compare writes them";
	case GATE_P95:
	case GATE_P99:
		return "send requests";
	default:
		return "join the server's trace (sluice run --trace) to the run, so that stages have times";
	}
}

/* What is dearest in each stage, and what to try against it; from the plan that the first gate was made for. */
static const char *const plans[GATE_STAGES] = {
	[0 /* GATE_AUTH */] = "the signature check is the largest part: look at body sizes and the number of secrets",
	[GATE_PARSE -
		GATE_AUTH] = "parsing is the largest part: try buffers that are kept, or a parser that reads less",
	[GATE_IDEMPOTENCY - GATE_AUTH] = "the look-up of duplicates is the largest part: keep the recent ids in memory",
	[GATE_QUEUE - GATE_AUTH] =
		"waiting in the queue is the largest part: store what waits as one transaction, then add workers while the database has room",
	[GATE_PERSIST - GATE_AUTH] =
		"storing is the largest part: store what waits as one transaction, then see whether the pool makes anyone wait",
	[GATE_RESPOND -
		GATE_AUTH] = "sending the answer is the largest part: look at the connections and at the senders",
};

static int64_t p95_of(const struct gate_sample *sample)
{
	return estimate_quantile(sample->sorted, sample->count, 0.95);
}

/* The stage whose P95 is the largest. */
static enum gate_criterion find_hotspot(const struct gate_facts *facts)
{
	enum gate_criterion hotspot = GATE_CRITERIA;
	int64_t largest = 0;
	for (size_t i = 0; i < GATE_STAGES; i++) {
		int64_t p95_ns = p95_of(&facts->stages[i]);
		if (plans[i] && p95_ns > largest) {
			largest = p95_ns;
			hotspot = (enum gate_criterion)(GATE_AUTH + i);
		}
	}
	return hotspot;
}

/* Under the limit from the sending, over it from the intended time: the server does not keep up. */
static bool is_behind(const struct gate_spec *spec, const struct gate_facts *facts)
{
	return spec->asked[GATE_P95] && facts->raw.count > 0 && p95_of(&facts->raw) <= spec->p95.ns &&
	       p95_of(&facts->latency) > spec->p95.ns;
}

/* Every stage that has a target keeps it: then the time is not in the stages. */
static bool stages_keep_theirs(const struct gate_result *result)
{
	size_t asked = 0;
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		if (row->criterion < GATE_AUTH || row->criterion > GATE_RESPOND)
			continue;
		if (row->verdict != GATE_MET)
			return false;
		asked++;
	}
	return asked > 0;
}

static void advise_plan(const struct gate_spec *spec, const struct gate_facts *facts, const struct gate_result *result,
                        struct buffer *out)
{
	enum gate_criterion hotspot = find_hotspot(facts);
	buffer_add_text(out, "Keep the release back and take the next-best plan that teaches most: ");
	if (is_behind(spec, facts))
		buffer_add_text(
			out,
			"what is sent is answered in time, but requests wait to be sent, so the server does not keep up with the rate; ");
	if (stages_keep_theirs(result))
		buffer_add_text(
			out,
			"every stage keeps its target and the total does not, so the time is outside the stages; ");
	buffer_add_text(out, hotspot == GATE_CRITERIA ? how_to_measure(GATE_AUTH) : plans[hotspot - GATE_AUTH]);
	buffer_add_text(
		out,
		". Prove it against the base with sluice compare before it is switched on; sluice analyze names the overlay to try.");
}

static void advise_row(const struct gate_spec *spec, const struct gate_row *row, struct buffer *out)
{
	const char *title = gate_criteria[row->criterion].title;
	size_t needed;
	switch (row->verdict) {
	case GATE_NOT_MEASURED:
		buffer_printf(out, "%s: %s. ", title, how_to_measure(row->criterion));
		break;
	case GATE_NOT_CERTIFIED:
		needed = row->count ? requests_needed(row, spec->confidence) : 0;
		if (needed)
			buffer_printf(out, "%s: about %zu requests like these would certify it. ", title, needed);
		else
			buffer_printf(out, "%s: too near its limit to be certified by a longer run alone. ", title);
		break;
	case GATE_FAILED:
		buffer_printf(out, "%s: bring it to %s. ", title, gate_row_texts(row).limit);
		break;
	case GATE_MET:
		break;
	}
}

static void advise_conditional(const struct gate_spec *spec, const struct gate_result *result, struct buffer *out)
{
	for (size_t i = 0; i < result->row_count; i++) {
		const struct gate_row *row = &result->rows[i];
		bool repeats = i > 0 && row->verdict == GATE_NOT_MEASURED && row[-1].verdict == GATE_NOT_MEASURED &&
		               how_to_measure(row->criterion) == how_to_measure(row[-1].criterion);
		if (row->outcome == GATE_CONDITIONAL && !repeats)
			advise_row(spec, row, out);
	}
	buffer_add_text(out, "Then run the gate again.");
}

static void advise_rollback(const struct gate_result *result, struct buffer *out)
{
	const struct gate_row *violations = gate_find_row(result, GATE_VIOLATIONS);
	buffer_add_text(
		out,
		"Switch the optimizations off (ENABLE_OPTIMIZATIONS=false), restart, see that /api/health is well, replay 100 events and expect the figures of the baseline.");
	if (violations && violations->verdict == GATE_FAILED)
		buffer_add_text(out,
		                " sluice verify names the events that are lost, doubled, altered or out of order.");
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
	buffer_add_text(out, facts->late[0] ? "; the sender needs more of the machine, or one of its own." : ".");
}

static void advise(const struct gate_spec *spec, const struct gate_facts *facts, const struct gate_result *result,
                   struct buffer *out)
{
	switch (result->outcome) {
	case GATE_PASS:
		buffer_add_text(out, "Keep the evidence: sluice evidence pack RUN/.");
		break;
	case GATE_PROCEED:
		buffer_add_text(out, spec->kind == GATE_SMOKE ? "Go on to the long test; this one can only find smoke."
		                                              : "Go on to the final test.");
		break;
	case GATE_CONDITIONAL:
		advise_conditional(spec, result, out);
		break;
	case GATE_FLAG:
		advise_plan(spec, facts, result, out);
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
	(void)snprintf(result->next, sizeof(result->next), "%s", text.data);
	buffer_finish(&text);
}
