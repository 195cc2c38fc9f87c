/*
 * What completion in bash knows of each subcommand: a function that sets the flags, those that take a value, and the
 * operands. The script that calls them is core/cli/server/templates/completion.bash.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "base/buffer.h"
#include "cli/subcommands.h"

/* Adds a function for each subcommand that this program can describe. */
void completion_write_subcommands(struct buffer *out, const struct subcommand *subcommands);

#endif
