/*
 * Runs one function concurrently: on several threads, all started before any of them goes on.
 *
 * The threads collide: each gives way at many of its calls of the host. Those of concurrent_collide() are also stopped
 * for a moment now and then in the middle of whatever they do, by a signal: what is not protected against other threads
 * then goes wrong within seconds, on one processor too.
 */
#ifndef CONFORM_CONCURRENT_H
#define CONFORM_CONCURRENT_H

#include "conform/check.h"

enum { CONCURRENT_MAX = 32 };

/* Returns when all have; `number` is 0, 1, 2 … */
void concurrent_run(struct check *check, unsigned count, void (*work)(void *context, unsigned number), void *context);

/* Likewise. Signals end a sleep or a poll() of the stage early, so a stage on a network is spared them. */
void concurrent_collide(struct check *check, unsigned count, void (*work)(void *context, unsigned number),
                        void *context);

/* Waits for the other threads of the run, all of which call it. */
void concurrent_meet(void);

/* What the host does in each call of a stage: gives way now and then, on a thread of concurrent_run(). */
void concurrent_give_way(void);

#endif
