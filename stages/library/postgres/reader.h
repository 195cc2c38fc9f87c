/*
 * The reader: yields what is stored, on a connection of its own.
 */
#ifndef POSTGRES_READER_H
#define POSTGRES_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "connection.h"

/* Begins to see: one moment until reader_let_go(), or always the present. False and a sentence when there is nothing to
 * read from. */
bool reader_look(struct connection *connection, bool one_moment, struct sluice_error *error);
void reader_let_go(struct connection *connection);

/* As the stage's scan() and audit_scan(), and as scan() of its dead letters. */
bool reader_scan(struct connection *connection, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error);
bool reader_scan_letters(struct connection *connection, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error);
bool reader_audit_scan(struct connection *connection, sluice_audit_fn each, void *context, struct sluice_error *error);

#endif
