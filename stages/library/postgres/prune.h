/* Removes old events, a step through them by id at a time; see sluice_store_retention. */
#ifndef POSTGRES_PRUNE_H
#define POSTGRES_PRUNE_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "connection.h"

/* The connection is without a transaction afterwards, or broken. */
bool prune_events(struct connection *connection, struct sluice_pruning *pruning, struct sluice_error *error);

#endif
