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

/* Copies all that is in the folder into another, which must not exist yet. Returns how many files that were; the program gives
 * up where it cannot. */
size_t files_copy(const char *from, const char *to);

/* Removes the folder with all that is in it; or what is in it alone. */
void files_remove(const char *folder);
void files_empty(const char *folder);

/* Calls `each` for every descriptor of the process. */
void files_walk_descriptors(void (*each)(int descriptor, void *context), void *context);

#endif
