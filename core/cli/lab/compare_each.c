/*
 * Overlays one by one and in pairs; see compare_each.h.
 */
#include "cli/lab/compare_each.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/lab/print_comparison.h"
#include "cli/lab/side.h"
#include "cli/show_json.h"
#include "lab/judge/together.h"
#include "lab/judge/verdict.h"
#include "lab/run/figure.h"
#include "lab/run/run.h"
#include "yaml/yaml.h"

#define EACH_FILE "each.json"

enum {
	PAIRS_MAX = 45, /* of overlays that made a difference alone: all those of ten */
	TRIALS_MAX = 2 * TOGETHER_OVERLAYS_MAX + 1 + TOGETHER_OVERLAYS_MAX * (TOGETHER_OVERLAYS_MAX - 1) / 2,
};

/* One of the comparisons: what it is called, and its two sets of overlays. */
struct trial {
	const char *name;
	uint64_t a, b;
};

struct each {
	const struct comparison_request *request;
	const struct each_runner *runner;
	struct arena *arena;
	bool as_json;
	const char *overlays[TOGETHER_OVERLAYS_MAX];
	size_t overlay_count;
	uint64_t enabled; /* 0: fewer than two */
	struct together_set sets[TRIALS_MAX];
	size_t set_count;
	json_t *document; /* each.json */
	int status;
};

static uint64_t bit(size_t overlay)
{
	return UINT64_C(1) << overlay;
}

/* "a,b", or "none". */
static const char *join(const struct each *each, uint64_t overlays)
{
	const char *joined = NULL;
	for (size_t i = 0; i < each->overlay_count; i++)
		if (overlays & bit(i))
			joined = joined ? arena_printf(each->arena, "%s,%s", joined, each->overlays[i])
			                : each->overlays[i];
	return joined ? joined : "none";
}

static json_t *list_names(const struct each *each, uint64_t overlays)
{
	json_t *names = json_array();
	for (size_t i = 0; i < each->overlay_count; i++)
		if (overlays & bit(i))
			(void)json_array_append_new(names, json_string(each->overlays[i]));
	return names;
}

static void read_enabled(struct each *each, const struct yaml_node *enabled)
{
	uint64_t found = 0;
	for (const struct yaml_node *one = enabled ? enabled->first : NULL; one; one = one->next)
		for (size_t i = 0; i < each->overlay_count; i++)
			if (strcmp(each->overlays[i], one->text) == 0)
				found |= bit(i);
	each->enabled = found & (found - 1) ? found : 0;
}

static bool read_overlays(struct each *each, struct sluice_error *error)
{
	const struct yaml_node *top = yaml_read_file(each->request->pipelines[0], each->arena, error);
	const struct yaml_node *overlays = top ? yaml_get(top, "optimizations") : NULL;
	if (!top)
		return false;
	if (!overlays || !overlays->first)
		return yaml_fail(top, error, "the pipeline has no overlays to compare");
	for (const struct yaml_node *one = overlays->first; one; one = one->next) {
		if (each->overlay_count == TOGETHER_OVERLAYS_MAX)
			return yaml_fail(one, error, "expected at most %d overlays to compare", TOGETHER_OVERLAYS_MAX);
		each->overlays[each->overlay_count++] = one->key;
	}
	read_enabled(each, yaml_get(top, "enable"));
	return true;
}

/* The row of one set of overlays against none, or of a pair beyond what was expected. */
static json_t *describe_change(struct together_change change)
{
	json_t *object = json_pack("{s:f}", "change", expm1(change.mean));
	bool has_interval = isfinite(change.half);
	(void)json_object_set_new(object, "low",
	                          has_interval ? json_real(expm1(change.mean - change.half)) : json_null());
	(void)json_object_set_new(object, "high",
	                          has_interval ? json_real(expm1(change.mean + change.half)) : json_null());
	return object;
}

