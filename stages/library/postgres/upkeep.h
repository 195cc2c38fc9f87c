/*
 * Upkeep: what is done to the database as a whole, between two measurements and after the last. Each on a connection of
 * its own, outside a transaction.
 */
#ifndef POSTGRES_UPKEEP_H
#define POSTGRES_UPKEEP_H

#include <stdbool.h>

#include <sluice/error.h>

#include "server.h"

struct upkeep {
	bool told; /* that the role may not make a checkpoint */
};

/* VACUUM and ANALYZE of the tables, then a checkpoint, unless the role may not make one: then the log says so once
 * (`checkpoint_not_allowed`). */
bool upkeep_maintain(struct upkeep *upkeep, struct server *server, struct sluice_error *error);

/* Drops the schema that the options name, with all that is in it. */
bool upkeep_drop(struct server *server, struct sluice_error *error);

#endif
