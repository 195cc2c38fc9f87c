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

/* `absolute_out`: the path, from the root. `target_out`: the one that SQLite uses for it, where links lead. Both have room
 * for PATH_MAX bytes. */
bool folder_resolve(const char *path, char *absolute_out, char *target_out, struct sluice_error *error);

/* Whether `absolute` no longer leads to `target`, to which folder_resolve() led, although a file may still be there. A
 * folder that was moved and got a link to its new place does no harm: what has names in it has the same names. */
bool folder_leads_elsewhere(const char *absolute, const char *target);

/* The folder of `path`, "." if it has none. */
void folder_of(const char *path, char *folder_out, size_t room);

/* Makes the names in the folder of `path` durable. errno says why it could not. */
bool folder_sync(const char *path);

#endif
