/*
 * What a history leaves to a later process, as it is at one moment; and how it is written to its folder.
 */
#ifndef SERVE_HISTORY_IMAGE_H
#define SERVE_HISTORY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "serve/history.h"
#include "serve/state_folder.h"

enum { HISTORY_SUFFIX_SIZE = 32 }; /* of a generation's source: its number */
#define HISTORY_STATE "generations.json"

struct history_entry {
	int64_t number;
	struct config *config; /* NULL: of an earlier process, not loaded */
	char *optimizations;   /* "a,b" */
	char sha256[DIGEST_HEX_SIZE];
	bool left;        /* by a rollback … */
	int64_t left_for; /* … to this generation; 0: in an earlier process */
	bool has_source;  /* in the folder */
};

struct history_image {
	const struct state_folder *folder;
	bool running; /* the process that it is of has not ended because it was told to */
	bool canary;  /* something is tried beside the newest generation */
	int64_t next; /* number of the generation to come */
	bool is_latched;
	struct history_latch latch;
	struct history_entry entries[HISTORY_KEPT]; /* oldest first */
	size_t count;

	/* What came of writing it. */
	bool is_written;
	struct sluice_error error;
};

/* A copy to be written while the history changes; it shares the configs. One thread copies and finishes. */
void history_image_copy(struct history_image *copy, const struct history_image *image);
void history_image_finish(struct history_image *image);

/* Writes it, all in one step but for the sources, and notes which of these are there and what came of it. */
void history_image_write(struct history_image *image);

#endif
