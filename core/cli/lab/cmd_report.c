/*
 * sluice report: writes the report of a run directory again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "lab/report/report.h"
#include "lab/run/run.h"

static int report(char *directory)
{
	struct sluice_error error = {0};
	for (size_t length = strlen(directory); length > 1 && directory[length - 1] == '/'; length--)
		directory[length - 1] = '\0';
	if (!report_write(directory, &error)) {
		say(error.text);
		return STATUS_CANNOT;
	}
	char *path = run_file(directory, RUN_REPORT);
	(void)puts(path);
	free(path);
	return STATUS_YES;
}

int cmd_report(int argc, char **argv)
{
	struct command command = {
		.usage = "report RUN",
		.about =
			"Writes report.html into a run directory, from run.json and, where they are there, compare.json, "
			"gate.json and verify.json, and prints where it is. The page is one file that needs nothing "
			"else: a browser opens it from the disk. Exit status: 0 it is written, 2 it could not be.",
		.example = "sluice report runs/batched-writes",
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = report(arguments.operands[0]);
	arguments_finish(&arguments);
	return status;
}
