/*
 * Health: whether the service can do its work now.
 */
#ifndef SERVE_HEALTH_H
#define SERVE_HEALTH_H

#include "base/buffer.h"
#include "serve/service.h"

struct json_writer;

/* Writes {"status":"ok"}, or "unavailable" with the reasons; returns the HTTP status to go with it, 200 or 503. */
int health_write(struct service *service, struct buffer *out);

/* The same as members of an object that is being written. */
int health_write_members(struct service *service, struct json_writer *json);

#endif
