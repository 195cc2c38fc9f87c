/*
 * sluice: the table of subcommands.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/version.h>

#include "cli.h"
#include "subcommands.h"

const struct subcommand subcommands[] = {
	{"run", cmd_run, "serve a pipeline"},
	{"check", cmd_check, "say everything that run would refuse, without starting"},
	{"stages", cmd_stages, "list the stages found, or one's options, spans, version and SHA-256"},
	{"schema", cmd_schema, "print the JSON Schema of a pipeline file, for editors"},
	{"generate", cmd_generate, "write synthetic webhooks to a file"},
