/*
 * A test of whether bad events are more frequent in the canary than in the baseline, which may be looked at after each event.
 *
 * Of each bad event it asks in which arm it was. If both arms are alike, that is the canary with the share w of the traffic
 * that it has; if the odds are OR times as high there, with θ = OR·w / (OR·w + 1 − w). The evidence is the mean over a few odds
 * ratios of the likelihood ratio: a martingale whose mean is 1 while both are alike, so that it reaches SEQUENTIAL_TRIPS with a
 * probability of at most 1 / SEQUENTIAL_TRIPS, however often it is looked at (Ville's inequality).
 */
#ifndef SERVE_SEQUENTIAL_H
#define SERVE_SEQUENTIAL_H

#include <stdbool.h>
#include <stdint.h>

enum { SEQUENTIAL_RATIOS = 7, SEQUENTIAL_TRIPS = 1000 };

/* Starts as {0}. */
struct sequential {
	double logs[SEQUENTIAL_RATIOS]; /* of the likelihood ratios */
	uint64_t bad, others;           /* in the canary, in the baseline */
};

/* The rule that looks at one arm alone: at least 5 errors, and more than 0.1 % of the responses. */
bool sequential_are_many(uint64_t errors, uint64_t responses);

/* More bad events since the last call, while the canary had that share of the traffic. */
void sequential_add(struct sequential *test, double share, uint64_t bad, uint64_t others);

/* 1 at the start; may be infinite. */
double sequential_evidence(const struct sequential *test);

/*
 * The same for what comes in bursts, such as slow responses: a stall makes many in one arm at once, which are one event and not
 * many. So time is cut into windows, and each says only in which arm the share of bad events was larger. With like arms that is
 * the canary in half of them, or a little more where it is the larger arm: at most in WINDOWS_LIKE, which is what is tested.
 */
enum { WINDOWS_RATES = 3, WINDOW_MS = 250, WINDOW_EVENTS = 20 }; /* a window has so many events of each arm at least */
#define WINDOWS_LIKE 0.6

/* Starts as {0}. */
struct windows {
	double logs[WINDOWS_RATES];
	uint64_t worse, better; /* for the canary; those in which both were alike do not count */
};

struct window_counts {
	uint64_t events, bad;
};

/* One more window. */
void windows_add(struct windows *windows, struct window_counts canary, struct window_counts baseline);
double windows_evidence(const struct windows *windows);

#endif
