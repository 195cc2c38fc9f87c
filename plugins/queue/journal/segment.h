/*
 * A segment: one file of the journal, of a fixed size and written from its beginning on.
 *
 * It is prepared with zeros and synced before anything stands in it, so that a sync afterwards has nothing to say about
 * the file, only about the bytes: one write to the disk. After a sync that failed, nobody knows what the disk has of the
 * pages that were written (Linux calls them clean): such a segment is closed.
 */
#ifndef QUEUE_JOURNAL_SEGMENT_H
#define QUEUE_JOURNAL_SEGMENT_H

#include "directory.h"
#include "format.h"
#include "marks.h"

struct segment {
	uint64_t number, size;
	uint32_t seed; /* of the checksums */
	int fd;        /* -1 unless it is written to */
	uint64_t end;  /* of its records, once it is closed */
	struct segment *next;
	/* Under the journal's lock. */
	size_t open;          /* events in it that are not done */
	struct marks done;    /* those that are */
	uint64_t marked_from; /* the segments from this number on hold these marks, but for the latest */
	bool closed;          /* nothing will be added */
};

/* A file of that size, prepared and begun. `previous` is the newest so far, or NULL. NULL and errno if it cannot be made,
 * and then nothing is left of it. */
struct segment *segment_create(const struct directory *directory, const uint8_t journal[JOURNAL_ID_SIZE],
                               const struct segment *previous, uint64_t number, uint64_t size);

/* False and errno when not all of it could be written. */
bool segment_write(const struct segment *segment, const char *data, size_t size, uint64_t at);
bool segment_sync(const struct segment *segment);

/* Nothing will be written to it. */
void segment_close(struct segment *segment);

void segment_free(struct segment *segment);

/* Deletes the file. */
void segment_remove(const struct directory *directory, uint64_t number);

#endif
