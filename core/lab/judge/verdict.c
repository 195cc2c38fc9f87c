/*
 * The verdict; see verdict.h. From the changes over all pairs, and from how both arms have behaved, to a word and a
 * sentence.
 */
#include "lab/judge/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lab/judge/pairs.h"
#include "lab/judge/verdict_lists.h"
#include "lab/run/figure.h"

enum { ARMS = PAIRS_ARMS };

enum verdict_outcome verdict_of_interval(double mean, double low, double high, double margin)
{
	double matters = log1p(margin);
	if (high < 0 && mean <= -matters)
		return VERDICT_BETTER;
	if (low > 0 && mean >= matters)
		return VERDICT_WORSE;
	if (low > -matters && high < matters)
		return VERDICT_EQUIVALENT;
	return VERDICT_INCONCLUSIVE;
}

/* At a look the interval is as wide as its own, small alpha asks. */
static bool look_settles(const struct pairs *pairs, size_t look, const struct verdict_terms *terms, double *p_out)
{
	struct change change;
	double threshold = estimate_look_p[look];
	const struct estimate_pairs *found = &change.pairs;
	*p_out = 1;
	if (!pairs_measure(pairs, estimate_look_pairs[look], pair_primary->figure, threshold, terms->seed, &change))
		return false;
	*p_out = found->p;
	enum verdict_outcome outcome = verdict_of_interval(found->mean, found->low, found->high, terms->margin);
	return outcome == VERDICT_EQUIVALENT || (outcome != VERDICT_INCONCLUSIVE && found->p < threshold);
}

bool verdict_is_settled(const struct verdict_terms *terms, const struct trace_record *records, size_t count,
                        const struct input *input, size_t pair_count)
{
	size_t look = 0;
	double p;
	struct pairs pairs;
	while (look < ESTIMATE_LOOKS && estimate_look_pairs[look] != pair_count)
		look++;
	if (look == ESTIMATE_LOOKS)
		return false;
	pairs_init(&pairs, pair_count, records, count, input, terms->is_signed, terms->timeout_ns);
	bool settles = look_settles(&pairs, look, terms, &p);
	pairs_finish(&pairs);
	return settles;
}

/* The planned looks that this run has reached. The last one's threshold is the alpha that is left for the interval. */
static json_t *list_looks(const struct pairs *pairs, const struct verdict_terms *terms, double *alpha)
{
	json_t *looks = json_array();
	for (size_t look = 0; terms->sequential && look < ESTIMATE_LOOKS; look++) {
		double p;
		if (estimate_look_pairs[look] > pairs->count)
			break;
		bool settles = look_settles(pairs, look, terms, &p);
		*alpha = estimate_look_p[look];
		(void)json_array_append_new(looks, json_pack("{s:I, s:f, s:f, s:b}", "pairs",
		                                             (json_int_t)estimate_look_pairs[look], "p", p, "threshold",
		                                             estimate_look_p[look], "stopped", settles));
		if (settles)
			break;
	}
	return looks;
}

/* What is wrong with an arm, apart from being slow. */
struct quality {
	size_t requests, wrong;
	long long violations; /* −1: nobody has looked */
	bool saturated;
	double early_ms, late_ms; /* of a saturated one: latency at the start and at the end of a block */
};

static long long violations_of(const json_t *verified, size_t arm)
{
	const json_t *entry = json_array_get(json_object_get(verified, "arms"), arm);
	const json_t *total = json_object_get(entry, "violations_total");
	return json_is_integer(total) ? json_integer_value(total) : -1;
}

