/*
 * A canary as its files see it: canary.c controls and judges it, canary_write.c shows it.
 */
#ifndef SERVE_CANARY_STATE_H
#define SERVE_CANARY_STATE_H

#include <pthread.h>
#include <stddef.h>

#include "runtime/split.h"
#include "serve/canary.h"
#include "serve/sequential.h"

enum {
	CANARY_SECONDS = 60, /* of evidence */
	CANARY_REASON_SIZE = 160,
};

enum guard_kind { GUARD_OF_ERRORS, GUARD_OF_SLOW, GUARD_OF_POOL, GUARD_KINDS };
struct guard_state {
	struct sequential test;
	int64_t calm_ns;          /* when its evidence was last no more than that of two like arms */
	uint64_t seen[ARM_COUNT]; /* of its bad events */
};

struct second {
	struct split_counts arms[ARM_COUNT]; /* at its end */
};

struct canary {
	struct service *service;
	struct split *split;
	pthread_mutex_t lock; /* for who shows what follows */
	enum canary_phase phase;
	struct pipeline *candidate;
	int64_t generation; /* what the candidate would be, or is */
	double weight;
	int64_t begun_ns, stepped_ns, limit_ns, second_ns;
	struct split_counts followed;           /* of the baseline, when the limit was last changed */
	struct guard_state guards[GUARD_KINDS]; /* of slow responses: when it was calm */
	struct windows windows;                 /* of slow responses */
	int64_t window_ns;                      /* when the last one began, and with what */
	struct window_counts window[ARM_COUNT];
	struct second seconds[CANARY_SECONDS];
	size_t second_count;
	struct split_counts arms[ARM_COUNT]; /* when it was last looked at */
	struct split_ratio ratio;

	/* Of the guard that tripped; "": none has. */
	char reason[CANARY_REASON_SIZE];
	int64_t onset_ns, detected_ns, swapped_ns, last_ns;
};

/* With the lock. */
double canary_asked_share(const struct canary *canary);

/* How far the traffic of the candidate is from its share, in standard deviations of what chance does with as many buckets; 0:
 * there are too few to say. */
double canary_deviation(const struct canary *canary);
int64_t canary_since_begun_ms(const struct canary *canary, int64_t ns);

#endif
