/*
 * Names as numbers: each different run of bytes gets the next one, 0, 1, 2 …, so that what is known of a name can stand
 * in an array.
 */
#ifndef LAB_JUDGE_NAMES_H
#define LAB_JUDGE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

#include "base/hash_table.h"

#define NAMES_NONE SIZE_MAX

/* Starts as {0}. */
struct names {
	struct sluice_bytes *list; /* by number; borrowed from who added them */
	size_t count;
	/* Inside. */
	size_t room;             /* of the list */
	struct hash_table table; /* of numbers, each one more than it is */
};

void names_finish(struct names *names);

/* The number of the name, which is added if it is new; its bytes must outlive `names`. */
size_t names_add(struct names *names, struct sluice_bytes name);

/* NAMES_NONE: it was never added. */
size_t names_find(const struct names *names, struct sluice_bytes name);

#endif
