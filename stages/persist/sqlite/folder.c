/* The place of a database file. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder/volatile.h"

void folder_of(const char *path, char *folder_out, size_t room)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		(void)snprintf(folder_out, room, ".");
	else
		(void)snprintf(folder_out, room, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

bool folder_sync(const char *path)
{
	char folder[PATH_MAX];
	folder_of(path, folder, sizeof(folder));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;
	int cause = errno;
	(void)close(fd);
	errno = cause;
	return ok;
}

static bool may(const char *path, int rights)
{
	return faccessat(AT_FDCWD, path, rights, AT_EACCESS) == 0;
}

/* Goes down to `folder` and stops at the first part that does not exist, is no folder or cannot be entered. */
static bool can_be_reached(const char *path, const char *folder, struct sluice_error *error)
{
	char part[PATH_MAX];
	size_t size = 0;
	do {
		size += 1 + strcspn(folder + size + 1, "/");
		(void)snprintf(part, sizeof(part), "%.*s", (int)size, folder);
		struct stat status;
		if (stat(part, &status) != 0)
			return sluice_error_set(error, "path: %s: the folder %s cannot be used: %s", path, part,
			                        strerror(errno));
		if (!S_ISDIR(status.st_mode))
			return sluice_error_set(error, "path: %s: %s is a file, expected a folder", path, part);
		if (!may(part, X_OK))
			return sluice_error_set(
				error, "path: %s: the folder %s cannot be entered by user id %u: Permission denied",
				path, part, (unsigned)geteuid());
	} while (folder[size]);
	return true;
}

/* SQLite keeps its log beside the file, so the folder must take new files, too. */
static bool can_be_written(const char *path, const char *place, struct sluice_error *error)
{
	if (may(place, W_OK))
		return true;
	return sluice_error_set(error, "path: %s: user id %u cannot write to %s: %s", path, (unsigned)geteuid(), place,
	                        strerror(errno));
}

/* The file itself, and what an earlier run left beside it: SQLite has one message for all of them. */
static bool files_can_be_written(const char *path, struct sluice_error *error)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char target[PATH_MAX], file[PATH_MAX + sizeof("-wal")];
	if (!realpath(path, target))
		return sluice_error_set(error, "path: %s: %s", path, strerror(errno));
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		(void)snprintf(file, sizeof(file), "%s%s", target, suffixes[i]);
		if (may(file, F_OK) && !can_be_written(path, file, error))
			return false;
	}
	return true;
}

static bool survives_a_power_cut(const struct config *config, const char *folder, struct sluice_error *error)
{
	if (config->durability != DURABILITY_STRICT || !folder_is_volatile(folder))
		return true;
	return sluice_error_set(
		error,
		"path: %s: the folder %s is kept in memory (tmpfs) and loses acknowledged events when the power fails: use a disk, or say `durability: relaxed`",
		config->path, folder);
}

static bool is_a_file_name(const char *path, struct sluice_error *error)
{
	if (!path[0])
		return sluice_error_set(error, "path: expected a file name, got nothing");
	if (strlen(path) >= PATH_MAX)
		return sluice_error_set(error, "path: expected at most %d bytes, got %zu", PATH_MAX - 1, strlen(path));
	if (strcmp(path, ":memory:") != 0 && strncmp(path, "file:", 5) != 0)
		return true;
	return sluice_error_set(
		error, "path: expected a file name, got %s: databases in memory and URIs are not supported", path);
}

bool folder_resolve(const char *path, char *absolute_out, char *target_out, struct sluice_error *error)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	char here[PATH_MAX] = "";
	bool is_absolute = path[0] == '/';
	if (!is_absolute && !getcwd(here, sizeof(here)))
		return sluice_error_set(error, "path: %s: the working folder has no path: %s", path, strerror(errno));
	if (snprintf(absolute_out, PATH_MAX, "%s%s%s", here, is_absolute ? "" : "/", path) >= PATH_MAX ||
	    (vfs->xFullPathname(vfs, absolute_out, PATH_MAX, target_out) & 0xff) != SQLITE_OK)
		return sluice_error_set(error, "path: %s: SQLite cannot use a path this long, or these links", path);
	return true;
}

bool folder_leads_elsewhere(const char *absolute, const char *target)
{
	char now[PATH_MAX], used[PATH_MAX];
	struct stat status;
	if (!realpath(absolute, now))
		return lstat(target, &status) == 0;
	if (strcmp(now, target) == 0)
		return false;
	return !realpath(target, used) || strcmp(now, used) != 0 || lstat(target, &status) != 0 ||
	       S_ISLNK(status.st_mode);
}

bool folder_check(const struct config *config, enum folder_purpose purpose, struct sluice_error *error)
{
	const char *path = config->path;
	if (!is_a_file_name(path, error))
		return false;
	char target[PATH_MAX], folder[PATH_MAX];
	folder_of(realpath(path, target) ? target : path, folder, sizeof(folder)); /* SQLite follows links, too */
	if (!can_be_reached(path, folder, error))
		return false;
	struct stat status;
	bool exists = stat(path, &status) == 0;
	if (!exists && errno != ENOENT)
		return sluice_error_set(error, "path: %s: %s", path, strerror(errno));
	if (exists && !S_ISREG(status.st_mode))
		return sluice_error_set(error, "path: %s: it is a %s, expected a database file", path,
		                        S_ISDIR(status.st_mode) ? "folder" : "device or pipe");
	if (!survives_a_power_cut(config, folder, error))
		return false;
	if (exists && purpose == FOLDER_TO_READ)
		return true;
	return can_be_written(path, folder, error) && (!exists || files_can_be_written(path, error));
}
