/*
 * The reader: yields what is stored, on a connection of its own. A reader of one moment sees the database as it is at
 * its creation, whatever is written meanwhile.
 */
#ifndef PERSIST_POSTGRES_READER_H
#define PERSIST_POSTGRES_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "connection.h"

/* NULL and a sentence when there is nothing to read from. Ends with connection_close(). */
struct connection *reader_open(struct sluice_stage *stage, bool one_moment, struct sluice_error *error);

/* For a reader of one moment: lets go of the moment, and begins to see the present one. */
void reader_let_go(struct connection *connection);
bool reader_look(struct connection *connection, struct sluice_error *error);

/* As the stage's scan() and audit_scan(). */
bool reader_scan(struct connection *connection, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error);
bool reader_audit_scan(struct connection *connection, sluice_audit_fn each, void *context, struct sluice_error *error);

#endif
