/*
 * The folder with what a server leaves to a later process; see state_folder.h.
 */
#include "serve/state_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

static bool lock_name(struct state_folder *folder, struct sluice_error *error)
{
	char path[STATE_PATH_SIZE];
	state_folder_path(folder, "lock", path);
	folder->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (folder->lock >= 0 && flock(folder->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (folder->lock >= 0 && errno == EWOULDBLOCK)
		return sluice_error_set(
			error,
			"%s: another server that serves a pipeline file named %s has this state folder: give each its own",
			folder->path, folder->name);
	return sluice_error_set(error, "%s: cannot be locked: %s", path, strerror(errno));
}

bool state_folder_open(struct state_folder *folder, const char *path, const char *name, struct sluice_error *error)
{
	*folder = (struct state_folder){.path = must_strdup(path), .name = must_strdup(name), .lock = -1};
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		(void)sluice_error_set(error, "%s: cannot be created: %s", path, strerror(errno));
	else if (lock_name(folder, error))
		return true;
	state_folder_close(folder);
	return false;
}

void state_folder_close(struct state_folder *folder)
{
	if (folder->path && folder->lock >= 0)
		(void)close(folder->lock);
	free(folder->path);
	free(folder->name);
	*folder = (struct state_folder){0};
}

void state_folder_path(const struct state_folder *folder, const char *suffix, char path[STATE_PATH_SIZE])
{
	(void)snprintf(path, STATE_PATH_SIZE, "%s/%s.%s", folder->path, folder->name, suffix);
}

static bool write_all(int fd, const char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t count = write(fd, data + done, size - done);
		if (count < 0 && errno != EINTR)
			return false;
		done += count > 0 ? (size_t)count : 0;
	}
	return true;
}

static bool write_draft(const char *draft, const void *data, size_t size)
{
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool ok = write_all(fd, data, size) && fsync(fd) == 0;
	int problem = errno;
	if (close(fd) != 0 && ok) {
		problem = errno;
		ok = false;
	}
	if (!ok)
		(void)unlink(draft); /* what it takes may be what is missing */
	errno = problem;
	return ok;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;
	int problem = errno;
	(void)close(fd);
	errno = problem;
	return ok;
}

bool state_folder_write(const struct state_folder *folder, const char *suffix, const void *data, size_t size,
                        struct sluice_error *error)
{
	char path[STATE_PATH_SIZE], draft[STATE_PATH_SIZE + sizeof(".new")];
	state_folder_path(folder, suffix, path);
	(void)snprintf(draft, sizeof(draft), "%s.new", path);
	if (write_draft(draft, data, size) && rename(draft, path) == 0 && sync_folder(folder->path))
		return true;
	return sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
}

/* The number that a file's suffix is; 0: it is none. */
static int64_t number_of(const struct state_folder *folder, const char *file)
{
	const size_t length = strlen(folder->name);
	char *end = NULL;
	if (strncmp(file, folder->name, length) != 0 || file[length] != '.' || file[length + 1] < '1' ||
	    file[length + 1] > '9')
		return 0;
	int64_t number = strtoll(file + length + 1, &end, 10);
	return *end ? 0 : number;
}

void state_folder_prune(const struct state_folder *folder, bool (*keeps)(const void *context, int64_t number),
                        const void *context)
{
	DIR *files = opendir(folder->path);
	if (!files)
		return;
	for (const struct dirent *file; (file = readdir(files));) {
		int64_t number = number_of(folder, file->d_name);
		if (number > 0 && !keeps(context, number))
			(void)unlinkat(dirfd(files), file->d_name, 0);
	}
	(void)closedir(files);
}
