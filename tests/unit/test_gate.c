/*
 * The gate's decisions, as a table: what was seen, at its edges, and what comes of it.
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/judge/gate.h"

enum { MS = 1000000, LONG_RUN = 30000, SHORT_RUN = 1000 };

static struct gate_spec spec;
static struct gate_facts facts;
static struct gate_result result;

/* `over` of `count` take `over_ms`, the others `ms`. */
static struct gate_sample make_sample(size_t count, int64_t ms, size_t over, int64_t over_ms)
{
	struct gate_sample sample = {must_calloc(count + 1, sizeof(*sample.sorted)), count};
	for (size_t i = 0; i < count; i++)
		sample.sorted[i] = (i < count - over ? ms : over_ms) * MS;
	return sample;
}

static void set_latency(size_t count, int64_t ms, size_t over, int64_t over_ms)
{
	free(facts.latency.sorted);
	facts.latency = make_sample(count, ms, over, over_ms);
	facts.requests = facts.expected_good = facts.accepted = count;
}

static void ask(enum gate_criterion criterion)
{
	spec.asked[criterion] = true;
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
		.p95 = {120 * (int64_t)MS},
		.p99 = {200 * (int64_t)MS},
		.acceptance = 0.999,
		.errors = 0.001,
		.rollback_above = {231 * (int64_t)MS},
	};
	ask(GATE_P95);
	ask(GATE_ACCEPTANCE);
	ask(GATE_ERRORS);
	ask(GATE_VIOLATIONS);
	facts = (struct gate_facts){.rate = 500, .connections = 50, .answers_known = true, .verified = true};
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
	spec.acceptance = 1;
	spec.errors = 0;
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

static void assert_row(enum gate_criterion criterion, enum gate_verdict verdict, bool proven)
{
	const struct gate_row *row = gate_find_row(&result, criterion);
	ck_assert_ptr_nonnull(row);
	ck_assert_msg(row->verdict == verdict && row->proven == proven, "%s: %s%s", gate_criteria[criterion].name,
	              gate_verdict_names[row->verdict], row->proven ? ", proven" : "");
}

static void assert_says(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "expected \"%s\" in \"%s\"", part, text);
}

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
		assert_row(GATE_P95, rows[i].verdict, rows[i].proven);
		/* The interval of the percentile and the bound of the share say the same. */
		const struct gate_row *row = gate_find_row(&result, GATE_P95);
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
	ask(GATE_P99);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_latency(LONG_RUN, 100, rows[i].over, 201);
		assert_outcome(rows[i].outcome, "over P99", (long)rows[i].over);
		assert_row(GATE_P99, rows[i].verdict, rows[i].outcome == GATE_FLAG);
		assert_row(GATE_P95, GATE_MET, false);
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
		facts.errors = shares[i].bad;
		assert_outcome(shares[i].outcome, "errors", (long)shares[i].bad);
		assert_row(GATE_ERRORS, shares[i].verdict, shares[i].proven);
	}
}
END_TEST

START_TEST(test_acceptance_is_certified_from_29980_and_disproven_at_29960)
{
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		facts.accepted = LONG_RUN - shares[i].bad;
		assert_outcome(shares[i].outcome, "accepted", (long)facts.accepted);
		assert_row(GATE_ACCEPTANCE, shares[i].verdict, shares[i].proven);
	}
}
END_TEST

START_TEST(test_one_violation_rolls_back)
{
	facts.violations = 1;
	assert_outcome(GATE_ROLLBACK, "violations", 1);
	assert_says(result.next, "ENABLE_OPTIMIZATIONS=false");
	assert_says(result.next, "sluice verify names the events");
}
END_TEST

START_TEST(test_what_is_not_measured_does_not_pass)
{
	facts.verified = false;
	assert_outcome(GATE_CONDITIONAL, "verified", 0);
	assert_row(GATE_VIOLATIONS, GATE_NOT_MEASURED, false);
	assert_says(result.next, "sluice verify RUN/ PIPELINE");
	facts.verified = true;
	facts.answers_known = false;
	assert_outcome(GATE_CONDITIONAL, "answers known", 0);
	assert_row(GATE_ERRORS, GATE_NOT_MEASURED, false);
	assert_row(GATE_ACCEPTANCE, GATE_NOT_MEASURED, false);
}
END_TEST

START_TEST(test_unanswered_requests_are_over_every_limit)
{
	set_latency(LONG_RUN, 100, 1501, 0);
	for (size_t i = LONG_RUN - 1501; i < LONG_RUN; i++)
		facts.latency.sorted[i] = INT64_MAX;
	assert_outcome(GATE_ROLLBACK, "unanswered", 1501);
	ck_assert(isinf(gate_find_row(&result, GATE_P95)->point));
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
	assert_row(GATE_ERRORS, GATE_NOT_CERTIFIED, false); /* 0 of 1,000 bound the rate at 0.30 % */
	assert_says(result.sentence, "do not certify 2 of them");
	spec.asked[GATE_ERRORS] = spec.asked[GATE_ACCEPTANCE] = false;
	assert_outcome(GATE_PROCEED, "rows not certified", 0);
}
END_TEST

