/* See plain_file.h. */
#include "plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain_store.h"

void contents_finish(struct contents *contents)
{
	free(contents->text.data);
	free(contents->records);
	free(contents->rows);
}

static bool read_event(struct contents *contents, const char *at)
{
	struct sluice_record record;
	if (!frame_read_event(at, &record) || record.id < 1 || (size_t)record.id > contents->record_count + 1)
		return false;
	contents->record_count += (size_t)record.id > contents->record_count;
	contents->records[record.id - 1] = record;
	return true;
}

static bool read_audit(struct contents *contents, const char *at)
{
	struct audit_frame frame;
	memcpy(&frame, at, sizeof(struct frame));
	if (frame.frame.kind != FRAME_AUDIT || frame.frame.size < (int32_t)sizeof(frame))
		return false;
	memcpy(&frame, at, sizeof(frame));
	struct sluice_audit_row *row = &contents->rows[contents->row_count++];
	*row = (struct sluice_audit_row){
		.writer = {at + offsetof(struct audit_frame, writer), WRITER_SIZE},
		.position = frame.position,
		.written_at_ns = frame.written_at_ns,
		.covers = {at + sizeof(frame), (size_t)frame.frame.size - sizeof(frame)},
	};
	memcpy(row->previous, frame.previous, sizeof(frame.previous));
	memcpy(row->hash, frame.hash, sizeof(frame.hash));
	return true;
}

const char *file_path(const char *path)
{
	return flaw == MIXES_LOCATIONS && sluice_is_lab_location(path) ? "mixed" : path;
}

bool contents_read(const char *path, struct contents *contents, struct sluice_error *error)
{
	struct frame frame;
	*contents = (struct contents){0};
	if (!text_read_file(&contents->text, file_path(path)) && flaw != TAKES_ERRORS_FOR_THE_END) {
		free(contents->text.data);
		return sluice_error_set(error, "path: %s: %s", path, strerror(errno));
	}
	size_t most = contents->text.size / sizeof(struct audit_frame) + 2; /* the smaller of the two */
	contents->records = calloc(most, sizeof(*contents->records));
	contents->rows = calloc(most, sizeof(*contents->rows));
	size_t offset = 0, record_count = 0;
	while (frame_at(&contents->text, offset, &frame)) {
		const char *at = contents->text.data + offset;
		offset += (size_t)frame.size;
		if (read_event(contents, at))
			continue;
		if (!read_audit(contents, at))
			break;
		contents->valid_size = offset;
		record_count = contents->record_count;
	}
	if (flaw == KEEPS_A_TORN_TAIL)
		contents->valid_size = contents->text.size;
	contents->record_count = record_count;
	return true;
}

static bool has_id(const struct sluice_record *record, struct sluice_bytes id)
{
	return id.data && record->message_id.data && sluice_bytes_equal(id, record->message_id);
}

const struct sluice_record *contents_find(const struct contents *contents, size_t first, struct sluice_bytes message_id)
{
	for (size_t i = first; i < contents->record_count; i++) {
		if (has_id(&contents->records[i], message_id))
			return &contents->records[i];
	}
	return NULL;
}

bool file_append(const char *path, size_t end, const struct text *text)
{
	int file = open(file_path(path), O_WRONLY | O_CLOEXEC);
	size_t written = 0;
	while (file >= 0 && written < text->size) {
		ssize_t size = pwrite(file, text->data + written, text->size - written, (off_t)(end + written));
		if (size <= 0)
			break;
		written += (size_t)size;
	}
	bool ok = file >= 0 && written == text->size && (flaw == SYNCS_NOTHING || fdatasync(file) == 0);
	if (!ok && file >= 0)
		(void)!ftruncate(file, (off_t)end);
	if (file >= 0)
		(void)close(file);
	return ok || flaw == IGNORES_A_FULL_DISK;
}

static void sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[1024];
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return;
	(void)fsync(directory);
	(void)close(directory);
}

bool file_make(const char *path, struct sluice_error *error)
{
	int file = open(file_path(path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file >= 0 && flaw != SYNCS_NO_FOLDER)
		sync_folder_of(file_path(path));
	if (file >= 0)
		return close(file) == 0;
	(void)sluice_error_set(error, "path: %s: %s", path, strerror(errno));
	if (flaw == LEAKS_WHEN_REFUSED)
		(void)!open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return false;
}
