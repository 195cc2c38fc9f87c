/*
 * The files that the process of a check has, and how large they may become.
 */
#ifndef CONFORM_FILES_H
#define CONFORM_FILES_H

#include <sys/resource.h>

#include "conform/check.h"

/* No file may grow beyond the size, nor be written behind it; RLIM_INFINITY: as before. */
void files_limit(rlim_t size);

/* What is open now is not the stage's: a log that the program writes, or has inherited. */
void files_note_inherited(void);

/* Of the files that the process has opened since, and of those in the working directory. */
rlim_t files_size_of_largest(void);

/* Calls `each` for every descriptor of the process. */
void files_walk_descriptors(void (*each)(int descriptor, void *context), void *context);

#endif
