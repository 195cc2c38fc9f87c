/*
 * The disk under a store: the files of a database as SQLite opens them, through a thin layer (a VFS) over SQLite's own.
 * It knows two things that SQLite forgets or never learns, and then doubts the files:
 *
 * - A sync failed, of a file or of the folder's names. The kernel reports that once and forgets what it could not write,
 *   so a later sync that succeeds proves nothing about it.
 * - A file is no longer what its name leads to, or is shorter than what was written, or something else has written to it.
 *   SQLite goes on writing to it, and the next start finds none of it.
 *
 * While the files are doubted nobody may write to the log or bring it over (the locks for both are refused), and nothing
 * may be acknowledged: see recovery.h for the way out. The look at the files costs one stat() for each and
 * a read of the log's header; it is taken under the lock for writing, before the transaction and after its commit.
 */
#ifndef PERSIST_SQLITE_DISK_H
#define PERSIST_SQLITE_DISK_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <sluice/error.h>
#include <sqlite3.h>

#include "shadow.h"
#include "wal_index.h"

enum disk_kind { DISK_DATABASE, DISK_INDEX, DISK_LOG, DISK_KINDS }; /* in the order of the looks */

enum disk_state {
	DISK_IN_PLACE,
	DISK_MISSING,     /* its folder is there, it is not */
	DISK_MOVED,       /* the database: so it is, but it has another name */
	DISK_REPLACED,    /* another file has its name */
	DISK_SHORT,       /* it was truncated */
	DISK_ALTERED,     /* something that is not SQLite has written to it */
	DISK_UNREACHABLE, /* its folder is gone, too, or may not be entered */
	DISK_ELSEWHERE,   /* the database: the configured path leads to another place, through a link */
};

enum { DISK_DOUBT_SIZE = 256 };

struct disk {
	sqlite3_vfs vfs; /* must be first */
	sqlite3_vfs *below;
	char name[48];             /* of the VFS */
	char configured[PATH_MAX]; /* from the root, links and all; "": of no interest. Set before any file is opened */
	pthread_mutex_t lock;      /* over what follows */
	struct disk_file {
		char path[PATH_MAX];
		unsigned handles; /* how often it is open; 0: nothing else is known of it */
		dev_t device;
		ino_t inode;
		int fd; /* O_PATH, so that closing it ends no lock; of the log, which has none, to read */
	} files[DISK_KINDS];
	volatile uint32_t *index; /* the first page of the WAL-index while it is mapped */
	int64_t index_size;       /* that is mapped */
	struct wal_mark last;     /* that it was seen at, under the lock for writing */
	struct wal_mark begun;    /* where the transaction that writes began; salt 0: there is none */
	pthread_t begun_by;
	_Atomic uint64_t transaction; /* how many began and ended so far: odd while one is on */
	bool index_altered;           /* it said less than that, or was truncated */
	/* Of the database, as last seen: what changed its time may be our writing or another process's checkpoint. */
	int64_t database_size;
	struct timespec changed_at;
	uint64_t checkpoint; /* which one of the log was the last, and of which log; 0: not looked at yet */
	uint64_t writes_seen;
	uint64_t writes; /* by us, so far */
	unsigned writing;
	struct shadow shadow; /* of the log */
	bool log_altered;
	struct timespec log_checked; /* when it had last changed before all of it was found sound */
	bool rescuing;
	bool content_doubted;
	char doubt[DISK_DOUBT_SIZE];
	atomic_bool doubted;
};

/* Registers the VFS; `disk->name` goes to sqlite3_open_v2(). Connections on several threads may use it. */
bool disk_init(struct disk *disk, struct sluice_error *error);
void disk_finish(struct disk *disk); /* all connections are closed */

static inline bool disk_is_doubted(const struct disk *disk)
{
	return atomic_load_explicit(&disk->doubted, memory_order_acquire);
}

/* Why; "" if it is not. */
void disk_get_doubt(struct disk *disk, char doubt_out[DISK_DOUBT_SIZE]);

/* Doubts the files for a reason that somebody else found; the first reason stays. `content`: the database itself may be
 * damaged, and is to be checked before it is trusted again. */
void disk_doubt(struct disk *disk, const char *reason, bool content);
bool disk_is_content_doubted(struct disk *disk);
void disk_trust_content(struct disk *disk);

/* Ends the doubt: to be called when all files are closed. */
void disk_trust(struct disk *disk);

/* While rescuing, the locks are granted although the files are doubted: to bring to safety what can only be reached
 * through the files that are still open. */
void disk_rescue(struct disk *disk, bool rescuing);

/* Doubts the files if one of them is not as it should be. */
void disk_look_at_files(struct disk *disk);

/* Looks at a file now. One that is not open counts as in place. */
enum disk_state disk_look(struct disk *disk, enum disk_kind kind);

/* Before SQLite touches the WAL-index: doubts the files if somebody has truncated it. */
void disk_look_at_index(struct disk *disk);

/* Makes SQLite write the WAL-index again, from the log. */
void disk_forget_index(struct disk *disk);

/* Removes the file if its name still leads to the one that is or was open. */
bool disk_remove_own(struct disk *disk, enum disk_kind kind);

/* Writes all of the log that the connection has open once more, over itself, and syncs it: what an earlier sync failed
 * to keep is then on the disk. Inside a transaction that holds the lock for writing. */
bool disk_rewrite_log(sqlite3 *db);

/* Reads the log, or what memory does not know of those frames that no checkpoint has brought over, and doubts the files
 * if a start would find less than the WAL-index says. Costs nothing if the log has not changed since it was last read.
 * Not while files are opened or closed. */
enum log_part { LOG_ALL, LOG_UNKNOWN };
void disk_check_log(struct disk *disk, enum log_part part);

/* Writes into the log that the connection has open, which somebody has truncated or overwritten, what memory has of it. */
enum log_state {
	LOG_WHOLE,             /* as it was */
	LOG_WITHOUT_BEGINNING, /* only what no checkpoint has brought over: a start would not find it */
	LOG_LOST,              /* not even that, or the disk takes no more */
};
enum log_state disk_restore_log(struct disk *disk, sqlite3 *db);

/* Bytes of the log that the connection has open, wherever its name leads to; -1: unknown. */
int64_t disk_log_size(sqlite3 *db);

#endif
