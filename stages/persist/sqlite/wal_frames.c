/* The frames of the log. */
#include "wal_frames.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 1 << 17, /* bytes: a frame has at most 65560 */
	MAGIC = 0x377f0682,    /* with the lowest bit set, the checksums are over big-endian words */
	VERSION = 3007000,
	SUMMED = 8, /* bytes of a frame's header that are part of its checksum */
};

/* Big-endian words of the file's header, and of a frame's. */
enum { HEADER_MAGIC, HEADER_VERSION, HEADER_PAGE, HEADER_SALT = 4, HEADER_CHECKSUM = 6 };
enum { FRAME_PAGE, FRAME_DATABASE_PAGES, FRAME_SALT, FRAME_CHECKSUM = 4 };

static uint32_t word(const uint8_t *bytes, int number)
{
	uint32_t value;
	memcpy(&value, bytes + sizeof(value) * (size_t)number, sizeof(value));
	return value;
}

static uint32_t big(const uint8_t *bytes, int number)
{
	return be32toh(word(bytes, number));
}

static void add(uint32_t checksum[2], bool big_endian, const uint8_t *bytes, size_t size)
{
	uint32_t first = checksum[0], second = checksum[1];
	for (size_t at = 0; at < size; at += 8) {
		uint32_t a = word(bytes + at, 0), b = word(bytes + at, 1);
		first += (big_endian ? be32toh(a) : le32toh(a)) + second;
		second += (big_endian ? be32toh(b) : le32toh(b)) + first;
	}
	checksum[0] = first;
	checksum[1] = second;
}

static bool checksum_is(const uint32_t checksum[2], const uint8_t *bytes, int number)
{
	return checksum[0] == big(bytes, number) && checksum[1] == big(bytes, number + 1);
}

static uint64_t salt(const uint8_t *bytes, int number)
{
	return (uint64_t)word(bytes, number) << 32 | word(bytes, number + 1);
}

static bool read_all(int fd, void *data, size_t size, int64_t at)
{
	return pread(fd, data, size, at) == (ssize_t)size;
}

/* The log with this header; its salt is 0 if it is none. */
static struct wal_log log_with(const uint8_t header[WAL_HEADER_SIZE])
{
	uint32_t magic = big(header, HEADER_MAGIC), page = big(header, HEADER_PAGE);
	struct wal_log log = {.page = page, .big_endian = magic & 1, .salt = salt(header, HEADER_SALT)};
	add(log.checksum, log.big_endian, header, sizeof(uint32_t) * HEADER_CHECKSUM);
	bool is_header = (magic & ~1U) == MAGIC && big(header, HEADER_VERSION) == VERSION && page >= 512 &&
	                 page <= 65536 && (page & (page - 1)) == 0 &&
	                 checksum_is(log.checksum, header, HEADER_CHECKSUM);
	return is_header ? log : (struct wal_log){0};
}

static bool begin(struct wal_walk *walk, const struct wal_log *log, uint32_t first, int fd)
{
	*walk = (struct wal_walk){.fd = fd, .log = *log, .next = first, .buffer = malloc(BUFFER_SIZE)};
	return walk->buffer;
}

bool wal_walk_begin_file(struct wal_walk *walk, int fd)
{
	uint8_t header[WAL_HEADER_SIZE];
	walk->buffer = NULL;
	struct wal_log log = read_all(fd, header, sizeof(header), 0) ? log_with(header) : (struct wal_log){0};
	if (!log.salt || !begin(walk, &log, 0, fd))
		return false;
	memcpy(walk->checksum, log.checksum, sizeof(walk->checksum));
	return true;
}

bool wal_walk_begin(struct wal_walk *walk, const struct wal_log *log, uint32_t first, int fd)
{
	uint8_t before[WAL_FRAME_HEADER_SIZE];
	walk->buffer = NULL;
	if (first == 0)
		return wal_walk_begin_file(walk, fd) && walk->log.salt == log->salt && walk->log.page == log->page;
	if (!read_all(fd, before, sizeof(before), wal_frame_offset(log, first - 1)) || !begin(walk, log, first, fd))
		return false;
	walk->checksum[0] = big(before, FRAME_CHECKSUM);
	walk->checksum[1] = big(before, FRAME_CHECKSUM + 1);
	return true;
}

void wal_walk_end(struct wal_walk *walk)
{
	free(walk->buffer);
	walk->buffer = NULL;
}

/* NULL: the file has no more. */
static const uint8_t *frame_at(struct wal_walk *walk, uint32_t frame)
{
	size_t size = walk->log.page + WAL_FRAME_HEADER_SIZE;
	if (frame - walk->buffered_from >= walk->buffered) {
		size_t room = BUFFER_SIZE / size * size;
		ssize_t got = pread(walk->fd, walk->buffer, room, wal_frame_offset(&walk->log, frame));
		walk->buffered_from = frame;
		walk->buffered = got > 0 ? (uint32_t)((size_t)got / size) : 0;
	}
	return walk->buffered ? walk->buffer + (frame - walk->buffered_from) * size : NULL;
}

bool wal_walk_next(struct wal_walk *walk, struct wal_frame *frame_out)
{
	const uint8_t *frame = frame_at(walk, walk->next);
	if (!frame || salt(frame, FRAME_SALT) != walk->log.salt || big(frame, FRAME_PAGE) == 0)
		return false;
	add(walk->checksum, walk->log.big_endian, frame, SUMMED);
	add(walk->checksum, walk->log.big_endian, frame + WAL_FRAME_HEADER_SIZE, walk->log.page);
	if (!checksum_is(walk->checksum, frame, FRAME_CHECKSUM))
		return false;
	*frame_out = (struct wal_frame){big(frame, FRAME_PAGE), big(frame, FRAME_DATABASE_PAGES)};
	walk->next++;
	return true;
}

bool wal_frames_are_sound(const struct wal_log *log, uint32_t first, uint32_t end, int fd)
{
	struct wal_walk walk;
	struct wal_frame frame;
	if (end <= first)
		return true;
	bool sound = wal_walk_begin(&walk, log, first, fd);
	while (sound && walk.next < end)
		sound = wal_walk_next(&walk, &frame);
	if (sound && end == log->frames)
		sound = memcmp(walk.checksum, log->checksum, sizeof(walk.checksum)) == 0;
	wal_walk_end(&walk);
	return sound;
}
