/*
 * Writes to the log, gathered. SQLite writes a frame in two pieces, its header and its page; here those of a transaction wait
 * in memory and go to the file in one write: with the frame that commits, before anything reads or syncs the file through
 * the same connection, or when there is no more room. Nobody else may believe them before: a start and other connections
 * read only what a frame that commits follows, and the write that takes that frame to the file fails where it fails.
 *
 * A write that failed fails all others of its transaction, and its sync. What waits when the transaction ends without a
 * commit is dropped, as another process may now write there.
 *
 * Only the thread that uses the connection calls these.
 */
#ifndef PERSIST_SQLITE_GATHER_H
#define PERSIST_SQLITE_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct handle;

struct gather {
	char *data; /* NULL: none yet */
	size_t size;
	int64_t at;           /* offset of the first byte in the log */
	int64_t end;          /* of all that the transaction has written */
	uint64_t transaction; /* whose this is; see disk.h */
	bool awaits_page;     /* the last piece was a header */
	bool commits;         /* … of a frame that ends a transaction */
	int failure;          /* SQLITE_OK: none */
};

/* As xWrite. */
int gather_write(struct handle *handle, const void *data, int size, int64_t at);

/* Writes what waits; tells of a failure before, too. */
int gather_flush(struct handle *handle);

void gather_finish(struct gather *gather);

/* What a transaction has read by an index that somebody has written over meanwhile must not be written: false. `restarts`:
 * the header of a log is about to be written. */
bool gather_stands(struct disk *disk, bool restarts);

#endif
