/*
 * A request as spans: one of the server, and below it one for each step of its lineage, with the same times.
 */
#ifndef SERVE_SPANS_H
#define SERVE_SPANS_H

#include <stddef.h>

#include "base/json_writer.h"

/* `item` is a struct lineage_entry, `path` where webhooks go to. Returns how many spans were written. */
size_t spans_write(const void *item, const char *path, struct json_writer *json);

#endif
