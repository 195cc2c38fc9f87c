/* What an earlier life left behind; see recovery.h. */
#include "recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "marks.h"

/* A segment that is being read. */
struct reading {
	struct recovery *recovery;
	struct segment *segment;
	const char *name; /* for errors */
	const struct directory *directory;
	char *data;
	size_t size;
	size_t end; /* of the records, as the next segment says; 0: it does not */
	struct marks *marks;
	uint32_t places; /* events seen */
};

static bool read_all(int fd, char *data, size_t size, off_t at)
{
	while (size > 0) {
		ssize_t got = pread(fd, data, size, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got < 0 ? errno : EIO;
			return false;
		}
		data += got;
		size -= (size_t)got;
		at += got;
	}
	return true;
}

bool backlog_add(struct backlog *backlog, struct leftover leftover)
{
	if (backlog->count == backlog->room) {
		size_t room = backlog->room ? 2 * backlog->room : 1024;
		struct leftover *more = realloc(backlog->events, room * sizeof(*more));
		if (!more)
			return false;
		backlog->events = more;
		backlog->room = room;
	}
	backlog->events[backlog->count++] = leftover;
	return true;
}

uint16_t recovery_stream(struct sluice_bytes stream)
{
	return stream.data ? (uint16_t)(1 + crc32c(0, stream.data, stream.size) % (STREAM_MAX - 1)) : NO_STREAM;
}

static bool read_event(struct reading *reading, size_t at, const struct record_head *head)
{
	struct sluice_record record;
	return head->count == reading->places && format_read_event(reading->data + at, head, &record) &&
	       backlog_add(&reading->recovery->backlog, (struct leftover){.segment = reading->segment,
	                                                                  .place = reading->places++,
	                                                                  .offset = (uint32_t)at,
	                                                                  .size = head->size,
	                                                                  .stream = recovery_stream(record.stream)});
}

static bool read_done(const struct reading *reading, size_t at, const struct record_head *head)
{
	if (head->size != format_done_size(head->count))
		return false;
	for (uint32_t i = 0; i < head->count; i++) {
		struct range range;
		memcpy(&range, reading->data + at + sizeof(*head) + i * sizeof(range), sizeof(range));
		marks_add(reading->marks, range);
	}
	return true;
}

/* Whether a whole record behind `broken` says that the segment had been synced beyond it. */
static bool was_synced(const struct reading *reading, size_t broken)
{
	struct record_head head;
	for (size_t at = broken; at < reading->size; at += RECORD_ALIGNMENT)
		if (format_read(reading->data + at, reading->size - at, reading->segment->seed, &head) &&
		    head.synced > broken)
			return true;
	return false;
}

static bool has_more(const struct reading *reading, size_t at)
{
	while (at < reading->size && !reading->data[at])
		at++;
	return at < reading->size;
}

static bool refuse_altered(const struct reading *reading, size_t at, struct sluice_error *error)
{
	return sluice_error_set(
		error,
		"directory: %s/%s: the record at byte %zu was altered after it had been written, so acknowledged events may be missing: restore the file, or, to go on without the events from there on, move it elsewhere",
		reading->directory->path, reading->name, at);
}

static bool read_record(struct reading *reading, size_t at, const struct record_head *head, struct sluice_error *error)
{
	bool is_sound = head->kind == RECORD_EVENT  ? read_event(reading, at, head)
	                : head->kind == RECORD_DONE ? read_done(reading, at, head)
	                                            : false;
	return is_sound || sluice_error_set(error, "directory: %s/%s: the record at byte %zu makes no sense",
	                                    reading->directory->path, reading->name, at);
}

static bool read_records(struct reading *reading, struct sluice_error *error)
{
	struct record_head head;
	size_t at = SEGMENT_HEAD_SIZE, end = reading->end ? reading->end : reading->size;
	while (at < end && format_read(reading->data + at, reading->size - at, reading->segment->seed, &head)) {
		if (head.kind == RECORD_END) {
			end = at;
			break;
		}
		if (!read_record(reading, at, &head, error))
			return false;
		at += head.size;
	}
	reading->segment->end = at;
	if (at == end)
		return true;
	if (reading->end || was_synced(reading, at))
		return refuse_altered(reading, at, error);
	reading->recovery->cut += has_more(reading, at);
	return true;
}

/* The file is there, whole: what does it hold? */
static bool read_segment(struct reading *reading, struct sluice_error *error)
{
	struct recovery *recovery = reading->recovery;
	const char *path = reading->directory->path, *name = reading->name;
	struct segment_head head = {0};
	memcpy(&head, reading->data, reading->size < sizeof(head) ? reading->size : sizeof(head));
	switch (format_check_segment_head(&head)) {
	case SEGMENT_EMPTY:
		return true;
	case SEGMENT_NEWER:
		return sluice_error_set(
			error,
			"directory: %s/%s: has format %u, and this version of queue/journal reads up to %u: run the newer version until the journal is empty, or go on with it",
			path, name, head.version, (unsigned)FORMAT_VERSION);
	case SEGMENT_ALIEN:
		return sluice_error_set(error, "directory: %s/%s: is no segment of a journal, or its head was altered",
		                        path, name);
	case SEGMENT_BEGUN:
		break;
	}
	if (head.number != reading->segment->number)
		return sluice_error_set(error, "directory: %s/%s: was renamed: it is segment %llx", path, name,
		                        (unsigned long long)head.number);
	if (head.size != reading->size)
		return sluice_error_set(error, "directory: %s/%s: has %zu bytes, and was written with %llu", path, name,
		                        reading->size, (unsigned long long)head.size);
	if (recovery->has_journal && memcmp(recovery->journal, head.journal, JOURNAL_ID_SIZE) != 0)
		return sluice_error_set(error, "directory: %s/%s: belongs to another journal than the files before it",
		                        path, name);
	memcpy(recovery->journal, head.journal, JOURNAL_ID_SIZE);
	recovery->has_journal = true;
	reading->segment->seed = format_seed(&head);
	return read_records(reading, error);
}

