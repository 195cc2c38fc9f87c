/*
 * Finds values in JSON text as they stand there, byte for byte: a parser gives values, but what is stored is what was
 * sent.
 *
 * Only span_deeper_than() may be given any bytes; all else expects text that a parser has found valid.
 */
#ifndef JSON_SPAN_H
#define JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/event.h>

/* The reference tokens of a JSON Pointer (RFC 6901), unescaped. None: the whole text. */
struct pointer {
	struct sluice_bytes *tokens;
	size_t count;
};

enum span_type {
	SPAN_NOTHING, /* an absent span */
	SPAN_NULL,
	SPAN_BOOLEAN,
	SPAN_INTEGER, /* a number without fraction and exponent */
	SPAN_REAL,
	SPAN_STRING,
	SPAN_ARRAY,
	SPAN_OBJECT,
};

/* Whether arrays and objects are nested deeper than `depth`; an array of numbers is 1 deep. */
bool span_deeper_than(struct sluice_bytes text, size_t depth);

/* Sets spans[i] to the value that pointers[i] leads to, without white space around it; absent if there is none. Of
 * equal keys the last counts. Returns how many members the outermost object has, equal keys counted each; 0 if it is no
 * object. */
size_t span_find(struct sluice_bytes text, const struct pointer *pointers, struct sluice_bytes *spans, size_t count);

enum span_type span_type(struct sluice_bytes span);

/* What is between the quotes of a string, with its escapes. */
struct sluice_bytes span_inside(struct sluice_bytes string);

/* Resolves the escapes of what is between the quotes. `text` has room for as many bytes; returns their number. */
size_t span_unescape(struct sluice_bytes inside, char *text);

#endif
