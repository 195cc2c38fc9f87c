/*
 * A crowd: one function on several threads, all started before any of them goes on.
 */
#ifndef CONFORM_CROWD_H
#define CONFORM_CROWD_H

#include "conform/check.h"

enum { CROWD_MAX = 32 };

/* Returns when all have; `number` is 0, 1, 2 … */
void crowd_run(struct check *check, unsigned count, void (*work)(void *context, unsigned number), void *context);

#endif
