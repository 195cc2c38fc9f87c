/*
 * What an earlier life left behind, on its way to the store: read again one by one as it is taken.
 *
 * A record that cannot be read now is passed over, and with it the later ones of its stream, newer events included, so
 * that no stream overtakes; all others go on. It is tried again with growing pauses, sixteen such at a time, and stays in the
 * journal whatever comes. Of 65,535 other streams one waits with it, whose name has the same 16 bits of checksum.
 *
 * Of take(), one call of which runs at a time, but for backlog_observe().
 */
#ifndef QUEUE_JOURNAL_BACKLOG_H
#define QUEUE_JOURNAL_BACKLOG_H

#include <pthread.h>

#include <sluice/stage.h>

#include "places/places.h"
#include "record_buffer.h"
#include "recovery.h"

enum { BACKLOG_TROUBLE_SIZE = 256 };

struct backlog_reader {
	struct backlog backlog;
	size_t passed;                   /* of its events: yielded, or among the skipped */
	struct backlog skipped;          /* in order: cannot be read now, or behind one that cannot */
	uint32_t left[STREAM_MAX];       /* events not yielded, by stream */
	uint32_t skipped_of[STREAM_MAX]; /* those among them that are skipped */
	bool is_held[STREAM_MAX]; /* while the skipped are tried again: nothing of the stream before the next time */
	size_t failures;          /* since the last success */
	size_t retry_from;        /* of the skipped: those before were tried in the round before */
	int64_t retry_at_ns, pause_ns; /* when the skipped are tried again */
	struct place_list behind;      /* newer events, whose streams have something left */

	uint64_t segment; /* number of the one that is open; 0: none */
	int fd;
	struct record_buffer buffer;
	uint64_t read; /* the event whose record is in the buffer; 0: none */
	struct sluice_record record;

	pthread_mutex_t lock; /* over what follows */
	char trouble[BACKLOG_TROUBLE_SIZE];
};

struct journal;

/* Of zeros. */
void backlog_init(struct backlog_reader *reader);
/* What recovery found is the reader's now. */
void backlog_adopt(struct backlog_reader *reader, const struct backlog *found);
void backlog_finish(struct backlog_reader *reader);

/* Up to `max` events, as take() yields them. *wait_out: nothing newer may be yielded before the rest. */
size_t backlog_take(struct journal *journal, struct sluice_event **events, size_t max, bool *wait_out);

/* Whether this newer event has to wait for an older one of its stream. */
bool backlog_is_before(const struct backlog_reader *reader, const struct sluice_event *event);

/* The other stages learn which ids are in it. */
bool backlog_tell(struct journal *journal, struct sluice_error *error);

/* As a stage's observe(). */
void backlog_observe(struct backlog_reader *reader, struct sluice_observer *observer);

#endif
