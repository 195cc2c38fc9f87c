/*
 * sluice lineage: where the time of one request went.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "client/client.h"

static int show(const char *admin, const char *id, bool json)
{
	struct sluice_error error = {0};
	struct buffer path = {0}, body = {0};
	char *escaped = client_escape(id);
	buffer_printf(&path, "/api/lineage/%s", escaped);
	free(escaped);
	long status = 0;
	int result = STATUS_CANNOT;
	if (client_get(admin, path.data, json ? "application/json" : "text/plain", &body, &status, &error)) {
		if (status == 200) {
			printable_write(stdout, PRINTABLE_TEXT, body.data, body.size);
			result = STATUS_YES;
		} else {
			client_explain(&body, status, &error);
			result = status == 404 ? STATUS_NO : STATUS_CANNOT;
		}
	}
	if (error.text[0])
		say(error.text);
	buffer_finish(&body);
	buffer_finish(&path);
	return result;
}

int cmd_lineage(int argc, char **argv)
{
	const char *admin = NULL;
	const struct flag flags[] = {
		{"admin", "URL", CLIENT_ADMIN_HELP, NULL, &admin},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "lineage ID",
		.about =
			"Shows where the time of one request went, by its request id or its message id. A server keeps the last requests and the slowest. Exit status: 0 found, 1 not kept, 2 no answer.",
		.example = "sluice lineage 0193a0b2-7c1e-7def-8000-1234567890ab",
		.flags = flags,
		.common = FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = show(admin, arguments.operands[0], arguments.json);
	arguments_finish(&arguments);
	return status;
}
