/*
 * sluice: the server and its clients, and the way to the laboratory.
 */
#include "cli/cli.h"
#include "cli/lab_subcommands.h"
#include "cli/server/table.h"

#define LAB_ROW(name, about) {#name, NULL, about},

const struct subcommand sluice_subcommands[] = {
	{"run", cmd_run, "serve a pipeline"},
	{"check", cmd_check, "report everything that run would refuse, without starting"},
	{"stages", cmd_stages, "list the stages found, or one's options, spans, version and SHA-256"},
	{"schema", cmd_schema, "print the JSON Schema of a pipeline file, for editors"},
	{"status", cmd_status, "show what a running server is doing"},
	{"reload", cmd_reload, "read the pipeline of a running server again, losing no request"},
	{"rollback", cmd_rollback, "let a running server go back to an earlier generation, or to no overlay"},
	{"canary", cmd_canary, "try a change on a share of a running server's traffic, with guards"},
	{"lineage", cmd_lineage, "show where the time of one request went"},
	{"dead", cmd_dead, "list, show, store again or forget events that the store refused"},
	{"listen", cmd_listen, "write a pipeline for a known sender, with what to enter at its side"},
	{"providers", cmd_providers, "list the known senders: scheme, message id, handshake, retries"},
	{"prune", cmd_prune, "remove old events from the store"},
	{"new-stage", cmd_new_stage, "create a folder with a working stage to start from"},
	{"manual", cmd_manual, "write the man pages, with the options of every stage found"},
	LAB_SUBCOMMANDS(LAB_ROW){NULL, NULL, NULL},
};

static void print_usage(FILE *out)
{
	(void)fprintf(out, "Usage: sluice SUBCOMMAND …\n\n"
	                   "A webhook ingestion pipeline whose stages are shared objects named in a YAML file.\n\n");
	subcommands_print(out, sluice_subcommands, false);
	(void)fprintf(out, "\nThe laboratory:\n\n");
	subcommands_print(out, sluice_subcommands, true);
	(void)fprintf(out, "\n`sluice SUBCOMMAND --help` shows more, with an example.\n");
}

int main(int argc, char **argv)
{
	struct program program = {"sluice", sluice_subcommands, print_usage};
	return program_main(&program, argc, argv);
}
