/*
 * The gate's decisions, as a table: what was seen, at its edges, and what comes of it.
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/gate/criteria.h"
#include "support/unit.h"

enum { MS = 1000000, LONG_RUN = 30000, SHORT_RUN = 1000 };

static struct gate_spec spec;
static struct gate_facts facts;
static struct gate_result result;

/* `over` of `count` take `over_ms`, the others `ms`. */
static struct gate_sample make_sample(size_t count, int64_t ms, size_t over, int64_t over_ms)
{
	struct gate_sample sample = {arena_must(&facts.arena, (count + 1) * sizeof(*sample.sorted)), count};
	for (size_t i = 0; i < count; i++)
		sample.sorted[i] = (i < count - over ? ms : over_ms) * MS;
	return sample;
}

static struct gate_figure *figure(const char *criterion)
{
	return &facts.figures[gate_criterion_index(criterion)];
}

static void set_sample(const char *criterion, size_t count, int64_t ms, size_t over, int64_t over_ms)
{
	*figure(criterion) = (struct gate_figure){.measured = true, .sample = make_sample(count, ms, over, over_ms)};
}

static void set_share(const char *criterion, size_t bad, size_t count)
{
	*figure(criterion) = (struct gate_figure){.measured = true, .bad = bad, .count = count};
}

static void set_value(const char *criterion, double value)
{
	*figure(criterion) = (struct gate_figure){.measured = true, .value = value};
}

static void set_latency(size_t count, int64_t ms, size_t over, int64_t over_ms)
{
	set_sample("p95", count, ms, over, over_ms);
	*figure("p99") = *figure("p95");
	facts.latency = figure("p95")->sample;
	facts.requests = count;
	set_share("acceptance", 0, count);
	set_share("errors", 0, count);
}

static union gate_limit *limit(const char *criterion)
{
	return &spec.limits[gate_criterion_index(criterion)];
}

static void ask(const char *criterion)
{
	spec.asked[gate_criterion_index(criterion)] = true;
}

/* The final test, and a run that passes it. */
static void set_up(void)
{
	spec = (struct gate_spec){
		.name = "test",
		.about = "",
		.kind = GATE_FINAL,
		.confidence = 0.95,
		.requests = LONG_RUN,
		.rate = 500,
		.connections = 50,
		.rollback_above = {231 * (int64_t)MS},
	};
	ask("p95");
	ask("acceptance");
	ask("errors");
	ask("violations");
	limit("p95")->duration.ns = 120 * (int64_t)MS;
	limit("p99")->duration.ns = 200 * (int64_t)MS;
	limit("acceptance")->share = 0.999;
	limit("errors")->share = 0.001;
	facts = (struct gate_facts){.rate = 500, .connections = 50};
	arena_init(&facts.arena, 4096, NULL);
	set_value("violations", 0);
	set_latency(LONG_RUN, 100, 0, 0);
}

static void tear_down(void)
{
	gate_facts_finish(&facts);
	gate_spec_finish(&spec);
}

/* The smoke test, and a run that is clean. */
static void be_smoke(void)
{
	spec.kind = GATE_SMOKE;
	spec.requests = SHORT_RUN;
	spec.rate = 50;
	spec.connections = 10;
	limit("acceptance")->share = 1;
	limit("errors")->share = 0;
	facts.rate = 50;
	facts.connections = 10;
	set_latency(SHORT_RUN, 100, 0, 0);
}

/* The bands of the decision between the two. */
static void be_interim(void)
{
	be_smoke();
	spec.kind = GATE_INTERIM;
	spec.conditional.ns = 175 * (int64_t)MS;
	spec.flag.ns = 231 * (int64_t)MS;
}

static void assert_outcome(enum gate_outcome expected, const char *what, long at)
{
	gate_judge(&spec, &facts, &result);
	ck_assert_msg(result.outcome == expected, "%s at %ld: expected %s, got %s", what, at,
	              gate_outcomes[expected].name, result.sentence);
	ck_assert_ptr_eq(strstr(result.sentence, gate_outcomes[expected].name), result.sentence);
	ck_assert_uint_gt(strlen(result.next), 0);
}

