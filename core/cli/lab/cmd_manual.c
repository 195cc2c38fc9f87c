/*
 * What `sluice manual` writes of the laboratory: the pages of its subcommands, and what completion has to know of them.
 */
#include <stdio.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/completion.h"
#include "cli/lab/table.h"
#include "cli/manual.h"

int cmd_manual(int argc, char **argv)
{
	struct command command = {
		.usage = "manual DIR",
		.about = "Adds the laboratory's part to what `sluice manual` writes.",
		.example = "sluice manual /tmp/pages",
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct sluice_error error = {0};
	struct buffer functions = {0};
	const char *folder = arguments.operands[0];
	completion_write_subcommands(&functions, lab_subcommands);
	bool ok = manual_write_pages(lab_subcommands, folder, &error) &&
	          manual_extend_file(folder, MANUAL_COMPLETION, &functions, &error);
	if (!ok)
		(void)fprintf(stderr, "sluice manual: %s\n", error.text);
	buffer_finish(&functions);
	arguments_finish(&arguments);
	return ok ? STATUS_YES : STATUS_CANNOT;
}
