/*
 * Printable text; see printable.h.
 */
#include "base/printable.h"

#include "base/utf8.h"

bool printable_commands(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool stays(uint32_t c, enum printable_form form)
{
	return !printable_commands(c) || (form == PRINTABLE_TEXT && (c == '\n' || c == '\t'));
}

void printable_write(FILE *file, enum printable_form form, const char *text, size_t size)
{
	for (size_t length; size > 0; text += length, size -= length) {
		length = utf8_character(text, size);
		uint32_t c = length ? utf8_decode(text, length) : 0xfffd;
		if (!length)
			(void)fputs("\xef\xbf\xbd", file);
		else if (stays(c, form))
			(void)fwrite(text, 1, length, file);
		else
			(void)fprintf(file, "\\u%04x", (unsigned)c);
		length += !length;
	}
}
