/* The probe: tries whether an event could be stored, and leaves nothing behind. */
#ifndef POSTGRES_PROBE_H
#define POSTGRES_PROBE_H

#include "connection.h"

/* A pool_probe_fn of stages that store events. */
void probe_store(struct connection *connection);

#endif
