/*
 * sluice schema: the JSON Schema of a pipeline file, for editors.
 */
#include <stdio.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "runtime/schema.h"

int cmd_schema(int argc, char **argv)
{
	struct command command = {
		.usage = "schema",
		.about =
			"Prints the JSON Schema of a pipeline file, with the options of every stage found. An editor that knows it completes and checks pipeline files.",
		.example = "sluice schema > pipeline.schema.json",
		.common = FLAGS_STAGE_PATH | FLAGS_JSON,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct buffer schema = {0};
	char **stage_path = loader_stage_path(arguments.request.stage_path);
	schema_print(stage_path, &schema);
	puts(schema.data);
	loader_free_path(stage_path);
	buffer_finish(&schema);
	arguments_finish(&arguments);
	return STATUS_YES;
}
