/*
 * What stands where in 64 bytes of text: a bit for each byte, the first byte's the lowest. Each instruction set reads a
 * block in its own way, in kernel_*.c; all the rest is kernel.inc.
 */
#ifndef SCAN_BLOCK_H
#define SCAN_BLOCK_H

#include <stdalign.h>
#include <stdint.h>

enum { BLOCK_SIZE = 64 };

struct block {
	uint64_t quote, backslash, comma, colon;
	uint64_t open, close; /* braces and brackets */
	uint64_t space;       /* U+0020 alone */
	uint64_t unusual;     /* below U+0020, or not ASCII */
};

/* What is compared with, each byte BLOCK_SIZE times: a compiler that saw the values would make them again for every block. */
enum { BYTE_QUOTE, BYTE_BACKSLASH, BYTE_COMMA, BYTE_COLON, BYTE_OPEN, BYTE_CLOSE, BYTE_SPACE, BYTE_COUNT };
struct block_bytes {
	alignas(BLOCK_SIZE) char of[BYTE_COUNT][BLOCK_SIZE];
};
extern const struct block_bytes block_bytes;

/* Of a block that has numbers in it. */
struct digits {
	uint64_t all, zero;
};

#endif
