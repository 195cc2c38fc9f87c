/* The backlog, read again; see backlog.h. */
#include "backlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"

/* Where so many in a row cannot be read, the disk is left alone for a while. */
enum { FAILURES_MAX = 16 };

static const int64_t pause_min_ns = 50 * 1000000, pause_max_ns = 2000000000;

void backlog_init(struct backlog_reader *reader)
{
	reader->fd = -1;
	reader->pause_ns = pause_min_ns;
	(void)pthread_mutex_init(&reader->lock, NULL);
}

void backlog_adopt(struct backlog_reader *reader, const struct backlog *found)
{
	reader->backlog = *found;
	for (size_t i = 0; i < found->count; i++)
		reader->left[found->events[i].stream]++;
}

void backlog_finish(struct backlog_reader *reader)
{
	if (reader->fd >= 0)
		(void)close(reader->fd);
	free(reader->backlog.events);
	free(reader->skipped.events);
	free(reader->buffer.data);
	place_list_free(&reader->behind);
	(void)pthread_mutex_destroy(&reader->lock);
}

static bool open_to_read(struct journal *journal, const struct segment *segment)
{
	struct backlog_reader *reader = &journal->reader;
	char name[SEGMENT_NAME_SIZE];
	if (reader->segment == segment->number && reader->fd >= 0)
		return true;
	if (reader->fd >= 0)
		(void)close(reader->fd);
	directory_segment_name(segment->number, name);
	reader->fd = openat(journal->directory.fd, name, O_RDONLY | O_CLOEXEC);
	reader->segment = segment->number;
	return reader->fd >= 0;
}

/* Once, however often the event is asked for. Its record is borrowed until another one is read. */
static bool read_leftover(struct journal *journal, const struct leftover *leftover)
{
	struct backlog_reader *reader = &journal->reader;
	uint64_t number = format_number(leftover->segment->number, leftover->place);
	if (reader->read == number)
		return true;
	reader->read = 0;
	reader->record = (struct sluice_record){.id = (int64_t)number};
	if (!record_buffer_reserve(&reader->buffer, leftover->size) || !open_to_read(journal, leftover->segment) ||
	    !recovery_read_event(leftover, reader->fd, reader->buffer.data, &reader->record))
		return false;
	reader->read = number;
	return true;
}

static void note_unreadable(struct journal *journal, const struct leftover *leftover, int cause)
{
	struct backlog_reader *reader = &journal->reader;
	reader->failures++;
	reader->retry_at_ns = journal_now_ns() + reader->pause_ns;
	if (reader->fd >= 0) /* another file may have its name next time */
		(void)close(reader->fd);
	reader->fd = -1;
	(void)pthread_mutex_lock(&reader->lock);
	bool is_new = !reader->trouble[0];
	(void)snprintf(reader->trouble, sizeof(reader->trouble),
	               "%s: an event of the backlog cannot be read, and its stream waits: segment %llx, byte %u: %s",
	               journal->config->directory, (unsigned long long)leftover->segment->number, leftover->offset,
	               strerror(cause));
	if (is_new)
		sluice_log(journal->stage, SLUICE_LOG_ERROR, "journal_unreadable",
		           sluice_text("reason", reader->trouble));
	(void)pthread_mutex_unlock(&reader->lock);
}

static void note_readable(struct journal *journal)
{
	struct backlog_reader *reader = &journal->reader;
	reader->failures = 0;
	if (reader->skipped.count)
		return;
	reader->pause_ns = pause_min_ns;
	(void)pthread_mutex_lock(&reader->lock);
	if (reader->trouble[0])
		sluice_log(journal->stage, SLUICE_LOG_INFO, "journal_readable_again",
		           sluice_text("directory", journal->config->directory));
	reader->trouble[0] = '\0';
	(void)pthread_mutex_unlock(&reader->lock);
}

enum outcome { YIELDED, NO_ROOM, UNREADABLE };

static enum outcome yield(struct journal *journal, const struct leftover *leftover, struct sluice_event **event_out)
{
	struct backlog_reader *reader = &journal->reader;
	if (!read_leftover(journal, leftover)) {
		note_unreadable(journal, leftover, errno);
		return UNREADABLE;
	}
	struct inside *inside = calloc(1, sizeof(*inside));
	struct sluice_event *event = inside ? journal->stage->host->restore(journal->stage, &reader->record) : NULL;
	if (!event) {
		free(inside);
		return NO_ROOM;
	}
	*inside = (struct inside){.place = {.event = event}, .segment = leftover->segment, .number = leftover->place};
	*sluice_local(journal->stage, event) = inside;
	reader->left[leftover->stream]--;
	*event_out = event;
	return YIELDED;
}

