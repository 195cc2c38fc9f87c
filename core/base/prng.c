/*
 * xoshiro256** and splitmix64 (prng.di.unimi.it); see prng.h.
 */
#include "base/prng.h"

#include <assert.h>
#include <stddef.h>

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void prng_init(struct prng *prng, uint64_t seed)
{
	for (size_t i = 0; i < 4; i++)
		prng->state[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t *s = prng->state;
	uint64_t result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
	assert(bound > 0);
	/* The lowest 2^64 mod bound values would make some results likelier than others. */
	uint64_t unfair = -bound % bound;
	uint64_t value;
	do
		value = prng_next(prng);
	while (value < unfair);
	return value % bound;
}

double prng_unit(struct prng *prng)
{
	return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

uint64_t prng_seed(uint64_t seed, uint64_t number)
{
	uint64_t state = seed;
	state = splitmix(&state) ^ number;
	return splitmix(&state);
}
