/*
 * An unresolved config: the pipeline as the file has it, opened up so that overlays and the command line can change it
 * by section and by kind. Old names have become the new ones (settings_renamed); nothing is checked against an option
 * table yet.
 */
#ifndef RUNTIME_UNRESOLVED_H
#define RUNTIME_UNRESOLVED_H

#include <stdbool.h>

#include <sluice/error.h>

#include "base/arena.h"
#include "runtime/loader.h"
#include "yaml/yaml.h"

struct unresolved_stage {
	const struct yaml_node *place; /* where it is written; NULL: the pipeline has none of this kind */
	struct yaml_node *use;         /* TEXT: the implementation */
	struct yaml_node *sha256;      /* what its file must have; NULL: any */
	struct yaml_node *options;     /* MAP */
	bool replaced; /* `use` was changed: options of the file that the new one does not declare are dropped */
};

struct unresolved_config {
	struct arena *arena;
	struct yaml_node *top; /* MAP: all but the three below */
	struct unresolved_stage stages[KIND_COUNT];
	struct yaml_node *optimizations, *enable; /* NULL if left out */
};

/* Checks the shape of the file: known sections, kinds, their order. */
bool unresolved_read(struct unresolved_config *config, const struct yaml_node *file, struct arena *arena,
                     struct sluice_error *error);

/* Sets a section or a part of it: maps are merged, everything else is replaced. The layer is noted in what is set. */
void unresolved_patch(struct unresolved_config *config, const char *section, const struct yaml_node *patch,
                      const char *layer);

/* Likewise a stage; `use` in the patch changes the implementation, or adds the stage where there is none. `sha256` in
 * the patch sets or, if empty, removes the pin; another implementation without one is not pinned. */
bool unresolved_patch_stage(struct unresolved_config *config, enum sluice_kind kind, const struct yaml_node *patch,
                            const char *layer, struct sluice_error *error);

/* Refuses `node`, at its key, for not being one of the kinds. Returns false. */
bool unresolved_refuse_kind(const struct yaml_node *node, const char *where, struct sluice_error *error);

/* Refuses `node`, at its key, for not being one of the NULL-terminated names. Returns false. */
bool unresolved_refuse_key(const struct yaml_node *node, const char *where, const char *const *names,
                           struct sluice_error *error);

#endif
