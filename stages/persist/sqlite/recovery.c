/* Recovery. */
#include "recovery.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "keeper.h"

/* A copy of all that the connection sees, on the disk and under a name of its own. */
static bool copy_database(sqlite3 *from, const char *path, struct sluice_error *error)
{
	sqlite3 *to = NULL;
	(void)unlink(path);
	bool ok = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK;
	sqlite3_backup *backup = ok ? sqlite3_backup_init(to, "main", from, "main") : NULL;
	ok = backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
	ok = sqlite3_backup_finish(backup) == SQLITE_OK && ok;
	if (!ok)
		(void)sluice_error_set(error, "the deleted database file cannot be written again: %s",
		                       sqlite3_errmsg(to));
	return sqlite3_close(to) == SQLITE_OK && ok;
}

/* The name goes to the copy unless somebody else has put a file there meanwhile. The log that lies beside it says nothing
 * that the copy does not have. */
static bool write_database_again(struct keeper *keeper, struct sluice_error *error)
{
	const char *path = keeper->writer->disk->files[DISK_DATABASE].path;
	char copy[PATH_MAX];
	if (snprintf(copy, sizeof(copy), "%s-rescued", path) >= (int)sizeof(copy))
		return sluice_error_set(error,
		                        "the deleted database file cannot be written again: its name is too long");
	bool ok = copy_database(keeper->db, copy, error);
	if (ok && (link(copy, path) != 0 || !folder_sync(path)))
		ok = sluice_error_set(error, "the deleted database file cannot be written again: %s", strerror(errno));
	(void)unlink(copy);
	if (ok)
		sluice_log(keeper->writer->stage, SLUICE_LOG_WARN, "database_rescued", sluice_text("path", path));
	return ok;
}

