/* The folder of a journal; see directory.h. */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void directory_segment_name(uint64_t number, char name_out[SEGMENT_NAME_SIZE])
{
	(void)snprintf(name_out, SEGMENT_NAME_SIZE, "%016" PRIx64 ".journal", number);
}

static bool read_segment_name(const char *name, uint64_t *number_out)
{
	char again[SEGMENT_NAME_SIZE];
	if (sscanf(name, "%16" SCNx64, number_out) != 1)
		return false;
	directory_segment_name(*number_out, again);
	return strcmp(name, again) == 0;
}

/* The name of a new folder is durable only with its parent. */
static bool sync_parent(const char *path)
{
	char parent[PATH_MAX];
	(void)snprintf(parent, sizeof(parent), "%s/..", path);
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;
	(void)close(fd);
	return ok;
}

static bool make(const char *path, struct sluice_error *error)
{
	if (mkdir(path, 0700) == 0) {
		if (sync_parent(path))
			return true;
		int cause = errno;
		(void)rmdir(path);
		return sluice_error_set(error, "directory: %s: its name cannot be made durable: %s", path,
		                        strerror(cause));
	}
	return errno == EEXIST ||
	       sluice_error_set(error, "directory: %s: cannot be created: %s", path, strerror(errno));
}

static bool lock(struct directory *directory, struct sluice_error *error)
{
	directory->lock = openat(directory->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (directory->lock < 0)
		return sluice_error_set(error, "directory: %s/lock: %s", directory->path, strerror(errno));
	if (flock(directory->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	(void)close(directory->lock);
	return sluice_error_set(
		error, "directory: %s: another process uses this journal: stop it, or configure another folder",
		directory->path);
}

bool directory_open(struct directory *directory, const char *path, struct sluice_error *error)
{
	*directory = (struct directory){.path = path};
	if (!make(path, error))
		return false;
	directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd < 0)
		return sluice_error_set(error, "directory: %s: %s", path, strerror(errno));
	if (lock(directory, error))
		return true;
	(void)close(directory->fd);
	return false;
}

void directory_close(struct directory *directory)
{
	(void)close(directory->lock);
	(void)close(directory->fd);
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

bool directory_list(const struct directory *directory, uint64_t **numbers_out, size_t *count_out,
                    struct sluice_error *error)
{
	int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder) {
		int cause = errno;
		if (fd >= 0)
			(void)close(fd);
		return sluice_error_set(error, "directory: %s: %s", directory->path, strerror(cause));
	}
	uint64_t *numbers = NULL, number;
	size_t count = 0, room = 0;
	const struct dirent *entry;
	while (errno = 0, (entry = readdir(folder)) != NULL) {
		if (!read_segment_name(entry->d_name, &number))
			continue;
		if (count == room) {
			room = room ? 2 * room : 64;
			uint64_t *more = realloc(numbers, room * sizeof(*numbers));
			if (!more) {
				free(numbers);
				(void)closedir(folder);
				return sluice_error_set(error, "directory: out of memory");
			}
			numbers = more;
		}
		numbers[count++] = number;
	}
	int cause = errno;
	(void)closedir(folder);
	if (cause) {
		free(numbers);
		return sluice_error_set(error, "directory: %s: %s", directory->path, strerror(cause));
	}
	if (count)
		qsort(numbers, count, sizeof(*numbers), compare_numbers);
	*numbers_out = numbers;
	*count_out = count;
	return true;
}

static bool is_in_use(const struct directory *directory)
{
	int fd = openat(directory->fd, "lock", O_RDONLY | O_CLOEXEC);
	bool in_use = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
	if (fd >= 0)
		(void)close(fd);
	return in_use;
}

bool directory_has_backlog(const char *path)
{
	struct directory directory = {.path = path, .fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	uint64_t *numbers = NULL;
	size_t count = 0;
	if (directory.fd < 0)
		return false;
	bool has = directory_list(&directory, &numbers, &count, NULL) && count > 0 && !is_in_use(&directory);
	free(numbers);
	(void)close(directory.fd);
	return has;
}

bool directory_sync(const struct directory *directory)
{
	return fsync(directory->fd) == 0;
}
