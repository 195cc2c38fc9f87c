/* One event, one transaction: BEGIN, INSERT, the audit row, COMMIT, as a plain service does it. */
#ifndef PERSIST_POSTGRES_WRITER_H
#define PERSIST_POSTGRES_WRITER_H

#include <sluice/stage.h>

#include "postgres/connection.h"

enum { SPAN_EXECUTE = 1, SPAN_COMMIT }; /* after STORE_SPAN_POOL_WAIT */

/* PASS and DONE are committed. The connection is without a transaction afterwards, or broken. */
enum sluice_verdict writer_store(struct connection *connection, struct sluice_event *event);

#endif
