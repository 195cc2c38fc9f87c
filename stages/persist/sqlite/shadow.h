/*
 * A copy in memory of the end of the write-ahead log: of the frames that no checkpoint has brought over yet, and of as many
 * before them as there is room for. Reads are served from it; should somebody truncate or overwrite the log, that is the
 * only place where the frames still are.
 *
 * The bytes belong to one log, which has its salt. Frames of another process make a gap, and what lies before a gap is
 * forgotten; so is everything where a long reader keeps checkpoints away and the bound is reached. The caller locks.
 */
#ifndef PERSIST_SQLITE_SHADOW_H
#define PERSIST_SQLITE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shadow {
	char *data;
	size_t size, room;
	int64_t from;  /* offset in the log */
	uint64_t salt; /* of the log; 0: none */
};

void shadow_finish(struct shadow *shadow);

/* A transaction begins to write to the log with that salt: what is known of another log is forgotten. */
void shadow_begin(struct shadow *shadow, uint64_t salt);

/* It ends, and the log with it at that offset: what was written behind it is taken back. */
void shadow_end(struct shadow *shadow, int64_t end);

/* A write to the log; at offset 0 another log begins, with its header. What lies below `done` is needed no more. */
void shadow_write(struct shadow *shadow, const void *data, size_t size, int64_t at, int64_t done);

/* The bytes of that log from one offset to another, or NULL if some are missing. */
const char *shadow_get(const struct shadow *shadow, uint64_t salt, int64_t from, int64_t to);

#endif