static void assert_row(const char *criterion, enum gate_verdict verdict, bool proven)
{
	const struct gate_row *row = gate_find_row(&result, criterion);
	ck_assert_ptr_nonnull(row);
	ck_assert_msg(row->verdict == verdict && row->proven == proven, "%s: %s%s", criterion,
	              gate_verdicts[row->verdict].name, row->proven ? ", proven" : "");
}

static void assert_says(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "expected \"%s\" in \"%s\"", part, text);
}

START_TEST(test_every_criterion_is_complete)
{
	for (size_t i = 0; i < gate_criteria_count; i++) {
		const struct gate_criterion *criterion = &gate_criteria[i];
		const char *name = gate_criterion_name(criterion);
		ck_assert_uint_eq(gate_criterion_index(name), i); /* no other has the name */
		ck_assert_int_eq(strncmp(criterion->option->name, GATE_GROUP, strlen(GATE_GROUP)), 0);
		ck_assert_msg(criterion->title && criterion->measuring && criterion->option->help,
		              "%s: a text is missing", name);
		ck_assert_msg(criterion->measure && criterion->judge, "%s: nothing measures or judges it", name);
		ck_assert_msg(criterion->missed >= GATE_CONDITIONAL && criterion->proven >= criterion->missed &&
		                      criterion->proven < GATE_INVALID,
		              "%s: missing it has no consequence", name);
		ck_assert_int_eq(criterion->option[1].type, SLUICE_TYPE_END);
	}
}
END_TEST

START_TEST(test_outcomes_are_found_by_name)
{
	ck_assert_ptr_eq(outcome_find("pass"), &gate_outcomes[GATE_PASS]);
	ck_assert_ptr_eq(outcome_find("not certified"), &gate_verdicts[GATE_NOT_CERTIFIED]);
	ck_assert_ptr_eq(outcome_find("inconclusive"), &verdict_outcomes[VERDICT_INCONCLUSIVE]);
	ck_assert_ptr_null(outcome_find("measured"));
}
END_TEST

START_TEST(test_outcomes_have_their_exit_statuses)
{
	static const int statuses[] = {0, 10, 11, 12, 1, 30};
	for (size_t i = 0; i < GATE_OUTCOMES; i++)
		ck_assert_int_eq(gate_outcomes[i].status, statuses[i]);
}
END_TEST

START_TEST(test_p95_is_certified_up_to_1437_of_30000)
{
	static const struct {
		size_t over;
		enum gate_verdict verdict;
		bool proven;
		enum gate_outcome outcome;
	} rows[] = {
		{0, GATE_MET, false, GATE_PASS},
		{1437, GATE_MET, false, GATE_PASS},
		{1438, GATE_NOT_CERTIFIED, false, GATE_CONDITIONAL},
		{1500, GATE_NOT_CERTIFIED, false, GATE_CONDITIONAL}, /* the P95 itself is just within */
		{1501, GATE_FAILED, false, GATE_CONDITIONAL},
		{1562, GATE_FAILED, false, GATE_CONDITIONAL},
		{1563, GATE_FAILED, true, GATE_FLAG},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_latency(LONG_RUN, 120, rows[i].over, 130);
		assert_outcome(rows[i].outcome, "over the limit", (long)rows[i].over);
		assert_row("p95", rows[i].verdict, rows[i].proven);
		/* The interval of the percentile and the bound of the share say the same. */
		const struct gate_row *row = gate_find_row(&result, "p95");
		ck_assert_int_eq(row->high <= 120, rows[i].verdict == GATE_MET);
		ck_assert_int_eq(row->low > 120, rows[i].proven);
		ck_assert_int_eq(row->point > 120, rows[i].verdict == GATE_FAILED);
	}
}
END_TEST

START_TEST(test_p99_is_certified_up_to_271_of_30000)
{
	static const struct {
		size_t over;
		enum gate_verdict verdict;
		enum gate_outcome outcome;
	} rows[] = {
		{271, GATE_MET, GATE_PASS},
		{272, GATE_NOT_CERTIFIED, GATE_CONDITIONAL},
		{300, GATE_NOT_CERTIFIED, GATE_CONDITIONAL},
		{301, GATE_FAILED, GATE_CONDITIONAL},
		{400, GATE_FAILED, GATE_FLAG}, /* met at P95 and paid for in the tail: a trade-off */
	};
	ask("p99");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_latency(LONG_RUN, 100, rows[i].over, 201);
		assert_outcome(rows[i].outcome, "over P99", (long)rows[i].over);
		assert_row("p99", rows[i].verdict, rows[i].outcome == GATE_FLAG);
		assert_row("p95", GATE_MET, false);
	}
}
END_TEST

