/* The WAL-index. */
#include "wal_index.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum { VERSION = 3007000 }; /* the first word */

enum {
	IS_INIT = 12, /* bytes */
	BIG_ENDIAN_SUMS = 13,
	PAGE_SIZE = 7, /* 16-bit word; 1 stands for 65536 */
	FRAMES = 4,    /* 32-bit words from here on: frames in the log */
	PAGES = 5,     /* pages of the database after them */
	CHECKSUM = 6,  /* two words, of the last frame */
	SALT = 8,      /* two words: others for each log */
	BACKFILLED = 24,
	FIRST_PAGE = 34, /* the number of that in the first frame */
	HEADER_SALT = 4, /* the same two in the log's header */
	HEADER = 12,     /* words of the index's own, of which there are two copies */
	HEADERS = 2 * HEADER,
};

static uint32_t page_size(const volatile uint32_t *index)
{
	uint16_t word = ((const volatile uint16_t *)index)[PAGE_SIZE];
	return (word & 0xfe00U) + ((word & 1U) << 16);
}

struct wal_sizes wal_index_sizes(const volatile uint32_t *index)
{
	if (!index || ((const volatile uint8_t *)index)[IS_INIT] != 1)
		return (struct wal_sizes){0};
	int64_t page = page_size(index), frames = index[FRAMES];
	return (struct wal_sizes){
		.database = index[PAGES] * page,
		.log = frames ? WAL_HEADER_SIZE + frames * (page + WAL_FRAME_HEADER_SIZE) : 0,
		.brought_over = WAL_HEADER_SIZE + index[BACKFILLED] * (page + WAL_FRAME_HEADER_SIZE),
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

struct wal_log wal_index_log(const volatile uint32_t *index)
{
	uint32_t copies[2][HEADER];
	for (int i = 0; index && i < HEADERS; i++) /* as SQLite reads them: in the other order than they are written */
		copies[i / HEADER][i % HEADER] = index[i];
	if (!index || memcmp(copies[0], copies[1], sizeof(copies[0])) != 0)
		return (struct wal_log){0};
	const uint32_t *header = copies[0];
	const uint8_t *bytes = (const uint8_t *)header;
	uint32_t brought_over = index[BACKFILLED];
	if (bytes[IS_INIT] != 1 || header[0] != VERSION)
		return (struct wal_log){0};
	return (struct wal_log){
		.salt = join(header[SALT], header[SALT + 1]),
		.page = page_size(header),
		.big_endian = bytes[BIG_ENDIAN_SUMS],
		.frames = header[FRAMES],
		.brought_over = brought_over < header[FRAMES] ? brought_over : header[FRAMES],
		.checksum = {header[CHECKSUM], header[CHECKSUM + 1]},
	};
}

int64_t wal_frame_offset(const struct wal_log *log, uint32_t frame)
{
	return WAL_HEADER_SIZE + frame * ((int64_t)log->page + WAL_FRAME_HEADER_SIZE);
}

bool wal_index_is_wiped(const volatile uint32_t *index)
{
	return index[FIRST_PAGE] == 0;
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

bool wal_index_sync(volatile uint32_t *index)
{
	return !index || msync((void *)(uintptr_t)index, WAL_INDEX_WORDS * sizeof(*index), MS_SYNC) == 0;
}
