/*
 * Opening files that others have made.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdio.h>

#include <sluice/error.h>

/* To read. NULL and a sentence for what is no regular file, too: a pipe nobody writes to would hang, a device has no end. */
FILE *file_open(const char *path, struct sluice_error *error);

/* To write, from its beginning. NULL with errno; ELOOP for a symbolic link, since it may lead anywhere. */
FILE *file_create(const char *path);

#endif
