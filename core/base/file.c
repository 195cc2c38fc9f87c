/*
 * Files; see file.h.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_regular(int fd)
{
	struct stat about;
	if (fstat(fd, &about) != 0)
		return false;
	errno = S_ISDIR(about.st_mode) ? EISDIR : 0;
	return S_ISREG(about.st_mode);
}

FILE *file_open(const char *path, struct sluice_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *file = fd >= 0 && is_regular(fd) ? fdopen(fd, "rb") : NULL;
	if (file)
		return file;
	(void)sluice_error_set(error, "%s: cannot be read: %s", path, errno ? strerror(errno) : "not a regular file");
	if (fd >= 0)
		(void)close(fd);
	return NULL;
}

FILE *file_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
	FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (fd >= 0 && !file)
		(void)close(fd);
	return file;
}
