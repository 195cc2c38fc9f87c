/*
 * Settings that have a new name: the old one keeps working, and whoever wrote it is told.
 *
 * A tree is changed right after it was read, so everything behind it knows the new names only. A node that was moved
 * says so (yaml.h, `formerly`); binding it (bind.h) reports it.
 */
#ifndef YAML_RENAME_H
#define YAML_RENAME_H

#include <stdbool.h>

#include <sluice/error.h>

#include "base/arena.h"
#include "yaml/bind.h"
#include "yaml/yaml.h"

/* Paths as --set has them: "listen.old", "persist.pool.old". A table ends with NULLs. */
struct yaml_rename {
	const char *from, *to;
};

/* Moves each setting of `map` that has an old name to its new place. `prefix` is the path of the map with a dot at its
 * end, or ""; rows that lead out of it are passed over. false where one is written under both names. */
bool yaml_rename(struct yaml_node *map, const char *prefix, const struct yaml_rename *table, struct arena *arena,
                 struct sluice_error *error);

/* Moves back what the tables of `bind` know under the old name and not under the new: a stage that came from elsewhere,
 * whose setting is called like one that was renamed. */
void yaml_rename_undo(struct yaml_node *map, const char *prefix, const struct yaml_rename *table,
                      const struct bind *bind);

#endif
