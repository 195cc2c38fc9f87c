/*
 * The files of core/cli/templates, carried by the program: core/cmake/SluiceEmbed.cmake makes the table of them.
 */
#ifndef CLI_TEMPLATES_H
#define CLI_TEMPLATES_H

#include <stddef.h>

#include "base/buffer.h"

struct template_file {
	const char *name;
	const unsigned char *data; /* not NUL-terminated */
	size_t size;
};

extern const struct template_file template_files[]; /* ends with a NULL name */

/* What a file has as @WORD@, and what stands there instead. */
struct template_word {
	const char *word, *text;
};

/* Adds the file of that name, which must be there, with its words replaced; `words` ends with a NULL word. Other @
 * stay. A word on a line of its own gives way to lines. */
void template_fill(const char *name, const struct template_word *words, struct buffer *out);

#endif
