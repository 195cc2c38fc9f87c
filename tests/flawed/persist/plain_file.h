/*
 * The file of plain_store.c: a row of frames, each an event or an audit row, which ends a batch. A batch is appended with one
 * write and synced; a torn one is not looked at, and overwritten by the next.
 */
#ifndef FLAWED_PLAIN_FILE_H
#define FLAWED_PLAIN_FILE_H

#include <sluice/stage.h>

#include "../frames.h"

enum { FRAME_AUDIT = 'A', WRITER_SIZE = 32, COVER_SIZE = 8 + SLUICE_DIGEST_SIZE };

/* A row of the audit trail in the file. */
struct audit_frame {
	struct frame frame;
	int64_t position, written_at_ns;
	char writer[WRITER_SIZE];
	uint8_t previous[SLUICE_DIGEST_SIZE], hash[SLUICE_DIGEST_SIZE]; /* covers follow */
};

/* All of the file. */
struct contents {
	struct text text; /* what the rest points into */
	struct sluice_record *records;
	struct sluice_audit_row *rows;
	size_t record_count, row_count, valid_size;
};

bool contents_read(const char *path, struct contents *contents, struct sluice_error *error);
void contents_finish(struct contents *contents);

/* The event with the id, of which one that is written again replaces the earlier one; NULL: there is none. */
const struct sluice_record *contents_find(const struct contents *contents, size_t first,
                                          struct sluice_bytes message_id);

/* Makes it unless it exists, for good: its name is synced, too. */
bool file_make(const char *path, struct sluice_error *error);

/* Appends behind `end`, all or nothing. */
bool file_append(const char *path, size_t end, const struct text *text);

/* Where the rows of a path really are. */
const char *file_path(const char *path);

#endif
