/* Dead letters: events that were acknowledged and cannot be stored. */
#ifndef POSTGRES_LETTER_H
#define POSTGRES_LETTER_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "connection.h"

/* Keeps the event among the dead letters; true once that is durable. */
bool letter_keep(struct connection *connection, struct sluice_event *event, const char *reason,
                 struct sluice_error *error);

/* Forgets the one with that id, if there is one; true once that is durable. */
bool letter_drop(struct connection *connection, int64_t id, struct sluice_error *error);

#endif
