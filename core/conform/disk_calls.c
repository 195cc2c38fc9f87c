/* What all of the process call instead of the C library's; see disk_calls.h. */
#include "conform/disk_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static struct disk_real real;

static void find_real(void)
{
	static const struct {
		void *function;
		const char *name;
	} functions[] = {
		{&real.fsync, "fsync"},     {&real.fdatasync, "fdatasync"},
		{&real.syncfs, "syncfs"},   {&real.msync, "msync"},
		{&real.sync, "sync"},       {&real.sync_file_range, "sync_file_range"},
		{&real.read, "read"},       {&real.pread, "pread"},
		{&real.readv, "readv"},     {&real.preadv, "preadv"},
		{&real.preadv2, "preadv2"}, {&real.write, "write"},
		{&real.pwrite, "pwrite"},   {&real.writev, "writev"},
		{&real.pwritev, "pwritev"}, {&real.pwritev2, "pwritev2"},
	};
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		*(void **)functions[i].function = dlsym(RTLD_NEXT, functions[i].name);
}

const struct disk_real *disk_real(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, find_real);
	return &real;
}

/* Weak, since a program that has a write() of its own keeps it: serve/wakeup.c, which writes with writev(). */
#define INTERPOSED __attribute__((visibility("default"), weak))

static int sync_with(int (*with)(int fd), int fd)
{
	bool is_ours = false;
	if (!disk_is_attached())
		return with(fd);
	if (!disk_sync(fd, &is_ours))
		return -1;
	return is_ours ? 0 : with(fd);
}

INTERPOSED int fsync(int fd)
{
	return sync_with(disk_real()->fsync, fd);
}

INTERPOSED int fdatasync(int fd)
{
	return sync_with(disk_real()->fdatasync, fd);
}

INTERPOSED int syncfs(int fd)
{
	if (!disk_is_attached())
		return disk_real()->syncfs(fd);
	disk_sync_everything();
	return 0;
}

INTERPOSED void sync(void)
{
	if (disk_is_attached())
		disk_sync_everything();
	else
		disk_real()->sync();
}

/* It writes back neither what describes the file nor the cache of the disk, and so makes nothing durable. */
INTERPOSED int sync_file_range(int fd, off_t from, off_t size, unsigned flags)
{
	return disk_is_attached() ? 0 : disk_real()->sync_file_range(fd, from, size, flags);
}

INTERPOSED int msync(void *start, size_t size, int flags)
{
	if (!disk_is_attached())
		return disk_real()->msync(start, size, flags);
	return (flags & MS_SYNC) && !disk_sync_mapping(start) ? -1 : 0;
}

INTERPOSED ssize_t write(int fd, const void *data, size_t size)
{
	ssize_t allowed = disk_allow(fd, size);
	return allowed < 0 ? -1 : disk_note(fd, disk_real()->write(fd, data, (size_t)allowed), false);
}

INTERPOSED ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
	ssize_t allowed = disk_allow(fd, size);
	return allowed < 0 ? -1 : disk_note(fd, disk_real()->pwrite(fd, data, (size_t)allowed, at), false);
}

INTERPOSED ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	return pwrite64(fd, data, size, at);
}

/* A short one takes half of the first part. */
static int allow_parts(int fd, const struct iovec **parts, int count, struct iovec *half)
{
	size_t size = count > 0 ? (*parts)[0].iov_len : 0;
	ssize_t allowed = size ? disk_allow(fd, size) : 0;
	if (allowed < 0)
		return -1;
	if ((size_t)allowed == size)
		return count;
	*half = (struct iovec){(*parts)[0].iov_base, (size_t)allowed};
	*parts = half;
	return 1;
}

INTERPOSED ssize_t writev(int fd, const struct iovec *parts, int count)
{
	struct iovec half;
	count = allow_parts(fd, &parts, count, &half);
	return count < 0 ? -1 : disk_note(fd, disk_real()->writev(fd, parts, count), false);
}

INTERPOSED ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
	struct iovec half;
	count = allow_parts(fd, &parts, count, &half);
	return count < 0 ? -1
	                 : disk_note(fd, disk_real()->pwritev2(fd, parts, count, at, flags),
	                             (flags & (RWF_DSYNC | RWF_SYNC)) != 0);
}

INTERPOSED ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
	return pwritev64v2(fd, parts, count, at, flags);
}

INTERPOSED ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
	struct iovec half;
	count = allow_parts(fd, &parts, count, &half);
	return count < 0 ? -1 : disk_note(fd, disk_real()->pwritev(fd, parts, count, at), false);
}

INTERPOSED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	return pwritev64(fd, parts, count, at);
}

INTERPOSED ssize_t read(int fd, void *data, size_t size)
{
	return disk_read_fails(fd) ? -1 : disk_real()->read(fd, data, size);
}

INTERPOSED ssize_t pread64(int fd, void *data, size_t size, off_t at)
{
	return disk_read_fails(fd) ? -1 : disk_real()->pread(fd, data, size, at);
}

INTERPOSED ssize_t pread(int fd, void *data, size_t size, off_t at)
{
	return pread64(fd, data, size, at);
}

INTERPOSED ssize_t readv(int fd, const struct iovec *parts, int count)
{
	return disk_read_fails(fd) ? -1 : disk_real()->readv(fd, parts, count);
}

INTERPOSED ssize_t preadv64(int fd, const struct iovec *parts, int count, off_t at)
{
	return disk_read_fails(fd) ? -1 : disk_real()->preadv(fd, parts, count, at);
}

INTERPOSED ssize_t preadv(int fd, const struct iovec *parts, int count, off_t at)
{
	return preadv64(fd, parts, count, at);
}

INTERPOSED ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
	return disk_read_fails(fd) ? -1 : disk_real()->preadv2(fd, parts, count, at, flags);
}

INTERPOSED ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
	return preadv64v2(fd, parts, count, at, flags);
}
