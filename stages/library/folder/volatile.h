/*
 * Folders that a power cut empties: what is kept there is not durable, whatever is synced.
 */
#ifndef LIBRARY_FOLDER_VOLATILE_H
#define LIBRARY_FOLDER_VOLATILE_H

#include <stdbool.h>

/* Whether the folder is kept in memory (tmpfs, ramfs). False if that cannot be told. */
bool folder_is_volatile(const char *folder);

#endif
