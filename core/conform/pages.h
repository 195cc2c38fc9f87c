/*
 * Memory of an event that can be found out about: pages of its own, which nobody can touch once the event has ended.
 */
#ifndef CONFORM_PAGES_H
#define CONFORM_PAGES_H

#include <stdbool.h>
#include <stddef.h>

struct pages_range;

/* Starts as {0}. One thread at a time. */
struct pages {
	struct pages_range *ranges;
	char *next, *end; /* what is free of the newest range */
};

/* Zeroed, aligned for any type. Never NULL: without memory the process ends. */
void *pages_alloc(struct pages *pages, size_t size);

/* Zeroed, not aligned: the byte behind it cannot be touched. */
void *pages_alloc_end(struct pages *pages, size_t size);

/* From now on every access is a SIGSEGV. The addresses are not used again for a long while. `pages` may lie in itself.
 */
void pages_end(struct pages *pages);

/* Whether the address lay in pages that have ended; may be called in a signal handler. */
bool pages_have_ended(const void *address);

#endif
