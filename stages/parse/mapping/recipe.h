/*
 * How a text of an event is made: taken from one source, joined from several ("{header:ce-source} {header:ce-id}"), or the
 * SHA-256, in hex, of what that gives ("digest:", of the whole body; "digest:/data"; "digest:{/a} {/b}").
 *
 * Different values never join to the same text: between two sources stands a text, and in the values its first character and
 * the percent sign are percent-encoded.
 */
#ifndef MAPPING_RECIPE_H
#define MAPPING_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/event.h>

#include "paths.h"
#include "source.h"
#include "span.h"

enum { RECIPE_SOURCES_MAX = 8 };

/* The sources of all recipes stand in one list, so that one pass over a body finds them all. */
struct source_list {
	struct source items[PATHS_MAX];
	size_t count;
};

struct recipe {
	bool is_digest, is_joined;
	size_t first, count;                               /* sources in the list */
	struct sluice_bytes texts[RECIPE_SOURCES_MAX + 1]; /* before each source and after the last, where it joins */
	char marks[RECIPE_SOURCES_MAX + 1];                /* what is encoded in values; "": nothing */
	const char *text;                                  /* as it is written */
};

/* Adds its sources to the list. `text` must outlive the recipe. */
bool recipe_parse(struct recipe *recipe_out, const char *text, struct source_list *list, struct sluice_error *error);

/* How the sender would call it. */
const char *recipe_label(const struct recipe *recipe, const struct source_list *list);

/* Whether the events of one request differ in it: it has something of the body, or the event's number. */
bool recipe_is_of_part(const struct recipe *recipe, const struct source_list *list);

/* What is read: the text that JSON Pointers lead into, and what else there is. */
struct reading {
	const struct source_list *list;
	struct sluice_event *event;
	struct sluice_bytes whole;            /* what the empty pointer stands for */
	struct sluice_bytes form;             /* absent: the body is none */
	bool is_part;                         /* of a request that may carry several */
	struct sluice_bytes spans[PATHS_MAX]; /* of the sources that are pointers; absent: they lead nowhere */
};

/* What a recipe gave. */
struct value {
	const char *label; /* of what it is from; NULL: nothing was found */
	enum span_type type;
	bool is_span;  /* JSON text, not the text itself */
	bool is_whole; /* what the empty pointer stands for, as a value of JSON if it is one */
	bool is_repeated, has_no_memory;
	struct sluice_bytes bytes;
};

/* Null counts as nothing, unless it is the body as a whole. `takes_integers`: they count as text where sources are joined. */
struct value recipe_read(const struct recipe *recipe, const struct reading *reading, bool takes_integers);

/* The text of a value: of a string its characters, of anything else its bytes. Absent: no memory. */
struct sluice_bytes value_text(struct sluice_event *event, const struct value *value);

#endif
