/*
 * The verdict on a comparison: what an interval says, what outweighs it, and how often it is wrong on noise that was
 * recorded on a real machine (tests/fixtures/noise/README.md).
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/prng.h"
#include "lab/judge/pairs.h"
#include "lab/judge/verdict.h"
#include "lab/run/estimate.h"
#include "support/paired.h"
#include "support/unit.h"

enum { NOISE_PAIRS = 60, NOISE_BLOCK_MAX = 400 /* requests */ };
static const struct recording {
	const char *file;
	size_t block; /* requests in one */
} sqlite_noise = {"sqlite.bin", 400}, delayed_noise = {"delayed.bin", 150};

static struct paired paired;
static json_t *document;

static void tear_down(void)
{
	json_decref(document);
	document = NULL;
	paired_finish(&paired);
}

static void judge(void)
{
	json_decref(document);
	document = paired_judge(&paired);
}

static const char *text_in(const char *object, const char *member)
{
	const char *text = json_string_value(json_object_get(json_object_get(document, object), member));
	return text ? text : "";
}

static const char *outcome(void)
{
	return text_in("verdict", "outcome");
}

static void assert_outcome(const char *expected)
{
	judge();
	ck_assert_msg(strcmp(outcome(), expected) == 0, "expected %s, got %s: %s", expected, outcome(),
	              text_in("verdict", "sentence"));
}

static void assert_said(const char *part)
{
	const char *sentence = text_in("verdict", "sentence");
	ck_assert_msg(strstr(sentence, part) != NULL, "no \"%s\" in: %s", part, sentence);
}

static void assert_noted(const char *part)
{
	char *notes = json_dumps(json_object_get(document, "notes"), 0);
	ck_assert_msg(strstr(notes, part) != NULL, "no \"%s\" in: %s", part, notes);
	free(notes);
}

static const json_t *metric(const char *name)
{
	size_t i;
	json_t *row;
	json_array_foreach (json_object_get(document, "metrics"), i, row) {
		if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
			return row;
	}
	ck_abort_msg("there is no metric %s", name);
}

static double figure(const char *name, const char *member)
{
	return json_number_value(json_object_get(metric(name), member));
}

