/* The looks at the files. */
#include "look.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "handle.h"

/* Others may empty the log and, by VACUUM, shorten the database, but then the index says so, too. `said` was read before
 * the size: meanwhile files grow. */
static bool is_too_short(struct disk *disk, enum disk_kind kind, const struct wal_sizes *said, int64_t size)
{
	if (kind == DISK_LOG)
		return size < said->log;
	if (kind != DISK_DATABASE)
		return false;
	if (size < disk->database_size && size < said->database)
		return true;
	disk->database_size = size;
	return false;
}

/* A log that was truncated and written to again is long enough, but has a hole. */
static bool begins_as_said(struct disk *disk, const struct wal_sizes *said)
{
	uint32_t header[WAL_HEADER_SIZE / 4] = {0};
	for (int tries = 0; said->log > 0 && tries < 2; tries++) { /* a writer may be beginning it again just now */
		(void)pread(disk->files[DISK_LOG].fd, header, sizeof(header), 0);
		if (wal_index_knows(disk->index, header))
			return true;
	}
	return said->log == 0;
}

static uint64_t salt_of_log(struct disk *disk)
{
	uint32_t header[WAL_HEADER_SIZE / 4] = {0};
	if (disk->files[DISK_LOG].handles > 0)
		(void)pread(disk->files[DISK_LOG].fd, header, sizeof(header), 0);
	return wal_header_salt(header);
}

/* An older copy was written over it: it knows less of the log than it did, or speaks of a log before this one. SQLite
 * would write over frames that were committed. Others may have gone on meanwhile, or have begun the log again. */
static bool index_went_back(struct disk *disk, bool stands_still)
{
	struct wal_mark now = wal_index_mark(disk->index), last = disk->last;
	if (!stands_still || disk->index_altered || now.salt == 0)
		return disk->index_altered;
	if (now.frames > 0 && wal_index_is_wiped(disk->index)) {
		disk->index_altered = true;
		return true;
	}
	if (now.salt == last.salt)
		disk->index_altered = now.frames < last.frames;
	else
		disk->index_altered = last.salt && !wal_mark_begins_after(now, last) && salt_of_log(disk) == last.salt;
	if (!disk->index_altered && now.frames > 0)
		disk->last = now;
	return disk->index_altered;
}

/* Nobody is at a checkpoint: neither we nor another process. */
static bool no_checkpoint_runs(sqlite3_file *file)
{
	const sqlite3_io_methods *methods = file->pMethods;
	if (methods->xShmLock(file, LOCK_TO_CHECKPOINT, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) != SQLITE_OK)
		return false;
	(void)methods->xShmLock(file, LOCK_TO_CHECKPOINT, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	return true;
}

/* Only checkpoints write to the database, ours or those of other processes, and the index tells of the latter once they
 * are through. `file`: whose connection holds the lock for writing. */
static bool is_altered(struct disk *disk, const struct stat *status, sqlite3_file *file)
{
	uint64_t checkpoint = wal_index_checkpoint(disk->index);
	bool is_ours = disk->writes != disk->writes_seen, is_theirs = checkpoint != disk->checkpoint;
	bool changed = status->st_mtim.tv_sec != disk->changed_at.tv_sec ||
	               status->st_mtim.tv_nsec != disk->changed_at.tv_nsec;
	if (changed && (disk->writing > 0 || (!is_ours && !is_theirs && !no_checkpoint_runs(file))))
		return false; /* to be told later */
	disk->changed_at = status->st_mtim;
	disk->checkpoint = checkpoint;
	disk->writes_seen = disk->writes;
	return changed && !is_ours && !is_theirs;
}

static bool is_same(const struct stat *status, const struct disk_file *file)
{
	return status->st_dev == file->device && status->st_ino == file->inode;
}

/* Whether the configured path leads to another place than the name that is used, of which `named` tells; NULL: it leads
 * nowhere. What has one name only is in one place, however it was found. */
static bool leads_elsewhere(const struct disk *disk, const struct disk_file *file, const struct stat *named)
{
	struct stat configured;
	if (!disk->configured[0])
		return false;
	if (named && is_same(named, file) && named->st_nlink == 1 &&
	    (strcmp(disk->configured, file->path) == 0 ||
	     (stat(disk->configured, &configured) == 0 && is_same(&configured, file))))
		return false;
	return folder_leads_elsewhere(disk->configured, file->path);
}

/* Why its name leads to nothing. */
static enum disk_state find_missing(const struct disk_file *file, enum disk_kind kind, int cause)
{
	struct stat status;
	char folder[PATH_MAX];
	folder_of(file->path, folder, sizeof(folder));
	if (cause != ENOENT || stat(folder, &status) != 0)
		return DISK_UNREACHABLE;
	bool is_moved = kind == DISK_DATABASE && fstat(file->fd, &status) == 0 && status.st_nlink > 0;
	return is_moved ? DISK_MOVED : DISK_MISSING;
}

enum disk_state look_at(struct disk *disk, enum disk_kind kind, sqlite3_file *writer)
{
	struct disk_file *file = &disk->files[kind];
	struct wal_sizes said = wal_index_sizes(disk->index);
	struct stat status;
	if (file->handles == 0)
		return DISK_IN_PLACE;
	int cause = lstat(file->path, &status) == 0 ? 0 : errno;
	if (kind == DISK_DATABASE && leads_elsewhere(disk, file, cause ? NULL : &status))
		return DISK_ELSEWHERE;
	if (cause)
		return find_missing(file, kind, cause);
	if (!is_same(&status, file))
		return DISK_REPLACED;
	if (is_too_short(disk, kind, &said, status.st_size) || (kind == DISK_LOG && !begins_as_said(disk, &said)))
		return DISK_SHORT;
	if (kind == DISK_INDEX)
		return index_went_back(disk, writer) ? DISK_ALTERED : DISK_IN_PLACE;
	if (kind == DISK_LOG)
		return disk->log_altered ? DISK_ALTERED : DISK_IN_PLACE;
	return writer && is_altered(disk, &status, writer) ? DISK_ALTERED : DISK_IN_PLACE;
}

bool look_index_stands(struct disk *disk, bool restarts)
{
	struct wal_mark now = wal_index_mark(disk->index), begun = disk->begun;
	if (!begun.salt || !pthread_equal(disk->begun_by, pthread_self()))
		return true;
	if (restarts && wal_mark_begins_after(now, begun))
		disk->begun = now;
	else if (now.salt != begun.salt || now.frames != begun.frames)
		disk->index_altered = true;
	return !disk->index_altered;
}

bool look_lengthens_index(struct disk *disk)
{
	const struct disk_file *file = &disk->files[DISK_INDEX];
	struct stat status;
	if (file->handles == 0 || fstat(file->fd, &status) != 0 || status.st_size >= disk->index_size)
		return false;
	disk->index_altered = true;
	(void)truncate(file->path, disk->index_size); /* by its name: to close a descriptor of it would end all locks */
	return true;
}
