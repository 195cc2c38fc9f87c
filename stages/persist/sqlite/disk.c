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
#include "handle.h"
#include "look.h"

static const char *const kind_names[DISK_KINDS] = {
	[DISK_DATABASE] = "database file",
	[DISK_INDEX] = "WAL index (-shm)",
	[DISK_LOG] = "write-ahead log (-wal)",
};

static const char *const state_words[] = {
	[DISK_MISSING] = "was deleted while in use",
	[DISK_MOVED] = "was moved away while in use",
	[DISK_REPLACED] = "was replaced by another file while in use",
	[DISK_SHORT] = "was truncated while in use",
	[DISK_ALTERED] = "was overwritten by another program while in use",
	[DISK_UNREACHABLE] = "is gone with its folder while in use",
	[DISK_ELSEWHERE] = "is not where the configured path leads: a link was changed while in use",
};

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
	disk->log_altered = false;
	disk->log_checked = (struct timespec){0};
	atomic_store_explicit(&disk->doubted, false, memory_order_release);
	(void)pthread_mutex_unlock(&disk->lock);
}

void disk_rescue(struct disk *disk, bool rescuing)
{
	(void)pthread_mutex_lock(&disk->lock);
	disk->rescuing = rescuing;
	(void)pthread_mutex_unlock(&disk->lock);
}

enum disk_state disk_look(struct disk *disk, enum disk_kind kind)
{
	(void)pthread_mutex_lock(&disk->lock);
	enum disk_state state = look_at(disk, kind, NULL);
	(void)pthread_mutex_unlock(&disk->lock);
	return state;
}

void disk_look_at_index(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	bool was_short = look_lengthens_index(disk);
	(void)pthread_mutex_unlock(&disk->lock);
	if (was_short)
		disk_doubt(disk, "the WAL index (-shm) was truncated while in use", false);
}

void disk_forget_index(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	wal_index_forget(disk->index);
	(void)pthread_mutex_unlock(&disk->lock);
}

/* Whether files that were trusted still may be. */
static bool look_at_all(struct disk *disk, sqlite3_file *writer)
{
	char reason[DISK_DOUBT_SIZE] = "";
	enum disk_state state;
	bool content = false;
	disk_look_at_index(disk);
	(void)pthread_mutex_lock(&disk->lock);
	bool rescuing = disk->rescuing;
	for (enum disk_kind kind = 0; !rescuing && !reason[0] && kind < DISK_KINDS; kind++) {
		state = look_at(disk, kind, writer);
		content = state == DISK_ALTERED && kind == DISK_DATABASE;
		if (state != DISK_IN_PLACE)
			(void)snprintf(reason, sizeof(reason), "the %s %s", kind_names[kind], state_words[state]);
	}
	(void)pthread_mutex_unlock(&disk->lock);
	if (reason[0])
		disk_doubt(disk, reason, content);
	return rescuing || !disk_is_doubted(disk);
}

void disk_look_at_files(struct disk *disk)
{
	(void)look_at_all(disk, NULL);
}

/* Another connection has the same file, or it is not the same any more. */
static bool note_opened(struct disk *disk, enum disk_kind kind, const char *path)
{
	struct stat status;
	int fd = open(path, (kind == DISK_LOG ? O_RDONLY : O_PATH) | O_CLOEXEC);
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
		disk_look_at_files(disk);
	return true;
}

