/*
 * Writing HTML, with what is not markup escaped.
 */
#ifndef LAB_REPORT_HTML_H
#define LAB_REPORT_HTML_H

#include "base/buffer.h"

/* The text with & < > " and ' as character references; good for contents and for quoted attributes. NULL: nothing. */
void html_text(struct buffer *out, const char *text);

/* Adds the markup; each %s in it is the next argument, a text that is escaped. No other % may stand in it. */
__attribute__((format(printf, 2, 3))) void html_add(struct buffer *out, const char *markup, ...);

#endif
