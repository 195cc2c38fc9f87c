/*
 * The reader: yields what is stored, on a connection of its own, next to a running writer or without one.
 *
 * A reader of one moment sees the database as it is at its creation, whatever is written meanwhile; the price is that
 * the writer's WAL cannot start over while it is open. Otherwise a scan of events takes a new look every thousand rows.
 */
#ifndef PERSIST_SQLITE_READER_H
#define PERSIST_SQLITE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "database.h"

struct reader {
	const struct config *config;
	sqlite3 *db;
	bool still; /* nobody had the file open when this began */
};

bool reader_create(struct reader *reader, const struct config *config, bool one_moment, struct sluice_error *error);
void reader_destroy(struct reader *reader);

/* For a reader of one moment: lets go of the moment, and begins to see the present one. Where that fails it goes on
 * seeing what it can. */
void reader_let_go(struct reader *reader);
bool reader_look(struct reader *reader, struct sluice_error *error);

/* Whether what was read may be believed: nobody has begun to write to a still image. */
bool reader_was_still(struct reader *reader, struct sluice_error *error);

/* As the stage's scan() and audit_scan(), and as scan() of its dead letters. */
bool reader_scan(struct reader *reader, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error);
bool reader_scan_letters(struct reader *reader, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error);
bool reader_audit_scan(struct reader *reader, sluice_audit_fn each, void *context, struct sluice_error *error);

#endif