/* Of 30,000 against 0.10 %. */
static const struct {
	size_t bad;
	enum gate_verdict verdict;
	bool proven;
	enum gate_outcome outcome;
} shares[] = {
	{0, GATE_MET, false, GATE_PASS},
	{20, GATE_MET, false, GATE_PASS},
	{21, GATE_NOT_CERTIFIED, false, GATE_CONDITIONAL},
	{30, GATE_NOT_CERTIFIED, false, GATE_CONDITIONAL},
	{31, GATE_FAILED, false, GATE_CONDITIONAL},
	{39, GATE_FAILED, false, GATE_CONDITIONAL},
	{40, GATE_FAILED, true, GATE_ROLLBACK},
};

START_TEST(test_errors_are_certified_up_to_20_and_disproven_from_40)
{
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		figure("errors")->bad = shares[i].bad;
		assert_outcome(shares[i].outcome, "errors", (long)shares[i].bad);
		assert_row("errors", shares[i].verdict, shares[i].proven);
	}
}
END_TEST

START_TEST(test_acceptance_is_certified_from_29980_and_disproven_at_29960)
{
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		figure("acceptance")->bad = shares[i].bad;
		assert_outcome(shares[i].outcome, "not accepted", (long)shares[i].bad);
		assert_row("acceptance", shares[i].verdict, shares[i].proven);
	}
}
END_TEST

START_TEST(test_one_violation_rolls_back)
{
	set_value("violations", 1);
	assert_outcome(GATE_ROLLBACK, "violations", 1);
	assert_says(result.next, "ENABLE_OPTIMIZATIONS=false");
	assert_says(result.next, "sluice verify lists the events");
}
END_TEST

START_TEST(test_what_is_not_measured_does_not_pass)
{
	figure("violations")->measured = false;
	assert_outcome(GATE_CONDITIONAL, "verified", 0);
	assert_row("violations", GATE_NOT_MEASURED, false);
	assert_says(result.next, "sluice verify RUN/ PIPELINE");
	figure("violations")->measured = true;
	figure("errors")->measured = figure("acceptance")->measured = false;
	assert_outcome(GATE_CONDITIONAL, "answers known", 0);
	assert_row("errors", GATE_NOT_MEASURED, false);
	assert_row("acceptance", GATE_NOT_MEASURED, false);
}
END_TEST

START_TEST(test_unanswered_requests_are_over_every_limit)
{
	set_latency(LONG_RUN, 100, 1501, 0);
	for (size_t i = LONG_RUN - 1501; i < LONG_RUN; i++)
		facts.latency.sorted[i] = INT64_MAX;
	assert_outcome(GATE_ROLLBACK, "unanswered", 1501);
	ck_assert(isinf(gate_find_row(&result, "p95")->point));
	assert_says(result.sentence, "no answer");
}
END_TEST

START_TEST(test_p95_above_the_old_one_rolls_back)
{
	static const struct {
		int64_t ms;
		enum gate_outcome outcome;
	} rows[] = {{231, GATE_FLAG}, {232, GATE_ROLLBACK}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_latency(LONG_RUN, rows[i].ms, 0, 0);
		assert_outcome(rows[i].outcome, "P95", rows[i].ms);
	}
	spec.rollback_above.ns = 0;
	assert_outcome(GATE_FLAG, "P95 without an edge", 232);
}
END_TEST

START_TEST(test_smoke_says_proceed_and_never_pass)
{
	be_smoke();
	assert_outcome(GATE_PROCEED, "errors", 0);
	assert_row("errors", GATE_NOT_CERTIFIED, false); /* 0 of 1,000 bound the rate at 0.30 % */
	assert_says(result.sentence,
	            "smoke test: no gross failure; all 4 criteria are met by the measured values; 2 of them");
	spec.asked[gate_criterion_index("errors")] = spec.asked[gate_criterion_index("acceptance")] = false;
	assert_outcome(GATE_PROCEED, "rows not certified", 0);
}
END_TEST

