/*
 * The table of subcommands of a program, for who runs one, the manual and the completion.
 */
#ifndef CLI_SUBCOMMANDS_H
#define CLI_SUBCOMMANDS_H

#include <stddef.h>
#include <stdio.h>

#include "cli/arguments.h"

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv); /* NULL: sluice-lab has it */
	const char *about;                 /* one phrase; NULL: not for users */
};

struct program {
	const char *name;
	const struct subcommand *subcommands; /* ends with a NULL name */
	void (*print_usage)(FILE *out);
};

/* The whole of main(): runs the subcommand that argv[1] names, or becomes sluice-lab; returns the exit status. */
int program_main(const struct program *program, int argc, char **argv);

/* "  NAME  about" for each subcommand of the table that this program has itself, or that sluice-lab has. */
void subcommands_print(FILE *out, const struct subcommand *subcommands, bool of_lab);

/* What a subcommand takes: its own flags and the shared ones. Borrowed for the call. */
typedef void (*subcommand_fn)(void *context, const struct command *command, const struct flag *flags,
                              size_t flag_count);

/* Calls `each` with what the subcommand takes, without running it; it must be of this program. From one thread. */
void subcommand_describe(const struct subcommand *subcommand, subcommand_fn each, void *context);

/* Whether users find it in the help, and this program can describe it. */
static inline bool subcommand_is_described(const struct subcommand *subcommand)
{
	return subcommand->run && subcommand->about;
}

#endif
