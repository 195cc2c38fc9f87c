/*
 * The writer: the one thread that has the files of the journal; see journal.h.
 *
 * What it cannot write it turns away, and all that is pending behind it, so that no event of a stream overtakes. A sync
 * that failed is never tried again on the same pages: its segment is closed, and the next batch begins another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal.h"

enum { BATCH_MAX = 4 << 20 /* bytes */, PAGE = 4096 };

static const int64_t second_ns = 1000000000;
static const int64_t mark_delay_ns = 20 * 1000000; /* what a mark waits for a batch to go with */
static const int64_t pause_min_ns = 50 * 1000000, pause_max_ns = 2000000000;

int64_t journal_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * second_ns + now.tv_nsec;
}

static void lock(struct journal *journal)
{
	(void)pthread_mutex_lock(&journal->lock);
}

static void unlock(struct journal *journal)
{
	(void)pthread_mutex_unlock(&journal->lock);
}

/* Under the lock. */
static void note_trouble(struct journal *journal, const char *what, int cause)
{
	(void)snprintf(journal->trouble, sizeof(journal->trouble), "%s: %s: %s", journal->config->directory, what,
	               strerror(cause));
	journal->pause_ns = journal->pause_ns ? 2 * journal->pause_ns : pause_min_ns;
	if (journal->pause_ns > pause_max_ns)
		journal->pause_ns = pause_max_ns;
	journal->retry_at_ns = journal_now_ns() + journal->pause_ns;
	sluice_log(journal->stage, SLUICE_LOG_ERROR, "journal_failed", sluice_text("reason", journal->trouble));
}

static void note_success(struct journal *journal)
{
	if (journal->trouble[0])
		sluice_log(journal->stage, SLUICE_LOG_INFO, "journal_works_again",
		           sluice_text("directory", journal->config->directory));
	journal->trouble[0] = '\0';
	journal->pause_ns = 0;
}

/* Under the lock. */
static void reject_pending(struct journal *journal, struct place_list *batch, const char *why)
{
	struct place *place;
	while ((place = place_list_take(batch)) || (place = place_list_take(&journal->pending))) {
		struct sluice_event *event = place->event;
		free(place);
		journal->inside--;
		sluice_resume(event, sluice_retry(event, second_ns, "%s", why));
	}
}

/* Whether it can be deleted, unless it is the newest. */
static bool is_empty(const struct segment *segment)
{
	return segment->closed && segment->open == 0;
}

/* Bytes of the segments that cannot be deleted. */
static uint64_t bytes_held(const struct journal *journal)
{
	uint64_t bytes = 0;
	for (const struct segment *segment = journal->segments; segment; segment = segment->next)
		bytes += is_empty(segment) ? 0 : segment->size;
	return bytes;
}

/* Under the lock: one up to that number. The newest segment stays, so that no number is ever used again. */
static struct segment *take_empty(struct journal *journal, uint64_t last)
{
	for (struct segment **link = &journal->segments; *link && (*link)->next; link = &(*link)->next) {
		struct segment *segment = *link;
		if (segment->number > last)
			break;
		if (is_empty(segment)) {
			*link = segment->next;
			return segment;
		}
	}
	return NULL;
}

static struct segment *newest_segment(const struct journal *journal)
{
	struct segment *newest = journal->segments;
	while (newest && newest->next)
		newest = newest->next;
	return newest;
}

static void append_segment(struct journal *journal, struct segment *newest, struct segment *segment)
{
	if (newest)
		newest->next = segment;
	else
		journal->segments = segment;
	journal->active = segment;
	journal->last_number = segment->number;
	journal->written = journal->synced = SEGMENT_HEAD_SIZE;
	journal->placed = 0;
}

/* Under the lock, like all that follows unless it says otherwise. */
static void leave_active(struct journal *journal)
{
	struct segment *active = journal->active;
	segment_close(active);
	active->end = journal->synced;
	active->closed = true;
	journal->active = NULL;
	journal->has_empty |= active->open == 0;
}

/* An end that does not get through is none; what is before it had been synced. */
static void end_active(struct journal *journal)
{
	char end[FORMAT_END_SIZE];
	struct segment *active = journal->active;
	unlock(journal);
	format_end(end, (uint32_t)journal->synced, active->seed);
	if (segment_write(active, end, sizeof(end), journal->written) && segment_sync(active))
		journal->synced = journal->written; /* with marks that had waited for a sync */
	lock(journal);
	leave_active(journal);
}

uint64_t writer_segment_size(const struct config *config, size_t size)
{
	uint64_t wanted = SEGMENT_HEAD_SIZE + size + FORMAT_END_SIZE;
	return wanted > config->segment_size ? (wanted + PAGE - 1) / PAGE * PAGE : config->segment_size;
}

/* Whether max_size leaves room for a segment with a record of `size` bytes. */
static bool may_grow(const struct journal *journal, size_t size)
{
	return bytes_held(journal) + writer_segment_size(journal->config, size) <= journal->config->max_size;
}

