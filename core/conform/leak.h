/*
 * The leak check: counts the memory, descriptors and threads of the process before and after something.
 */
#ifndef CONFORM_LEAK_H
#define CONFORM_LEAK_H

#include <stddef.h>

#include "conform/check.h"

/* Calls `once` `rounds` times to warm up, then counts what as many more calls leave behind. Ends the check if each of
 * several tries leaves something. Threads get a moment to end. */
void leak_expect_at_most(struct check *check, size_t bytes, size_t rounds,
                         void (*once)(struct check *check, void *context, size_t round), void *context,
                         const char *what);

/* Likewise, with as much as the allocator's noise. */
void leak_expect_none(struct check *check, size_t rounds,
                      void (*once)(struct check *check, void *context, size_t round), void *context, const char *what);

#endif
