/*
 * Folded stacks of what `perf script -F comm,ip,sym` says: "thread;caller;callee 12", a line for each stack, sorted.
 */
#ifndef LAB_TRIAL_STACKS_H
#define LAB_TRIAL_STACKS_H

#include <stddef.h>
#include <stdio.h>

/* Reads all of it; returns how many samples there were. */
size_t stacks_fold(FILE *script, FILE *folded);

#endif
