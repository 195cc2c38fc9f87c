/*
 * The table of subcommands, for who runs one, the manual and the completion.
 */
#ifndef CLI_SUBCOMMANDS_H
#define CLI_SUBCOMMANDS_H

#include <stddef.h>

#include "cli/arguments.h"

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about; /* one phrase */
};

extern const struct subcommand subcommands[]; /* ends with a NULL name */

/* What a subcommand takes: its own flags and the shared ones. Borrowed for the call. */
typedef void (*subcommand_fn)(void *context, const struct command *command, const struct flag *flags,
                              size_t flag_count);

/* Calls `each` with what the subcommand takes, without running it. From one thread. */
void subcommand_describe(const struct subcommand *subcommand, subcommand_fn each, void *context);

#endif
