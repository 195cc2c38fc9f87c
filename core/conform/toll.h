/*
 * What the process holds: the count before and after something tells whether that has left anything behind.
 */
#ifndef CONFORM_TOLL_H
#define CONFORM_TOLL_H

#include <stddef.h>

#include "conform/check.h"

/* Calls `once` `rounds` times to get everything warm, then counts what as many more leave behind. Ends the check if
 * that is something each time it is tried. Threads get a moment to end. */
void toll_expect_none(struct check *check, size_t rounds,
                      void (*once)(struct check *check, void *context, size_t round), void *context, const char *what);

#endif
