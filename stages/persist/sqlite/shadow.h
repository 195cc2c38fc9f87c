/*
 * A copy in memory of the end of the write-ahead log: of the frames that no checkpoint has brought over yet. Should somebody
 * truncate the log, that is the only place where they still are. Frames of another process make a gap, and what lies
 * before a gap is forgotten; so is everything where a long reader keeps checkpoints away and the bound is reached. The
 * caller locks.
 */
#ifndef PERSIST_SQLITE_SHADOW_H
#define PERSIST_SQLITE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shadow {
	char *data;
	size_t size, room;
	int64_t from; /* offset in the log */
};

void shadow_finish(struct shadow *shadow);

/* A write to the log; at offset 0 the log begins again. What lies below `done` is needed no more. */
void shadow_write(struct shadow *shadow, const void *data, size_t size, int64_t at, int64_t done);

/* The bytes from one offset to another, or NULL if some are missing. */
const char *shadow_get(const struct shadow *shadow, int64_t from, int64_t to);

#endif