/* The log is deleted, but open: its frames go into the database. */
static bool empty_log(struct keeper *keeper, struct sluice_error *error)
{
	int result = sqlite3_wal_checkpoint_v2(keeper->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (result != SQLITE_OK)
		return sluice_error_set(error, "the write-ahead log is lost and cannot be brought over: %s",
		                        sqlite3_errmsg(keeper->db));
	sluice_log(keeper->writer->stage, SLUICE_LOG_WARN, "log_rescued",
	           sluice_text("path", keeper->writer->disk->files[DISK_LOG].path));
	return true;
}

/* What was in a truncated or overwritten log is gone if memory does not have all of it. */
static bool restore_log(struct keeper *keeper, struct sluice_error *error)
{
	struct disk *disk = keeper->writer->disk;
	switch (disk_restore_log(disk, keeper->db)) {
	case LOG_WHOLE:
		sluice_log(keeper->writer->stage, SLUICE_LOG_WARN, "log_rescued",
		           sluice_text("path", disk->files[DISK_LOG].path));
		return true;
	case LOG_WITHOUT_BEGINNING:
		return empty_log(keeper, error);
	default:
		disk_forget_index(disk);
		sluice_log(keeper->writer->stage, SLUICE_LOG_ERROR, "acknowledged_events_lost",
		           sluice_text("cause", "the write-ahead log was truncated or overwritten while in use"));
		return true;
	}
}

/* Where the lost log is empty, another process was faster. */
static bool empty_lost_log(struct keeper *keeper, struct sluice_error *error)
{
	return disk_log_size(keeper->db) <= 0 || empty_log(keeper, error);
}

static bool rescue_log(struct keeper *keeper, struct sluice_error *error)
{
	struct disk *disk = keeper->writer->disk;
	if (disk_look(disk, DISK_INDEX) == DISK_ALTERED) { /* the log has all there is */
		disk_forget_index(disk);
		return true;
	}
	switch (disk_look(disk, DISK_LOG)) {
	case DISK_SHORT:
	case DISK_ALTERED:
		return restore_log(keeper, error);
	case DISK_MISSING:
		return empty_lost_log(keeper, error);
	case DISK_REPLACED:
		keeper->drop_log = disk_log_size(keeper->db) > 0; /* else it is the log of a process that was faster */
		return empty_lost_log(keeper, error);
	default:
		return true;
	}
}

/* Brings to safety what only the open files hold. False: that takes more time, or something from outside. */
static bool rescue(struct keeper *keeper, struct sluice_error *error)
{
	struct disk *disk = keeper->writer->disk;
	char doubt[DISK_DOUBT_SIZE];
	if (!keeper->db)
		return true;
	switch (disk_look(disk, DISK_DATABASE)) {
	case DISK_IN_PLACE:
		return keeper->lost_content || rescue_log(keeper, error);
	case DISK_MISSING:
		keeper->drop_log = true;
		return write_database_again(keeper, error);
	case DISK_REPLACED:
		keeper->lost_content = true;
		sluice_log(keeper->writer->stage, SLUICE_LOG_WARN, "database_replaced",
		           sluice_text("path", disk->files[DISK_DATABASE].path));
		return true;
	case DISK_ELSEWHERE: /* a start looks for the log beside where the path leads */
		if (!empty_lost_log(keeper, error))
			return false;
		break;
	case DISK_SHORT: /* or a smaller copy was written over it */
		keeper->lost_content = true;
		if (database_file_is_sound(keeper->config))
			return true;
		break;
	default:
		break;
	}
	disk_get_doubt(disk, doubt);
	return sluice_error_set(error, "%s", doubt);
}

/* A log that is not of the database beside it would be written over it. */
static bool remove_stale_log(struct keeper *keeper, struct sluice_error *error)
{
	struct disk *disk = keeper->writer->disk;
	bool ok = true;
	if (keeper->drop_log)
		ok = unlink(disk->files[DISK_LOG].path) == 0 || errno == ENOENT;
	else if (keeper->lost_content)
		ok = disk_remove_own(disk, DISK_LOG);
	else
		return true;
	if (ok && disk_remove_own(disk, DISK_INDEX))
		return true;
	return sluice_error_set(error, "a log of another database cannot be removed: %s", strerror(errno));
}

static bool reopen(struct keeper *keeper, struct sluice_error *error)
{
	keeper_close(keeper);
	writer_close(keeper->writer);
	if (!remove_stale_log(keeper, error))
		return false;
	disk_trust(keeper->writer->disk);
	if (!writer_reopen(keeper->writer, error))
		return false;
	if (keeper_open(keeper, error))
		return true;
	writer_close(keeper->writer);
	return false;
}

/* A database that is damaged only together with the log: somebody has written a copy over it, to which the log does not
 * belong. The next run drops the log. */
static bool is_sound(struct keeper *keeper, struct sluice_error *error)
{
	struct disk *disk = keeper->writer->disk;
	if (!disk_is_content_doubted(disk) && !keeper->lost_content)
		return true;
	if (database_is_sound(keeper->writer->db)) {
		disk_trust_content(disk);
		return true;
	}
	keeper->lost_content |= database_file_is_sound(keeper->config);
	return sluice_error_set(error, "the database file is damaged: put a good copy in its place");
}

/* The transaction changes nothing, but shows that the log takes one. */
static bool rewrite_log(sqlite3 *db, struct sluice_error *error)
{
	if (!database_run(db, "BEGIN IMMEDIATE", error))
		return false;
	bool ok = disk_rewrite_log(db) || sluice_error_set(error, "the write-ahead log cannot be written again");
	ok = ok && database_touch(db) && database_run(db, "COMMIT", error);
	if (!sqlite3_get_autocommit(db))
		(void)database_run(db, "ROLLBACK", NULL);
	return ok;
}

bool recovery_settle(struct keeper *keeper, struct sluice_error *error)
{
	struct disk *disk = keeper->writer->disk;
	struct sluice_error cause = {0};
	bool ok = rewrite_log(keeper->writer->db, &cause);
	if (ok && sqlite3_wal_checkpoint_v2(keeper->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
		ok = sluice_error_set(&cause, "no checkpoint is possible: %s", sqlite3_errmsg(keeper->db));
	if (!disk_is_doubted(disk))
		return ok || sluice_error_set(error, "%s", cause.text);
	char doubt[DISK_DOUBT_SIZE];
	disk_get_doubt(disk, doubt);
	return sluice_error_set(error, "%s", doubt);
}

/* A copy from a backup lacks what was acknowledged since. */
static void compare_with_memory(struct keeper *keeper)
{
	struct writer *writer = keeper->writer;
	int64_t last_id;
	if (!database_ask(writer->db, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'webhook_events'",
	                  &last_id, NULL) ||
	    last_id >= writer->last_id)
		return;
	sluice_log(writer->stage, SLUICE_LOG_ERROR, "acknowledged_events_lost", sluice_int("last_id", last_id),
	           sluice_int("acknowledged_id", writer->last_id));
	writer->last_id = last_id;
}

/* The doubt is told to senders, too, whom the path is no business of. */
static const char *without_path(const struct keeper *keeper, const char *text)
{
	size_t size = strlen(keeper->config->path);
	if (strncmp(text, "path: ", 6) != 0 || strncmp(text + 6, keeper->config->path, size) != 0)
		return text;
	return strncmp(text + 6 + size, ": ", 2) == 0 ? text + 6 + size + 2 : text;
}

bool recovery_run(struct keeper *keeper)
{
	struct disk *disk = keeper->writer->disk;
	struct sluice_error error = {0};
	disk_rescue(disk, true);
	bool ok = rescue(keeper, &error);
	disk_rescue(disk, false);
	ok = ok && reopen(keeper, &error) && is_sound(keeper, &error) && recovery_settle(keeper, &error);
	if (!ok) {
		disk_doubt(disk, without_path(keeper, error.text), false);
		return false;
	}
	compare_with_memory(keeper);
	keeper->drop_log = keeper->lost_content = false;
	return true;
}