static void keep_set(struct each *each, uint64_t overlays, struct together_change change, enum verdict_outcome outcome)
{
	each->sets[each->set_count++] = (struct together_set){overlays, change, outcome};
	json_t *row = describe_change(change);
	(void)json_object_set_new(row, "overlays", list_names(each, overlays));
	(void)json_object_set_new(row, "outcome", json_string(verdict_outcomes[outcome].name));
	(void)json_array_append_new(json_object_get(each->document, "sets"), row);
}

static enum verdict_outcome outcome_of(const json_t *document)
{
	const char *name = json_string_value(json_object_get(json_object_get(document, "verdict"), "outcome"));
	for (int i = 0; name && i < VERDICT_OUTCOMES; i++)
		if (strcmp(verdict_outcomes[i].name, name) == 0)
			return (enum verdict_outcome)i;
	return VERDICT_INVALID;
}

/* False: the comparison says nothing. */
static bool read_change(const json_t *document, struct together_change *change_out)
{
	const json_t *row = comparison_p95(document);
	const json_t *low = json_object_get(row, "low"), *high = json_object_get(row, "high");
	if (!row || outcome_of(document) == VERDICT_INVALID)
		return false;
	change_out->mean = log1p(json_number_value(json_object_get(row, "change")));
	change_out->half = json_is_number(low) && json_is_number(high)
	                           ? (log1p(json_number_value(high)) - log1p(json_number_value(low))) / 2
	                           : INFINITY;
	return true;
}

/* What a comparison says of a set against none: B's, where A is none; A's, where B is the enabled set. */
static void learn(struct each *each, const struct trial *trial, const json_t *document)
{
	struct together_change change;
	const struct together_set *enabled = together_find(each->sets, each->set_count, each->enabled);
	if (!read_change(document, &change))
		return;
	if (trial->a == 0) {
		keep_set(each, trial->b, change, outcome_of(document));
	} else if (enabled && trial->b == each->enabled && !together_find(each->sets, each->set_count, trial->a)) {
		struct together_change own = together_chain(enabled->change, change);
		keep_set(each, trial->a, own,
		         verdict_of_interval(own.mean, own.mean - own.half, own.mean + own.half,
		                             each->request->settings->margin));
	}
}

static void print_trial(const struct each *each, const struct trial *trial, const json_t *document)
{
	const json_t *row = comparison_p95(document); /* NULL: no pair counts */
	if (each->as_json)
		return;
	(void)printf("%-34s %-12s", trial->name, verdict_outcomes[outcome_of(document)].name);
	if (row) {
		print_change(row);
		(void)printf("  %s → %s", figure_of(json_number_value(json_object_get(row, "a")), "ms").text,
		             figure_of(json_number_value(json_object_get(row, "b")), "ms").text);
	}
	(void)printf("\n");
	(void)fflush(stdout);
}

static void note_status(struct each *each, int status)
{
	if (status == STATUS_CANNOT || (status != STATUS_YES && each->status == STATUS_YES))
		each->status = status == STATUS_CANNOT ? STATUS_CANNOT : STATUS_NO;
}

/* One that cannot be done is said so, and does not keep the others from being done. */
static void try_one(struct each *each, const struct trial *trial)
{
	struct comparison_settings settings = *each->request->settings;
	struct comparison_request one = *each->request;
	if (*each->runner->is_over)
		return;
	settings.a = join(each, trial->a);
	settings.b = join(each, trial->b);
	settings.output = arena_printf(each->arena, "%s/%s", settings.output, trial->name);
	one.settings = &settings;
	json_t *document = each->runner->compare(each->runner->context, &one);
	if (document) {
		print_trial(each, trial, document);
		learn(each, trial, document);
	} else if (!each->as_json) {
		(void)printf("%-34s failed to run\n", trial->name);
	}
	note_status(each, document ? comparison_status(document) : STATUS_CANNOT);
	json_decref(document);
}

