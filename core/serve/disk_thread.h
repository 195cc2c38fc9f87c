/*
 * A thread for work on a disk that may hang, so that who needs it waits as long as it likes and no longer. One piece of work at
 * a time; one thread uses it.
 */
#ifndef SERVE_DISK_THREAD_H
#define SERVE_DISK_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

struct disk_thread;

/* NULL and a sentence if it cannot start. */
struct disk_thread *disk_thread_start(struct sluice_error *error);

/* It is idle. `context` is the thread's until it is idle again. */
void disk_thread_begin(struct disk_thread *thread, void (*work)(void *context), void *context);

/* Waits for so long at most. True: it is idle. */
bool disk_thread_wait(struct disk_thread *thread, int64_t patience_ns);

/* It is idle. */
void disk_thread_stop(struct disk_thread *thread);

#endif
