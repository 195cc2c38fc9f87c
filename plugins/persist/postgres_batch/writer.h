/* Stores a batch and gives each event its verdict. */
#ifndef PERSIST_POSTGRES_BATCH_WRITER_H
#define PERSIST_POSTGRES_BATCH_WRITER_H

#include <sluice/stage.h>

#include "postgres/connection.h"

enum { SPAN_EXECUTE = 1 }; /* after STORE_SPAN_POOL_WAIT */

/* PASS and DONE are committed. The connection is without a transaction afterwards, or broken. */
void writer_store(struct connection *connection, struct sluice_batch *batch);

#endif