/* Every overlay alone against the base, then the enabled set, then the set against itself less one each. */
static void try_alone(struct each *each)
{
	for (size_t i = 0; i < each->overlay_count; i++)
		try_one(each, &(struct trial){each->overlays[i], 0, bit(i)});
	if (!each->enabled)
		return;
	try_one(each, &(struct trial){"enabled", 0, each->enabled});
	for (size_t i = 0; i < each->overlay_count; i++)
		if (each->enabled & bit(i))
			try_one(each,
			        &(struct trial){arena_printf(each->arena, "enabled-without-%s", each->overlays[i]),
			                        each->enabled & ~bit(i), each->enabled});
}

static bool made_a_difference(const struct each *each, size_t overlay)
{
	const struct together_set *alone = together_find(each->sets, each->set_count, bit(overlay));
	return alone && (alone->outcome == VERDICT_BETTER || alone->outcome == VERDICT_WORSE);
}

/* The same twice is one comparison, and two that exclude each other are none. */
static void try_pair(struct each *each, size_t one, size_t other)
{
	struct sluice_error reason = {0};
	uint64_t both = bit(one) | bit(other);
	if (together_find(each->sets, each->set_count, both))
		return;
	if (side_fits(each->request, join(each, both), &reason)) {
		try_one(each,
		        &(struct trial){arena_printf(each->arena, "%s+%s", each->overlays[one], each->overlays[other]),
		                        0, both});
		return;
	}
	(void)json_array_append_new(json_object_get(each->document, "not_together"),
	                            json_pack("{s:o, s:s}", "overlays", list_names(each, both), "reason", reason.text));
}

/* More overlays that made a difference have more pairs than anybody waits for: --together all runs them nevertheless. */
static void try_pairs(struct each *each)
{
	int asked = each->request->settings->together;
	size_t tried = 0, left_out = 0;
	for (size_t one = 0; asked != TOGETHER_NONE && one < each->overlay_count; one++)
		for (size_t other = one + 1; other < each->overlay_count; other++) {
			if (asked == TOGETHER_SOME &&
			    (!made_a_difference(each, one) || !made_a_difference(each, other)))
				continue;
			if (asked == TOGETHER_SOME && tried == PAIRS_MAX) {
				left_out++;
				continue;
			}
			tried++;
			try_pair(each, one, other);
		}
	(void)json_object_set_new(each->document, "pairs_left_out", json_integer((json_int_t)left_out));
}

static void list_pair(struct each *each, size_t one, size_t other)
{
	struct together_pair pair;
	const struct together_set *sets = each->sets;
	if (!together_judge(sets, each->set_count, bit(one), bit(other), each->request->settings->margin, &pair))
		return;
	json_t *row = json_pack("{s:o, s:[ff], s:f, s:f, s:o, s:s}", "overlays",
	                        list_names(each, bit(one) | bit(other)), "alone",
	                        expm1(together_find(sets, each->set_count, bit(one))->change.mean),
	                        expm1(together_find(sets, each->set_count, bit(other))->change.mean), "together",
	                        expm1(pair.together.mean), "expected", expm1(pair.expected.mean), "beyond",
	                        describe_change(pair.beyond), "word", together_texts[pair.word].name);
	(void)json_array_append_new(json_object_get(each->document, "pairs"), row);
}

static void list_pairs(struct each *each)
{
	for (size_t one = 0; one < each->overlay_count; one++)
		for (size_t other = one + 1; other < each->overlay_count; other++)
			list_pair(each, one, other);
}

