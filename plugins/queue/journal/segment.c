/* A file of the journal; see segment.h. */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ZEROS = 256 * 1024 };

static bool write_all(int fd, const char *data, size_t size, off_t at)
{
	while (size > 0) {
		ssize_t written = pwrite(fd, data, size, at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			errno = written < 0 ? errno : ENOSPC;
			return false;
		}
		data += written;
		size -= (size_t)written;
		at += written;
	}
	return true;
}

/* Space that was only reserved is marked as such in the file system, and the first write to it would have to say so: the
 * zeros are written. */
static bool fill_with_zeros(int fd, uint64_t size)
{
	static const char zeros[ZEROS];
	int problem = posix_fallocate(fd, 0, (off_t)size);
	if (problem != 0) {
		errno = problem;
		return false;
	}
	for (uint64_t at = 0; at < size; at += ZEROS) {
		uint64_t left = size - at;
		if (!write_all(fd, zeros, left < ZEROS ? (size_t)left : ZEROS, (off_t)at))
			return false;
	}
	return fsync(fd) == 0;
}

/* The head is durable before any record, so that a record proves it. */
static bool write_head(struct segment *segment, const uint8_t journal[JOURNAL_ID_SIZE], const struct segment *previous)
{
	struct segment_head head = {.number = segment->number, .size = segment->size};
	if (previous) {
		head.previous = previous->number;
		head.previous_end = previous->end;
	}
	memcpy(head.journal, journal, JOURNAL_ID_SIZE);
	format_segment_head(&head);
	segment->seed = format_seed(&head);
	return segment_write(segment, (const char *)&head, sizeof(head), 0) && segment_sync(segment);
}

struct segment *segment_create(const struct directory *directory, const uint8_t journal[JOURNAL_ID_SIZE],
                               const struct segment *previous, uint64_t number, uint64_t size)
{
	char name[SEGMENT_NAME_SIZE];
	directory_segment_name(number, name);
	struct segment *segment = calloc(1, sizeof(*segment));
	if (!segment)
		return NULL;
	segment->number = segment->marked_from = number;
	segment->size = size;
	segment->fd = openat(directory->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (segment->fd < 0)
		goto free_segment;
	if (fill_with_zeros(segment->fd, size) && directory_sync(directory) && write_head(segment, journal, previous))
		return segment;

	int cause = errno;
	(void)close(segment->fd);
	segment_remove(directory, number);
	errno = cause;
free_segment:
	segment_free(segment);
	return NULL;
}

bool segment_write(const struct segment *segment, const char *data, size_t size, uint64_t at)
{
	return write_all(segment->fd, data, size, (off_t)at);
}

bool segment_sync(const struct segment *segment)
{
	return fdatasync(segment->fd) == 0;
}

void segment_close(struct segment *segment)
{
	if (segment->fd >= 0)
		(void)close(segment->fd);
	segment->fd = -1;
}

void segment_free(struct segment *segment)
{
	marks_finish(&segment->done);
	free(segment);
}

void segment_remove(const struct directory *directory, uint64_t number)
{
	char name[SEGMENT_NAME_SIZE];
	directory_segment_name(number, name);
	(void)unlinkat(directory->fd, name, 0);
}
