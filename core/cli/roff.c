/* Pages of the manual; see roff.h. */
#include "cli/roff.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <sluice/version.h>

enum { NAME_ROOM = 64, LINE_WIDTH = 76 };

/* Of the text of the pages: when that of a release is set. */
#define DATE "2026-11-23"

/* The character at *text, which then moves on to the next. */
static void add_character(struct buffer *out, const char **text)
{
	unsigned char first = (unsigned char)*(*text)++;
	if (first == '\\') {
		buffer_add_text(out, "\\e");
	} else if (first == '-') {
		buffer_add_text(out, "\\-");
	} else if (first < 0x80) {
		buffer_add(out, *text - 1, 1);
	} else {
		unsigned long code = first & (first < 0xe0 ? 0x1fu : first < 0xf0 ? 0xfu : 0x7u);
		for (; ((unsigned char)**text & 0xc0) == 0x80; (*text)++)
			code = code << 6 | ((unsigned char)**text & 0x3f);
		buffer_printf(out, "\\[u%04lX]", code);
	}
}

/* A line that begins with one of the two would be a request. */
static void guard(struct buffer *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		buffer_add_text(out, "\\&");
}

void roff_escape(struct buffer *out, const char *text, size_t size)
{
	const char *end = text + size;
	if (size > 0)
		guard(out, text);
	while (text < end)
		add_character(out, &text);
}

static void add_escaped(struct buffer *out, const char *text)
{
	roff_escape(out, text, strlen(text));
}

void roff_begin(struct buffer *out, const char *name, int section, const char *about)
{
	char upper[NAME_ROOM] = "";
	for (size_t i = 0; name[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	buffer_printf(out, ".\\\" Written by `sluice manual` from the tables that the program runs on.\n.TH ");
	add_escaped(out, upper);
	buffer_printf(out, " %d " DATE " \"sluice " SLUICE_VERSION "\" \"Sluice manual\"\n", section);
	roff_heading(out, "NAME");
	add_escaped(out, name);
	buffer_add_text(out, " \\- ");
	roff_text(out, about);
}

void roff_heading(struct buffer *out, const char *title)
{
	buffer_printf(out, ".SH %s\n", title);
}

void roff_subheading(struct buffer *out, const char *title)
{
	buffer_add_text(out, ".SS ");
	add_escaped(out, title);
	buffer_add_text(out, "\n");
}

static size_t column(const struct buffer *out)
{
	size_t size = 0;
	while (size < out->size && out->data[out->size - size - 1] != '\n')
		size++;
	return size;
}

/* One word, its quotes turned into fonts. */
static void add_word(struct buffer *out, const char *text, size_t size, bool *bold)
{
	const char *end = text + size;
	if (column(out) == 0)
		guard(out, text);
	while (text < end) {
		if (*text == '`') {
			*bold = !*bold;
			buffer_add_text(out, *bold ? "\\fB" : "\\fR");
			text++;
		} else {
			add_character(out, &text);
		}
	}
}

void roff_text(struct buffer *out, const char *text)
{
	static const char space[] = " \t\n";
	bool bold = false, ends_sentence = false, first = true;
	while (*(text += strspn(text, space))) {
		size_t size = strcspn(text, space);
		/* A sentence begins on a line of its own: that is how roff knows it for one. */
		bool breaks = column(out) + size >= LINE_WIDTH || (ends_sentence && isupper((unsigned char)*text));
		if (!first)
			buffer_add_text(out, breaks ? "\n" : " ");
		add_word(out, text, size, &bold);
		ends_sentence = text[size - 1] == '.' && !bold;
		first = false;
		text += size;
	}
	buffer_add_text(out, "\n");
}

void roff_item(struct buffer *out, const char *name, const char *value)
{
	buffer_add_text(out, ".TP\n\\fB");
	add_escaped(out, name);
	buffer_add_text(out, "\\fR");
	if (value) {
		buffer_add_text(out, " \\fI");
		add_escaped(out, value);
		buffer_add_text(out, "\\fR");
	}
	buffer_add_text(out, "\n");
}

void roff_example(struct buffer *out, const char *text)
{
	buffer_add_text(out, ".nf\n.RS 4\n");
	while (*text) {
		size_t size = strcspn(text, "\n");
		roff_escape(out, text, size);
		buffer_add_text(out, "\n");
		text += size + (text[size] == '\n');
	}
	buffer_add_text(out, ".RE\n.fi\n");
}

void roff_reference(struct buffer *out, const char *name, int section, bool last)
{
	buffer_add_text(out, ".BR ");
	add_escaped(out, name);
	buffer_printf(out, " (%d)%s\n", section, last ? "" : ",");
}