static void recommend(struct each *each)
{
	const struct together_set *best;
	const struct together_set *chosen = together_recommend(each->sets, each->set_count,
	                                                       each->request->settings->margin, &best);
	(void)json_object_set_new(each->document, "recommended",
	                          chosen ? list_names(each, chosen->overlays) : json_array());
	(void)json_object_set_new(each->document, "best", best ? list_names(each, best->overlays) : json_array());
	if (each->as_json)
		return;
	if (!chosen) {
		(void)printf("\nKeep none of them: no set is proven to be better than none.\n");
		return;
	}
	(void)printf("\nKeep %s: P95 %s", join(each, chosen->overlays), figure_change(expm1(chosen->change.mean)).text);
	if (best && chosen != best)
		(void)printf("; the best, %s, comes to %s, which is within the margin of %s",
		             join(each, best->overlays), figure_change(expm1(best->change.mean)).text,
		             figure_given(100 * each->request->settings->margin, "%").text);
	(void)printf(". The best of several looks better than it is: confirm it with a comparison of its own,\n"
	             "sluice compare %s --a none --b %s --output RUN/\n",
	             each->request->pipelines[0], join(each, chosen->overlays));
}

static void print_share(const json_t *share)
{
	(void)printf(" %10s", figure_change(json_number_value(share)).text);
}

static void print_pair(const json_t *row)
{
	const json_t *names = json_object_get(row, "overlays"), *alone = json_object_get(row, "alone");
	char title[160];
	(void)snprintf(title, sizeof(title), "%s + %s", json_string_value(json_array_get(names, 0)),
	               json_string_value(json_array_get(names, 1)));
	(void)printf("%-38s", title);
	print_share(json_array_get(alone, 0));
	print_share(json_array_get(alone, 1));
	print_share(json_object_get(row, "expected"));
	print_share(json_object_get(row, "together"));
	print_change(json_object_get(row, "beyond"));
	(void)printf("  %s\n", json_string_value(json_object_get(row, "word")));
}

static void print_pairs(const json_t *document)
{
	const json_t *pairs = json_object_get(document, "pairs");
	size_t i;
	json_t *row;
	if (json_array_size(pairs) > 0)
		(void)printf("\n%-38s %10s %10s %10s %10s %11s  interval\n", "P95 of two together", "one alone",
		             "the other", "expected", "together", "beyond");
	json_array_foreach (pairs, i, row)
		print_pair(row);
	json_array_foreach (json_object_get(document, "not_together"), i, row)
		(void)printf("%s\n", json_string_value(json_object_get(row, "reason")));
	json_int_t left_out = json_integer_value(json_object_get(document, "pairs_left_out"));
	if (left_out > 0)
		(void)printf("%lld more pairs were not compared; --together all compares them.\n", (long long)left_out);
}

static bool try_all(struct each *each, struct sluice_error *error)
{
	const char *output = each->request->settings->output;
	if (!read_overlays(each, error))
		return false;
	if (mkdir(output, 0777) != 0 && errno != EEXIST)
		return sluice_error_set(error, "%s: %s", output, strerror(errno));
	if (!each->as_json)
		(void)printf("%-34s %-13s %9s  %s\n", "B against A", "verdict", "P95", "interval");
	try_alone(each);
	try_pairs(each);
	list_pairs(each);
	if (!each->as_json)
		print_pairs(each->document);
	recommend(each);
	return run_write_json(output, EACH_FILE, each->document, error) &&
	       (!each->as_json || show_json_print(each->document, RUN_DIGITS));
}

int compare_each(const struct comparison_request *request, const struct each_runner *runner, bool as_json)
{
	struct sluice_error error = {0};
	struct each *each = must_calloc(1, sizeof(*each));
	*each = (struct each){
		.request = request,
		.runner = runner,
		.arena = &request->arguments->arena,
		.as_json = as_json,
		.document = json_pack("{s:i, s:s, s:f, s:[], s:[], s:[]}", "format", 1, "pipeline",
	                              request->pipelines[0], "margin", request->settings->margin, "sets", "pairs",
	                              "not_together"),
		.status = STATUS_YES,
	};
	int status = try_all(each, &error) ? each->status : STATUS_CANNOT;
	if (error.text[0])
		say(error.text);
	json_decref(each->document);
	free(each);
	return status;
}
