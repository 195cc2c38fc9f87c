/*
 * Pages of the manual in the man(7) macros, as mandoc and groff read them.
 */
#ifndef CLI_ROFF_H
#define CLI_ROFF_H

#include <stdbool.h>

#include "base/buffer.h"

/* Begins a page: "sluice-run", 1, and what stands behind the name in its first line. */
void roff_begin(struct buffer *out, const char *name, int section, const char *about);

void roff_heading(struct buffer *out, const char *title);
void roff_subheading(struct buffer *out, const char *title);

/* Running text: `x` becomes bold, white space one blank; ends its line. */
void roff_text(struct buffer *out, const char *text);

/* An entry of a list, bold, with what follows it in italics (may be NULL); its text comes next. */
void roff_item(struct buffer *out, const char *name, const char *value);

/* Lines as they are. */
void roff_example(struct buffer *out, const char *text);

/* A reference to another page: "sluice", 1. A comma follows all but the last of several. */
void roff_reference(struct buffer *out, const char *name, int section, bool last);

/* `text` with nothing in it that means something to roff. */
void roff_escape(struct buffer *out, const char *text, size_t size);

#endif
