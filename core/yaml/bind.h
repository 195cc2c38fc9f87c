/*
 * Binding: from a map of the file to config structs, by option tables.
 */
#ifndef YAML_BIND_H
#define YAML_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/option.h>

#include "base/arena.h"
#include "yaml/yaml.h"

enum { BIND_WARNINGS_MAX = 63 /* further ones are dropped */ };

/* A table and the struct it fills. */
struct bind_table {
	const struct sluice_option *options;
	void *config;
};

/* What works and should be written in another way: sentences with origin:line:column. */
struct bind_warnings {
	const char *items[BIND_WARNINGS_MAX];
	size_t count;
};

struct bind {
	const char *where; /* stands before an option's name in errors: "listen.", "queue/memory: " */
	const struct bind_table *tables;
	size_t table_count;
	bool drop_unknown; /* what no layer has set (see yaml.h) and no table knows is passed over instead of refused */
	struct arena *arena;
	struct bind_warnings *warnings; /* added to; NULL: not wanted */
};

/* Fills every struct: fallbacks first, then what the map says. `map` may be NULL: nothing is said; `place` is where
 * errors about what is missing point to. */
bool bind_map(const struct bind *bind, const struct yaml_node *map, const struct yaml_node *place,
              struct sluice_error *error);

/* Adds the warning of a node that is written under an old name; any other is passed over. */
void bind_warn(const struct bind *bind, const struct yaml_node *node);

/* Whether any table knows that option. */
const struct sluice_option *bind_find(const struct bind *bind, const char *name);

/* The member at a dotted path, "pool.min", or NULL; `map` may be NULL. */
const struct yaml_node *bind_get(const struct yaml_node *map, const char *path);

#endif
