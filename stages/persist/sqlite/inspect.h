/*
 * The files of a database before a start opens them: whether they are all there that a life before this one left.
 *
 * SQLite takes what it finds: a shortened database whose missing pages nobody asks for yet, a log that ends early, no log
 * at all. What was acknowledged and is no longer there would be missed by the senders only.
 */
#ifndef PERSIST_SQLITE_INSPECT_H
#define PERSIST_SQLITE_INSPECT_H

#include <stdbool.h>

#include <sluice/error.h>

#include "database.h"

/* Looks at the file that `config->path` leads to, without links, and at those beside it. Reads all of the log. False: with
 * the cause and the way out. */
bool inspect_files(const struct config *config, struct sluice_error *error);

#endif