START_TEST(test_smoke_rolls_back_at_one_functional_error)
{
	be_smoke();
	figure("errors")->bad = 1;
	assert_outcome(GATE_ROLLBACK, "errors", 1);
	figure("errors")->bad = 0;
	figure("acceptance")->bad = 1;
	assert_outcome(GATE_ROLLBACK, "refused", 1);
}
END_TEST

START_TEST(test_smoke_above_its_target_is_not_clean)
{
	static const struct {
		size_t over;
		int64_t over_ms;
		enum gate_outcome outcome;
	} rows[] = {
		{50, 130, GATE_PROCEED},     /* P95 itself is within */
		{51, 130, GATE_CONDITIONAL}, /* and now it is not, but who knows */
		{62, 130, GATE_CONDITIONAL}, {63, 130, GATE_FLAG}, {51, 240, GATE_ROLLBACK},
	};
	be_smoke();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_latency(SHORT_RUN, 100, rows[i].over, rows[i].over_ms);
		assert_outcome(rows[i].outcome, "over", (long)rows[i].over);
	}
	set_latency(SHORT_RUN, 100, 0, 0);
	figure("violations")->measured = false;
	assert_outcome(GATE_CONDITIONAL, "verified", 0);
}
END_TEST

START_TEST(test_interim_goes_by_bands)
{
	static const struct {
		int64_t ms;
		enum gate_outcome outcome;
	} rows[] = {
		{100, GATE_PROCEED},     {120, GATE_PROCEED},     {121, GATE_CONDITIONAL},
		{150, GATE_CONDITIONAL}, {175, GATE_CONDITIONAL}, {176, GATE_FLAG},
		{200, GATE_FLAG},        {231, GATE_FLAG},        {232, GATE_ROLLBACK},
	};
	be_interim();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_latency(SHORT_RUN, rows[i].ms, 0, 0);
		assert_outcome(rows[i].outcome, "P95", rows[i].ms);
		ck_assert_int_eq(result.best, rows[i].outcome);
		ck_assert_int_eq(result.worst, rows[i].outcome);
	}
}
END_TEST

START_TEST(test_interim_says_what_the_interval_leaves_open)
{
	be_interim();
	set_latency(SHORT_RUN, 110, 45, 125);
	assert_outcome(GATE_PROCEED, "over the first edge", 45);
	ck_assert_int_eq(result.best, GATE_PROCEED);
	ck_assert_int_eq(result.worst, GATE_CONDITIONAL);
	assert_says(result.sentence,
	            "(110.0 ms to 125.0 ms) spans a threshold: by P95 alone, PROCEED and CONDITIONAL are possible");
	set_latency(SHORT_RUN, 110, 51, 240);
	assert_outcome(GATE_ROLLBACK, "over the last edge", 51);
	assert_says(result.sentence, "PROCEED, CONDITIONAL, FLAG and ROLLBACK are possible");
	set_latency(SHORT_RUN, 110, 0, 0);
	assert_outcome(GATE_PROCEED, "over", 0);
	ck_assert_ptr_null(strstr(result.sentence, "possible"));
}
END_TEST

START_TEST(test_flag_names_the_largest_stage_and_who_falls_behind)
{
	be_interim();
	set_latency(SHORT_RUN, 200, 0, 0);
	assert_outcome(GATE_FLAG, "P95", 200);
	assert_says(result.next, "join the server's trace");
	facts.raw = make_sample(SHORT_RUN, 60, 0, 0);
	set_sample("stages.persist", SHORT_RUN, 50, 0, 0);
	set_sample("stages.store", SHORT_RUN, 55, 0, 0);
	set_sample("stages.parse", SHORT_RUN, 3, 0, 0);
	assert_outcome(GATE_FLAG, "P95", 200);
	assert_says(result.next, "storing takes longest");
	assert_says(result.next, "does not keep up with the rate");
	ck_assert_ptr_null(strstr(result.next, "outside the stages"));
	ask("stages.parse");
	limit("stages.parse")->duration.ns = 3 * (int64_t)MS;
	assert_outcome(GATE_FLAG, "P95", 200);
	assert_says(result.next, "every stage meets its target and the total does not");
}
END_TEST