static bool begin_segment(struct journal *journal, size_t size, bool may)
{
	uint64_t wanted = writer_segment_size(journal->config, size);
	journal->is_full = !may;
	if (journal->is_full) {
		journal->retry_at_ns = journal_now_ns() + pause_max_ns;
		return false;
	}
	struct segment *newest = newest_segment(journal);
	unlock(journal);
	struct segment *segment = segment_create(&journal->directory, journal->id, newest, journal->last_number + 1,
	                                         wanted);
	int cause = errno;
	lock(journal);
	if (!segment) {
		note_trouble(journal, "a segment cannot be prepared", cause);
		return false;
	}
	append_segment(journal, newest, segment);
	note_success(journal);
	journal->has_empty = true; /* the one before it may go now */
	return true;
}

static bool has_room(const struct journal *journal, size_t size)
{
	return journal->active && journal->written + size + FORMAT_END_SIZE <= journal->active->size;
}

static bool make_room(struct journal *journal, size_t size)
{
	if (has_room(journal, size))
		return true;
	if (journal->active)
		end_active(journal);
	return begin_segment(journal, size, may_grow(journal, size));
}

/* What waits, as far as the segment has room. */
static struct place_list take_batch(struct journal *journal, size_t *size_out)
{
	struct place_list batch = {0};
	size_t size = 0;
	while (journal->pending.first) {
		size_t more = size + inside_of(journal->pending.first)->size;
		if (batch.first && (more > BATCH_MAX || !has_room(journal, more)))
			break;
		size = more;
		place_list_append(&batch, place_list_take(&journal->pending));
	}
	*size_out = size;
	return batch;
}

/* As many marks as fit behind `size` bytes. They leave the list when they are written. */
static size_t count_marks(const struct journal *journal, size_t size)
{
	size_t count = journal->marks.count < DONE_RANGES_MAX ? journal->marks.count : DONE_RANGES_MAX;
	while (count && !has_room(journal, size + format_done_size(count)))
		count /= 2;
	return count;
}

/* Others may have added to the last one meanwhile. */
static struct range *copy_marks(const struct journal *journal, size_t count)
{
	struct range *ranges = count ? malloc(count * sizeof(*ranges)) : NULL;
	if (ranges)
		memcpy(ranges, journal->marks.ranges, count * sizeof(*ranges));
	return ranges;
}

static void drop_marks(struct journal *journal, const struct range *written, size_t count)
{
	struct marks *marks = &journal->marks;
	struct range *last = &marks->ranges[count - 1];
	if (last->count > written[count - 1].count) {
		last->first += written[count - 1].count;
		last->count -= written[count - 1].count;
		count--;
	}
	memmove(marks->ranges, marks->ranges + count, (marks->count - count) * sizeof(*marks->ranges));
	marks->count -= count;
	journal->marked_ns = journal_now_ns();
}

/* Without the lock. Events are pending with this thread alone, which may read them. */
static bool write_batch(struct journal *journal, struct place *first, const struct range *marks, size_t mark_count,
                        bool to_disk)
{
	struct segment *active = journal->active;
	size_t size = mark_count ? format_done_size(mark_count) : 0, at = 0;
	for (struct place *place = first; place; place = place->next)
		size += inside_of(place)->size;
	if (!record_buffer_reserve(&journal->buffer, size))
		return false;
	uint32_t number = journal->placed, synced = (uint32_t)journal->synced;
	for (struct place *place = first; place; place = place->next) {
		size_t room = inside_of(place)->size;
		format_event(journal->buffer.data + at, room, place->event, number++, synced, active->seed);
		at += room;
	}
	if (mark_count)
		format_done(journal->buffer.data + at, marks, mark_count, synced, active->seed);
	if (!segment_write(active, journal->buffer.data, size, journal->written))
		return false;
	journal->written += size;
	if (to_disk && !segment_sync(active))
		return false;
	if (to_disk)
		journal->synced = journal->written;
	return true;
}

/* Resumed under the lock, so that take() yields none of them before. */
static void accept(struct journal *journal, struct place_list *batch)
{
	struct place *place;
	while ((place = place_list_take(batch))) {
		inside_of(place)->segment = journal->active;
		inside_of(place)->number = journal->placed++;
		journal->active->open++;
		place_list_append(&journal->ready, place);
		sluice_resume(place->event, SLUICE_PASS);
	}
	note_success(journal);
}

static void write_pending(struct journal *journal)
{
	struct place_list batch = {0};
	if (!make_room(journal, inside_of(journal->pending.first)->size)) {
		reject_pending(journal, &batch,
		               journal->is_full ? "the journal is full" : "the journal cannot be written");
		return;
	}
	size_t size;
	batch = take_batch(journal, &size);
	size_t mark_count = count_marks(journal, size);
	struct range *marks = copy_marks(journal, mark_count);
	mark_count = marks ? mark_count : 0;
	unlock(journal);
	bool ok = write_batch(journal, batch.first, marks, mark_count, true);
	int cause = errno;
	lock(journal);
	if (ok) {
		if (mark_count)
			drop_marks(journal, marks, mark_count);
		accept(journal, &batch);
	} else {
		note_trouble(journal, "a batch cannot be written", cause);
		leave_active(journal);
		reject_pending(journal, &batch, "the journal cannot be written");
	}
	free(marks);
}

