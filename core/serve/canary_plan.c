/*
 * What a canary would cost; see canary_plan.h.
 */
#include "serve/canary_plan.h"

#include <math.h>
#include <stdlib.h>

#include "base/prng.h"
#include "serve/canary.h"
#include "serve/sequential.h"

#define LOOK_S (CANARY_LOOK_MS / 1000.0)

struct run {
	double seconds;
	uint64_t bad;
	bool is_seen;
};

/* Knuth's method; for large means the normal distribution is close enough. */
static uint64_t draw_poisson(struct prng *prng, double mean)
{
	if (mean > 50) {
		const double u = 1 - prng_unit(prng), v = prng_unit(prng);
		const double value = mean + sqrt(mean) * sqrt(-2 * log(u)) * cos(2 * acos(-1.0) * v);
		return value > 0 ? (uint64_t)(value + 0.5) : 0;
	}
	const double limit = exp(-mean);
	uint64_t count = 0;
	for (double product = prng_unit(prng); product > limit; product *= prng_unit(prng))
		count++;
	return count;
}

/* What both arms do in the time between two looks. */
static void draw(const struct canary_plan *plan, struct prng *prng, struct window_counts *canary,
                 struct window_counts *baseline)
{
	const double mean = plan->rate * plan->weight * LOOK_S, others = plan->rate * LOOK_S - mean;
	canary->bad = draw_poisson(prng, mean * plan->after);
	canary->events = canary->bad + draw_poisson(prng, mean * (1 - plan->after));
	baseline->bad = draw_poisson(prng, others * plan->before);
	baseline->events = baseline->bad + draw_poisson(prng, others * (1 - plan->before));
}

static void add(struct window_counts *sum, struct window_counts more)
{
	sum->events += more.events;
	sum->bad += more.bad;
}

struct guards {
	struct sequential test;
	struct windows windows;
	struct window_counts canary, baseline;               /* since the start */
	struct window_counts window_canary, window_baseline; /* since the last window */
	double window_s;
};

static bool errors_are_seen(const struct canary_plan *plan, struct guards *guards, struct window_counts canary,
                            struct window_counts baseline)
{
	if (canary.bad + baseline.bad == 0)
		return false;
	sequential_add(&guards->test, plan->weight, canary.bad, baseline.bad);
	return sequential_evidence(&guards->test) >= SEQUENTIAL_TRIPS ||
	       (sequential_are_many(guards->canary.bad, guards->canary.events) &&
	        !sequential_are_many(guards->baseline.bad, guards->baseline.events));
}

static bool slowness_is_seen(struct guards *guards, struct window_counts canary, struct window_counts baseline)
{
	add(&guards->window_canary, canary);
	add(&guards->window_baseline, baseline);
	guards->window_s += LOOK_S;
	if (guards->window_s * 1000 < WINDOW_MS || guards->window_canary.events < WINDOW_EVENTS ||
	    guards->window_baseline.events < WINDOW_EVENTS)
		return false;
	windows_add(&guards->windows, guards->window_canary, guards->window_baseline);
	guards->window_canary = guards->window_baseline = (struct window_counts){0};
	guards->window_s = 0;
	return windows_evidence(&guards->windows) >= SEQUENTIAL_TRIPS;
}

/* Of slow responses those of the first second are not looked at. */
static struct run simulate(const struct canary_plan *plan, struct prng *prng)
{
	struct guards guards = {.window_s = 0};
	for (double seconds = LOOK_S; seconds < CANARY_PLAN_HORIZON_S; seconds += LOOK_S) {
		struct window_counts canary, baseline;
		draw(plan, prng, &canary, &baseline);
		add(&guards.canary, canary);
		add(&guards.baseline, baseline);
		if (plan->errors ? errors_are_seen(plan, &guards, canary, baseline)
		                 : seconds > CANARY_WARM_UP_S && slowness_is_seen(&guards, canary, baseline))
			return (struct run){seconds, guards.canary.bad, true};
	}
	return (struct run){CANARY_PLAN_HORIZON_S, guards.canary.bad, false};
}

static int compare_seconds(const void *a, const void *b)
{
	const double left = ((const struct run *)a)->seconds, right = ((const struct run *)b)->seconds;
	return (left > right) - (left < right);
}

static int compare_bad(const void *a, const void *b)
{
	const uint64_t left = ((const struct run *)a)->bad, right = ((const struct run *)b)->bad;
	return (left > right) - (left < right);
}

/* By nearest rank. */
static size_t rank(double quantile)
{
	return (size_t)ceil(quantile * CANARY_PLAN_RUNS) - 1;
}

void canary_forecast(const struct canary_plan *plan, struct canary_forecast *forecast_out)
{
	struct run runs[CANARY_PLAN_RUNS];
	struct prng prng;
	size_t seen = 0;
	prng_init(&prng, 1);
	for (size_t i = 0; i < CANARY_PLAN_RUNS; i++) {
		runs[i] = simulate(plan, &prng);
		seen += runs[i].is_seen;
	}
	qsort(runs, CANARY_PLAN_RUNS, sizeof(runs[0]), compare_seconds);
	*forecast_out = (struct canary_forecast){.seen = (double)seen / CANARY_PLAN_RUNS,
	                                         .median_s = runs[rank(0.5)].seconds,
	                                         .p95_s = runs[rank(0.95)].seconds};
	qsort(runs, CANARY_PLAN_RUNS, sizeof(runs[0]), compare_bad);
	forecast_out->median = runs[rank(0.5)].bad;
	forecast_out->p95 = runs[rank(0.95)].bad;
}
