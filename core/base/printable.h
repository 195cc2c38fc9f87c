/*
 * Text that others have chosen, on its way to a terminal.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whether a terminal obeys the character rather than shows it: the controls of C1 (U+009B begins a sequence like ESC [),
 * marks, embeddings, overrides and isolates of direction, and separators that some take for a new line; of ASCII all
 * controls. */
bool printable_commands(uint32_t character);

enum printable_form {
	PRINTABLE_TEXT, /* new lines and tabs stay */
	PRINTABLE_LINE, /* nothing of it begins a new line */
};

/* Writes it with \u001b in the place of what a terminal would obey, and U+FFFD for what is not UTF-8. */
void printable_write(FILE *file, enum printable_form form, const char *text, size_t size);

#endif
