/* The birth of a database file. */
#include "birth.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "folder.h"

enum { READ_VERSION = 18, WRITE_VERSION = 19, WITH_LOG = 2 }; /* of the header; see inspect.c */
enum { MODE = 0644 };                                         /* as SQLite has it */

/* An empty database in WAL mode as it is in a file; NULL: there is no memory. The caller frees it. */
static unsigned char *make_image(sqlite3_int64 *size_out)
{
	sqlite3 *db = NULL;
	unsigned char *image = NULL;
	if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA user_version = 0", NULL, NULL, NULL) == SQLITE_OK)
		image = sqlite3_serialize(db, "main", size_out, 0);
	(void)sqlite3_close(db);
	if (image)
		image[READ_VERSION] = image[WRITE_VERSION] = WITH_LOG;
	return image;
}

static bool write_image(const char *path, const unsigned char *image, sqlite3_int64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	if (fd < 0)
		return false;
	bool ok = pwrite(fd, image, (size_t)size, 0) == size && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

/* Where a file cannot have two names, SQLite makes it itself. */
static bool give_name(const char *from, const char *path)
{
	return link(from, path) != 0 || folder_sync(path);
}

bool birth_give(const char *path, struct sluice_error *error)
{
	char young[PATH_MAX + 32];
	struct stat status;
	sqlite3_int64 size;
	if (lstat(path, &status) == 0)
		return true;
	(void)snprintf(young, sizeof(young), "%s-new-%ld", path, (long)getpid());
	(void)unlink(young); /* of an earlier life, and by now perhaps the second name of something else */
	unsigned char *image = make_image(&size);
	if (!image)
		return sluice_error_set(error, "out of memory");
	bool ok = write_image(young, image, size) && give_name(young, path);
	if (!ok)
		(void)sluice_error_set(error, "path: %s: cannot be created: %s", path, strerror(errno));
	(void)unlink(young);
	sqlite3_free(image);
	return ok;
}
