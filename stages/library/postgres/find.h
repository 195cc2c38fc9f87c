/* Looks for events by their message ids. */
#ifndef POSTGRES_FIND_H
#define POSTGRES_FIND_H

#include <stddef.h>

#include <sluice/stage.h>

#include "connection.h"

/* The statement's numbers (session.h) are these and those below STATEMENTS_MAX; others are the stage's. */
enum { FIND_NUMBER = 30 };

/* Columns of the result: a row for each event whose message id is stored, with its place in the list, from 1. */
enum { FOUND_PLACE, FOUND_DIGEST, FOUND_REQUEST_ID };

/* FAULT_NONE: what is found is durable, and the result is the caller's to clear. Else what is open is to be rolled back. */
enum fault find_events(struct connection *connection, struct sluice_event *const *events, size_t count,
                       PGresult **result_out);

#endif
