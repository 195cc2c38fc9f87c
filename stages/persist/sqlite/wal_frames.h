/*
 * The frames of the log as a start reads them: each has a checksum over itself and all before it, and the first that is
 * wrong ends the log. See https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
 */
#ifndef PERSIST_SQLITE_WAL_FRAMES_H
#define PERSIST_SQLITE_WAL_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "wal_index.h"

struct wal_frame {
	uint32_t page;           /* the number of the page in it, from 1 on */
	uint32_t database_pages; /* after the transaction that it ends; 0: it ends none */
};

/* A walk from frame to frame. */
struct wal_walk {
	int fd;
	struct wal_log log;
	uint32_t checksum[2]; /* up to the next frame */
	uint32_t next;
	uint8_t *buffer; /* some frames, read at once */
	uint32_t buffered_from, buffered;
};

/* Before the frame `first` of a log that is known; `fd` is that of the file. With `first` 0 the header of the file must be
 * that of the log. False: it is not, or there is no memory. */
bool wal_walk_begin(struct wal_walk *walk, const struct wal_log *log, uint32_t first, int fd);

/* Before the first frame of whatever log the file holds; its header says all but the number of frames. */
bool wal_walk_begin_file(struct wal_walk *walk, int fd);

/* False: there is no frame more that a start would accept. */
bool wal_walk_next(struct wal_walk *walk, struct wal_frame *frame_out);

void wal_walk_end(struct wal_walk *walk);

/* Whether a start that accepts the frames before `first` accepts those up to `end`, too, and, where that is the end of the
 * log, finds the same there. Reads all of them. */
bool wal_frames_are_sound(const struct wal_log *log, uint32_t first, uint32_t end, int fd);

#endif
