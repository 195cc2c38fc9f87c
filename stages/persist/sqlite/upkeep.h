/* Upkeep: what is done to the file as a whole, between two measurements and after the last. */
#ifndef PERSIST_SQLITE_UPKEEP_H
#define PERSIST_SQLITE_UPKEEP_H

#include <stdbool.h>

#include <sluice/error.h>

#include "database.h"

/* ANALYZE, then a checkpoint of all there is, which leaves the write-ahead log empty unless somebody reads from it.
 * Waits up to 10 s for others to let it, and fails when somebody goes on reading an older state of the file. */
bool upkeep_maintain(const struct config *config, struct disk *disk, struct sluice_error *error);

/* Removes the file and those that SQLite keeps beside it. */
bool upkeep_drop(const struct config *config, struct sluice_error *error);

#endif