/* Marks alone are worth no sync: without them an event is delivered once more. False: no more can be written now. */
static bool write_marks(struct journal *journal, bool to_disk)
{
	size_t count = journal->active ? count_marks(journal, 0) : 0;
	struct range *marks = copy_marks(journal, count);
	journal->marked_ns = journal_now_ns();
	if (!marks)
		return false;
	unlock(journal);
	bool ok = write_batch(journal, NULL, marks, count, to_disk);
	int cause = errno;
	lock(journal);
	if (ok) {
		drop_marks(journal, marks, count);
	} else {
		note_trouble(journal, "marks cannot be written", cause);
		leave_active(journal);
	}
	free(marks);
	return ok;
}

/* Marks may take a segment more than max_size allows, since others can go only then. */
static bool make_room_for_marks(struct journal *journal)
{
	size_t size = format_done_size(1);
	if (has_room(journal, size))
		return true;
	if (journal->active)
		end_active(journal);
	return begin_segment(journal, size, true);
}

static bool write_all_marks(struct journal *journal)
{
	bool ok = true;
	while (ok && journal->marks.count)
		ok = make_room_for_marks(journal) && write_marks(journal, true);
	return ok;
}

/* Marks in segments that are to go are written once more for the segments before them that stay. If that fails, their
 * events are delivered once more after a crash. Returns the last of those that may go: what is emptied meanwhile stays. */
static uint64_t save_marks(struct journal *journal)
{
	uint64_t last = 0; /* that goes */
	bool any = false;
	for (const struct segment *segment = journal->segments; segment && segment->next; segment = segment->next)
		if (is_empty(segment))
			last = segment->number;
	for (struct segment *segment = journal->segments; segment && segment->number < last; segment = segment->next) {
		if (is_empty(segment) || segment->marked_from > last)
			continue;
		marks_sort(&segment->done);
		for (size_t i = 0; i < segment->done.count; i++)
			marks_add(&journal->marks, segment->done.ranges[i]);
		any |= segment->done.count > 0;
		segment->marked_from = journal->last_number;
	}
	if (any)
		(void)write_all_marks(journal);
	return last;
}

static void delete_empty(struct journal *journal)
{
	struct segment *segment;
	bool deleted = false;
	journal->has_empty = false;
	const uint64_t last = save_marks(journal);
	while ((segment = take_empty(journal, last))) {
		unlock(journal);
		segment_remove(&journal->directory, segment->number);
		segment_free(segment);
		deleted = true;
		lock(journal);
	}
	unlock(journal);
	if (deleted)
		(void)directory_sync(&journal->directory); /* a file that comes back is read once more */
	lock(journal);
}

/* When there is something to do although nothing comes; INT64_MAX: never. */
static int64_t next_ns(const struct journal *journal)
{
	int64_t next = journal->trouble[0] ? journal->retry_at_ns : INT64_MAX;
	int64_t marks = journal->marks.count ? journal->marked_ns + mark_delay_ns : INT64_MAX;
	return marks < next ? marks : next;
}

static void wait_for_work(struct journal *journal, int64_t until_ns)
{
	if (until_ns == INT64_MAX) {
		(void)pthread_cond_wait(&journal->work, &journal->lock);
		return;
	}
	struct timespec until = {.tv_sec = (time_t)(until_ns / second_ns), .tv_nsec = (long)(until_ns % second_ns)};
	(void)pthread_cond_timedwait(&journal->work, &journal->lock, &until);
}

static void *work(void *context)
{
	struct journal *journal = context;
	(void)pthread_setname_np(pthread_self(), "journal");
	lock(journal);
	for (;;) {
		int64_t next = next_ns(journal);
		if (journal->has_empty)
			delete_empty(journal);
		else if (journal->pending.first)
			write_pending(journal);
		else if (journal->is_over)
			break;
		else if (next > journal_now_ns())
			wait_for_work(journal, next);
		else if (journal->trouble[0])
			(void)begin_segment(journal, 0, may_grow(journal, 0));
		else if (make_room_for_marks(journal))
			(void)write_marks(journal, false);
	}
	(void)write_all_marks(journal);
	if (journal->active)
		segment_close(journal->active);
	unlock(journal);
	return NULL;
}

bool writer_start(struct journal *journal, struct sluice_error *error)
{
	int problem = pthread_create(&journal->writer, NULL, work, journal);
	return problem == 0 || sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
}

void writer_stop(struct journal *journal)
{
	lock(journal);
	journal->is_over = true;
	(void)pthread_cond_signal(&journal->work);
	unlock(journal);
	(void)pthread_join(journal->writer, NULL);
	free(journal->buffer.data);
}
