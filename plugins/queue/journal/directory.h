/*
 * The folder of a journal: one process has it at a time. It holds the segments, NUMBER.journal with the number in 16
 * hexadecimal digits, and the file `lock`.
 */
#ifndef QUEUE_JOURNAL_DIRECTORY_H
#define QUEUE_JOURNAL_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

struct directory {
	const char *path; /* as configured; outlives it */
	int fd, lock;
};

enum { SEGMENT_NAME_SIZE = 16 + sizeof(".journal") };

/* Makes the folder if there is none (its parent must exist) and locks it. */
bool directory_open(struct directory *directory, const char *path, struct sluice_error *error);
void directory_close(struct directory *directory);

/* Whether there are segments and no process has the folder. Changes nothing. */
bool directory_has_backlog(const char *path);

/* The numbers of its segments, ascending; the caller frees them. */
bool directory_list(const struct directory *directory, uint64_t **numbers_out, size_t *count_out,
                    struct sluice_error *error);

void directory_segment_name(uint64_t number, char name_out[SEGMENT_NAME_SIZE]);

/* Makes its names durable. errno says why it could not. */
bool directory_sync(const struct directory *directory);

#endif
