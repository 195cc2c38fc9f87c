/*
 * The environment in texts: ${NAME} is the value of that variable, ${NAME:-default} the default where it is unset or
 * empty,
 * $$ a dollar. Any other dollar stands for itself. What a variable holds is taken as it is, not substituted again.
 */
#ifndef YAML_SUBSTITUTE_H
#define YAML_SUBSTITUTE_H

#include <stdbool.h>

#include "yaml/yaml.h"

/* The node's text with everything replaced, in the arena; NULL and a sentence with the node's position if a variable is
 * not set or the text is malformed. `node` is a TEXT; `where` stands before the sentence: "listen.port: ". */
const char *substitute(const struct yaml_node *node, const char *where, struct arena *arena,
                       struct sluice_error *error);

#endif
