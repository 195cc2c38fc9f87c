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
	if (!pairs_measure(pairs, pairs->unit * estimate_look_pairs[look], pair_primary->figure, threshold, terms->seed,
	                   &change))
		return false;
	*p_out = found->p;
	enum verdict_outcome outcome = verdict_of_interval(found->mean, found->low, found->high, terms->margin);
	return outcome == VERDICT_EQUIVALENT || (outcome != VERDICT_INCONCLUSIVE && found->p < threshold);
}

static size_t unit_of(const struct verdict_terms *terms)
{
	return terms->pairs_of_life > 0 ? terms->pairs_of_life : 1;
}

/* Its number; ESTIMATE_LOOKS: none is planned there. */
static size_t find_look(const struct verdict_terms *terms, size_t pairs)
{
	size_t look = 0;
	while (look < ESTIMATE_LOOKS && unit_of(terms) * estimate_look_pairs[look] != pairs)
		look++;
	return look;
}

bool verdict_is_look(const struct verdict_terms *terms, size_t pairs)
{
	return find_look(terms, pairs) < ESTIMATE_LOOKS;
}

bool verdict_is_settled(const struct verdict_terms *terms, const struct trace_record *records, size_t count,
                        const struct input *input, const struct host *host, size_t pair_count)
{
	double p;
	struct pairs pairs;
	if (!verdict_is_look(terms, pair_count))
		return false;
	pairs_init(&pairs, pair_count, records, count, input, terms->is_signed, terms->timeout_ns);
	pairs.unit = unit_of(terms);
	pairs_drop_stalled(&pairs, host);
	bool settles = look_settles(&pairs, find_look(terms, pair_count), terms, &p);
	pairs_finish(&pairs);
	return settles;
}

