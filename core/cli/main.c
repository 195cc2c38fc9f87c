/*
 * sluice: the table of subcommands.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/version.h>

#include "cli.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
} subcommands[] = {
	{"run", cmd_run, "serve a pipeline"},
	{"check", cmd_check, "say everything that run would refuse, without starting"},
	{"stages", cmd_stages, "list the stages found, or one's options, spans, version and SHA-256"},
	{"schema", cmd_schema, "print the JSON Schema of a pipeline file, for editors"},
	{"status", cmd_status, "show what a running server is doing"},
	{"lineage", cmd_lineage, "show where the time of one request went"},
	{"audit", cmd_audit, "recompute the audit chain of a store"},
};

enum { SUBCOMMAND_COUNT = sizeof(subcommands) / sizeof(*subcommands) };

static void print_usage(FILE *out)
{
	(void)fprintf(out, "Usage: sluice SUBCOMMAND …\n\n"
			   "A webhook ingestion pipeline whose stages are shared objects named in a YAML file.\n\n");
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
		(void)fprintf(out, "  %-9s %s\n", subcommands[i].name, subcommands[i].about);
	(void)fprintf(out, "\n`sluice SUBCOMMAND --help` says more, with an example.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return STATUS_YES;
	}
	if (strcmp(name, "--version") == 0) {
		(void)printf("sluice %s (stage ABI %d.%d)\n", SLUICE_VERSION, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR);
		return STATUS_YES;
	}
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
		if (strcmp(name, subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	if (name[0])
		(void)fprintf(stderr, "sluice: there is no subcommand '%s'\n\n", name);
	print_usage(stderr);
	return STATUS_CANNOT;
}
