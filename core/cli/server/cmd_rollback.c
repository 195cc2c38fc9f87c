/*
 * sluice rollback: a running server goes back to a generation that it has served with before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/server/change.h"
#include "client/client.h"

enum { PATH_SIZE = 64 };

/* False: they contradict each other, or it is no number. */
static bool choose_path(const char *number, bool baseline, bool lift, char path[PATH_SIZE])
{
	char *end = NULL;
	if ((number != NULL) + baseline + lift > 1)
		return false;
	if (!number) {
		(void)snprintf(path, PATH_SIZE, "/api/rollback%s", baseline ? "?to=baseline" : lift ? "?to=file" : "");
		return true;
	}
	long long generation = strtoll(number, &end, 10);
	(void)snprintf(path, PATH_SIZE, "/api/rollback?to=%lld", generation);
	return generation > 0 && !*end;
}

int cmd_rollback(int argc, char **argv)
{
	const char *admin = NULL;
	bool baseline = false, lift = false;
	const struct flag flags[] = {
		{"baseline", NULL, "switch every overlay off", &baseline, NULL},
		{"lift", NULL, "serve the pipeline file again", &lift, NULL},
		{"admin", "URL", CLIENT_ADMIN_HELP, NULL, &admin},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "rollback [GENERATION]",
		.about =
			"Lets a running server go back: to the generation before, to one of the last five by its number, or with --baseline to what serves now without any overlay. No request is lost. From then on the pipeline file is not served, and `sluice reload` is refused, until --lift; with `sluice run --state DIR` a restart changes nothing about that. Exit status: 0 it serves, 1 the server could not, or could not write it down for a restart, 2 no answer.",
		.example = "sluice rollback --baseline",
		.flags = flags,
		.common = FLAGS_JSON,
		.operands_max = 1,
	};
	struct arguments arguments;
	char path[PATH_SIZE];
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	if (choose_path(arguments.operand_count ? arguments.operands[0] : NULL, baseline, lift, path)) {
		status = change_ask(admin, path, arguments.json);
	} else {
		say("rollback: expected the number of a generation, --baseline, --lift or nothing");
		status = STATUS_CANNOT;
	}
	arguments_finish(&arguments);
	return status;
}