/* The planned looks that this run has reached. The last one's threshold is the alpha that is left for the interval. */
static json_t *list_looks(const struct pairs *pairs, const struct verdict_terms *terms, double *alpha)
{
	json_t *looks = json_array();
	for (size_t look = 0; terms->sequential && look < ESTIMATE_LOOKS; look++) {
		double p;
		if (pairs->unit * estimate_look_pairs[look] > pairs->count)
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
	size_t growing = 0, kept = pairs->count - pairs->dropped;
	for (size_t pair = 0; pair < pairs->count; pair++) {
		const struct cell *cell = pairs_cell(pairs, pair, arm);
		if (pairs->is_dropped[pair])
			continue;
		quality.requests += cell->count;
		quality.wrong += cell->count - cell->right;
		growing += cell->late_ms > 3 * cell->early_ms && cell->late_ms - cell->early_ms > 50;
		quality.early_ms += cell->early_ms / (double)kept;
		quality.late_ms += cell->late_ms / (double)kept;
	}
	quality.saturated = 2 * growing > kept;
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

/* "20 pairs", "6 lives of 4 pairs" */
static void describe_units(size_t count, const struct verdict_terms *terms, char *text, size_t room)
{
	const char *s = count == 1 ? "" : "s";
	if (terms->pairs_of_life > 0)
		(void)snprintf(text, room, "%zu %s of %zu pair%s", count, count == 1 ? "life" : "lives",
		               terms->pairs_of_life, terms->pairs_of_life == 1 ? "" : "s");
	else
		(void)snprintf(text, room, "%zu pair%s", count, s);
}

static void describe_change(const struct change *change, const struct verdict_terms *terms, const char *a,
                            const char *b, char *text, size_t room)
{
	const struct estimate_pairs *found = &change->pairs;
	char interval[64] = "no interval: it takes two", units[64];
	describe_units(found->pairs, terms, units, sizeof(units));
	if (isfinite(found->low) && isfinite(found->high))
		(void)snprintf(interval, sizeof(interval), "[%+.1f, %+.1f]", 100 * expm1(found->low),
		               100 * expm1(found->high));
	(void)snprintf(text, room, "P95 %s with %s, %s with %s: %+.1f %% %s over %s", figure_of(change->a, "ms").text,
	               a, figure_of(change->b, "ms").text, b, 100 * expm1(found->mean), interval, units);
}

static void judge_latency(const struct change *change, const struct verdict_terms *terms, double alpha,
                          const char *labels[ARMS], struct judgement *judgement)
{
	char figures[320];
	const struct estimate_pairs *pairs = &change->pairs;
	describe_change(change, terms, labels[0], labels[1], figures, sizeof(figures));
	judgement->outcome = verdict_of_interval(pairs->mean, pairs->low, pairs->high, terms->margin);
	if (judgement->outcome != VERDICT_INCONCLUSIVE) {
		(void)snprintf(judgement->sentence, sizeof(judgement->sentence), "%s: %s.",
		               verdict_outcomes[judgement->outcome].lead, figures);
		return;
	}
	judgement->more_pairs = count_missing_pairs(change, terms, alpha);
	(void)snprintf(judgement->sentence, sizeof(judgement->sentence), "%s: %s; about %zu more %s needed.",
	               verdict_outcomes[VERDICT_INCONCLUSIVE].lead, figures, judgement->more_pairs,
	               terms->pairs_of_life > 0 ? "lives" : "pairs");
}

/* "the disk took …" of the longest stall, in brackets; "" without one. */
static void describe_longest(const struct host *host, char *text, size_t room)
{
	char longest[256];
	const struct host_stall *stall = host_longest(host);
	text[0] = '\0';
	if (!stall)
		return;
	host_describe(stall, longest, sizeof(longest));
	(void)snprintf(text, room, " (%s)", longest);
}

/* Of pairs that were mostly disturbed, the others are no fair sample. */
static bool is_disturbed(const struct pairs *pairs)
{
	size_t kept = pairs->count - pairs->dropped;
	return pairs->dropped > 0 && (kept < 2 || kept < pairs->dropped);
}

static void judge_host(const struct pairs *pairs, const struct host *host, struct judgement *judgement)
{
	char longest[300];
	describe_longest(host, longest, sizeof(longest));
	judgement->outcome = VERDICT_INVALID;
	(void)snprintf(judgement->sentence, sizeof(judgement->sentence),
	               "%s: the host stalled in %zu of %zu pairs%s; compare again when it is quiet.",
	               verdict_outcomes[VERDICT_INVALID].lead, pairs->dropped, pairs->count, longest);
}

/* What outweighs any latency; true if something does. */
static bool judge_qualities(const struct pairs *pairs, const struct quality qualities[ARMS], const char *labels[ARMS],
                            const json_t *generator, const struct host *host, struct judgement *judgement)
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
	} else if (is_disturbed(pairs)) {
		judge_host(pairs, host, judgement);
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

static json_t *note_of_host(const struct pairs *pairs, const struct host *host)
{
	char longest[300];
	describe_longest(host, longest, sizeof(longest));
	return json_sprintf("%zu of %zu pairs were left out, because the host stalled in one of their blocks%s.",
	                    pairs->dropped, pairs->count, longest);
}

static json_t *list_notes(const struct pairs *pairs, const struct quality qualities[ARMS], const char *labels[ARMS],
                          const struct verdict_terms *terms, const struct host *host)
{
	json_t *notes = json_array();
	if (pairs->dropped > 0)
		(void)json_array_append_new(notes, note_of_host(pairs, host));
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

/* How many pairs a life was planned to have; 0: all were of one. */
static size_t pairs_of_life(const json_t *asked)
{
	json_int_t lives = json_integer_value(json_object_get(asked, "lives"));
	json_int_t pairs = json_integer_value(json_object_get(asked, "pairs"));
	return lives > 1 && lives <= pairs ? (size_t)(pairs / lives) : 0;
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
		.pairs_of_life = pairs_of_life(asked),
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
                              const json_t *verified, const struct host *host)
{
	const char *labels[ARMS] = {label_of(run, 0), label_of(run, 1)};
	const struct quality qualities[ARMS] = {measure_quality(pairs, 0, verified),
	                                        measure_quality(pairs, 1, verified)};
	double alpha = terms->alpha;
	struct judgement judgement = {0};
	struct change primary;
	json_t *looks = list_looks(pairs, terms, &alpha);
	(void)pairs_measure(pairs, pairs->count, pair_primary->figure, alpha, terms->seed, &primary);
	if (!judge_qualities(pairs, qualities, labels, json_object_get(run->about, "generator"), host, &judgement))
		judge_latency(&primary, terms, alpha, labels, &judgement);
	json_t *verdict = json_pack("{s:s, s:s, s:s, s:I}", "outcome", verdict_outcomes[judgement.outcome].name,
	                            "metric", pair_primary->name, "sentence", judgement.sentence, "more_pairs",
	                            (json_int_t)judgement.more_pairs);
	return json_pack(
		"{s:i, s:s, s:I, s:I, s:f, s:f, s:o, s:[{s:s}{s:s}], s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"format", 1, "design", terms->is_duet ? "duet" : "paired", "pairs", (json_int_t)pairs->count, "dropped",
		(json_int_t)pairs->dropped, "alpha", alpha, "margin", terms->margin, "verdict", verdict, "arms",
		"label", labels[0], "label", labels[1], "looks", looks, "notes",
		list_notes(pairs, qualities, labels, terms, host), "metrics",
		verdict_list_metrics(pairs, alpha, terms->seed), "quantiles",
		verdict_list_quantiles(pairs, alpha, terms->seed), "blocks", verdict_list_blocks(pairs), "stages",
		verdict_list_stages(run), "slowest", verdict_list_slowest(run), "violations",
		verdict_list_violations(verified), "host", verdict_list_host(run, host));
}

json_t *verdict_compute(const struct run *run, const struct input *input, const json_t *verified,
                        struct sluice_error *error)
{
	struct verdict_terms terms = {0};
	struct pairs pairs;
	struct host host = {0};
	size_t count = pairs_count(run->records, run->count);
	if (!read_terms(run, &terms, error))
		return NULL;
	if (count == 0) {
		(void)sluice_error_set(error, "%s: there is not one pair of blocks in it", run->path);
		return NULL;
	}
	if (!host_read(run->path, host_idle(run->about), &host, error)) {
		host_finish(&host);
		return NULL;
	}
	pairs_init(&pairs, count, run->records, run->count, input, terms.is_signed, terms.timeout_ns);
	pairs_add_snapshots(&pairs, json_object_get(run->about, "blocks"));
	pairs.unit = unit_of(&terms);
	pairs_drop_stalled(&pairs, &host);
	json_t *document = write_document(run, &pairs, &terms, verified, &host);
	run_mark(document);
	host_finish(&host);
	pairs_finish(&pairs);
	return document;
}
