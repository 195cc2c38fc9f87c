/*
 * What a canary would cost: how soon the guards see a harm, and how many bad responses it causes until then. By simulation of
 * the traffic as it is, looked at as a canary is.
 */
#ifndef SERVE_CANARY_PLAN_H
#define SERVE_CANARY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum { CANARY_PLAN_RUNS = 400, CANARY_PLAN_HORIZON_S = 600 };

struct canary_plan {
	double rate;   /* requests a second, of both arms */
	double weight; /* share of the canary, 0–1 */
	double before; /* share of requests that are bad in the baseline, 0–1 */
	double after;  /* and in the canary */
	bool errors;   /* they are errors, for which there is an absolute guard as well */
};

/* Over CANARY_PLAN_RUNS runs. What is not seen within the horizon counts as seen at its end. */
struct canary_forecast {
	double seen;            /* share of the runs in which it is seen */
	double median_s, p95_s; /* from the first request of the canary to the swap */
	uint64_t median, p95;   /* bad responses of the canary until then */
};

void canary_forecast(const struct canary_plan *plan, struct canary_forecast *forecast_out);

#endif
