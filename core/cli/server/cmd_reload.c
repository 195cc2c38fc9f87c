/*
 * sluice reload: a running server reads its pipeline again.
 */
#include <stdlib.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/server/change.h"
#include "client/client.h"

int cmd_reload(int argc, char **argv)
{
	const char *admin = NULL, *guard = NULL;
	const struct flag flags[] = {
		{"guard", "TIME",
	         "for so long go back at once when responses of 5xx, a dead letter or bad health show that the change does "
	         "harm",
	         NULL, &guard},
		{"admin", "URL", CLIENT_ADMIN_HELP, NULL, &admin},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "reload",
		.about =
			"Lets a running server read its pipeline file and the stages' files again, with the command line and environment it was started with. The new pipeline is built beside the old one, which serves until the new one can; no request is lost. Stages whose file and options are unchanged are carried over with what they know. Exit status: 0 the new pipeline serves, 1 it could not be built and the old one goes on serving, or it serves and could not be written down for a restart, 2 no answer.",
		.example = "sluice reload --admin http://127.0.0.1:9464",
		.flags = flags,
		.common = FLAGS_JSON,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	char *escaped = client_escape(guard ? guard : "");
	status = change_ask(admin, arena_printf(&arguments.arena, "/api/reload%s%s", guard ? "?guard=" : "", escaped),
	                    arguments.json);
	free(escaped);
	arguments_finish(&arguments);
	return status;
}
