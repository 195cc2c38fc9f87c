/*
 * Health: whether the service can do its work now.
 */
#ifndef SERVE_HEALTH_H
#define SERVE_HEALTH_H

#include "base/buffer.h"
#include "serve/service.h"

struct json_writer;

/* Who reads it. Reasons may name hosts and files, so they are for operators. */
enum health_audience { HEALTH_FOR_ALL, HEALTH_FOR_OPERATORS };

/* With the service's lock. Writes {"status":"ok"}, or "unavailable" with the reasons; returns the HTTP status to go with it, 200 or 503. */
int health_write(struct service *service, enum health_audience audience, struct buffer *out);

/* The same as members of an object that is being written, for operators. */
int health_write_members(struct service *service, struct json_writer *json);

#endif
