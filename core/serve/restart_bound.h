/*
 * Settings that a running server cannot change: those of its listening sockets and of what is made once for all generations.
 */
#ifndef SERVE_RESTART_BOUND_H
#define SERVE_RESTART_BOUND_H

#include "base/json_writer.h"
#include "runtime/config.h"

/* An array of the names of those that differ, "listen.port". */
void restart_bound_write(const struct config *started, const struct config *config, struct json_writer *json,
                         const char *key);

/* A warning for each of them. */
void restart_bound_log(const struct config *started, const struct config *config);

#endif
