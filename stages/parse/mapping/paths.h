/*
 * Follows JSON Pointers while a scanner goes over a text, so that one pass finds all their values; and compares the keys
 * of the outermost object.
 *
 * A scanner tells of the containers on a path, of those alone, and in order: paths_open(), then for each member its key
 * or for each element that it begins, then the value, then paths_close(). All that is told has been found valid; what
 * follows has not been looked at.
 */
#ifndef MAPPING_PATHS_H
#define MAPPING_PATHS_H

#include "keys.h"
#include "source.h"

enum { PATHS_MAX = 64 /* pointers: a bit for each */ };

struct paths {
	const struct source *sources;
	size_t source_count;
	struct sluice_bytes *spans; /* of the sources: absent, or the value that a pointer leads to */
	struct keys keys;           /* of the outermost object */
	size_t depth;               /* containers that are open and on a path */
	struct level {
		uint64_t through, next; /* the pointers that lead into it, and those into the member being read */
		size_t index;           /* of an array's next element */
		/* A bit for each byte that a key may begin with to be told, or have a quote in its place; and if these are no
		 * more than two and a backslash, which. */
		uint64_t first[4];
		bool is_few;
		char few[2];
	} levels[POINTER_TOKENS_MAX];
};

/* The sources and their spans are set. Keys of the text are compared in the event's memory. */
void paths_init(struct paths *paths, struct sluice_event *event, struct sluice_bytes text);

/* Begins again with the same text. */
void paths_begin(struct paths *paths);

/* The root, or a value of the innermost container on a path, is a container that is not empty. False: no pointer leads
 * into it, so the scanner does not tell of it. */
bool paths_open(struct paths *paths, bool is_object);

/* Whether a key in the innermost container must be told, by the byte behind its first quote. */
static inline bool paths_may_follow(const struct paths *paths, char first)
{
	unsigned char byte = (unsigned char)first;
	return paths->levels[paths->depth - 1].first[byte / 64] >> byte % 64 & 1;
}

/* The bytes for which paths_may_follow() is true, a backslash aside; NULL: there are more. The two may be the same. */
static inline const char *paths_few_first(const struct paths *paths)
{
	const struct level *level = &paths->levels[paths->depth - 1];
	return level->is_few ? level->few : NULL;
}

/* Whether a pointer leads to the member or element told last, or into it; if none does its value need not be told. */
static inline bool paths_follow(const struct paths *paths)
{
	return paths->levels[paths->depth - 1].next;
}

/* `key` has its quotes. False: the event may have no more memory. */
bool paths_key(struct paths *paths, struct sluice_bytes key);
void paths_element(struct paths *paths);

/* Of the member or element told last, without white space around it. */
void paths_value(struct paths *paths, struct sluice_bytes value);
void paths_close(struct paths *paths);

#endif
