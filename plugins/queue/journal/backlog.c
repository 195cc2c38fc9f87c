/*
 * What an earlier life left behind, on its way to the store: the events are read again one by one as they are taken.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "journal.h"

static void *reserve(char **buffer, size_t *room, size_t size)
{
	if (size > *room) {
		char *larger = realloc(*buffer, size);
		if (!larger)
			return NULL;
		*buffer = larger;
		*room = size;
	}
	return *buffer;
}

static bool open_to_read(struct journal *journal, const struct segment *segment)
{
	char name[SEGMENT_NAME_SIZE];
	if (journal->read == segment->number && journal->read_fd >= 0)
		return true;
	if (journal->read_fd >= 0)
		(void)close(journal->read_fd);
	directory_segment_name(segment->number, name);
	journal->read_fd = openat(journal->directory.fd, name, O_RDONLY | O_CLOEXEC);
	journal->read = segment->number;
	return journal->read_fd >= 0;
}

/* Reads the record of the next one; it is borrowed until the next call. */
static bool read_leftover(struct journal *journal, const struct leftover *leftover, struct sluice_record *record_out)
{
	*record_out = (struct sluice_record){.id = (int64_t)format_number(leftover->segment->number, leftover->place)};
	if (!reserve(&journal->record, &journal->record_size, leftover->size) ||
	    !open_to_read(journal, leftover->segment))
		return false;
	if (recovery_read_event(leftover, journal->read_fd, journal->record, record_out))
		return true;
	sluice_log(journal->stage, SLUICE_LOG_ERROR, "journal_unreadable",
	           sluice_int("segment", (int64_t)leftover->segment->number), sluice_int("offset", leftover->offset));
	return false;
}

struct sluice_event *backlog_next(struct journal *journal)
{
	const struct leftover *leftover = &journal->backlog.events[journal->restored];
	struct sluice_record record;
	struct place *place = calloc(1, sizeof(*place));
	struct sluice_event *event = NULL;
	if (place && read_leftover(journal, leftover, &record))
		event = journal->stage->host->restore(journal->stage, &record);
	if (!event) {
		free(place);
		return NULL;
	}
	*place = (struct place){.event = event, .segment = leftover->segment, .number = leftover->place};
	*sluice_local(journal->stage, event) = place;
	journal->restored++;
	return event;
}

bool backlog_tell(struct journal *journal, struct sluice_error *error)
{
	const struct sluice_acknowledged *acknowledged = journal->stage->host->extension(SLUICE_ACKNOWLEDGED);
	struct sluice_record record;
	for (size_t i = 0; acknowledged && i < journal->backlog.count; i++) {
		if (!read_leftover(journal, &journal->backlog.events[i], &record))
			return sluice_error_set(error, "directory: %s: an event of the backlog cannot be read",
			                        journal->config->directory);
		acknowledged->tell(journal->stage, &record);
	}
	if (journal->backlog.count)
		sluice_log(journal->stage, SLUICE_LOG_INFO, "journal_recovered",
		           sluice_text("directory", journal->config->directory),
		           sluice_int("events", (int64_t)journal->backlog.count));
	return true;
}