START_TEST(test_outcome_follows_from_the_interval_and_the_margin)
{
	static const struct {
		double mean, low, high; /* changes */
		enum verdict_outcome expected;
	} cases[] = {
		{-0.20, -0.25, -0.15, VERDICT_BETTER},          {+0.20, +0.15, +0.25, VERDICT_WORSE},
		{-0.20, -0.40, -0.001, VERDICT_BETTER},         {-0.20, -0.40, +0.001, VERDICT_INCONCLUSIVE},
		{+0.20, -0.001, +0.40, VERDICT_INCONCLUSIVE},   {+0.02, -0.01, +0.04, VERDICT_EQUIVALENT},
		{+0.02, +0.01, +0.03, VERDICT_EQUIVALENT},   /* certain, and of no account */
		{+0.03, +0.01, +0.06, VERDICT_INCONCLUSIVE}, /* worse for sure, perhaps by more than the margin */
		{-0.03, -0.06, -0.01, VERDICT_INCONCLUSIVE},    {0, -0.30, +0.30, VERDICT_INCONCLUSIVE},
		{0, -INFINITY, INFINITY, VERDICT_INCONCLUSIVE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double low = isinf(cases[i].low) ? cases[i].low : log1p(cases[i].low);
		double high = isinf(cases[i].high) ? cases[i].high : log1p(cases[i].high);
		ck_assert_msg(verdict_of_interval(log1p(cases[i].mean), low, high, 0.05) == cases[i].expected,
		              "case %zu", i);
	}
}
END_TEST

START_TEST(test_without_a_margin_every_certain_change_counts)
{
	ck_assert_int_eq(verdict_of_interval(-0.001, -0.002, -0.0001, 0), VERDICT_BETTER);
	ck_assert_int_eq(verdict_of_interval(0.0001, -0.002, 0.002, 0), VERDICT_INCONCLUSIVE);
}
END_TEST

START_TEST(test_twenty_percent_are_found_on_both_sides)
{
	paired_init(&paired, 8, 100);
	assert_outcome("equivalent");
	paired_scale(&paired, 1, 1.2);
	assert_outcome("worse");
	ck_assert_double_eq_tol(figure("p95", "change"), 0.2, 0.03);
	paired_scale(&paired, 1, 0.8 / 1.2);
	assert_outcome("better");
	assert_said("with none");
	assert_said("with faster");
	ck_assert_double_eq_tol(figure("p95", "change"), -0.2, 0.03);
}
END_TEST

START_TEST(test_what_is_open_says_how_many_pairs_are_missing)
{
	paired_init(&paired, 3, 100);
	for (size_t pair = 0; pair < 3; pair++)
		for (size_t i = 0; i < 100; i++)
			paired_set_latency(paired_record(&paired, pair, 1, i), (int64_t)(8 + 4 * pair) * NS_PER_MS);
	assert_outcome("inconclusive");
	ck_assert_int_gt(json_integer_value(json_object_get(json_object_get(document, "verdict"), "more_pairs")), 1);
	assert_said("more pairs needed");
}
END_TEST

START_TEST(test_one_pair_has_no_interval)
{
	paired_init(&paired, 1, 100);
	paired_scale(&paired, 1, 3);
	assert_outcome("inconclusive");
	assert_said("over 1 pair;");
	ck_assert(json_is_null(json_object_get(metric("p95"), "low")));
	ck_assert(json_is_null(json_object_get(metric("p95"), "high")));
}
END_TEST

static uint32_t noise_us[NOISE_PAIRS * 2 * NOISE_BLOCK_MAX];

static void read_noise(const struct recording *recording)
{
	char path[512];
	(void)snprintf(path, sizeof(path), TEST_SOURCE_DIR "/tests/fixtures/noise/%s", recording->file);
	FILE *file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s", path);
	size_t count = NOISE_PAIRS * 2 * recording->block;
	ck_assert_uint_eq(fread(noise_us, sizeof(*noise_us), count, file), count);
	(void)fclose(file);
}

/* A recorded pair becomes one of the comparison; by coin, which of its blocks is A's. */
static void lay_noise(const struct recording *recording, size_t pair, size_t recorded, bool swapped)
{
	for (size_t arm = 0; arm < 2; arm++) {
		const uint32_t *block = noise_us + (2 * recorded + (swapped ? 1 - arm : arm)) * recording->block;
		for (size_t i = 0; i < recording->block; i++)
			paired_set_latency(paired_record(&paired, pair, arm, i), block[i] * NS_PER_US);
	}
}

START_TEST(test_recorded_noise_passes_for_a_change_at_most_ten_times_in_a_hundred)
{
	enum { COMPARISONS = 100, PAIRS = 10, FALSE_MAX = 10 };
	const struct recording *recording = _i ? &delayed_noise : &sqlite_noise;
	struct prng prng;
	size_t wrong = 0;
	prng_init(&prng, 20);
	read_noise(recording);
	paired_init(&paired, PAIRS, recording->block);
	for (size_t comparison = 0; comparison < COMPARISONS; comparison++) {
		for (size_t pair = 0; pair < PAIRS; pair++)
			lay_noise(recording, pair, (size_t)prng_below(&prng, NOISE_PAIRS), prng_below(&prng, 2));
		judge();
		wrong += strcmp(outcome(), "better") == 0 || strcmp(outcome(), "worse") == 0;
	}
	ck_assert_msg(wrong <= FALSE_MAX, "%zu of %d", wrong, COMPARISONS);
}
END_TEST

static const struct {
	double factor;
	const char *expected, * or ; /* one of them */
} planted[] = {
	{1.2, "worse", NULL},
	{0.8, "better", NULL},
	{1.02, "inconclusive", "equivalent"},
	{0.98, "inconclusive", "equivalent"},
};

START_TEST(test_change_planted_in_recorded_noise_is_found_if_it_matters)
{
	read_noise(&delayed_noise);
	paired_init(&paired, NOISE_PAIRS, delayed_noise.block);
	for (size_t pair = 0; pair < NOISE_PAIRS; pair++)
		lay_noise(&delayed_noise, pair, pair, false);
	paired_scale(&paired, 1, planted[_i].factor);
	judge();
	ck_assert_msg(strcmp(outcome(), planted[_i].expected) == 0 ||
	                      (planted[_i].or &&strcmp(outcome(), planted[_i].or) == 0),
	              "%g is called %s: %s", planted[_i].factor, outcome(), text_in("verdict", "sentence"));
}
END_TEST

START_TEST(test_arm_that_does_not_keep_up_is_noted)
{
	paired_init(&paired, 4, 100);
	judge();
	ck_assert_uint_eq(json_array_size(json_object_get(document, "notes")), 1);
	assert_noted("Over all requests at once");
	for (size_t pair = 0; pair < 4; pair++)
		for (size_t i = 0; i < 100; i++)
			paired_set_latency(paired_record(&paired, pair, 0, i), (int64_t)(10 + 10 * i) * NS_PER_MS);
	assert_outcome("better");
	assert_noted("the P95 is 950\u00a0ms with none");
	assert_noted("none does not keep up with the load");
}
END_TEST

START_TEST(test_wrong_answer_counts_as_the_whole_timeout)
{
	paired_init(&paired, 4, 100);
	for (size_t arm = 0; arm < 2; arm++)
		paired_refuse(&paired, arm, 6, 503);
	judge();
	ck_assert_double_eq_tol(figure("p95", "a"), 60000, 1);
	ck_assert_double_eq_tol(figure("p95", "b"), 60000, 1);
	ck_assert_double_lt(figure("p50", "b"), 20);
	ck_assert_double_lt(figure("throughput", "b"), 100);
	assert_noted("faster: 24 of 400 responses were wrong; each counts as 60 s.");
}
END_TEST

START_TEST(test_no_answer_counts_as_the_whole_timeout)
{
	paired_init(&paired, 4, 100);
	for (size_t pair = 0; pair < 4; pair++)
		for (size_t i = 0; i < 6; i++) {
			struct trace_record *record = paired_record(&paired, pair, 1, i);
			record->answered_ns = -1;
			record->status = 0;
		}
	assert_outcome("worse");
	ck_assert_double_eq_tol(figure("p95", "b"), 60000, 1);
}
END_TEST

START_TEST(test_more_wrong_answers_outweigh_a_better_latency)
{
	paired_init(&paired, 8, 200);
	paired_scale(&paired, 1, 0.5);
	assert_outcome("better");
	paired_refuse(&paired, 1, 4, 503); /* 2 %: P95 does not feel it */
	assert_outcome("worse");
	assert_said("faster answers 32 of 1600 requests wrongly, none 0 of 1600");
}
END_TEST

START_TEST(test_a_few_wrong_answers_more_are_chance)
{
	paired_init(&paired, 8, 200);
	paired_refuse(&paired, 0, 2, 503);
	paired_refuse(&paired, 1, 2, 503);
	paired_record(&paired, 0, 1, 100)->status = 503;
	assert_outcome("equivalent");
}
END_TEST

START_TEST(test_violations_outweigh_everything)
{
	paired_init(&paired, 8, 100);
	paired_scale(&paired, 1, 0.5);
	paired_set_violations(&paired, 1, 3);
	assert_outcome("worse");
	assert_said("3 events lost, doubled, altered or out of order");
	paired_set_violations(&paired, 0, 1);
	assert_outcome("invalid");
	assert_said("none itself has 1 event");
	paired_set_violations(&paired, 1, 0);
	assert_outcome("invalid");
}
END_TEST

START_TEST(test_store_that_nobody_has_verified_is_noted)
{
	paired_init(&paired, 8, 100);
	json_decref(paired.verified);
	paired.verified = NULL;
	assert_outcome("equivalent");
	assert_noted("faster: the stored events were not verified.");
}
END_TEST

START_TEST(test_late_generator_makes_it_invalid)
{
	paired_init(&paired, 8, 100);
	paired_scale(&paired, 1, 0.5);
	paired_set_about(&paired, "generator", "valid", json_false());
	paired_set_about(&paired, "generator", "reasons", json_pack("[s]", "the generator was late: by much"));
	assert_outcome("invalid");
	assert_said("No conclusion: the generator was late: by much.");
}
END_TEST

static bool is_settled(size_t pairs)
{
	struct verdict_terms terms = {.margin = 0.05, .timeout_ns = 60 * NS_PER_S, .seed = 1};
	const struct host calm = {0};
	return verdict_is_settled(&terms, paired.run->records, paired.run->count, &paired.input, &calm, pairs);
}

START_TEST(test_only_planned_looks_may_settle)
{
	paired_init(&paired, 20, 100);
	paired_scale(&paired, 1, 2);
	ck_assert(!is_settled(9));
	ck_assert(is_settled(10));
	ck_assert(!is_settled(19));
	ck_assert(is_settled(20));
}
END_TEST

/* What the servers of a life were dealt is shared by its pairs: 20 pairs of five lives are five observations. */
START_TEST(test_lives_are_what_counts_where_there_are_several)
{
	static const double dealt[] = {1.25, 0.95, 1.3, 1.02, 1.15};
	paired_init(&paired, 20, 100);
	for (size_t pair = 0; pair < 20; pair++)
		for (size_t i = 0; i < 100; i++) {
			struct trace_record *record = paired_record(&paired, pair, 1, i);
			paired_set_latency(record, (int64_t)((double)run_corrected_ns(record) * dealt[pair / 4]));
		}
	assert_outcome("worse");
	assert_said("over 20 pairs");
	paired_set_about(&paired, "comparison", "lives", json_integer(5));
	assert_outcome("inconclusive");
	assert_said("over 5 lives of 4 pairs");
	assert_said("more lives needed");
}
END_TEST

/* The same change in every life is found, and a life that was cut short counts with what it has. */
START_TEST(test_change_that_every_life_has_is_found)
{
	paired_init(&paired, 18, 100);
	paired_scale(&paired, 1, 0.8);
	paired_set_about(&paired, "comparison", "lives", json_integer(5));
	paired_set_about(&paired, "comparison", "pairs", json_integer(20));
	assert_outcome("better");
	assert_said("over 5 lives of 4 pairs");
}
END_TEST

START_TEST(test_looks_are_planned_after_lives_where_there_are_several)
{
	struct verdict_terms terms = {.margin = 0.05, .timeout_ns = 60 * NS_PER_S, .seed = 1, .pairs_of_life = 3};
	ck_assert(!verdict_is_look(&terms, 10));
	ck_assert(verdict_is_look(&terms, 30));
	ck_assert(verdict_is_look(&terms, 120));
	ck_assert(!verdict_is_look(&terms, 31));
}
END_TEST

START_TEST(test_look_does_not_settle_what_is_open)
{
	paired_init(&paired, 20, 100);
	paired_scale(&paired, 1, 1.05); /* at the edge of the margin: certain, and neither worse nor equivalent */
	paired_scale(&paired, 1, 1.049 / 1.05);
	ck_assert(!is_settled(20));
}
END_TEST

START_TEST(test_arms_that_are_surely_alike_settle_it)
{
	paired_init(&paired, 20, 100);
	ck_assert(is_settled(20));
}
END_TEST

START_TEST(test_sequential_verdict_has_the_alpha_of_its_last_look)
{
	paired_init(&paired, 20, 100);
	paired_scale(&paired, 1, 2);
	for (size_t i = 0; i < 100; i++) /* the first pair speaks against the others */
		paired_set_latency(paired_record(&paired, 0, 1, i), 5 * NS_PER_MS);
	paired_set_about(&paired, "comparison", "sequential", json_true());
	assert_outcome("worse");
	const json_t *looks = json_object_get(document, "looks");
	ck_assert_uint_eq(json_array_size(looks), 2);
	ck_assert(json_is_false(json_object_get(json_array_get(looks, 0), "stopped")));
	ck_assert(json_is_true(json_object_get(json_array_get(looks, 1), "stopped")));
	ck_assert_double_eq(json_number_value(json_object_get(document, "alpha")), estimate_look_p[1]);
}
END_TEST

START_TEST(test_what_is_seen_from_outside_is_counted_per_event)
{
	paired_init(&paired, 4, 100);
	judge();
	ck_assert_double_eq_tol(figure("cpu_per_event", "a"), 1000, 1e-6);
	ck_assert_double_eq_tol(figure("wal_per_event", "b"), 100, 1e-6);
	ck_assert_double_eq_tol(figure("memory", "a"), 1 << 20, 1e-3);
	ck_assert_double_eq_tol(figure("throughput", "a"), 100, 2);
}
END_TEST

START_TEST(test_figure_that_is_not_known_is_left_out)
{
	size_t i;
	json_t *block;
	paired_init(&paired, 4, 100);
	json_array_foreach (json_object_get(paired.run->about, "blocks"), i, block) {
		(void)json_object_del(block, "store");
	}
	judge();
	ck_assert_uint_eq(json_array_size(json_object_get(document, "metrics")), 7);
}
END_TEST

START_TEST(test_lists_have_every_block_and_the_slowest_of_both_arms)
{
	paired_init(&paired, 4, 100);
	judge();
	ck_assert_uint_eq(json_array_size(json_object_get(document, "blocks")), 8);
	const json_t *slowest = json_object_get(document, "slowest");
	ck_assert_uint_eq(json_array_size(slowest), 10);
	for (size_t i = 1; i < 10; i++)
		ck_assert_double_le(json_number_value(json_object_get(json_array_get(slowest, i), "total_ms")),
		                    json_number_value(json_object_get(json_array_get(slowest, i - 1), "total_ms")));
	ck_assert_uint_eq(json_array_size(json_object_get(document, "violations")), 2);
	ck_assert_uint_gt(json_array_size(json_object_get(document, "quantiles")), 10);
}
END_TEST

START_TEST(test_same_files_give_the_same_document)
{
	paired_init(&paired, 20, 50);
	judge();
	json_t *again = paired_judge(&paired);
	ck_assert(json_equal(document, again));
	json_decref(again);
}
END_TEST

START_TEST(test_run_that_is_no_comparison_is_refused)
{
	struct sluice_error error = {0};
	paired_init(&paired, 2, 50);
	size_t count = paired.run->count;
	paired.run->count = 0;
	ck_assert_ptr_null(verdict_compute(paired.run, &paired.input, NULL, &error));
	ck_assert_msg(strstr(error.text, "not one pair") != NULL, "%s", error.text);
	paired.run->count = count;
	(void)json_object_del(paired.run->about, "comparison");
	error.text[0] = '\0';
	ck_assert_ptr_null(verdict_compute(paired.run, &paired.input, NULL, &error));
	ck_assert_msg(strstr(error.text, "not a comparison") != NULL, "%s", error.text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("verdict");
	TCase *interval = tcase_create("interval"), *noise = tcase_create("recorded noise"),
	      *quality = tcase_create("quality"), *looks = tcase_create("looks"), *list = tcase_create("document");
	tcase_add_test(interval, test_outcome_follows_from_the_interval_and_the_margin);
	tcase_add_test(interval, test_without_a_margin_every_certain_change_counts);
	TCase *changes = tcase_create("changes");
	tcase_add_test(changes, test_twenty_percent_are_found_on_both_sides);
	tcase_add_test(changes, test_what_is_open_says_how_many_pairs_are_missing);
	tcase_add_test(changes, test_one_pair_has_no_interval);
	tcase_add_loop_test(noise, test_recorded_noise_passes_for_a_change_at_most_ten_times_in_a_hundred, 0, 2);
	tcase_add_loop_test(noise, test_change_planted_in_recorded_noise_is_found_if_it_matters, 0,
	                    sizeof(planted) / sizeof(planted[0]));
	tcase_add_test(quality, test_arm_that_does_not_keep_up_is_noted);
	tcase_add_test(quality, test_wrong_answer_counts_as_the_whole_timeout);
	tcase_add_test(quality, test_no_answer_counts_as_the_whole_timeout);
	tcase_add_test(quality, test_more_wrong_answers_outweigh_a_better_latency);
	tcase_add_test(quality, test_a_few_wrong_answers_more_are_chance);
	tcase_add_test(quality, test_violations_outweigh_everything);
	tcase_add_test(quality, test_store_that_nobody_has_verified_is_noted);
	tcase_add_test(quality, test_late_generator_makes_it_invalid);
	tcase_add_test(looks, test_only_planned_looks_may_settle);
	tcase_add_test(looks, test_lives_are_what_counts_where_there_are_several);
	tcase_add_test(looks, test_change_that_every_life_has_is_found);
	tcase_add_test(looks, test_looks_are_planned_after_lives_where_there_are_several);
	tcase_add_test(looks, test_look_does_not_settle_what_is_open);
	tcase_add_test(looks, test_arms_that_are_surely_alike_settle_it);
	tcase_add_test(looks, test_sequential_verdict_has_the_alpha_of_its_last_look);
	tcase_add_test(list, test_what_is_seen_from_outside_is_counted_per_event);
	tcase_add_test(list, test_figure_that_is_not_known_is_left_out);
	tcase_add_test(list, test_lists_have_every_block_and_the_slowest_of_both_arms);
	tcase_add_test(list, test_same_files_give_the_same_document);
	tcase_add_test(list, test_run_that_is_no_comparison_is_refused);
	TCase *of_pairs[] = {changes, noise, quality, looks, list};
	suite_add_tcase(suite, interval);
	for (size_t i = 0; i < sizeof(of_pairs) / sizeof(of_pairs[0]); i++) {
		tcase_add_checked_fixture(of_pairs[i], NULL, tear_down);
		tcase_set_timeout(of_pairs[i], 120);
		suite_add_tcase(suite, of_pairs[i]);
	}
	return suite;
}

UNIT_SUITE(test_verdict, make_suite)
