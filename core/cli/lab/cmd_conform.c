/*
 * sluice conform: checks that a stage keeps the promises of its kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conform/conform.h"
#include "conform/report.h"
#include "yaml/quantity.h"

enum { TIMEOUT_DEFAULT_S = 60, TIMEOUT_LONG_S = 4 * 3600 };

/* What has been found so far, and who is told of it as it comes. */
struct session {
	const struct conform *conform;
	struct check_result *results;
	size_t count;
	bool talks, is_watched;
};

static void before(void *context, const struct check_entry *entry)
{
	struct session *session = context;
	if (session->is_watched)
		(void)fprintf(stderr, "\r\033[K  … %s", entry->name);
}

static void after(void *context, const struct check_result *result)
{
	struct session *session = context;
	session->results = must_realloc(session->results, (session->count + 1) * sizeof(*session->results));
	session->results[session->count++] = *result;
	if (session->is_watched)
		(void)fprintf(stderr, "\r\033[K");
	if (session->talks)
		report_result(session->conform, result, stdout);
}

static int run(const struct conform *conform, bool as_json)
{
	struct session session = {.conform = conform, .talks = !as_json, .is_watched = isatty(STDERR_FILENO) == 1};
	if (!as_json)
		report_head(conform, stdout);
	struct conform_totals totals = conform_run(conform, before, after, &session);
	if (as_json) {
		struct buffer text = {0};
		report_json(conform, session.results, session.count, &totals, &text);
		puts(text.data);
		buffer_finish(&text);
	} else {
		report_totals(&totals, stdout);
	}
	free(session.results);
	if (totals.counts[CHECK_BROKEN])
		return STATUS_NO;
	/* The one check asked for was not made: that is not a yes. */
	return conform->only && totals.counts[CHECK_SKIPPED] ? STATUS_CANNOT : STATUS_YES;
}

static int refuse(const char *what, const char *why)
{
	(void)fprintf(stderr, "sluice conform: %s%s\n", what, why);
	return STATUS_CANNOT;
}

static int conform_file(const char *file, const char *store_file, const struct conform *wanted, bool as_json)
{
	struct conform conform = *wanted;
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(file, &error);
	struct plugin *store = plugin && store_file ? loader_open_file(store_file, &error) : NULL;
	int status;
	conform.plugin = plugin;
	conform.store = store;
	if (!plugin || (store_file && !store)) {
		say(error.text);
		if (plugin)
			loader_close(plugin);
		return STATUS_CANNOT;
	}
	if (store && store->ops.kind != SLUICE_KIND_PERSIST)
		status = refuse("--store: expected a persist stage, got ", store_file);
	else if (conform.only && !conform_has(plugin->ops.kind, conform.only, &error))
		status = refuse("", error.text);
	else if (!conform_can_create(&conform, &error))
		status = refuse("cannot create the stage with the options given by --set: ", error.text);
	else
		status = run(&conform, as_json);
	if (store)
		loader_close(store);
	loader_close(plugin);
	return status;
}

int cmd_conform(int argc, char **argv)
{
	const char *only = NULL, *timeout = NULL, *request = NULL, *expect = NULL, *store = NULL, *seed = NULL,
		   *replay = NULL, *scripts = NULL, *build = NULL;
	bool quick = false, is_long = false;
	const struct flag flags[] = {
		{"only", "CHECK", "run only this check", NULL, &only},
		{"request", "FILE",
	         "auth, parse: a request that the stage accepts, HTTP head and body; or a folder of NAME.http\n"
	         "and NAME.expect, which states as --expect does, a line each",
	         NULL, &request},
		{"expect", "LIST", "what becomes of the request: verdict=PASS,message_id=m1,payload=@FILE …", NULL,
	         &expect},
		{"store", "FILE.so", "idempotency that asks a store: the persist stage that fills it", NULL, &store},
		{"build", "FOLDER",
	         "its sources, a CMake project or C files: compiles them with ThreadSanitizer, and runs the\n"
	         "checks with threads on that",
	         NULL, &build},
		{"timeout", "60s", "how long one check may take; 4h with --long", NULL, &timeout},
		{"seed", "NUMBER", "where the random operations of the check model begin; 1 unless given", NULL, &seed},
		{"scripts", "NUMBER", "how many random scripts of 100 operations the check model runs", NULL, &scripts},
		{"replay", "SCRIPT", "of the check model: these operations alone", NULL, &replay},
		{"quick", NULL, "fewer rounds: some seconds", &quick, NULL},
		{"long", NULL, "more rounds: minutes, hours under load", &is_long, NULL},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "conform FILE.so",
		.about = "Checks that a stage keeps the promises of its kind, each check in a process and a folder\n"
			 "of its own. It writes to the store: give it a database of its own.\n\n"
			 "Exit status: 0 all promises kept, 1 a promise broken, 2 not checked.",
		.example = "sluice conform b/mine.so --set tokens=sesame --build .",
		.flags = flags,
		.common = FLAGS_OPTIONS | FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct conform conform = {.options = arguments.request.sets,
	                          .only = only,
	                          .timeout_ns = (is_long ? TIMEOUT_LONG_S : TIMEOUT_DEFAULT_S) * NS_PER_S};
	char *request_path = request ? realpath(request, NULL) : NULL;
	char *start_folder = realpath(".", NULL);
	char *sources = build ? realpath(build, NULL) : NULL;
	conform.request = request_path;
	conform.expect = expect;
	conform.start_folder = start_folder ? start_folder : "/";
	conform.seed = seed ? strtoull(seed, NULL, 10) : 1;
	conform.replay = replay;
	conform.sources = sources;
	conform.scripts = scripts ? strtoull(scripts, NULL, 10) : 0;
	conform.effort = is_long ? CONFORM_LONG : quick ? CONFORM_QUICK : CONFORM_USUAL;
	if (timeout && (!quantity_parse_duration(timeout, &conform.timeout_ns) || conform.timeout_ns <= 0))
		status = refuse("--timeout: expected a duration such as 60s, got ", timeout);
	else if (expect && !request)
		status = refuse("--expect: needs --request", "");
	else if (request && !request_path)
		status = refuse("--request: no such file: ", request);
	else if (build && !sources)
		status = refuse("--build: no such folder: ", build);
	else if (scripts && conform.scripts == 0)
		status = refuse("--scripts: expected a number of scripts, got ", scripts);
	else
		status = conform_file(arguments.operands[0], store, &conform, arguments.json);
	free(request_path);
	free(start_folder);
	free(sources);
	arguments_finish(&arguments);
	return status;
}
