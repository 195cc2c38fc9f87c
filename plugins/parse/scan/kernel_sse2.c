/*
 * The kernel with SSE2, which every x86-64 has.
 */
#include <emmintrin.h>

#include "block.h"
#include "mapping/scan.h"

enum { PARTS = 4 };

struct parts {
	__m128i of[PARTS];
};

static inline struct parts load(const char *at)
{
	struct parts text;
	for (int i = 0; i < PARTS; i++)
		text.of[i] = _mm_loadu_si128((const void *)(at + 16 * (size_t)i));
	return text;
}

static inline uint64_t bits_of(const struct parts *bytes)
{
	uint64_t bits = 0;
	for (int i = 0; i < PARTS; i++)
		bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes->of[i]) << (16 * i);
	return bits;
}

static inline uint64_t equal(const struct parts *text, char c)
{
	struct parts same;
	for (int i = 0; i < PARTS; i++)
		same.of[i] = _mm_cmpeq_epi8(text->of[i], _mm_set1_epi8(c));
	return bits_of(&same);
}

static inline struct block read_block(const char *at)
{
	const struct parts text = load(at);
	const __m128i bit = _mm_set1_epi8(0x20);
	struct parts folded, unusual;
	for (int i = 0; i < PARTS; i++) {
		folded.of[i] = _mm_or_si128(text.of[i], bit);
		unusual.of[i] = _mm_cmplt_epi8(text.of[i], bit); /* signed */
	}
	return (struct block){
		.quote = equal(&text, '"'),
		.backslash = equal(&text, '\\'),
		.comma = equal(&text, ','),
		.colon = equal(&text, ':'),
		.open = equal(&folded, '{'), /* [ is folded into it, as ] into } */
		.close = equal(&folded, '}'),
		.space = equal(&text, ' '),
		.unusual = bits_of(&unusual),
	};
}

static inline uint64_t read_equal(const char *at, char c)
{
	const struct parts text = load(at);
	return equal(&text, c);
}

static inline struct digits read_digits(const char *at)
{
	const struct parts text = load(at);
	struct parts digits;
	for (int i = 0; i < PARTS; i++) {
		const __m128i value = _mm_sub_epi8(text.of[i], _mm_set1_epi8('0'));
		digits.of[i] = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);
	}
	return (struct digits){bits_of(&digits), equal(&text, '0')};
}

static inline uint64_t read_high(const char *at)
{
	const struct parts text = load(at);
	return bits_of(&text);
}

static inline uint64_t prefix_xor(uint64_t bits)
{
	for (int shift = 1; shift < BLOCK_SIZE; shift *= 2)
		bits ^= bits << shift;
	return bits;
}

#define KERNEL_NAME kernel_scan_sse2
#include "kernel.inc"
