/* A Bloom filter in blocks; see bloom.h. */
#include "bloom.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

enum { WORDS = 8, SAMPLE_MAX = 1024 };

struct bloom_block {
	_Atomic uint32_t words[WORDS];
};

bool bloom_init(struct bloom *bloom, uint64_t size)
{
	uint64_t count = size / sizeof(struct bloom_block);
	count = count ? count : 1;
	void *memory = mmap(NULL, count * sizeof(struct bloom_block), PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	*bloom = (struct bloom){.blocks = memory, .count = count};
	return true;
}

void bloom_finish(struct bloom *bloom)
{
	if (bloom->blocks)
		(void)munmap(bloom->blocks, bloom->count * sizeof(struct bloom_block));
}

/* The upper half of the hash chooses the block, the lower one a bit in each of its words. */
static struct bloom_block *block_of(const struct bloom *bloom, uint64_t hash)
{
	return &bloom->blocks[(hash >> 32) * bloom->count >> 32];
}

static uint32_t bit_of(uint64_t hash, int word)
{
	/* From the specification of Parquet's split block Bloom filter. */
	static const uint32_t salts[WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
	                                      0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
	return UINT32_C(1) << ((uint32_t)hash * salts[word] >> 27);
}

void bloom_add(struct bloom *bloom, uint64_t hash)
{
	struct bloom_block *block = block_of(bloom, hash);
	for (int i = 0; i < WORDS; i++)
		(void)atomic_fetch_or_explicit(&block->words[i], bit_of(hash, i), memory_order_relaxed);
}

bool bloom_may_have(const struct bloom *bloom, uint64_t hash)
{
	const struct bloom_block *block = block_of(bloom, hash);
	for (int i = 0; i < WORDS; i++)
		if (!(atomic_load_explicit(&block->words[i], memory_order_relaxed) & bit_of(hash, i)))
			return false;
	return true;
}

/* All of its words have to have the bit. */
static double rate_of(const struct bloom_block *block)
{
	double rate = 1;
	for (int i = 0; i < WORDS; i++)
		rate *= __builtin_popcount(atomic_load_explicit(&block->words[i], memory_order_relaxed)) / 32.0;
	return rate;
}

double bloom_false_positive_rate(const struct bloom *bloom)
{
	uint64_t sample = bloom->count < SAMPLE_MAX ? bloom->count : SAMPLE_MAX;
	double sum = 0;
	for (uint64_t i = 0; i < sample; i++)
		sum += rate_of(&bloom->blocks[i * bloom->count / sample]);
	return sum / (double)sample;
}
