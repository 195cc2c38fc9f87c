/*
 * Where a field of an event comes from: a JSON Pointer into the body, a header, or what the auth stage has verified.
 */
#ifndef JSON_SOURCE_H
#define JSON_SOURCE_H

#include <stdbool.h>

#include <sluice/error.h>

#include "span.h"

enum source_kind { SOURCE_POINTER, SOURCE_HEADER, SOURCE_SIGNED_ID };

struct source {
	enum source_kind kind;
	const char *header;     /* its name */
	struct pointer pointer; /* empty for other kinds */
	char *label;            /* how the sender would call it: "messageId", "/data/id", "the header X-Id" */
};

/* Reads "/data/id", "" (the whole body), "header:X-Id" or "auth:id". `text` must outlive the source. */
bool source_parse(struct source *source_out, const char *text, struct sluice_error *error);
void source_finish(struct source *source);

#endif
