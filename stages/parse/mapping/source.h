/*
 * Where a field of an event comes from: a JSON Pointer into the body, a header, a field of a form, or what the auth stage
 * has verified.
 */
#ifndef MAPPING_SOURCE_H
#define MAPPING_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/event.h>

enum { POINTER_TOKENS_MAX = 64 };

/* The reference tokens of a JSON Pointer (RFC 6901), unescaped, and which elements of an array they are: SIZE_MAX for
 * what is no index. None: the whole text. */
struct pointer {
	struct sluice_bytes *tokens;
	size_t *indexes;
	size_t count;
};

enum source_kind { SOURCE_POINTER, SOURCE_HEADER, SOURCE_FORM_FIELD, SOURCE_SIGNED_ID, SOURCE_PART };

struct source {
	enum source_kind kind;
	const char *name;       /* of a header or of a form's field */
	struct pointer pointer; /* empty for other kinds */
	char *text;             /* as it is written */
	char *label;            /* how the sender would call it: "messageId", "/data/id", "the header X-Id" */
};

/* Reads "/data/id", "" (the whole body), "header:X-Id", "form:id", "auth:id" or "part" (which of the request's events it
 * is). */
bool source_parse(struct source *source_out, const char *text, struct sluice_error *error);
void source_finish(struct source *source);

#endif
