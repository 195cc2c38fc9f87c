/* Looks for events by their message ids. */
#ifndef POSTGRES_FIND_H
#define POSTGRES_FIND_H

#include <stddef.h>

#include <sluice/stage.h>

#include "connection.h"

/* Columns of the result: a row for each event whose message id is stored, with its place in the list, from 1. */
enum { FOUND_PLACE, FOUND_DIGEST, FOUND_REQUEST_ID };

/* FAULT_NONE: what is found is durable, and the result is the caller's to clear. Else what is open is to be rolled back. */
enum fault find_events(struct connection *connection, struct sluice_event *const *events, size_t count,
                       PGresult **result_out);

/* Columns of the content of one. */
enum { CONTENT_EVENT_TYPE, CONTENT_STREAM, CONTENT_SEQUENCE, CONTENT_PAYLOAD };

/* What is stored with the message id of the event, which is known to be durable: a line, or none. As above. */
enum fault find_content(struct connection *connection, struct sluice_event *event, PGresult **result_out);

#endif
