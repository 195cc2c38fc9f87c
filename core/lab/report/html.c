/* HTML; see html.h. */
#include "lab/report/html.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

static const char *reference_of(char character)
{
	switch (character) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return "&#39;";
	}
}

void html_text(struct buffer *out, const char *text)
{
	while (text && *text) {
		size_t plain = strcspn(text, "&<>\"'");
		buffer_add(out, text, plain);
		text += plain;
		if (*text)
			buffer_add_text(out, reference_of(*text++));
	}
}

void html_add(struct buffer *out, const char *markup, ...)
{
	va_list texts;
	va_start(texts, markup);
	for (const char *mark; (mark = strchr(markup, '%')); markup = mark + 2) {
		assert(mark[1] == 's');
		buffer_add(out, markup, (size_t)(mark - markup));
		html_text(out, va_arg(texts, const char *));
	}
	buffer_add_text(out, markup);
	va_end(texts);
}
