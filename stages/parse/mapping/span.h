/*
 * Values in JSON text as they stand there, byte for byte: a parser gives values, but what is stored is what was sent.
 *
 * All of it expects text that scan.h has found valid.
 */
#ifndef MAPPING_SPAN_H
#define MAPPING_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/event.h>

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

/* Whether a key, with its quotes, is that text. */
bool span_key_is(struct sluice_bytes key, struct sluice_bytes token);

/* Whether the strings at the start of two texts, with their quotes, have the same characters. */
bool span_same_string(struct sluice_bytes a, struct sluice_bytes b);

enum span_type span_type(struct sluice_bytes span);

/* The size of the value at the start of the text, which has its end. */
size_t span_size(struct sluice_bytes text);

/* What is between the quotes of a string, with its escapes. */
struct sluice_bytes span_inside(struct sluice_bytes string);

/* Resolves the escapes of what is between the quotes. `text` has room for as many bytes; returns their number. */
size_t span_unescape(struct sluice_bytes inside, char *text);

#endif