START_TEST(test_run_that_was_not_the_one_asked_for_says_nothing)
{
	facts.interrupted = true;
	assert_outcome(GATE_INVALID, "interrupted", 1);
	facts.interrupted = false;
	(void)strcpy(facts.late, "the generator was late");
	assert_outcome(GATE_INVALID, "late", 1);
	assert_says(result.sentence, "the generator was late");
	assert_says(result.next, "30000 requests, 500 a second, over 50 connections");
	facts.late[0] = '\0';
	facts.rate = 499;
	assert_outcome(GATE_INVALID, "rate", 499);
	facts.rate = 0;
	assert_outcome(GATE_INVALID, "rate", 0);
	assert_says(result.invalid, "no schedule");
	facts.rate = 501;
	assert_outcome(GATE_PASS, "rate", 501);
	facts.connections = 51;
	assert_outcome(GATE_INVALID, "connections", 51);
	facts.connections = 50;
	set_latency(LONG_RUN - 1, 100, 0, 0);
	assert_outcome(GATE_INVALID, "requests", LONG_RUN - 1);
	assert_says(result.invalid, "29999 requests, expected at least 30000");
}
END_TEST

START_TEST(test_violation_counts_in_an_invalid_run_too)
{
	facts.interrupted = true;
	set_value("violations", 1);
	assert_outcome(GATE_ROLLBACK, "violations", 1);
}
END_TEST

START_TEST(test_stage_over_its_target_is_conditional)
{
	ask("stages.parse");
	limit("stages.parse")->duration.ns = 3 * (int64_t)MS;
	assert_outcome(GATE_CONDITIONAL, "not measured", 0);
	set_sample("stages.parse", LONG_RUN, 3, 1437, 4);
	assert_outcome(GATE_PASS, "over", 1437);
	set_sample("stages.parse", LONG_RUN, 4, 0, 0);
	assert_outcome(GATE_CONDITIONAL, "all over", LONG_RUN);
	assert_row("stages.parse", GATE_FAILED, true);
	assert_says(result.sentence, "parse P95: 4.00 ms, limit ≤ 3 ms (proven)");
}
END_TEST

START_TEST(test_a_target_is_shown_and_decides_nothing)
{
	ask("stages.parse");
	limit("stages.parse")->duration.ns = 3 * (int64_t)MS;
	spec.is_target[gate_criterion_index("stages.parse")] = true;
	assert_outcome(GATE_PASS, "not measured", 0);
	set_sample("stages.parse", LONG_RUN, 4, 0, 0);
	assert_outcome(GATE_PASS, "all over", LONG_RUN);
	assert_row("stages.parse", GATE_FAILED, true);
	assert_says(result.sentence, "Targets missed: parse P95: 4.00 ms, limit ≤ 3 ms (proven).");
	assert_says(result.next, "For parse P95: parsing takes longest: reuse buffers");
	set_sample("stages.parse", LONG_RUN, 3, 1437, 4);
	assert_outcome(GATE_PASS, "met", 1437);
	ck_assert_ptr_null(strstr(result.sentence, "Targets"));
}
END_TEST

