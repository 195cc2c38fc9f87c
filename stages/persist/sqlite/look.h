/*
 * The looks at the files of a database: whether each is still what its name leads to, and what SQLite has written. The caller
 * locks the disk.
 */
#ifndef PERSIST_SQLITE_LOOK_H
#define PERSIST_SQLITE_LOOK_H

#include "disk.h"

/* `writer`: of the VFS below, whose connection holds the lock for writing, so that sizes stand still; NULL: none. */
enum disk_state look_at(struct disk *disk, enum disk_kind kind, sqlite3_file *writer);

/* Whether the WAL-index says what it said when the transaction of this thread, if it has one, began to write: SQLite changes
 * it at the end only. `restarts`: the header of a log is being written, and it may be about another one. */
bool look_index_stands(struct disk *disk, bool restarts);

/* What has become of the WAL-index, if somebody has truncated it: it is made as long again as it is mapped, because to
 * touch what lies behind the end of a mapped file is fatal, and SQLite is to write it again, from the log. */
bool look_lengthens_index(struct disk *disk);

#endif
