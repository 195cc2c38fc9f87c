/* CRC-32C, eight bytes at a time: about 1 GB/s without special instructions. */
#include "crc32c.h"

#include <pthread.h>
#include <string.h>

static uint32_t tables[8][256];

static void fill_tables(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t value = byte;
		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
		tables[0][byte] = value;
	}
	for (int table = 1; table < 8; table++)
		for (uint32_t byte = 0; byte < 256; byte++) {
			uint32_t value = tables[table - 1][byte];
			tables[table][byte] = value >> 8 ^ tables[0][value & 0xff];
		}
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	static pthread_once_t filled = PTHREAD_ONCE_INIT;
	(void)pthread_once(&filled, fill_tables);
	const unsigned char *at = data;
	crc = ~crc;
	for (; size >= 8; size -= 8, at += 8) {
		uint32_t low, high;
		memcpy(&low, at, 4);
		memcpy(&high, at + 4, 4);
		low ^= crc;
		crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
		      tables[4][low >> 24] ^ tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^
		      tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
	}
	for (; size > 0; size--)
		crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
	return ~crc;
}
