/*
 * Pseudo-random numbers that are the same on every machine: xoshiro256** by Blackman and Vigna, seeded with splitmix64.
 * Not for secrets: see digest_random().
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state[4];
};

void prng_init(struct prng *prng, uint64_t seed);

/* 64 random bits. */
uint64_t prng_next(struct prng *prng);

/* 0 to bound - 1, each as likely; bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

/* 0 ≤ result < 1, in steps of 2⁻⁵³: exact, and so the same everywhere, too. */
double prng_unit(struct prng *prng);

/* Another seed, for a sequence that has nothing to do with that of `seed` or of any other `number`. */
uint64_t prng_seed(uint64_t seed, uint64_t number);

#endif
