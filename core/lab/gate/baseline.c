/*
 * P95 against a baseline: the comparison that the run is a part of, a comparison or a run that was named, or what was
 * noted of one when it was.
 */
#include <math.h>
#include <string.h>

#include "lab/gate/source.h"
#include "lab/run/estimate.h"

/* A comparison that does not count says nothing about the baseline either. */
static void take_comparison(const json_t *compare, struct gate_figure *figure)
{
	const char *outcome = json_string_value(json_object_get(json_object_get(compare, "verdict"), "outcome"));
	size_t i;
	json_t *metric;
	if (!outcome || strcmp(outcome, verdict_outcomes[VERDICT_INVALID].name) == 0)
		return;
	json_array_foreach (json_object_get(compare, "metrics"), i, metric) {
		const char *name = json_string_value(json_object_get(metric, "name"));
		const json_t *low = json_object_get(metric, "low"), *high = json_object_get(metric, "high");
		if (!name || strcmp(name, "p95") != 0 || !json_is_number(low) || !json_is_number(high))
			continue;
		figure->measured = true;
		figure->change = (struct gate_change){
			.change = json_number_value(json_object_get(metric, "change")),
			.low = json_number_value(low),
			.high = json_number_value(high),
			.margin = json_number_value(json_object_get(compare, "margin")),
		};
	}
}

/* What gate_record() has kept of a baseline that was named. */
static void take_kept(const json_t *kept, struct gate_figure *figure)
{
	const json_t *high = json_object_get(kept, "high"), *change = json_object_get(kept, "change");
	figure->measured = json_is_number(json_object_get(kept, "low"));
	figure->change = (struct gate_change){
		.apart = json_is_true(json_object_get(kept, "apart")),
		.change = json_is_number(change) ? json_number_value(change) : INFINITY,
		.low = json_number_value(json_object_get(kept, "low")),
		.high = json_is_number(high) ? json_number_value(high) : INFINITY,
		.margin = json_number_value(json_object_get(kept, "margin")),
	};
}

static double ratio(int64_t a_ns, int64_t b_ns)
{
	return b_ns == INT64_MAX ? INFINITY : (double)b_ns / (double)a_ns - 1;
}

/* Two runs apart: from the interval of the one to that of the other. */
static void take_apart(const struct gate_sample *a, const struct gate_sample *b, struct gate_figure *figure)
{
	size_t a_low, a_high, b_low, b_high;
	if (!estimate_quantile_ranks(a->count, 0.95, 0.95, &a_low, &a_high) ||
	    !estimate_quantile_ranks(b->count, 0.95, 0.95, &b_low, &b_high) || a->sorted[a_high - 1] == INT64_MAX ||
	    a->sorted[a_low - 1] == 0)
		return;
	figure->measured = true;
	figure->change = (struct gate_change){
		.apart = true,
		.change = ratio(estimate_quantile(a->sorted, a->count, 0.95),
	                        estimate_quantile(b->sorted, b->count, 0.95)),
		.low = ratio(a->sorted[a_high - 1], b->sorted[b_low - 1]),
		.high = ratio(a->sorted[a_low - 1], b->sorted[b_high - 1]),
	};
}

static bool measure_apart(const struct gate_source *source, struct gate_figure *figure, struct sluice_error *error)
{
	struct run *run = run_open(source->baseline, error);
	if (!run)
		return false;
	struct gate_sample sample = gate_collect(run, gate_latency_ns, NULL, &source->facts->arena);
	take_apart(&sample, &source->facts->latency, figure);
	run_close(run);
	return true;
}

static bool take_document(const char *directory, const char *name,
                          void (*take)(const json_t *document, struct gate_figure *figure), struct gate_figure *figure,
                          struct sluice_error *error)
{
	json_t *document = run_read_json(directory, name, error);
	if (!document)
		return false;
	take(document, figure);
	json_decref(document);
	return true;
}

bool gate_measure_change(const struct gate_source *source, const struct gate_criterion *criterion,
                         struct gate_figure *figure, struct sluice_error *error)
{
	const char *run = source->run->path, *named = source->baseline;
	const char *directory = named ? named : run;
	(void)criterion;
	if (!named && gate_has_file(run, RUN_BASELINE))
		return take_document(run, RUN_BASELINE, take_kept, figure, error);
	if (gate_has_file(directory, RUN_COMPARE))
		return take_document(directory, RUN_COMPARE, take_comparison, figure, error);
	return !named || measure_apart(source, figure, error);
}
