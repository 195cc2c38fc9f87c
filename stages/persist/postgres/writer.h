/* One event, one transaction: BEGIN, INSERT, the audit row, COMMIT, as a plain service does it. */
#ifndef PERSIST_POSTGRES_WRITER_H
#define PERSIST_POSTGRES_WRITER_H

#include <sluice/stage.h>

#include "postgres/connection.h"

enum { SPAN_POOL_WAIT, SPAN_EXECUTE, SPAN_COMMIT };

/* PASS and DONE are committed. The connection is without a transaction afterwards, or broken. */
enum sluice_verdict writer_store(struct connection *connection, struct sluice_event *event);

/* Keeps it among the dead letters. */
bool writer_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason,
                        struct sluice_error *error);

/* As the pool's probe: tries whether an event could be stored. */
void writer_probe(struct connection *connection);

#endif
