/*
 * The kernel with AVX2.
 */
#include <immintrin.h>

#include "block.h"
#include "mapping/scan.h"

struct halves {
	__m256i low, high;
};

static inline uint64_t bits_of(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static inline __m256i byte(int which)
{
	return _mm256_load_si256((const void *)block_bytes.of[which]);
}

static inline uint64_t equal(const struct halves *text, int which)
{
	const __m256i all = byte(which);
	return bits_of(_mm256_cmpeq_epi8(text->low, all), _mm256_cmpeq_epi8(text->high, all));
}

static inline struct halves load(const char *at)
{
	return (struct halves){_mm256_loadu_si256((const void *)at), _mm256_loadu_si256((const void *)(at + 32))};
}

static inline struct block read_block(const char *at)
{
	const struct halves text = load(at);
	const __m256i bit = byte(BYTE_SPACE);
	const struct halves folded = {_mm256_or_si256(text.low, bit), _mm256_or_si256(text.high, bit)};
	return (struct block){
		.quote = equal(&text, BYTE_QUOTE),
		.backslash = equal(&text, BYTE_BACKSLASH),
		.comma = equal(&text, BYTE_COMMA),
		.colon = equal(&text, BYTE_COLON),
		.open = equal(&folded, BYTE_OPEN), /* [ is folded into it, as ] into } */
		.close = equal(&folded, BYTE_CLOSE),
		.space = equal(&text, BYTE_SPACE),
		.unusual = bits_of(_mm256_cmpgt_epi8(bit, text.low), _mm256_cmpgt_epi8(bit, text.high)), /* signed */
	};
}

static inline uint64_t read_equal(const char *at, char c)
{
	const struct halves text = load(at);
	const __m256i all = _mm256_set1_epi8(c);
	return bits_of(_mm256_cmpeq_epi8(text.low, all), _mm256_cmpeq_epi8(text.high, all));
}

static inline struct digits read_digits(const char *at)
{
	const struct halves text = load(at);
	const __m256i zero = _mm256_set1_epi8('0'), nine = _mm256_set1_epi8(9);
	const __m256i low = _mm256_sub_epi8(text.low, zero), high = _mm256_sub_epi8(text.high, zero);
	return (struct digits){bits_of(_mm256_cmpeq_epi8(_mm256_min_epu8(low, nine), low),
	                               _mm256_cmpeq_epi8(_mm256_min_epu8(high, nine), high)),
	                       bits_of(_mm256_cmpeq_epi8(text.low, zero), _mm256_cmpeq_epi8(text.high, zero))};
}

static inline uint64_t read_high(const char *at)
{
	const struct halves text = load(at);
	return bits_of(text.low, text.high);
}

static inline uint64_t prefix_xor(uint64_t bits)
{
	return (uint64_t)_mm_cvtsi128_si64(
		_mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)bits), _mm_set1_epi8((char)0xff), 0));
}

#define KERNEL_NAME kernel_scan_avx2
#include "kernel.inc"
