/*
 * A fast reader for the plainest JSON objects: one line, members that are texts or whole numbers, no spaces. It takes
 * nothing that RFC 8259 does not allow; whatever is not so plain, right or wrong, it leaves to a full parser.
 */
#ifndef LAB_LOAD_PLAIN_H
#define LAB_LOAD_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

#include "base/buffer.h"

enum plain_type { PLAIN_NONE, PLAIN_TEXT, PLAIN_NUMBER };

enum { PLAIN_NAME_MAX = 32 };

/* Starts as {0}. */
struct plain {
	const char *at, *end;
	bool is_first, is_complete; /* the object has ended, and the line with it */
	/* The member that plain_next() has found. */
	char name[PLAIN_NAME_MAX];
	enum plain_type type;
	struct sluice_bytes text; /* until the next call */
	int64_t number;
	struct buffer decoded;
};

void plain_finish(struct plain *plain);

/* A newline at the end is not looked at. The text must stay. */
void plain_begin(struct plain *plain, const char *text, size_t size);

/* The next member, whether its name was there before or not; false: there is none (is_complete), or something that is
 * not plain. */
bool plain_next(struct plain *plain);

#endif
