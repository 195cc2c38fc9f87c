/*
 * sluice: the table of subcommands.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/version.h>

#include "cli/cli.h"
#include "cli/subcommands.h"

const struct subcommand subcommands[] = {
	{"run", cmd_run, "serve a pipeline"},
	{"check", cmd_check, "say everything that run would refuse, without starting"},
	{"stages", cmd_stages, "list the stages found, or one's options, spans, version and SHA-256"},
	{"schema", cmd_schema, "print the JSON Schema of a pipeline file, for editors"},
	{"generate", cmd_generate, "write synthetic webhooks to a file"},
	{"replay", cmd_replay, "send webhooks to a server on an open-loop schedule, and write down what came back"},
	{"verify", cmd_verify, "hold what is stored against what a run was answered"},
	{"analyze", cmd_analyze, "say where the time of a run's requests went, and what to try"},
	{"compare", cmd_compare, "put two configurations under a controlled test, and give a verdict"},
	{"gate", cmd_gate, "judge a run by criteria: whether it passes, and what to do next"},
	{"evidence", cmd_evidence, "make a run directory a bundle of evidence, or check one"},
	{"status", cmd_status, "show what a running server is doing"},
	{"lineage", cmd_lineage, "show where the time of one request went"},
	{"audit", cmd_audit, "recompute the audit chain of a store"},
	{"new-stage", cmd_new_stage, "make a folder with a stage that works, to go on from"},
	{"conform", cmd_conform, "check whether a stage keeps the promises of its kind"},
	{"report", cmd_report, "write the report of a run, for people"},
	{"manual", cmd_manual, "write the man pages, with the options of every stage found"},
	{NULL, NULL, NULL},
};

void subcommand_describe(const struct subcommand *subcommand, subcommand_fn each, void *context)
{
	char name[64], help[] = "--help";
	(void)snprintf(name, sizeof(name), "%s", subcommand->name);
	arguments_describe(each, context);
	(void)subcommand->run(2, (char *[]){name, help, NULL});
	arguments_describe(NULL, NULL);
}

static void print_usage(FILE *out)
{
	(void)fprintf(out, "Usage: sluice SUBCOMMAND …\n\n"
	                   "A webhook ingestion pipeline whose stages are shared objects named in a YAML file.\n\n");
	for (size_t i = 0; subcommands[i].name; i++)
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
	for (size_t i = 0; subcommands[i].name; i++)
		if (strcmp(name, subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	if (name[0])
		(void)fprintf(stderr, "sluice: there is no subcommand '%s'\n\n", name);
	print_usage(stderr);
	return STATUS_CANNOT;
}
