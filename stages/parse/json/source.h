/*
 * Where a field of an event comes from: a JSON Pointer into the body, or a header.
 */
#ifndef JSON_SOURCE_H
#define JSON_SOURCE_H

#include <stdbool.h>

#include <sluice/error.h>

#include "span.h"

struct source {
	const char *header;     /* its name; NULL: a pointer */
	struct pointer pointer; /* empty for a header */
	char *label;            /* how the sender would call it: "messageId", "/data/id", "the header X-Id" */
};

/* Reads "/data/id", "" (the whole body) or "header:X-Id". `text` must outlive the source. */
bool source_parse(struct source *source_out, const char *text, struct sluice_error *error);
void source_finish(struct source *source);

#endif
