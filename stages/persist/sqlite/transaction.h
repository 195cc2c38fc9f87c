/*
 * A transaction of the writer, under its lock: what storing, dead letters and pruning begin and end alike.
 */
#ifndef PERSIST_SQLITE_TRANSACTION_H
#define PERSIST_SQLITE_TRANSACTION_H

#include <stdbool.h>

#include "writer.h"

/* Takes the lock. Whoever pauses the writer goes before all who wait for it: without that, steady load would never let it in. */
void transaction_enter(struct writer *writer);
void transaction_leave(struct writer *writer);

/* Begins, and looks at whether other connections have committed since the last one. What they have done to the rows, or which rows a
 * restored copy lacks, nobody here can know; which triggers they have made, can be asked. */
bool transaction_begin(struct writer *writer);

/* Notes an event that the transaction is about, for its audit row. */
bool transaction_cover(struct writer *writer, int64_t id, const uint8_t *digest);

bool transaction_audit(struct writer *writer, const struct sluice_audit_row *row);

/* Committed is not yet stored: a sync may have failed, or the log may be gone. */
bool transaction_commit(struct writer *writer);
void transaction_roll_back(struct writer *writer);

/* Why the transaction at hand could not be finished. */
void transaction_find_cause(struct writer *writer, char cause_out[TROUBLE_SIZE]);

#endif
