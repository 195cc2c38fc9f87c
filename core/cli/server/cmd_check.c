/*
 * sluice check: everything that `run` would refuse, without starting.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "runtime/overlay.h"
#include "runtime/pipeline.h"

/* Creates the persist stage as `run` would, alone, and destroys it again: nothing is taken from a queue. */
static bool connect_store(const struct config *config, struct sluice_error *error)
{
	struct config alone = *config;
	for (int kind = 0; kind < SLUICE_KIND_PERSIST; kind++)
		alone.stages[kind].present = false;
	struct pipeline *pipeline = pipeline_create(&alone, error);
	if (!pipeline)
		return false;
	pipeline_destroy(pipeline);
	return true;
}

static void print_effective(const struct config *config)
{
	struct buffer text = {0};
	if (config->optimizations[0]) {
		buffer_add_text(&text, "# with optimizations: ");
		config_print_optimizations(config, " ", &text);
		buffer_add_text(&text, "\n");
	}
	for (size_t i = 0; config->optimizations[i]; i++) {
		if (*config->treats[i])
			buffer_printf(&text, "# %s treats: %s\n", config->optimizations[i], config->treats[i]);
	}
	config_print(config, &text);
	(void)fwrite(text.data, 1, text.size, stdout);
	buffer_finish(&text);
}

static void print_names(struct json_writer *json, const char *key, const char *const *names)
{
	jsonw_array(json, key);
	for (; *names; names++)
		jsonw_text(json, NULL, *names);
	jsonw_end_array(json);
}

static void print_json(const struct config *config, const char *file, const struct sluice_error *error)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	jsonw_object(&json, NULL);
	jsonw_bool(&json, "ok", config && !error->text[0]);
	jsonw_text(&json, "file", file);
	if (config) {
		jsonw_text(&json, "pipeline", config->name);
		jsonw_text(&json, "sha256", config->sha256);
		print_names(&json, "optimizations", config->optimizations);
		print_names(&json, "warnings", config->warnings);
	}
	if (error->text[0])
		jsonw_text(&json, "error", error->text);
	jsonw_end_object(&json);
	puts(text.data);
	buffer_finish(&text);
}

/* A pipe has been read by now; a folder or a device is no file that could be mended. */
static bool is_readable(const char *path)
{
	struct stat about;
	struct sluice_error ignored = {0};
	if (stat(path, &about) == 0 && S_ISFIFO(about.st_mode))
		return true;
	FILE *file = file_open(path, &ignored);
	bool readable = file && (fgetc(file) != EOF || !ferror(file));
	if (file)
		(void)fclose(file);
	return readable;
}

static int check(const struct arguments *arguments, bool print, bool connect)
{
	const char *file = arguments->request.file;
	struct sluice_error error = {0};
	struct config *config = config_load(&arguments->request, &error);
	bool good = config && (!connect || connect_store(config, &error));
	if (arguments->json)
		print_json(config, file, &error);
	else if (config && print)
		print_effective(config);
	for (const char *const *warning = config ? config->warnings : (const char *const[]){NULL}; *warning; warning++)
		say(*warning);
	if (!good)
		say(error.text);
	else if (!arguments->json)
		fprintf(stderr, "%s: OK\n", file);
	config_free(config);
	if (good)
		return STATUS_YES;
	return is_readable(file) ? STATUS_NO : STATUS_CANNOT;
}

static void print_overlay(void *context, const char *name, const char *about)
{
	(void)context;
	printf("%s\t%.*s\n", name, (int)strcspn(about, "\t\n"), about);
}

static int list_overlays(const char *file)
{
	struct sluice_error error = {0};
	if (overlay_list(file, print_overlay, NULL, &error))
		return STATUS_YES;
	say(error.text);
	return STATUS_CANNOT;
}

int cmd_check(int argc, char **argv)
{
	bool print = false, connect = false, overlays = false;
	const struct flag flags[] = {
		{"print", NULL, "show the effective pipeline: every setting, secrets as ***", &print, NULL},
		{"overlays", NULL, "only list the file's optimizations: name, tab, what it is about", &overlays, NULL},
		{"connect", NULL, "also open the store as `run` does, which makes its tables", &connect, NULL},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "check PIPELINE",
		.about =
			"Reports everything that `run` would refuse, without starting. Exit status: 0 OK, 1 not OK, 2 the file cannot be read.",
		.example = "sluice check pipelines/postgres.yaml --enable pool-tuning --print",
		.flags = flags,
		.common = FLAGS_PIPELINE | FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = overlays ? list_overlays(arguments.request.file) : check(&arguments, print, connect);
	arguments_finish(&arguments);
	return status;
}
