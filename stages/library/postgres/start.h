/* The first connection of a stage. */
#ifndef POSTGRES_START_H
#define POSTGRES_START_H

#include "connection.h"

/* As connection_open(), with a sentence that names the server: for whoever starts it. What is said later is public. */
struct connection *start_connection(struct server *server, enum connection_use use, struct sluice_error *error);

#endif
