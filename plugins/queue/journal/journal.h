/*
 * A journal at work.
 *
 *     put() ─► pending ─► the writer: one write, one sync ─► ready ─► take() ─► a worker ─► done() ─► a mark
 *
 * One thread, the writer, has the files: it writes all that is pending as one batch, and events are resumed when the sync
 * is through. An event that is done leaves a mark, which goes out with the next batch. A mark that a crash takes means
 * that the event is delivered once more, which the store's unique key answers. A segment is deleted when all of its events are
 * done; marks in it that older segments need are written once more, and synced, before.
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <pthread.h>

#include <sluice/stage.h>

#include "backlog.h"
#include "directory.h"
#include "marks.h"
#include "places/places.h"
#include "record_buffer.h"
#include "recovery.h"
#include "segment.h"

struct config {
	const char *directory;
	int durability;
	uint64_t segment_size, max_size;
	int64_t capacity;
};

enum { TROUBLE_SIZE = 256 };

/* An event inside, from put() or its restoring until done(). */
struct inside {
	struct place place;
	size_t size; /* of its record */
	struct segment *segment;
	uint32_t number; /* its place in the segment */
};

static inline struct inside *inside_of(struct place *place)
{
	return (struct inside *)place;
}

struct journal {
	struct sluice_stage *stage;
	const struct config *config;
	struct directory directory;
	uint8_t id[JOURNAL_ID_SIZE];
	pthread_t writer;

	pthread_mutex_t lock;
	pthread_cond_t work; /* for the writer */
	struct place_list pending, ready;
	size_t inside;            /* events put and not done, the backlog among them */
	struct segment *segments; /* oldest first; only the writer adds and removes */
	struct marks marks;       /* not yet written */
	int64_t marked_ns;        /* when the first of them came */
	bool is_full;             /* max_size is reached */
	bool has_empty;           /* a segment can be deleted */
	bool is_over;
	char trouble[TROUBLE_SIZE]; /* why nothing can be written; empty: nothing is in the way */
	int64_t retry_at_ns;        /* then it is tried again */

	/* The writer's own. */
	struct segment *active;   /* NULL: there is none yet, or it came to an end */
	uint64_t last_number;     /* of a segment */
	uint64_t written, synced; /* bytes of the active segment */
	uint32_t placed;          /* events in it */
	int64_t pause_ns;         /* before the next try */
	struct record_buffer buffer;

	struct backlog_reader reader; /* of take() */
};

/* From any thread; the system's clock, for waiting. */
int64_t journal_now_ns(void);

/* Of a segment with a record of `size` bytes. */
uint64_t writer_segment_size(const struct config *config, size_t size);

bool writer_start(struct journal *journal, struct sluice_error *error);
/* No event is pending any more. Marks are made durable. */
void writer_stop(struct journal *journal);

#endif