static bool load(struct reading *reading, struct sluice_error *error)
{
	const char *path = reading->directory->path;
	struct stat status;
	int fd = openat(reading->directory->fd, reading->name, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fstat(fd, &status) == 0;
	if (ok) {
		reading->segment->size = (uint64_t)status.st_size;
		reading->size = (size_t)status.st_size;
		reading->data = malloc(reading->size + 1);
		ok = reading->data && read_all(fd, reading->data, reading->size, 0);
	}
	if (!ok)
		sluice_error_set(error, "directory: %s/%s: cannot be read: %s", path, reading->name, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* Where the records of `number` end, if `next` was begun after it. */
static size_t find_end(const struct directory *directory, uint64_t number, uint64_t next)
{
	char name[SEGMENT_NAME_SIZE];
	struct segment_head head;
	directory_segment_name(next, name);
	int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC);
	bool is_known = fd >= 0 && read_all(fd, (char *)&head, sizeof(head), 0) &&
	                format_check_segment_head(&head) == SEGMENT_BEGUN && head.previous == number;
	if (fd >= 0)
		(void)close(fd);
	return is_known ? (size_t)head.previous_end : 0;
}

/* `next`: the number of the segment after it, or 0. */
static struct segment *read_number(struct recovery *recovery, const struct directory *directory, uint64_t number,
                                   uint64_t next, struct marks *marks, struct sluice_error *error)
{
	char name[SEGMENT_NAME_SIZE];
	directory_segment_name(number, name);
	struct segment *segment = calloc(1, sizeof(*segment));
	if (!segment) {
		sluice_error_set(error, "directory: out of memory");
		return NULL;
	}
	*segment = (struct segment){.number = number, .marked_from = number, .fd = -1, .closed = true};
	struct reading reading = {.recovery = recovery,
	                          .segment = segment,
	                          .name = name,
	                          .directory = directory,
	                          .end = next ? find_end(directory, number, next) : 0,
	                          .marks = marks};
	bool ok = load(&reading, error) && read_segment(&reading, error);
	free(reading.data);
	if (ok)
		return segment;
	segment_free(segment);
	return NULL;
}

/* Each segment learns what of its own is through. */
static void share_out(struct segment *segments, const struct marks *marks)
{
	struct segment *segment = segments;
	for (size_t i = 0; i < marks->count; i++) {
		uint64_t number = format_segment(marks->ranges[i].first);
		while (segment && segment->number < number)
			segment = segment->next;
		if (segment && segment->number == number)
			marks_add(&segment->done, marks->ranges[i]);
	}
}

/* What is through is left out. */
static void filter(struct backlog *backlog, const struct marks *marks)
{
	size_t kept = 0;
	for (size_t i = 0; i < backlog->count; i++) {
		struct leftover *event = &backlog->events[i];
		if (marks_have(marks, format_number(event->segment->number, event->place)))
			continue;
		event->segment->open++;
		backlog->events[kept++] = *event;
	}
	backlog->count = kept;
}

bool recovery_read(struct recovery *recovery, const struct directory *directory, struct sluice_error *error)
{
	uint64_t *numbers;
	size_t count;
	struct marks marks = {0};
	*recovery = (struct recovery){0};
	if (!directory_list(directory, &numbers, &count, error))
		return false;
	bool ok = true;
	struct segment **end = &recovery->segments;
	for (size_t i = 0; i < count && ok; i++) {
		uint64_t next = i + 1 < count ? numbers[i + 1] : 0;
		*end = read_number(recovery, directory, numbers[i], next, &marks, error);
		ok = *end != NULL;
		if (ok)
			end = &(*end)->next;
		recovery->last_number = numbers[i];
	}
	free(numbers);
	marks_sort(&marks);
	if (ok) {
		share_out(recovery->segments, &marks);
		filter(&recovery->backlog, &marks);
	} else {
		recovery_free_segments(recovery->segments);
		free(recovery->backlog.events);
	}
	marks_finish(&marks);
	return ok;
}

bool recovery_read_event(const struct leftover *leftover, int fd, char *data_out, struct sluice_record *record_out)
{
	struct record_head head;
	if (!read_all(fd, data_out, leftover->size, leftover->offset))
		return false;
	if (format_read(data_out, leftover->size, leftover->segment->seed, &head) && head.kind == RECORD_EVENT &&
	    format_read_event(data_out, &head, record_out))
		return true;
	errno = EBADMSG;
	return false;
}

void recovery_free_segments(struct segment *first)
{
	while (first) {
		struct segment *next = first->next;
		segment_free(first);
		first = next;
	}
}
