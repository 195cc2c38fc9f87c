/*
 * A sequential test; see sequential.h.
 */
#include "serve/sequential.h"

#include <math.h>

enum { ERRORS = 5 };
#define ERROR_SHARE 0.001

static const double ratios[SEQUENTIAL_RATIOS] = {1.5, 2, 3, 5, 10, 50, 1000};

bool sequential_are_many(uint64_t errors, uint64_t responses)
{
	return errors >= ERRORS && (double)errors > ERROR_SHARE * (double)responses;
}

void sequential_add(struct sequential *test, double share, uint64_t bad, uint64_t others)
{
	if (share <= 0 || share >= 1)
		return;
	for (int i = 0; i < SEQUENTIAL_RATIOS; i++) {
		const double theta = ratios[i] * share / (ratios[i] * share + 1 - share);
		test->logs[i] += (double)bad * log(theta / share) + (double)others * log((1 - theta) / (1 - share));
	}
	test->bad += bad;
	test->others += others;
}

double sequential_evidence(const struct sequential *test)
{
	double sum = 0;
	for (int i = 0; i < SEQUENTIAL_RATIOS; i++)
		sum += exp(test->logs[i]);
	return sum / SEQUENTIAL_RATIOS;
}

static const double rates[WINDOWS_RATES] = {0.75, 0.9, 0.99};

void windows_add(struct windows *windows, struct window_counts canary, struct window_counts baseline)
{
	const double here = (double)canary.bad * (double)baseline.events,
		     there = (double)baseline.bad * (double)canary.events;
	const bool is_worse = here > there;
	if (!is_worse && !(here < there))
		return;
	for (int i = 0; i < WINDOWS_RATES; i++)
		windows->logs[i] += is_worse ? log(rates[i] / WINDOWS_LIKE) : log((1 - rates[i]) / (1 - WINDOWS_LIKE));
	windows->worse += is_worse;
	windows->better += !is_worse;
}

double windows_evidence(const struct windows *windows)
{
	double sum = 0;
	for (int i = 0; i < WINDOWS_RATES; i++)
		sum += exp(windows->logs[i]);
	return sum / WINDOWS_RATES;
}
