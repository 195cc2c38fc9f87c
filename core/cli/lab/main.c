/*
 * sluice-lab: the laboratory, which `sluice` starts for its commands.
 */
#include "cli/cli.h"
#include "cli/lab/table.h"
#include "cli/lab_subcommands.h"

#define ROW(name, about) {#name, cmd_##name, about},

const struct subcommand lab_subcommands[] = {
	LAB_SUBCOMMANDS(ROW)
	/* `sluice manual` writes its own pages, then goes on as this. */
	{"manual", cmd_manual, NULL},
	{NULL, NULL, NULL},
};

static void print_usage(FILE *out)
{
	(void)fprintf(out, "Usage: sluice-lab SUBCOMMAND …\n\n"
	                   "The laboratory of sluice, which starts this program for its commands:\n\n");
	subcommands_print(out, lab_subcommands, false);
	(void)fprintf(out, "\n`sluice-lab SUBCOMMAND --help` shows more, with an example.\n");
}

int main(int argc, char **argv)
{
	struct program program = {"sluice-lab", lab_subcommands, print_usage};
	return program_main(&program, argc, argv);
}
