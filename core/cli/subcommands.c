/*
 * From argv to a subcommand; see subcommands.h.
 */
#include "cli/subcommands.h"

#include <errno.h>
#include <string.h>

#include <sluice/version.h>

#include "cli/cli.h"
#include "cli/sibling.h"

void subcommands_print(FILE *out, const struct subcommand *subcommands, bool of_lab)
{
	for (const struct subcommand *each = subcommands; each->name; each++)
		if (each->about && of_lab == !each->run)
			(void)fprintf(out, "  %-9s %s\n", each->name, each->about);
}

void subcommand_describe(const struct subcommand *subcommand, subcommand_fn each, void *context)
{
	char name[64], help[] = "--help";
	(void)snprintf(name, sizeof(name), "%s", subcommand->name);
	arguments_describe(each, context);
	(void)subcommand->run(2, (char *[]){name, help, NULL});
	arguments_describe(NULL, NULL);
}

static int run(const struct program *program, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		program->print_usage(stdout);
		return STATUS_YES;
	}
	if (strcmp(name, "--version") == 0) {
		(void)printf("%s %s (stage ABI %d.%d)\n", program->name, SLUICE_VERSION, SLUICE_ABI_MAJOR,
		             SLUICE_ABI_MINOR);
		return STATUS_YES;
	}
	for (const struct subcommand *each = program->subcommands; each->name; each++)
		if (strcmp(name, each->name) == 0)
			return each->run ? each->run(argc - 1, argv + 1) : sibling_become(SIBLING_LAB, argv);
	if (name[0])
		(void)fprintf(stderr, "sluice: unknown subcommand '%s'\n\n", name);
	program->print_usage(stderr);
	return STATUS_CANNOT;
}

/* A full disk behind standard output must not pass for success. */
int program_main(const struct program *program, int argc, char **argv)
{
	int status = run(program, argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "%s: standard output: cannot write it: %s\n", program->name, strerror(errno));
	return STATUS_CANNOT;
}
