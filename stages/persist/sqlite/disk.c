/* The disk under a store. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"

/* Of the WAL-index. */
enum { LOCK_TO_WRITE = 0, LOCK_TO_CHECKPOINT = 1 };

/* A file as SQLite has it; the file of the VFS below stands behind it. */
struct handle {
	sqlite3_file base; /* must be first */
	struct disk *disk;
	enum disk_kind kind; /* DISK_KINDS: one of no interest */
	bool name_is_new;    /* its folder was not synced since it was opened */
	bool maps_index;
	sqlite3_file *below;
};

static const char *const kind_names[DISK_KINDS] = {"database file", "write-ahead log", "file -shm"};

static const char *const state_words[] = {
	[DISK_MISSING] = "was deleted while in use",
	[DISK_MOVED] = "was moved away while in use",
	[DISK_REPLACED] = "was replaced by another file while in use",
	[DISK_SHORT] = "was truncated while in use",
	[DISK_ALTERED] = "was overwritten by another program while in use",
	[DISK_UNREACHABLE] = "is gone with its folder while in use",
	[DISK_ELSEWHERE] = "is not where the configured path leads: a link was changed while in use",
};

static struct handle *handle_of(sqlite3_file *file)
{
	return (struct handle *)(void *)file;
}

static sqlite3_file *below(sqlite3_file *file)
{
	return handle_of(file)->below;
}

void disk_doubt(struct disk *disk, const char *reason, bool content)
{
	(void)pthread_mutex_lock(&disk->lock);
	disk->content_doubted |= content;
	if (!atomic_load(&disk->doubted))
		(void)snprintf(disk->doubt, sizeof(disk->doubt), "%s", reason);
	atomic_store_explicit(&disk->doubted, true, memory_order_release);
	(void)pthread_mutex_unlock(&disk->lock);
}

bool disk_is_content_doubted(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	bool doubted = disk->content_doubted;
	(void)pthread_mutex_unlock(&disk->lock);
	return doubted;
}

void disk_trust_content(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	disk->content_doubted = false;
	(void)pthread_mutex_unlock(&disk->lock);
}

void disk_get_doubt(struct disk *disk, char doubt_out[DISK_DOUBT_SIZE])
{
	(void)pthread_mutex_lock(&disk->lock);
	memcpy(doubt_out, disk->doubt, DISK_DOUBT_SIZE);
	(void)pthread_mutex_unlock(&disk->lock);
}

void disk_trust(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	disk->doubt[0] = '\0';
	atomic_store_explicit(&disk->doubted, false, memory_order_release);
	(void)pthread_mutex_unlock(&disk->lock);
}

void disk_rescue(struct disk *disk, bool rescuing)
{
	(void)pthread_mutex_lock(&disk->lock);
	disk->rescuing = rescuing;
	(void)pthread_mutex_unlock(&disk->lock);
}

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
	if (said->log == 0 || !disk->log)
		return true;
	for (int tries = 0; tries < 2; tries++) { /* a writer may be beginning it again just now */
		(void)disk->log->pMethods->xRead(disk->log, header, WAL_HEADER_SIZE, 0);
		if (wal_index_knows(disk->index, header))
			return true;
	}
	return false;
}

static uint64_t salt_of_log(struct disk *disk)
{
	uint32_t header[WAL_HEADER_SIZE / 4] = {0};
	if (disk->log)
		(void)disk->log->pMethods->xRead(disk->log, header, WAL_HEADER_SIZE, 0);
	return wal_header_salt(header);
}

/* An older copy was written over it: it knows less of the log than it did, or speaks of a log before this one. SQLite
 * would write over frames that were committed. Others may have gone on meanwhile, or have begun the log again. */
static bool index_went_back(struct disk *disk, bool stands_still)
{
	struct wal_mark now = wal_index_mark(disk->index), last = disk->last;
	if (!stands_still || disk->index_altered || now.salt == 0)
		return disk->index_altered;
	if (now.salt == last.salt)
		disk->index_altered = now.frames < last.frames;
	else
		disk->index_altered = last.salt && !wal_mark_begins_after(now, last) && salt_of_log(disk) == last.salt;
	if (!disk->index_altered && now.frames > 0)
		disk->last = now;
	return disk->index_altered;
}