/* One that does not keep up has a queue that grows as long as the load lasts, in every block. */
static struct quality measure_quality(const struct pairs *pairs, size_t arm, const json_t *verified)
{
	struct quality quality = {.violations = violations_of(verified, arm)};
	size_t growing = 0;
	for (size_t pair = 0; pair < pairs->count; pair++) {
		const struct cell *cell = pairs_cell(pairs, pair, arm);
		quality.requests += cell->count;
		quality.wrong += cell->count - cell->right;
		growing += cell->late_ms > 3 * cell->early_ms && cell->late_ms - cell->early_ms > 50;
		quality.early_ms += cell->early_ms / (double)pairs->count;
		quality.late_ms += cell->late_ms / (double)pairs->count;
	}
	quality.saturated = 2 * growing > pairs->count;
	return quality;
}

/* More wrong answers than A, beyond what chance makes of the same share. */
static bool errs_more(const struct quality *a, const struct quality *b)
{
	return estimate_share_lower(b->wrong, b->requests, 0.95) > estimate_share_upper(a->wrong, a->requests, 0.95);
}

/* How many more pairs would bring the interval off zero, or inside the margin. */
static size_t count_missing_pairs(const struct change *change, const struct verdict_terms *terms, double alpha)
{
	double matters = log1p(terms->margin), size = fabs(change->pairs.mean);
	double distance = fmax(size >= matters ? size : matters - size, matters / 10);
	size_t needed = estimate_pairs_needed(change->pairs.deviation, distance, alpha);
	return needed > change->pairs.pairs ? needed - change->pairs.pairs : 1;
}

struct judgement {
	enum verdict_outcome outcome;
	size_t more_pairs;
	char sentence[640];
};

static void describe_change(const struct change *change, const char *a, const char *b, char *text, size_t room)
{
	const struct estimate_pairs *found = &change->pairs;
	char interval[64] = "no interval: it takes two pairs";
	if (isfinite(found->low) && isfinite(found->high))
		(void)snprintf(interval, sizeof(interval), "[%+.1f, %+.1f]", 100 * expm1(found->low),
		               100 * expm1(found->high));
	(void)snprintf(text, room, "P95 %s with %s, %s with %s: %+.1f %% %s over %zu pair%s",
	               figure_of(change->a, "ms").text, a, figure_of(change->b, "ms").text, b, 100 * expm1(found->mean),
	               interval, found->pairs, found->pairs == 1 ? "" : "s");
}

static void judge_latency(const struct change *change, const struct verdict_terms *terms, double alpha,
                          const char *labels[ARMS], struct judgement *judgement)
{
	char figures[320];
	const struct estimate_pairs *pairs = &change->pairs;
	describe_change(change, labels[0], labels[1], figures, sizeof(figures));
	judgement->outcome = verdict_of_interval(pairs->mean, pairs->low, pairs->high, terms->margin);
	if (judgement->outcome != VERDICT_INCONCLUSIVE) {
		(void)snprintf(judgement->sentence, sizeof(judgement->sentence), "%s: %s.",
		               verdict_outcomes[judgement->outcome].lead, figures);
		return;
	}
	judgement->more_pairs = count_missing_pairs(change, terms, alpha);
	(void)snprintf(judgement->sentence, sizeof(judgement->sentence), "%s: %s; about %zu more pairs needed.",
	               verdict_outcomes[VERDICT_INCONCLUSIVE].lead, figures, judgement->more_pairs);
}

