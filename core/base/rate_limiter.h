/*
 * A limit on the rate of each of many senders: the generic cell rate algorithm, a token bucket that needs one moment for each
 * sender, the one at which its bucket is full again.
 *
 * Memory is fixed, whoever sends: a table in which a key has one of a few places. Where they are taken, the key whose bucket
 * is full soonest is forgotten, so one that has used up its share gives way last. A key with a full bucket has no need of a place.
 */
#ifndef BASE_RATE_LIMITER_H
#define BASE_RATE_LIMITER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RATE_KEYS_MAX = 16384,
	RATE_PLACES = 8, /* that a key may have */
};

struct rate {
	int64_t interval_ns; /* from one to the next, on average; at least 1 */
	int64_t burst;       /* so many at once; at least 1 */
};

struct rate_limiter {
	pthread_mutex_t lock;
	struct rate_place {
		uint64_t key;    /* its keyed hash */
		int64_t full_ns; /* monotonic; 0: free */
	} places[RATE_KEYS_MAX];
};

/* Zeroed memory that has not been touched. */
void rate_limiter_init(struct rate_limiter *limiter);
void rate_limiter_finish(struct rate_limiter *limiter);

/* Takes one from the bucket of the key: 0. If it is empty, how long until there is one again, in ns; then nothing is taken. From
 * any thread. */
int64_t rate_limiter_take(struct rate_limiter *limiter, const struct rate *rate, const void *key, size_t size,
                          int64_t now_ns);

#endif
