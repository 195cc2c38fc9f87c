/*
 * The place of a database file: looked at without touching anything, so that an operator reads what is in the way. SQLite
 * itself says "unable to open database file", whatever the cause.
 */
#ifndef PERSIST_SQLITE_FOLDER_H
#define PERSIST_SQLITE_FOLDER_H

#include <stdbool.h>

#include <sluice/error.h>

#include "database.h"

/* FOLDER_TO_READ refuses what nobody could use: a missing folder, a path that is no file, memory in the place of a disk.
 * FOLDER_TO_WRITE also looks for the right to write. */
enum folder_purpose { FOLDER_TO_READ, FOLDER_TO_WRITE };

bool folder_check(const struct config *config, enum folder_purpose purpose, struct sluice_error *error);

/* The folder of `path`, "." if it has none. */
void folder_of(const char *path, char *folder_out, size_t room);

/* Makes the names in the folder of `path` durable. errno says why it could not. */
bool folder_sync(const char *path);

#endif