/* What outweighs any latency; true if something does. */
static bool judge_qualities(const struct quality qualities[ARMS], const char *labels[ARMS], const json_t *generator,
                            struct judgement *judgement)
{
	char *text = judgement->sentence;
	size_t room = sizeof(judgement->sentence);
	if (qualities[0].violations > 0) {
		judgement->outcome = VERDICT_INVALID;
		(void)snprintf(text, room, "%s: %s itself has %lld event%s lost, doubled, altered or out of order.",
		               verdict_outcomes[VERDICT_INVALID].lead, labels[0], qualities[0].violations,
		               qualities[0].violations == 1 ? "" : "s");
	} else if (qualities[1].violations > 0) {
		judgement->outcome = VERDICT_WORSE;
		(void)snprintf(text, room,
		               "%s violates the guarantees: %lld event%s lost, doubled, altered or out of order.",
		               labels[1], qualities[1].violations, qualities[1].violations == 1 ? "" : "s");
	} else if (!json_is_true(json_object_get(generator, "valid"))) {
		const char *reason = json_string_value(json_array_get(json_object_get(generator, "reasons"), 0));
		judgement->outcome = VERDICT_INVALID;
		(void)snprintf(text, room, "%s: %s.", verdict_outcomes[VERDICT_INVALID].lead,
		               reason ? reason : "the generator did not keep up");
	} else if (errs_more(&qualities[0], &qualities[1])) {
		judgement->outcome = VERDICT_WORSE;
		(void)snprintf(text, room, "%s answers %zu of %zu requests wrongly, %s %zu of %zu.", labels[1],
		               qualities[1].wrong, qualities[1].requests, labels[0], qualities[0].wrong,
		               qualities[0].requests);
	} else {
		return false;
	}
	return true;
}

/* Over all requests of an arm at once, as a gate counts. */
static double pooled_p95_ms(const struct pairs *pairs, size_t arm)
{
	size_t count = 0;
	for (size_t i = 0; i < pairs->count; i++)
		count += pairs_cell(pairs, i, arm)->count;
	int64_t *all = must_calloc(count + 1, sizeof(*all));
	size_t at = 0;
	for (size_t i = 0; i < pairs->count; i++) {
		const struct cell *cell = pairs_cell(pairs, i, arm);
		for (size_t k = 0; k < cell->count; k++)
			all[at++] = cell->corrected_ns[k];
	}
	estimate_sort(all, count);
	double p95_ms = (double)estimate_quantile(all, count, 0.95) / 1e6;
	free(all);
	return p95_ms;
}

/* Two figures of one name that differ need an explanation. */
static json_t *note_of_means(const struct pairs *pairs, const char *labels[ARMS])
{
	return json_sprintf(
		"These are means over the blocks. Over all requests at once, as `sluice gate` and `sluice analyze` "
		"count, the P95 is %s with %s and %s with %s.",
		figure_of(pooled_p95_ms(pairs, 0), "ms").text, labels[0], figure_of(pooled_p95_ms(pairs, 1), "ms").text,
		labels[1]);
}

static json_t *list_notes(const struct pairs *pairs, const struct quality qualities[ARMS], const char *labels[ARMS],
                          const struct verdict_terms *terms)
{
	json_t *notes = json_array();
	for (size_t arm = 0; arm < ARMS; arm++) {
		if (qualities[arm].saturated)
			(void)json_array_append_new(
				notes,
				json_sprintf(
					"%s does not keep up with the load: within a block its latency grows from %.0f to %.0f ms and would go on growing, so its figures, and the change, depend on how long a block is.",
					labels[arm], qualities[arm].early_ms, qualities[arm].late_ms));
		if (qualities[arm].wrong > 0)
			(void)json_array_append_new(
				notes, json_sprintf("%s: %zu of %zu responses were wrong; each counts as %.0f s.",
			                            labels[arm], qualities[arm].wrong, qualities[arm].requests,
			                            (double)terms->timeout_ns / 1e9));
		if (qualities[arm].violations < 0)
			(void)json_array_append_new(
				notes, json_sprintf("%s: the stored events were not verified.", labels[arm]));
	}
	(void)json_array_append_new(notes, note_of_means(pairs, labels));
	return notes;
}