START_TEST(test_baseline_is_certified_by_its_interval)
{
	static const struct {
		bool apart;
		double change, low, high;
		enum gate_verdict verdict;
		enum gate_outcome outcome;
	} rows[] = {
		{false, -0.2, -0.3, -0.1, GATE_MET, GATE_PASS},
		{false, 0.0, -0.05, 0.05, GATE_MET, GATE_PASS}, /* within the margin */
		{false, 0.0, -0.06, 0.06, GATE_NOT_CERTIFIED, GATE_CONDITIONAL},
		{false, 0.04, 0.01, 0.08, GATE_NOT_CERTIFIED, GATE_CONDITIONAL}, /* worse, but less than the margin */
		{false, 0.08, -0.01, 0.2, GATE_FAILED, GATE_CONDITIONAL},
		{false, 0.08, 0.01, 0.2, GATE_FAILED, GATE_ROLLBACK},
		/* Two runs apart: only what no hour makes. */
		{true, -0.5, -0.6, -0.3, GATE_MET, GATE_PASS},
		{true, -0.3, -0.4, -0.2, GATE_NOT_CERTIFIED, GATE_CONDITIONAL},
		{true, 0.2, 0.1, 0.4, GATE_NOT_CERTIFIED, GATE_CONDITIONAL},
		{true, 0.3, 0.2, 0.4, GATE_FAILED, GATE_CONDITIONAL},
		{true, 0.5, 0.3, 0.7, GATE_FAILED, GATE_ROLLBACK},
	};
	ask("baseline");
	assert_outcome(GATE_CONDITIONAL, "not measured", 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*figure("baseline") = (struct gate_figure){
			.measured = true,
			.change = {rows[i].apart, rows[i].change, rows[i].low, rows[i].high, rows[i].apart ? 0 : 0.05},
		};
		assert_outcome(rows[i].outcome, "row", (long)i);
		assert_row("baseline", rows[i].verdict, rows[i].outcome == GATE_ROLLBACK);
	}
}
END_TEST

START_TEST(test_leaks_and_exhaustion_roll_back)
{
	ask("memory_growth");
	ask("memory");
	ask("descriptor_growth");
	limit("memory_growth")->share = 0.2;
	limit("memory")->share = 0.9;
	assert_outcome(GATE_CONDITIONAL, "not measured", 0);
	set_value("memory_growth", 120 / 100.0 - 1);
	set_value("memory", 0.12);
	set_value("descriptor_growth", 0);
	assert_outcome(GATE_PASS, "no growth", 0);
	set_value("memory_growth", 0.21);
	assert_outcome(GATE_ROLLBACK, "memory growth", 21);
	set_value("memory_growth", -0.1);
	set_value("descriptor_growth", 1);
	assert_outcome(GATE_ROLLBACK, "descriptor growth", 1);
	set_value("descriptor_growth", -10);
	set_value("memory", 0.901);
	assert_outcome(GATE_ROLLBACK, "memory", 901);
}
END_TEST

START_TEST(test_worst_row_decides)
{
	figure("violations")->measured = false; /* CONDITIONAL */
	set_latency(LONG_RUN, 130, 0, 0);
	assert_outcome(GATE_FLAG, "two rows", 1);
	figure("errors")->bad = 40;
	assert_outcome(GATE_ROLLBACK, "three rows", 2);
}
END_TEST

START_TEST(test_advice_on_how_many_requests_certifies)
{
	size_t needed = 0;
	set_latency(LONG_RUN, 120, 1438, 130);
	assert_outcome(GATE_CONDITIONAL, "over", 1438);
	ck_assert_int_eq(sscanf(strstr(result.next, "P95: about"), "P95: about %zu", &needed), 1);
	ck_assert(LONG_RUN < needed && needed < 2 * LONG_RUN);
	set_latency(needed, 120, needed * 1438 / LONG_RUN, 130);
	assert_outcome(GATE_PASS, "as advised", (long)needed);
	set_latency(LONG_RUN, 120, 1500, 130);
	assert_outcome(GATE_CONDITIONAL, "over", 1500);
	assert_says(result.next, "too close to its limit");
}
END_TEST

/* 59 without one over the limit certify a P95 at 95 %. */
START_TEST(test_advice_on_few_requests_is_found)
{
	spec.requests = 0;
	for (size_t count = 1; count < 59; count++) {
		size_t needed = 0;
		set_latency(count, 100, 0, 0);
		gate_judge(&spec, &facts, &result);
		const char *advice = strstr(result.next, "P95: about");
		ck_assert_msg(advice != NULL, "%zu requests: %s", count, result.next);
		ck_assert_int_eq(sscanf(advice, "P95: about %zu", &needed), 1);
		ck_assert_uint_eq(needed, 59);
	}
}
END_TEST