void disk_forget_index(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	wal_index_forget(disk->index);
	(void)pthread_mutex_unlock(&disk->lock);
}

/* Nobody is at a checkpoint: neither we nor another process. */
static bool no_checkpoint_runs(sqlite3_file *file)
{
	const sqlite3_io_methods *methods = below(file)->pMethods;
	if (methods->xShmLock(below(file), LOCK_TO_CHECKPOINT, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) != SQLITE_OK)
		return false;
	(void)methods->xShmLock(below(file), LOCK_TO_CHECKPOINT, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
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

/* `writer`: whose connection holds the lock for writing, so that sizes stand still; NULL: none. */
static enum disk_state look(struct disk *disk, enum disk_kind kind, sqlite3_file *writer)
{
	struct disk_file *file = &disk->files[kind];
	struct wal_sizes said = wal_index_sizes(disk->index);
	struct stat status;
	if (file->handles == 0)
		return DISK_IN_PLACE;
	if (kind == DISK_DATABASE && disk->configured[0] && folder_leads_elsewhere(disk->configured, file->path))
		return DISK_ELSEWHERE;
	if (lstat(file->path, &status) != 0) {
		char folder[PATH_MAX];
		folder_of(file->path, folder, sizeof(folder));
		if (errno != ENOENT || stat(folder, &status) != 0)
			return DISK_UNREACHABLE;
		bool is_moved = kind == DISK_DATABASE && fstat(file->fd, &status) == 0 && status.st_nlink > 0;
		return is_moved ? DISK_MOVED : DISK_MISSING;
	}
	if (status.st_dev != file->device || status.st_ino != file->inode)
		return DISK_REPLACED;
	if (is_too_short(disk, kind, &said, status.st_size) || (kind == DISK_LOG && !begins_as_said(disk, &said)))
		return DISK_SHORT;
	if (kind == DISK_INDEX)
		return index_went_back(disk, writer) ? DISK_ALTERED : DISK_IN_PLACE;
	return writer && kind == DISK_DATABASE && is_altered(disk, &status, writer) ? DISK_ALTERED : DISK_IN_PLACE;
}

enum disk_state disk_look(struct disk *disk, enum disk_kind kind)
{
	(void)pthread_mutex_lock(&disk->lock);
	enum disk_state state = look(disk, kind, NULL);
	(void)pthread_mutex_unlock(&disk->lock);
	return state;
}

/* Whether files that were trusted still may be. */
static bool look_at_all(struct disk *disk, sqlite3_file *writer)
{
	char reason[DISK_DOUBT_SIZE] = "";
	enum disk_state state;
	bool content = false;
	(void)pthread_mutex_lock(&disk->lock);
	bool rescuing = disk->rescuing;
	for (enum disk_kind kind = 0; !rescuing && !reason[0] && kind < DISK_KINDS; kind++) {
		state = look(disk, kind, writer);
		content = state == DISK_ALTERED && kind == DISK_DATABASE;
		if (state != DISK_IN_PLACE)
			(void)snprintf(reason, sizeof(reason), "the %s %s", kind_names[kind], state_words[state]);
	}
	(void)pthread_mutex_unlock(&disk->lock);
	if (reason[0])
		disk_doubt(disk, reason, content);
	return rescuing || !disk_is_doubted(disk);
}

/* Another connection has the same file, or it is not the same any more. */
static bool note_opened(struct disk *disk, enum disk_kind kind, const char *path)
{
	struct stat status;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	(void)pthread_mutex_lock(&disk->lock);
	struct disk_file *file = &disk->files[kind];
	bool same = file->handles == 0 || (file->device == status.st_dev && file->inode == status.st_ino);
	if (file->handles++ > 0) {
		(void)close(fd);
	} else {
		(void)snprintf(file->path, sizeof(file->path), "%s", path);
		file->fd = fd;
		file->device = status.st_dev;
		file->inode = status.st_ino;
		if (kind == DISK_DATABASE) {
			disk->database_size = status.st_size;
			disk->changed_at = status.st_mtim;
			disk->writes_seen = disk->writes;
			disk->checkpoint = 0;
		}
	}
	(void)pthread_mutex_unlock(&disk->lock);
	if (!same)
		(void)look_at_all(disk, NULL);
	return true;
}

static void note_closed(struct disk *disk, enum disk_kind kind, const sqlite3_file *file)
{
	(void)pthread_mutex_lock(&disk->lock);
	if (disk->log == file)
		disk->log = NULL;
	bool was_last = --disk->files[kind].handles == 0;
	if (was_last)
		(void)close(disk->files[kind].fd);
	if (was_last && kind == DISK_INDEX) {
		disk->index = NULL;
		disk->last = (struct wal_mark){0};
		disk->index_altered = false;
	}
	(void)pthread_mutex_unlock(&disk->lock);
}

bool disk_remove_own(struct disk *disk, enum disk_kind kind)
{
	const struct disk_file *file = &disk->files[kind];
	struct stat status;
	if (!file->path[0] || stat(file->path, &status) != 0 || status.st_dev != file->device ||
	    status.st_ino != file->inode)
		return true;
	return unlink(file->path) == 0;
}

static void doubt_sync(struct handle *handle, const char *what)
{
	int cause = 0;
	(void)handle->below->pMethods->xFileControl(handle->below, SQLITE_FCNTL_LAST_ERRNO, &cause);
	char reason[DISK_DOUBT_SIZE];
	(void)snprintf(reason, sizeof(reason), "the disk did not keep what was written to the %s: %s", what,
	               strerror(cause ? cause : EIO));
	disk_doubt(handle->disk, reason, false);
}

/* A checkpoint has written pages that the disk lost. All of the log has to be brought over again, by whichever process
 * is next, before the log may begin again. The caller, SQLite, holds the lock for checkpoints. */
static void take_back_checkpoint(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	wal_index_take_back(disk->index);
	(void)pthread_mutex_unlock(&disk->lock);
}

/* SQLite's own VFS syncs the folder, too, but drops the result. */
static int file_sync(sqlite3_file *file, int flags)
{
	struct handle *handle = handle_of(file);
	int result = handle->below->pMethods->xSync(handle->below, flags);
	if (handle->kind == DISK_KINDS)
		return result;
	if (result != SQLITE_OK) {
		doubt_sync(handle, kind_names[handle->kind]);
		if (handle->kind == DISK_DATABASE)
			take_back_checkpoint(handle->disk);
		return result;
	}
	if (!handle->name_is_new)
		return SQLITE_OK;
	if (!folder_sync(handle->disk->files[handle->kind].path)) {
		doubt_sync(handle, "folder");
		return SQLITE_IOERR_DIR_FSYNC;
	}
	handle->name_is_new = false;
	return SQLITE_OK;
}

static int file_close(sqlite3_file *file)
{
	struct handle *handle = handle_of(file);
	if (handle->kind != DISK_KINDS)
		note_closed(handle->disk, handle->kind, handle->below);
	return handle->below->pMethods->xClose(handle->below);
}

static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	return below(file)->pMethods->xRead(below(file), data, size, at);
}

static void note_writing(sqlite3_file *file, bool begins)
{
	struct disk *disk = handle_of(file)->disk;
	if (handle_of(file)->kind != DISK_DATABASE)
		return;
	(void)pthread_mutex_lock(&disk->lock);
	disk->writing += begins ? 1U : -1U;
	disk->writes++;
	(void)pthread_mutex_unlock(&disk->lock);
}

static int write_to_log(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	struct disk *disk = handle_of(file)->disk;
	(void)pthread_mutex_lock(&disk->lock);
	shadow_write(&disk->shadow, data, (size_t)size, at, wal_index_sizes(disk->index).brought_over);
	(void)pthread_mutex_unlock(&disk->lock);
	return below(file)->pMethods->xWrite(below(file), data, size, at);
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	if (handle_of(file)->kind == DISK_LOG)
		return write_to_log(file, data, size, at);
	note_writing(file, true);
	int result = below(file)->pMethods->xWrite(below(file), data, size, at);
	note_writing(file, false);
	return result;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	note_writing(file, true);
	int result = below(file)->pMethods->xTruncate(below(file), size);
	note_writing(file, false);
	return result;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size_out)
{
	return below(file)->pMethods->xFileSize(below(file), size_out);
}

static int file_lock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xLock(below(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xUnlock(below(file), level);
}

static int file_check_reserved(sqlite3_file *file, int *reserved_out)
{
	return below(file)->pMethods->xCheckReservedLock(below(file), reserved_out);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
	return below(file)->pMethods->xFileControl(below(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file)
{
	return below(file)->pMethods->xSectorSize(below(file));
}

static int file_characteristics(sqlite3_file *file)
{
	return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

static int index_map(sqlite3_file *file, int page, int page_size, int extend, void volatile **memory_out)
{
	struct disk *disk = handle_of(file)->disk;
	int result = below(file)->pMethods->xShmMap(below(file), page, page_size, extend, memory_out);
	if (result != SQLITE_OK || page != 0 || !*memory_out || handle_of(file)->maps_index)
		return result;
	char path[PATH_MAX + sizeof("-shm")];
	(void)snprintf(path, sizeof(path), "%s-shm", disk->files[DISK_DATABASE].path);
	handle_of(file)->maps_index = note_opened(disk, DISK_INDEX, path);
	if (!handle_of(file)->maps_index)
		disk_doubt(disk, "the file -shm was deleted while in use", false);
	(void)pthread_mutex_lock(&disk->lock);
	disk->index = *memory_out;
	(void)pthread_mutex_unlock(&disk->lock);
	return result;
}

static int index_unmap(sqlite3_file *file, int remove)
{
	if (handle_of(file)->maps_index)
		note_closed(handle_of(file)->disk, DISK_INDEX, NULL);
	handle_of(file)->maps_index = false;
	return below(file)->pMethods->xShmUnmap(below(file), remove);
}

static int index_lock(sqlite3_file *file, int lock, int count, int flags)
{
	struct disk *disk = handle_of(file)->disk;
	const sqlite3_io_methods *methods = below(file)->pMethods;
	bool changes = (flags & SQLITE_SHM_EXCLUSIVE) && lock <= LOCK_TO_CHECKPOINT, ends = flags & SQLITE_SHM_UNLOCK;
	sqlite3_file *writer = lock == LOCK_TO_WRITE ? file : NULL;
	if (changes && ends && writer)
		(void)look_at_all(disk, writer);
	int result = methods->xShmLock(below(file), lock, count, flags);
	if (result != SQLITE_OK || !changes || ends || look_at_all(disk, writer))
		return result;
	(void)methods->xShmLock(below(file), lock, count, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	return SQLITE_IOERR_SHMLOCK;
}

static void index_barrier(sqlite3_file *file)
{
	below(file)->pMethods->xShmBarrier(below(file));
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, /* no memory-mapped reads */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = index_map,
	.xShmLock = index_lock,
	.xShmBarrier = index_barrier,
	.xShmUnmap = index_unmap,
};

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *flags_out)
{
	struct disk *disk = (struct disk *)(void *)vfs;
	struct handle *handle = handle_of(file);
	*handle = (struct handle){
		.disk = disk,
		.kind = flags & SQLITE_OPEN_MAIN_DB ? DISK_DATABASE
	                : flags & SQLITE_OPEN_WAL   ? DISK_LOG
	                                            : DISK_KINDS,
		.name_is_new = true,
		.below = (sqlite3_file *)(void *)(handle + 1),
	};
	int result = disk->below->xOpen(disk->below, path, handle->below, flags, flags_out);
	if (result != SQLITE_OK) {
		if (handle->below->pMethods)
			(void)handle->below->pMethods->xClose(handle->below);
		return result;
	}
	if (handle->kind != DISK_KINDS && !note_opened(disk, handle->kind, path)) {
		(void)handle->below->pMethods->xClose(handle->below);
		return SQLITE_CANTOPEN;
	}
	handle->base.pMethods = &methods;
	if (handle->kind == DISK_LOG) {
		(void)pthread_mutex_lock(&disk->lock);
		disk->log = handle->below;
		(void)pthread_mutex_unlock(&disk->lock);
	}
	return SQLITE_OK;
}

bool disk_init(struct disk *disk, struct sluice_error *error)
{
	sqlite3_vfs *below_vfs = sqlite3_vfs_find(NULL);
	if (!below_vfs)
		return sluice_error_set(error, "SQLite has no VFS");
	*disk = (struct disk){.vfs = *below_vfs, .below = below_vfs};
	(void)snprintf(disk->name, sizeof(disk->name), "sluice-%p", (void *)disk);
	disk->vfs.zName = disk->name;
	disk->vfs.pNext = NULL;
	disk->vfs.szOsFile = (int)sizeof(struct handle) + below_vfs->szOsFile;
	disk->vfs.xOpen = open_file;
	(void)pthread_mutex_init(&disk->lock, NULL);
	if (sqlite3_vfs_register(&disk->vfs, 0) == SQLITE_OK)
		return true;
	(void)pthread_mutex_destroy(&disk->lock);
	return sluice_error_set(error, "SQLite takes no VFS: out of memory");
}

void disk_finish(struct disk *disk)
{
	(void)sqlite3_vfs_unregister(&disk->vfs);
	shadow_finish(&disk->shadow);
	(void)pthread_mutex_destroy(&disk->lock);
}

static sqlite3_file *log_of(sqlite3 *db)
{
	sqlite3_file *log = NULL;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK)
		return NULL;
	return log && log->pMethods ? log : NULL;
}

int64_t disk_log_size(sqlite3 *db)
{
	sqlite3_int64 size;
	sqlite3_file *log = log_of(db);
	return log && log->pMethods->xFileSize(log, &size) == SQLITE_OK ? size : -1;
}

bool disk_rewrite_log(sqlite3 *db)
{
	enum { CHUNK = 1 << 16 }; /* SQLite passes on no more than 128 KiB at once */
	sqlite3_file *log = log_of(db);
	int64_t size = disk_log_size(db);
	char *chunk = malloc(CHUNK);
	bool ok = size >= 0 && chunk;
	for (int64_t at = 0; ok && at < size; at += CHUNK) {
		int part = size - at < CHUNK ? (int)(size - at) : CHUNK;
		ok = log->pMethods->xRead(log, chunk, part, at) == SQLITE_OK &&
		     log->pMethods->xWrite(log, chunk, part, at) == SQLITE_OK;
	}
	free(chunk);
	return ok && log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

bool disk_restore_log(struct disk *disk, sqlite3 *db)
{
	enum { PART = 1 << 16 };
	sqlite3_file *log = log_of(db);
	(void)pthread_mutex_lock(&disk->lock);
	struct wal_sizes said = wal_index_sizes(disk->index);
	const char *lacking = shadow_get(&disk->shadow, said.brought_over, said.log);
	size_t size = lacking ? (size_t)(said.log - said.brought_over) : 0;
	char *copy = size ? malloc(size) : NULL;
	if (copy)
		memcpy(copy, lacking, size);
	(void)pthread_mutex_unlock(&disk->lock);
	bool ok = log && lacking && (copy || size == 0);
	for (size_t at = 0; ok && at < size; at += PART) {
		int part = size - at < PART ? (int)(size - at) : PART;
		ok = below(log)->pMethods->xWrite(below(log), copy + at, part, said.brought_over + (int64_t)at) ==
		     SQLITE_OK;
	}
	free(copy);
	return ok;
}