START_TEST(test_smoke_rolls_back_at_one_functional_error)
{
	be_smoke();
	facts.errors = 1;
	assert_outcome(GATE_ROLLBACK, "errors", 1);
	facts.errors = 0;
	facts.accepted--;
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
	facts.verified = false;
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
	            "(110.0 ms to 125.0 ms) holds an edge: by P95 alone PROCEED and CONDITIONAL are possible");
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
	facts.stages[GATE_PERSIST - GATE_AUTH] = make_sample(SHORT_RUN, 50, 0, 0);
	facts.stages[GATE_STORE - GATE_AUTH] = make_sample(SHORT_RUN, 55, 0, 0);
	facts.stages[GATE_PARSE - GATE_AUTH] = make_sample(SHORT_RUN, 3, 0, 0);
	assert_outcome(GATE_FLAG, "P95", 200);
	assert_says(result.next, "storing is the largest part");
	assert_says(result.next, "does not keep up with the rate");
	ck_assert_ptr_null(strstr(result.next, "outside the stages"));
	ask(GATE_PARSE);
	spec.stages[GATE_PARSE - GATE_AUTH].ns = 3 * (int64_t)MS;
	assert_outcome(GATE_FLAG, "P95", 200);
	assert_says(result.next, "every stage keeps its target and the total does not");
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
	assert_says(result.invalid, "29999 requests and needs 30000");
}
END_TEST

START_TEST(test_violation_counts_in_an_invalid_run_too)
{
	facts.interrupted = true;
	facts.violations = 1;
	assert_outcome(GATE_ROLLBACK, "violations", 1);
}
END_TEST

START_TEST(test_stage_over_its_target_is_conditional)
{
	ask(GATE_PARSE);
	spec.stages[GATE_PARSE - GATE_AUTH].ns = 3 * (int64_t)MS;
	assert_outcome(GATE_CONDITIONAL, "not measured", 0);
	facts.stages[GATE_PARSE - GATE_AUTH] = make_sample(LONG_RUN, 3, 1437, 4);
	assert_outcome(GATE_PASS, "over", 1437);
	gate_facts_finish(&(struct gate_facts){.latency = facts.stages[GATE_PARSE - GATE_AUTH]});
	facts.stages[GATE_PARSE - GATE_AUTH] = make_sample(LONG_RUN, 4, 0, 0);
	assert_outcome(GATE_CONDITIONAL, "all over", LONG_RUN);
	assert_row(GATE_PARSE, GATE_FAILED, true);
	assert_says(result.sentence, "parse P95: 4.00 ms instead of ≤ 3 ms, beyond doubt");
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
	ask(GATE_BASELINE);
	assert_outcome(GATE_CONDITIONAL, "not measured", 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		facts.baseline = (struct gate_baseline){true,        rows[i].apart, rows[i].change,
		                                        rows[i].low, rows[i].high,  rows[i].apart ? 0 : 0.05};
		assert_outcome(rows[i].outcome, "row", (long)i);
		assert_row(GATE_BASELINE, rows[i].verdict, rows[i].outcome == GATE_ROLLBACK);
	}
}
END_TEST

START_TEST(test_leaks_and_exhaustion_roll_back)
{
	ask(GATE_MEMORY_GROWTH);
	ask(GATE_MEMORY);
	ask(GATE_DESCRIPTOR_GROWTH);
	spec.memory_growth = 0.2;
	spec.memory = 0.9;
	assert_outcome(GATE_CONDITIONAL, "not measured", 0);
	facts.memory = (struct gate_gauge){true, 100, 120, 120};
	facts.memory_total = 1000;
	facts.descriptors = (struct gate_gauge){true, 80, 80, 90};
	assert_outcome(GATE_PASS, "no growth", 0);
	facts.memory.last = 121;
	assert_outcome(GATE_ROLLBACK, "memory growth", 121);
	facts.memory.last = 90;
	facts.descriptors.last = 81;
	assert_outcome(GATE_ROLLBACK, "descriptor growth", 81);
	facts.descriptors.last = 70;
	facts.memory.highest = 901;
	assert_outcome(GATE_ROLLBACK, "memory", 901);
}
END_TEST

START_TEST(test_worst_row_decides)
{
	facts.verified = false; /* CONDITIONAL */
	set_latency(LONG_RUN, 130, 0, 0);
	assert_outcome(GATE_FLAG, "two rows", 1);
	facts.errors = 40;
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
	assert_says(result.next, "too near its limit");
}
END_TEST

START_TEST(test_figures_are_written_as_people_do)
{
	static const struct {
		struct gate_row row;
		const char *value, *limit, *bound;
	} rows[] = {
		{{.criterion = GATE_P95, .point = 118.24, .limit = 120, .low = 116, .high = 121.9, .count = 9},
	         "118.2 ms",
	         "≤ 120 ms",
	         "121.9 ms"},
		{{.criterion = GATE_PARSE, .point = 0.0123, .limit = 3, .low = 0.01, .high = 2.5, .count = 9},
	         "0.012 ms",
	         "≤ 3 ms",
	         "2.50 ms"},
		{{.criterion = GATE_ERRORS,
	          .point = 20 / 30000.0,
	          .limit = 0.001,
	          .low = 0.0004,
	          .high = 0.00097,
	          .count = 9},
	         "0.067 %",
	         "≤ 0.1 %",
	         "0.097 %"},
		{{.criterion = GATE_ACCEPTANCE, .point = 1, .limit = 0.999, .low = 0.9999, .high = 1, .count = 9},
	         "100.000 %",
	         "≥ 99.9 %",
	         "99.990 %"},
		{{.criterion = GATE_BASELINE, .point = -0.2, .limit = 0.05, .low = -0.3, .high = -0.1},
	         "-20.0 %",
	         "≤ 5 %",
	         "-10.0 %"},
		{{.criterion = GATE_VIOLATIONS, .point = 3, .limit = 0, .low = 3, .high = 3}, "3", "≤ 0", ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate_row_texts texts = gate_row_texts(&rows[i].row);
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
	tcase_add_test(rows, test_baseline_is_certified_by_its_interval);
	tcase_add_test(rows, test_leaks_and_exhaustion_roll_back);
	tcase_add_test(rows, test_figures_are_written_as_people_do);
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
	suite_add_tcase(suite, rows);
	suite_add_tcase(suite, outcomes);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
