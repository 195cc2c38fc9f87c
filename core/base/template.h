/*
 * Files that a program carries, and filling words into them. core/cmake/SluiceEmbed.cmake makes the tables of them.
 */
#ifndef BASE_TEMPLATE_H
#define BASE_TEMPLATE_H

#include <stddef.h>

#include "base/buffer.h"

struct template_file {
	const char *name;
	const unsigned char *data; /* not NUL-terminated */
	size_t size;
};

/* What a file has as @WORD@, and what stands there instead. */
struct template_word {
	const char *word, *text;
};

/* The file of that name in a table that ends with a NULL name; it must be there. */
const struct template_file *template_find(const struct template_file *files, const char *name);

/* Adds the file with its words replaced; `words` ends with a NULL word. Other @ stay, and so do those in the texts that
 * are filled in. A word on a line of its own gives way to lines. */
void template_fill(const struct template_file *file, const struct template_word *words, struct buffer *out);

#endif
