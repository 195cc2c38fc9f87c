/*
 * The statement that stores events and the audit row that covers them, as a transaction of its own.
 */
#ifndef POSTGRES_INSERT_H
#define POSTGRES_INSERT_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/stage.h>

#include "connection.h"

/* Columns of what insert_events() yields: a row for each event that was stored, in the order of the batch. */
enum { INSERTED_MESSAGE_ID, INSERTED_DIGEST };

/* Stores the events, but for those whose message id is stored. FAULT_NONE: committed, and the result is the caller's to
 * clear. Else nothing of it is acknowledged; what is open is to be rolled back. */
enum fault insert_events(struct connection *connection, struct sluice_event *const *events, size_t count,
                         PGresult **result_out);

/* Of an event that was refused: whether it would be refused as a row, without the audit row that goes with it. */
bool insert_blames(struct connection *connection, struct sluice_event *event);

#endif
