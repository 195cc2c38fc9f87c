/* The WAL-index. */
#include "wal_index.h"

#include <endian.h>
#include <stddef.h>

enum {
	IS_INIT = 12,  /* byte */
	PAGE_SIZE = 7, /* 16-bit word; 1 stands for 65536 */
	FRAMES = 4,    /* 32-bit words from here on: frames in the log */
	PAGES = 5,     /* pages of the database after them */
	SALT = 8,      /* two words: others for each log */
	BACKFILLED = 24,
	HEADER_SALT = 4, /* the same two in the log's header */
	FRAME_HEADER_SIZE = 24,
	HEADERS = 24, /* words of the two copies that must be equal */
};

struct wal_sizes wal_index_sizes(const volatile uint32_t *index)
{
	if (!index || ((const volatile uint8_t *)index)[IS_INIT] != 1)
		return (struct wal_sizes){0};
	uint16_t word = ((const volatile uint16_t *)index)[PAGE_SIZE];
	int64_t page = (word & 0xfe00) + ((int64_t)(word & 1) << 16), frames = index[FRAMES];
	return (struct wal_sizes){
		.database = index[PAGES] * page,
		.log = frames ? WAL_HEADER_SIZE + frames * (page + FRAME_HEADER_SIZE) : 0,
		.brought_over = WAL_HEADER_SIZE + index[BACKFILLED] * (page + FRAME_HEADER_SIZE),
	};
}

uint64_t wal_index_checkpoint(const volatile uint32_t *index)
{
	return index ? (uint64_t)index[SALT] << 32 | index[BACKFILLED] : 0;
}

void wal_index_take_back(volatile uint32_t *index)
{
	if (index)
		__atomic_store_n(&index[BACKFILLED], 0, __ATOMIC_SEQ_CST);
}

bool wal_index_knows(const volatile uint32_t *index, const uint32_t header[WAL_HEADER_SIZE / 4])
{
	return index && header[HEADER_SALT] == index[SALT] && header[HEADER_SALT + 1] == index[SALT + 1];
}

static uint64_t join(uint32_t first, uint32_t second)
{
	return (uint64_t)first << 32 | second;
}

struct wal_mark wal_index_mark(const volatile uint32_t *index)
{
	if (!index || ((const volatile uint8_t *)index)[IS_INIT] != 1)
		return (struct wal_mark){0};
	return (struct wal_mark){.salt = join(index[SALT], index[SALT + 1]), .frames = index[FRAMES]};
}

uint64_t wal_header_salt(const uint32_t header[WAL_HEADER_SIZE / 4])
{
	return join(header[HEADER_SALT], header[HEADER_SALT + 1]);
}

bool wal_mark_begins_after(struct wal_mark next, struct wal_mark mark)
{
	return next.frames == 0 && be32toh((uint32_t)(next.salt >> 32)) == be32toh((uint32_t)(mark.salt >> 32)) + 1;
}

void wal_index_forget(volatile uint32_t *index)
{
	for (int i = 0; index && i < HEADERS; i++)
		index[i] = 0;
}