static void note_closed(struct disk *disk, enum disk_kind kind)
{
	(void)pthread_mutex_lock(&disk->lock);
	bool was_last = --disk->files[kind].handles == 0;
	if (was_last)
		(void)close(disk->files[kind].fd);
	if (was_last && kind == DISK_INDEX) {
		disk->index = NULL;
		disk->index_size = 0;
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
static int sync_with_name(sqlite3_file *file, int flags)
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
		note_closed(handle->disk, handle->kind);
	gather_finish(&handle->gather);
	return handle->below->pMethods->xClose(handle->below);
}

/* What memory knows is as it was written, whatever others have done to the file. */
static bool read_from_memory(struct disk *disk, void *data, int size, int64_t at)
{
	(void)pthread_mutex_lock(&disk->lock);
	const char *known = shadow_get(&disk->shadow, wal_index_mark(disk->index).salt, at, at + size);
	if (known)
		memcpy(data, known, (size_t)size);
	(void)pthread_mutex_unlock(&disk->lock);
	return known;
}

static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
	int result = gather_flush(handle_of(file));
	if (result != SQLITE_OK)
		return result;
	if (handle_of(file)->kind == DISK_LOG && read_from_memory(handle_of(file)->disk, data, size, at))
		return SQLITE_OK;
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

/* To sync takes most of the time of a transaction, and then SQLite writes to the index. */
static int sync_log(sqlite3_file *file, int flags)
{
	int result = gather_flush(handle_of(file));
	if (result == SQLITE_OK)
		result = sync_with_name(file, flags);
	(void)gather_stands(handle_of(file)->disk, false);
	return result;
}

static int file_sync(sqlite3_file *file, int flags)
{
	return (handle_of(file)->kind == DISK_LOG ? sync_log : sync_with_name)(file, flags);
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	if (handle_of(file)->kind == DISK_LOG)
		return gather_write(handle_of(file), data, size, at);
	note_writing(file, true);
	int result = below(file)->pMethods->xWrite(below(file), data, size, at);
	note_writing(file, false);
	return result;
}

/* The disk may have an index of long ago, which would speak of frames that the log no longer has. */
static bool sync_index(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->lock);
	volatile uint32_t *index = disk->index;
	(void)pthread_mutex_unlock(&disk->lock);
	return wal_index_sync(index);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int result = gather_flush(handle_of(file));
	if (result != SQLITE_OK)
		return result;
	if (handle_of(file)->kind == DISK_LOG && !sync_index(handle_of(file)->disk))
		return SQLITE_IOERR_TRUNCATE;
	note_writing(file, true);
	result = below(file)->pMethods->xTruncate(below(file), size);
	note_writing(file, false);
	return result;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size_out)
{
	int result = gather_flush(handle_of(file));
	return result != SQLITE_OK ? result : below(file)->pMethods->xFileSize(below(file), size_out);
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

/* The first page of the index is mapped. */
static void note_index(struct handle *handle, volatile uint32_t *index)
{
	struct disk *disk = handle->disk;
	char path[PATH_MAX + sizeof("-shm")];
	(void)snprintf(path, sizeof(path), "%s-shm", disk->files[DISK_DATABASE].path);
	handle->maps_index = note_opened(disk, DISK_INDEX, path);
	if (!handle->maps_index)
		disk_doubt(disk, "the WAL index (-shm) was deleted while in use", false);
	(void)pthread_mutex_lock(&disk->lock);
	disk->index = index;
	(void)pthread_mutex_unlock(&disk->lock);
}

static int index_map(sqlite3_file *file, int part, int part_size, int extend, void volatile **memory_out)
{
	struct disk *disk = handle_of(file)->disk;
	int result = below(file)->pMethods->xShmMap(below(file), part, part_size, extend, memory_out);
	if (result != SQLITE_OK || !*memory_out)
		return result;
	if (part == 0 && !handle_of(file)->maps_index)
		note_index(handle_of(file), *memory_out);
	int64_t size = (part + INT64_C(1)) * part_size;
	(void)pthread_mutex_lock(&disk->lock);
	if (size > disk->index_size)
		disk->index_size = size;
	(void)pthread_mutex_unlock(&disk->lock);
	return result;
}

static int index_unmap(sqlite3_file *file, int remove)
{
	if (handle_of(file)->maps_index)
		note_closed(handle_of(file)->disk, DISK_INDEX);
	handle_of(file)->maps_index = false;
	return below(file)->pMethods->xShmUnmap(below(file), remove);
}

/* The log may have become another one since, and what was taken back is not of it. */
static void note_transaction(struct disk *disk, bool begins)
{
	(void)pthread_mutex_lock(&disk->lock);
	(void)atomic_fetch_add(&disk->transaction, 1);
	if (begins) {
		disk->begun = wal_index_mark(disk->index);
		disk->begun_by = pthread_self();
		shadow_begin(&disk->shadow, disk->begun.salt);
	} else {
		disk->begun = (struct wal_mark){0};
		shadow_end(&disk->shadow, wal_index_sizes(disk->index).log);
	}
	(void)pthread_mutex_unlock(&disk->lock);
}

static int index_lock(sqlite3_file *file, int lock, int count, int flags)
{
	struct disk *disk = handle_of(file)->disk;
	const sqlite3_io_methods *methods = below(file)->pMethods;
	bool changes = (flags & SQLITE_SHM_EXCLUSIVE) && lock <= LOCK_TO_CHECKPOINT, ends = flags & SQLITE_SHM_UNLOCK;
	sqlite3_file *writer = lock == LOCK_TO_WRITE ? below(file) : NULL;
	if (changes && ends && writer) {
		(void)look_at_all(disk, writer);
		note_transaction(disk, false);
	}
	int result = methods->xShmLock(below(file), lock, count, flags);
	if (result != SQLITE_OK || !changes || ends)
		return result;
	if (!look_at_all(disk, writer)) {
		(void)methods->xShmLock(below(file), lock, count, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
		return SQLITE_IOERR_SHMLOCK;
	}
	if (writer)
		note_transaction(disk, true);
	return SQLITE_OK;
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
