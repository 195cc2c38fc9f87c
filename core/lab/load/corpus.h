/*
 * A corpus: payloads from a file, to be drawn from. One JSON value a line, taken as it stands but for white space
 * around it; blank lines are passed over.
 */
#ifndef LAB_LOAD_CORPUS_H
#define LAB_LOAD_CORPUS_H

#include <stddef.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "base/arena.h"

struct corpus {
	struct arena arena;
	struct sluice_bytes *payloads;
	size_t count; /* at least 1 */
};

/* NULL and a sentence with file:line if a line is no JSON (RFC 8259), or if there is none. */
struct corpus *corpus_read(const char *path, struct sluice_error *error);
void corpus_free(struct corpus *corpus); /* NULL is allowed */

#endif
