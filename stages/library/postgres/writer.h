/* Stores a batch and gives each event its verdict. */
#ifndef POSTGRES_WRITER_H
#define POSTGRES_WRITER_H

#include <sluice/stage.h>

#include "connection.h"

/* PASS and DONE are committed. The connection is without a transaction afterwards, or broken. */
void writer_store(struct connection *connection, struct sluice_batch *batch);

#endif
