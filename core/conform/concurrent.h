/*
 * Runs one function concurrently: on several threads, all started before any of them goes on.
 */
#ifndef CONFORM_CONCURRENT_H
#define CONFORM_CONCURRENT_H

#include "conform/check.h"

enum { CONCURRENT_MAX = 32 };

/* Returns when all have; `number` is 0, 1, 2 … */
void concurrent_run(struct check *check, unsigned count, void (*work)(void *context, unsigned number), void *context);

#endif
