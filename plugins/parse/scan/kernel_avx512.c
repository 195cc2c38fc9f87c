/*
 * The kernel with AVX-512 (byte and word instructions): a comparison of 64 bytes is one instruction.
 */
#include <immintrin.h>

#include "block.h"
#include "mapping/scan.h"

static inline __m512i byte(int which)
{
	return _mm512_load_si512(block_bytes.of[which]);
}

static inline struct block read_block(const char *at)
{
	const __m512i text = _mm512_loadu_si512(at);
	const __m512i folded = _mm512_or_si512(text, byte(BYTE_SPACE)); /* [ as {, ] as } */
	return (struct block){
		.quote = _mm512_cmpeq_epi8_mask(text, byte(BYTE_QUOTE)),
		.backslash = _mm512_cmpeq_epi8_mask(text, byte(BYTE_BACKSLASH)),
		.comma = _mm512_cmpeq_epi8_mask(text, byte(BYTE_COMMA)),
		.colon = _mm512_cmpeq_epi8_mask(text, byte(BYTE_COLON)),
		.open = _mm512_cmpeq_epi8_mask(folded, byte(BYTE_OPEN)),
		.close = _mm512_cmpeq_epi8_mask(folded, byte(BYTE_CLOSE)),
		.space = _mm512_cmpeq_epi8_mask(text, byte(BYTE_SPACE)),
		.unusual = _mm512_cmplt_epi8_mask(text, byte(BYTE_SPACE)), /* signed */
	};
}

static inline uint64_t read_equal(const char *at, char c)
{
	return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(at), _mm512_set1_epi8(c));
}

static inline struct digits read_digits(const char *at)
{
	const __m512i text = _mm512_sub_epi8(_mm512_loadu_si512(at), _mm512_set1_epi8('0'));
	return (struct digits){_mm512_cmplt_epu8_mask(text, _mm512_set1_epi8(10)), _mm512_testn_epi8_mask(text, text)};
}

static inline uint64_t read_high(const char *at)
{
	return _mm512_movepi8_mask(_mm512_loadu_si512(at));
}

static inline uint64_t prefix_xor(uint64_t bits)
{
	return (uint64_t)_mm_cvtsi128_si64(
		_mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)bits), _mm_set1_epi8((char)0xff), 0));
}

#define KERNEL_NAME kernel_scan_avx512
#include "kernel.inc"
