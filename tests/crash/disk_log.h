/*
 * A log of what this process does to the files of one folder: the functions of the C library that write are the
 * program's own. Notes of what was promised meanwhile stand in it, in order with the rest. Syncs can be told to fail.
 */
#ifndef CRASH_DISK_LOG_H
#define CRASH_DISK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_op_kind {
	DISK_CREATE,      /* `file` appears as `name` */
	DISK_WRITE,       /* `size` bytes at `at` */
	DISK_RESIZE,      /* to `size` bytes */
	DISK_SYNC,        /* of `file` */
	DISK_SYNC_FAILED, /* likewise, and nobody knows what the disk has */
	DISK_SYNC_NAMES,  /* of the folder */
	DISK_LINK,        /* `file` appears as `name`, and is what the file `from` is */
	DISK_UNLINK,      /* `name` */
	DISK_MAPPED,      /* `name` begins with the `size` bytes, written through memory */
	DISK_SYNC_MAPPED, /* … which are synced */
	DISK_NOTE,        /* `note` and `number` are the test's */
};

struct disk_op {
	enum disk_op_kind kind;
	unsigned file; /* 0, 1, 2 … in the order of creation */
	unsigned from;
	char name[64];
	uint64_t at;
	size_t size;
	char *data;
	int note;
	int64_t number;
};

struct disk_log {
	struct disk_op *ops;
	size_t count, room;
	size_t first; /* the operations before it make what was there, all of it synced */
};

/* Begins to log. `mapped`: how the name of a file ends that is written through memory; its
 * beginning is looked at before each operation. NULL: of none. `fail_at`: the number of the sync that fails with `cause`, from 1; 0: none. */
void disk_log_start(const char *folder, const char *mapped, long fail_at, int cause);
struct disk_log disk_log_stop(void);
void disk_log_free(struct disk_log *log);
long disk_log_syncs(void); /* so far */
void disk_log_note(int note, int64_t number);

/* From now on syncs do nothing: what checks a state needs none. */
void disk_skip_syncs(void);

#endif
