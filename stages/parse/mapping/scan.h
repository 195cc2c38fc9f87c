/*
 * Says whether a text is JSON (RFC 8259), in one pass that allocates nothing and does not recurse: a few instructions a
 * byte, whatever the bytes are.
 *
 * JSON here is UTF-8, in numbers within the range of a double, without lone surrogates and without U+0000 but as \u0000.
 */
#ifndef MAPPING_SCAN_H
#define MAPPING_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/event.h>

enum { SCAN_DEPTH_MAX = 1000 };

enum scan_fault {
	SCAN_NO_FAULT,
	SCAN_SYNTAX,
	SCAN_EARLY_END,
	SCAN_MORE, /* after the end of the value */
	SCAN_NUL,
	SCAN_ENCODING, /* not UTF-8 */
	SCAN_RANGE,    /* a number */
	SCAN_DEPTH,
	SCAN_NO_MEMORY,
};

struct paths;

struct scan {
	struct sluice_bytes text;
	size_t max_depth;    /* 1 to SCAN_DEPTH_MAX; an array of numbers is 1 deep */
	struct paths *paths; /* is told of what it follows; out of its memory ends the scan */

	/* The results. */
	enum scan_fault fault;
	size_t position;          /* of the byte that is wrong */
	struct sluice_bytes root; /* the value, without the white space around it */
};

/* Tells `paths` of the containers, keys and values that it follows. True: no fault. */
bool scan_json(struct scan *scan);

/* Of the character that begins there and is not ASCII; 0: there is none in these bytes. */
size_t scan_character_size(const char *text, size_t left);

bool scan_is_utf8(struct sluice_bytes text);

#endif