static double number_in(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool read_terms(const struct run *run, struct verdict_terms *terms_out, struct sluice_error *error)
{
	const json_t *asked = json_object_get(run->about, "comparison");
	const char *design = json_string_value(json_object_get(json_object_get(run->about, "schedule"), "design"));
	if (!json_is_object(asked) || !design)
		return sluice_error_set(error, "%s: not a comparison: %s has no member \"comparison\"", run->path,
		                        RUN_ABOUT);
	double timeout_ns = number_in(asked, "timeout_ms") * 1e6;
	*terms_out = (struct verdict_terms){
		.alpha = number_in(asked, "alpha"),
		.margin = number_in(asked, "margin"),
		.timeout_ns = timeout_ns > 0 && timeout_ns <= (double)TRACE_TIME_MAX_NS ? (int64_t)timeout_ns : 0,
		.seed = (uint64_t)json_integer_value(json_object_get(asked, "seed")),
		.sequential = json_is_true(json_object_get(asked, "sequential")),
		.is_signed = json_is_string(json_object_get(run->about, "sign")),
		.is_duet = strcmp(design, "duet") == 0,
	};
	return (terms_out->alpha >= VERDICT_ALPHA_MIN && terms_out->alpha < 1 && terms_out->margin >= 0 &&
	        terms_out->timeout_ns > 0) ||
	       sluice_error_set(error, "%s: %s: comparison: expected alpha, margin and timeout_ms above 0", run->path,
	                        RUN_ABOUT);
}

static const char *label_of(const struct run *run, size_t arm)
{
	const char *label = json_string_value(
		json_object_get(json_array_get(json_object_get(run->about, "arms"), arm), "label"));
	return label ? label : arm == 0 ? "A" : "B";
}

static json_t *write_document(const struct run *run, const struct pairs *pairs, const struct verdict_terms *terms,
                              const json_t *verified)
{
	const char *labels[ARMS] = {label_of(run, 0), label_of(run, 1)};
	const struct quality qualities[ARMS] = {measure_quality(pairs, 0, verified),
	                                        measure_quality(pairs, 1, verified)};
	double alpha = terms->alpha;
	struct judgement judgement = {0};
	struct change primary;
	json_t *looks = list_looks(pairs, terms, &alpha);
	(void)pairs_measure(pairs, pairs->count, pair_primary->figure, alpha, terms->seed, &primary);
	if (!judge_qualities(qualities, labels, json_object_get(run->about, "generator"), &judgement))
		judge_latency(&primary, terms, alpha, labels, &judgement);
	json_t *verdict = json_pack("{s:s, s:s, s:s, s:I}", "outcome", verdict_outcomes[judgement.outcome].name,
	                            "metric", pair_primary->name, "sentence", judgement.sentence, "more_pairs",
	                            (json_int_t)judgement.more_pairs);
	return json_pack("{s:i, s:s, s:I, s:f, s:f, s:o, s:[{s:s}{s:s}], s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	                 "format", 1, "design", terms->is_duet ? "duet" : "paired", "pairs", (json_int_t)pairs->count,
	                 "alpha", alpha, "margin", terms->margin, "verdict", verdict, "arms", "label", labels[0],
	                 "label", labels[1], "looks", looks, "notes", list_notes(pairs, qualities, labels, terms),
	                 "metrics", verdict_list_metrics(pairs, alpha, terms->seed), "quantiles",
	                 verdict_list_quantiles(pairs, alpha, terms->seed), "blocks", verdict_list_blocks(pairs),
	                 "stages", verdict_list_stages(run), "slowest", verdict_list_slowest(run), "violations",
	                 verdict_list_violations(verified));
}

json_t *verdict_compute(const struct run *run, const struct input *input, const json_t *verified,
                        struct sluice_error *error)
{
	struct verdict_terms terms = {0};
	struct pairs pairs;
	size_t count = pairs_count(run->records, run->count);
	if (!read_terms(run, &terms, error))
		return NULL;
	if (count == 0) {
		(void)sluice_error_set(error, "%s: there is not one pair of blocks in it", run->path);
		return NULL;
	}
	pairs_init(&pairs, count, run->records, run->count, input, terms.is_signed, terms.timeout_ns);
	pairs_add_snapshots(&pairs, json_object_get(run->about, "blocks"));
	json_t *document = write_document(run, &pairs, &terms, verified);
	run_mark(document);
	pairs_finish(&pairs);
	return document;
}
