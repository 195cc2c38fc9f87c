/*
 * Between the disk of a check and the calls to it: the functions that a process of a check calls instead of the C library's are
 * in disk_calls.c, and ask here.
 */
#ifndef CONFORM_DISK_CALLS_H
#define CONFORM_DISK_CALLS_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The C library's. */
struct disk_real {
	int (*fsync)(int fd), (*fdatasync)(int fd), (*syncfs)(int fd), (*msync)(void *start, size_t size, int flags);
	int (*sync_file_range)(int fd, off_t from, off_t size, unsigned flags);
	void (*sync)(void);
	ssize_t (*read)(int fd, void *data, size_t size), (*pread)(int fd, void *data, size_t size, off_t at);
	ssize_t (*readv)(int fd, const struct iovec *parts, int count);
	ssize_t (*preadv)(int fd, const struct iovec *parts, int count, off_t at);
	ssize_t (*preadv2)(int fd, const struct iovec *parts, int count, off_t at, int flags);
	ssize_t (*write)(int fd, const void *data, size_t size);
	ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t at);
	ssize_t (*writev)(int fd, const struct iovec *parts, int count);
	ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t at);
	ssize_t (*pwritev2)(int fd, const struct iovec *parts, int count, off_t at, int flags);
};
const struct disk_real *disk_real(void);

bool disk_is_attached(void);

/* A sync; false with errno: it fails. `fd` is on any disk. */
bool disk_sync(int fd, bool *is_ours_out);
void disk_sync_everything(void);

/* Of what is mapped at `start`. */
bool disk_sync_mapping(const void *start);

/* What comes before a write of `size` bytes: how many it may write, or -1 with errno; and behind it: with O_DSYNC, or where the
 * call says so, it is synced. */
ssize_t disk_allow(int fd, size_t size);
ssize_t disk_note(int fd, ssize_t written, bool is_synced);

/* What comes before a read: true with errno if it fails. */
bool disk_read_fails(int fd);

#endif
