/*
 * Numbers that look random and come again: xoshiro256**, seeded by SplitMix64 (Blackman and Vigna, prng.di.unimi.it).
 * The same seed gives the same numbers on every machine. For schedules and synthetic data; secrets and ids take
 * digest_random().
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);

/* 0 to bound − 1, each as likely; bound > 0. */
uint64_t random_below(struct random *random, uint64_t bound);

/* 0 ≤ result < 1, in steps of 2⁻⁵³. */
double random_unit(struct random *random);

#endif
