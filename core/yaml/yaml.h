/*
 * YAML as a tree whose every node knows where it was written.
 *
 * The reader takes what a person writes into a file of settings and refuses the rest with a sentence: one document in
 * UTF-8, maps with text keys, each key once, lists, texts. Anchors are followed within bounds; tags and merge keys are
 * refused. Whatever the input, the work is bounded: see the limits below.
 */
#ifndef YAML_YAML_H
#define YAML_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

#include "base/arena.h"
#include "base/buffer.h"

enum {
	YAML_FILE_MAX = 1 << 20, /* bytes of a file */
	YAML_DEPTH_MAX = 16,
	YAML_NODES_MAX = 20000, /* aliases counted as often as they are used */
	YAML_ITEMS_MAX = 1000,  /* of one list or map */
};

enum yaml_type { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_type type;
	const char *text; /* of a TEXT, never NULL */
	bool plain;       /* a TEXT without quotes */

	const char *origin;    /* the file, or "--set" */
	unsigned line, column; /* from 1; 0: not from a file */
	const char *layer;     /* NULL: as read; set by who merges trees */
	const char *formerly;  /* a sentence, if it is written under an old name (rename.h); NULL otherwise */

	const char *key; /* of a member of a map, NULL otherwise */
	unsigned key_line, key_column;
	const char *
		beside; /* the key before it in the file's map, if it has nothing behind it: this one may belong there */

	struct yaml_node *first, *last; /* of a LIST or MAP, as written */
	struct yaml_node *next;         /* in the list or map that has this one */
};

/* Both return the document's top node, of any type, or NULL and a sentence with origin:line:column. All is in the
 * arena; `origin` is borrowed. */
struct yaml_node *yaml_read_file(const char *path, struct arena *arena, struct sluice_error *error);
struct yaml_node *yaml_read_text(const char *origin, const char *text, size_t size, struct arena *arena,
                                 struct sluice_error *error);

/* What yaml_read_file() would read, added to *bytes: false and a sentence if the file cannot be read or is too large. */
bool yaml_read_bytes(const char *path, struct buffer *bytes, struct sluice_error *error);

/* A TEXT (quoted) and an empty MAP that stand where `place` stands. */
struct yaml_node *yaml_new_text(struct arena *arena, const struct yaml_node *place, const char *text);
struct yaml_node *yaml_new_map(struct arena *arena, const struct yaml_node *place);

/* Adds an item, or a member whose key is set and new. */
void yaml_append(struct yaml_node *parent, struct yaml_node *node);
/* The member of that key, or NULL; `map` may be NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* Makes `node` the member of that key, in the old one's place if there is one. */
void yaml_put(struct yaml_node *map, const char *key, struct yaml_node *node);
struct yaml_node *yaml_copy(struct arena *arena, const struct yaml_node *node);

/* Whether both say the same; quotes, positions and the order of members do not matter. */
bool yaml_equal(const struct yaml_node *a, const struct yaml_node *b);

/* `key:` with nothing after it, ~ or null. */
bool yaml_is_null(const struct yaml_node *node);

/* "a list", "nothing", …: what stands there, for errors; never the text itself. */
const char *yaml_describe(const struct yaml_node *node);

/* Sets "origin:line:column: sentence", at the node or at its key. Returns false. */
SLUICE_PRINTF(3, 4)
bool yaml_fail(const struct yaml_node *node, struct sluice_error *error, const char *format, ...);
SLUICE_PRINTF(3, 4)
bool yaml_fail_at_key(const struct yaml_node *node, struct sluice_error *error, const char *format, ...);

#endif