/* The skipped once more. What cannot be read stays, and what is behind it. After too many failures the next round goes on
 * behind them. */
static enum outcome retry_skipped(struct journal *journal, struct sluice_event **events, size_t max, size_t *count)
{
	struct backlog_reader *reader = &journal->reader;
	struct backlog *skipped = &reader->skipped;
	enum outcome outcome = YIELDED;
	size_t kept = 0, from = reader->retry_from;
	reader->failures = reader->retry_from = 0;
	memset(reader->is_held, 0, sizeof(reader->is_held));
	for (size_t i = 0; i < skipped->count; i++) {
		const struct leftover leftover = skipped->events[i];
		bool is_tried = i >= from && outcome != NO_ROOM && reader->failures < FAILURES_MAX &&
		                !reader->is_held[leftover.stream];
		if (is_tried)
			outcome = *count < max ? yield(journal, &leftover, &events[*count]) : NO_ROOM;
		if (is_tried && outcome == YIELDED) {
			(*count)++;
			reader->skipped_of[leftover.stream]--;
			continue;
		}
		reader->is_held[leftover.stream] = leftover.stream != NO_STREAM;
		skipped->events[kept++] = leftover;
		if (is_tried && reader->failures == FAILURES_MAX)
			reader->retry_from = kept;
	}
	skipped->count = kept;
	if (reader->failures) {
		reader->pause_ns = reader->pause_ns < pause_max_ns / 2 ? 2 * reader->pause_ns : pause_max_ns;
		reader->retry_at_ns = journal_now_ns() + reader->pause_ns;
	}
	reader->failures = 0;
	return outcome;
}

static bool skip(struct backlog_reader *reader, const struct leftover *leftover)
{
	if (!backlog_add(&reader->skipped, *leftover))
		return false;
	reader->skipped_of[leftover->stream]++;
	reader->passed++;
	return true;
}

size_t backlog_take(struct journal *journal, struct sluice_event **events, size_t max, bool *wait_out)
{
	struct backlog_reader *reader = &journal->reader;
	size_t count = 0;
	bool may_retry = journal_now_ns() >= reader->retry_at_ns;
	*wait_out = false;
	if (reader->skipped.count && may_retry)
		*wait_out = retry_skipped(journal, events, max, &count) == NO_ROOM;
	while (!*wait_out && reader->passed < reader->backlog.count && reader->failures < FAILURES_MAX) {
		const struct leftover *leftover = &reader->backlog.events[reader->passed];
		bool is_behind = leftover->stream != NO_STREAM && reader->skipped_of[leftover->stream];
		enum outcome outcome = is_behind     ? UNREADABLE
		                       : count < max ? yield(journal, leftover, &events[count])
		                                     : NO_ROOM;
		if (outcome == YIELDED) {
			count++;
			reader->passed++;
		}
		*wait_out = outcome == NO_ROOM || (outcome == UNREADABLE && !skip(reader, leftover));
	}
	if (count)
		note_readable(journal);
	return count;
}

bool backlog_is_before(const struct backlog_reader *reader, const struct sluice_event *event)
{
	uint16_t stream = recovery_stream(event->stream);
	return stream != NO_STREAM && reader->left[stream] > 0;
}

bool backlog_tell(struct journal *journal, struct sluice_error *error)
{
	struct backlog_reader *reader = &journal->reader;
	const struct sluice_acknowledged *acknowledged = journal->stage->host->extension(SLUICE_ACKNOWLEDGED);
	for (size_t i = 0; acknowledged && i < reader->backlog.count; i++) {
		if (!read_leftover(journal, &reader->backlog.events[i]))
			return sluice_error_set(error, "directory: %s: an event of the backlog cannot be read: %s",
			                        journal->config->directory, strerror(errno));
		acknowledged->tell(journal->stage, &reader->record);
	}
	if (reader->backlog.count)
		sluice_log(journal->stage, SLUICE_LOG_INFO, "journal_recovered",
		           sluice_text("directory", journal->config->directory),
		           sluice_int("events", (int64_t)reader->backlog.count));
	return true;
}

void backlog_observe(struct backlog_reader *reader, struct sluice_observer *observer)
{
	char trouble[BACKLOG_TROUBLE_SIZE];
	(void)pthread_mutex_lock(&reader->lock);
	memcpy(trouble, reader->trouble, sizeof(trouble));
	(void)pthread_mutex_unlock(&reader->lock);
	if (trouble[0])
		observer->unhealthy(observer, trouble);
}
