/* The write-ahead log under a store. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "handle.h"
#include "wal_frames.h"

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

/* A copy of what memory has of the log, from `*from_out` to its end; NULL: nothing, or there is no memory for it. */
static char *copy_shadow(struct disk *disk, struct wal_log *log_out, int64_t *from_out)
{
	(void)pthread_mutex_lock(&disk->lock);
	const struct shadow *shadow = &disk->shadow;
	struct wal_log log = wal_index_log(disk->index);
	int64_t from = shadow->from, end = log.frames ? wal_frame_offset(&log, log.frames) : 0;
	const char *known = from < end ? shadow_get(shadow, log.salt, from, end) : NULL;
	char *copy = known ? malloc((size_t)(end - from)) : NULL;
	if (copy)
		memcpy(copy, known, (size_t)(end - from));
	(void)pthread_mutex_unlock(&disk->lock);
	*log_out = log;
	*from_out = copy ? from : end;
	return copy;
}

/* The first frame all of which lies behind the offset, or the number of frames. */
static uint32_t first_frame_behind(const struct wal_log *log, int64_t offset)
{
	uint32_t frame = 0;
	int64_t size = log->page + WAL_FRAME_HEADER_SIZE;
	if (offset > 0)
		frame = (uint32_t)((offset - WAL_HEADER_SIZE + size - 1) / size);
	return frame < log->frames ? frame : log->frames;
}

enum log_state disk_restore_log(struct disk *disk, sqlite3 *db)
{
	enum { PART = 1 << 16 };
	sqlite3_file *file = log_of(db);
	int fd = disk->files[DISK_LOG].fd;
	struct wal_log log;
	int64_t from;
	char *copy = copy_shadow(disk, &log, &from);
	bool ok = file && log.salt && wal_frames_are_sound(&log, log.brought_over, first_frame_behind(&log, from), fd);
	int64_t end = wal_frame_offset(&log, log.frames);
	for (int64_t at = from; ok && copy && at < end; at += PART)
		ok = below(file)->pMethods->xWrite(below(file), copy + (at - from),
		                                   (int)(end - at < PART ? end - at : PART), at) == SQLITE_OK;
	free(copy);
	if (!ok)
		return LOG_LOST;
	return wal_frames_are_sound(&log, 0, log.frames, fd) ? LOG_WHOLE : LOG_WITHOUT_BEGINNING;
}

/* A clock of files goes in steps: what is newer than the last may have changed since, and still looks the same. */
static bool is_settled(const struct stat *status)
{
	enum { STEP_NS = 20000000 };
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - status->st_ctim.tv_sec) * INT64_C(1000000000) + now.tv_nsec - status->st_ctim.tv_nsec >
	       STEP_NS;
}

/* The log at a moment. */
struct view {
	struct wal_log log;
	int fd;             /* of its own */
	int64_t known_from; /* in memory, to its end */
	struct timespec changed_at;
	bool settled, as_checked;
};

static bool take_view(struct disk *disk, struct view *view)
{
	struct stat status;
	(void)pthread_mutex_lock(&disk->lock);
	const struct shadow *shadow = &disk->shadow;
	view->log = wal_index_log(disk->index);
	view->known_from = shadow->salt == view->log.salt && shadow->size > 0
	                           ? shadow->from
	                           : wal_frame_offset(&view->log, view->log.frames);
	view->fd = disk->files[DISK_LOG].handles > 0 ? fcntl(disk->files[DISK_LOG].fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct timespec checked = disk->log_checked;
	(void)pthread_mutex_unlock(&disk->lock);
	if (view->fd < 0)
		return false;
	if (view->log.frames == 0 || fstat(view->fd, &status) != 0) {
		(void)close(view->fd);
		return false;
	}
	view->changed_at = status.st_ctim;
	view->settled = is_settled(&status);
	view->as_checked = checked.tv_sec == status.st_ctim.tv_sec && checked.tv_nsec == status.st_ctim.tv_nsec;
	return true;
}

/* Unless another log has begun while this one was read. */
static bool note_altered(struct disk *disk, const struct wal_log *log)
{
	(void)pthread_mutex_lock(&disk->lock);
	bool same = wal_index_mark(disk->index).salt == log->salt;
	disk->log_altered |= same;
	(void)pthread_mutex_unlock(&disk->lock);
	return same;
}

void disk_check_log(struct disk *disk, enum log_part part)
{
	struct view view;
	disk_look_at_index(disk);
	if (disk_is_doubted(disk) || !take_view(disk, &view))
		return;
	bool whole = part == LOG_ALL;
	uint32_t first = whole ? 0 : view.log.brought_over;
	uint32_t end = whole ? view.log.frames : first_frame_behind(&view.log, view.known_from);
	bool sound = view.as_checked || wal_frames_are_sound(&view.log, first, end, view.fd);
	(void)close(view.fd);
	if (!sound && note_altered(disk, &view.log))
		disk_look_at_files(disk);
	if (!sound || !whole || !view.settled)
		return;
	(void)pthread_mutex_lock(&disk->lock);
	disk->log_checked = view.changed_at;
	(void)pthread_mutex_unlock(&disk->lock);
}
