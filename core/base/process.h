/*
 * Child processes.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Waits for the end of a child, whatever signals come meanwhile. False, with errno, if it is no child of this process. */
bool process_wait(pid_t child, int *status_out);

#endif
