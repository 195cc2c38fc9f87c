/*
 * A set of hashes that may say "yes" of one it does not have, and never "no" of one it has: a Bloom filter in blocks, as
 * in the Parquet format, one cache line at most for each question.
 *
 * With 8 bits of 256 for each hash it is wrong about 1 in 100 at 10.5 bits a hash, 1 in 1000 at 16.9, 1 in 10000 at 26.4.
 *
 * From any thread, without a lock: whoever is told of a hash that was added finds it.
 */
#ifndef IDEMPOTENCY_FILTER_BLOOM_H
#define IDEMPOTENCY_FILTER_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bloom_block;

struct bloom {
	struct bloom_block *blocks;
	uint64_t count;
};

/* Of `size` bytes, rounded down to blocks, at least one. False: no memory. */
bool bloom_init(struct bloom *bloom, uint64_t size);
void bloom_finish(struct bloom *bloom);

void bloom_add(struct bloom *bloom, uint64_t hash);
bool bloom_may_have(const struct bloom *bloom, uint64_t hash);

/* The share of other hashes that it would say yes of, by a sample of its blocks. */
double bloom_false_positive_rate(const struct bloom *bloom);

#endif
