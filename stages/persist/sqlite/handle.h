/*
 * A file as SQLite has it, when it was opened through the VFS of a disk (disk.h).
 */
#ifndef PERSIST_SQLITE_HANDLE_H
#define PERSIST_SQLITE_HANDLE_H

#include <stdbool.h>

#include <sqlite3.h>

#include "disk.h"
#include "gather.h"

/* Of the locks of the WAL-index. */
enum { LOCK_TO_WRITE = 0, LOCK_TO_CHECKPOINT = 1 };

/* The file of the VFS below stands behind it. */
struct handle {
	sqlite3_file base; /* must be first */
	struct disk *disk;
	enum disk_kind kind; /* DISK_KINDS: one of no interest */
	bool name_is_new;    /* its folder was not synced since it was opened */
	bool maps_index;
	struct gather gather; /* of the log */
	sqlite3_file *below;
};

static inline struct handle *handle_of(sqlite3_file *file)
{
	return (struct handle *)(void *)file;
}

static inline sqlite3_file *below(sqlite3_file *file)
{
	return handle_of(file)->below;
}

#endif