START_TEST(test_figures_are_written_as_people_do)
{
	static const struct {
		const char *criterion;
		struct gate_row row;
		const char *value, *limit, *bound;
	} rows[] = {
		{"p95",
	         {.point = 118.24, .limit = 120, .low = 116, .high = 121.9, .count = 9},
	         "118.2 ms",
	         "≤ 120 ms",
	         "121.9 ms"},
		{"stages.parse",
	         {.point = 0.0123, .limit = 3, .low = 0.01, .high = 2.5, .count = 9},
	         "0.012 ms",
	         "≤ 3 ms",
	         "2.50 ms"},
		{"errors",
	         {.point = 20 / 30000.0, .limit = 0.001, .low = 0.0004, .high = 0.00097, .count = 9},
	         "0.067 %",
	         "≤ 0.1 %",
	         "0.097 %"},
		{"acceptance",
	         {.point = 1, .limit = 0.999, .low = 0.9999, .high = 1, .count = 9},
	         "100.000 %",
	         "≥ 99.9 %",
	         "99.990 %"},
		{"baseline", {.point = -0.2, .limit = 0.05, .low = -0.3, .high = -0.1}, "-20.0 %", "≤ 5 %", "-10.0 %"},
		{"violations", {.point = 3, .limit = 0, .low = 3, .high = 3}, "3", "≤ 0", ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate_row row = rows[i].row;
		row.criterion = &gate_criteria[gate_criterion_index(rows[i].criterion)];
		struct gate_row_texts texts = gate_row_texts(&row);
		ck_assert_str_eq(texts.value, rows[i].value);
		ck_assert_str_eq(texts.limit, rows[i].limit);
		ck_assert_str_eq(texts.bound, rows[i].bound);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("gate");
	TCase *rows = tcase_create("rows");
	TCase *outcomes = tcase_create("outcomes");
	tcase_add_checked_fixture(rows, set_up, tear_down);
	tcase_add_checked_fixture(outcomes, set_up, tear_down);
	tcase_add_test(rows, test_p95_is_certified_up_to_1437_of_30000);
	tcase_add_test(rows, test_p99_is_certified_up_to_271_of_30000);
	tcase_add_test(rows, test_errors_are_certified_up_to_20_and_disproven_from_40);
	tcase_add_test(rows, test_acceptance_is_certified_from_29980_and_disproven_at_29960);
	tcase_add_test(rows, test_one_violation_rolls_back);
	tcase_add_test(rows, test_what_is_not_measured_does_not_pass);
	tcase_add_test(rows, test_unanswered_requests_are_over_every_limit);
	tcase_add_test(rows, test_stage_over_its_target_is_conditional);
	tcase_add_test(rows, test_a_target_is_shown_and_decides_nothing);
	tcase_add_test(rows, test_baseline_is_certified_by_its_interval);
	tcase_add_test(rows, test_leaks_and_exhaustion_roll_back);
	tcase_add_test(rows, test_figures_are_written_as_people_do);
	tcase_add_test(rows, test_every_criterion_is_complete);
	tcase_add_test(outcomes, test_outcomes_are_found_by_name);
	tcase_add_test(outcomes, test_outcomes_have_their_exit_statuses);
	tcase_add_test(outcomes, test_p95_above_the_old_one_rolls_back);
	tcase_add_test(outcomes, test_smoke_says_proceed_and_never_pass);
	tcase_add_test(outcomes, test_smoke_rolls_back_at_one_functional_error);
	tcase_add_test(outcomes, test_smoke_above_its_target_is_not_clean);
	tcase_add_test(outcomes, test_interim_goes_by_bands);
	tcase_add_test(outcomes, test_interim_says_what_the_interval_leaves_open);
	tcase_add_test(outcomes, test_flag_names_the_largest_stage_and_who_falls_behind);
	tcase_add_test(outcomes, test_run_that_was_not_the_one_asked_for_says_nothing);
	tcase_add_test(outcomes, test_violation_counts_in_an_invalid_run_too);
	tcase_add_test(outcomes, test_worst_row_decides);
	tcase_add_test(outcomes, test_advice_on_how_many_requests_certifies);
	tcase_add_test(outcomes, test_advice_on_few_requests_is_found);
	suite_add_tcase(suite, rows);
	suite_add_tcase(suite, outcomes);
	return suite;
}

UNIT_SUITE(test_gate, make_suite)
