/*
 * sluice manual: writes the pages of the manual and the completion of the command line.
 *
 * What can be listed comes from the tables that the program runs on: subcommands, their flags, the options of the core
 * and of every stage found. The prose around it is in core/cli/server/templates. At its end it becomes sluice-lab, which
 * adds what only that program knows: the flags of its own subcommands.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/roff.h"
#include "cli/server/table.h"
#include "cli/server/templates.h"
#include "cli/sibling.h"
#include "runtime/settings.h"
#include "yaml/option.h"

static void write_subcommand_list(struct buffer *out)
{
	for (const struct subcommand *each = sluice_subcommands; each->name; each++) {
		roff_item(out, each->name, NULL);
		roff_text(out, each->about);
	}
}

static void write_pages_of_subcommands(struct buffer *out)
{
	for (const struct subcommand *each = sluice_subcommands; each->name; each++) {
		char name[MANUAL_NAME_SIZE];
		manual_page_name(each->name, name);
		roff_reference(out, name, 1, false);
	}
}

static bool write_main_page(const char *folder, struct sluice_error *error)
{
	struct buffer page = {0}, list = {0};
	write_subcommand_list(&list);
	roff_begin(&page, "sluice", 1, "webhook ingestion through a pipeline of stages");
	template_fill(template_find(template_files, "sluice.1"),
	              (const struct template_word[]){{"SUBCOMMANDS", list.data}, {NULL, NULL}}, &page);
	roff_heading(&page, "SEE ALSO");
	write_pages_of_subcommands(&page);
	roff_reference(&page, "sluice-stage", 3, false);
	roff_reference(&page, "sluice-pipeline", 5, true);
	bool ok = manual_write_file(folder, "sluice.1", &page, error);
	buffer_finish(&list);
	buffer_finish(&page);
	return ok;
}

static void write_options(struct buffer *out, const struct sluice_option *options)
{
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		struct buffer takes = {0};
		option_describe(option, &takes);
		if (option->flags & SLUICE_OPTION_REQUIRED)
			buffer_add_text(&takes, "; required");
		else if (option->fallback)
			buffer_printf(&takes, "; default: %s", *option->fallback ? option->fallback : "''");
		if (option->flags & SLUICE_OPTION_SECRET)
			buffer_add_text(&takes, "; secret: never printed");
		roff_item(out, option->name, NULL);
		roff_text(out, option->help ? option->help : "");
		buffer_add_text(out, ".br\n");
		roff_text(out, takes.data);
		buffer_finish(&takes);
	}
}

static void write_settings(struct buffer *out)
{
	write_options(out, settings_top_options);
	for (const struct config_section *section = config_sections; section->name; section++) {
		roff_subheading(out, section->name);
		roff_text(out, section->about);
		write_options(out, section->options);
	}
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		const struct sluice_option *options = config_kind_options((enum sluice_kind)kind);
		char title[MANUAL_NAME_SIZE];
		if (options->type == SLUICE_TYPE_END)
			continue;
		(void)snprintf(title, sizeof(title), "Every stage of kind %s", kind_names[kind]);
		roff_subheading(out, title);
		roff_text(out, "Settings that the core takes under the stage, whatever the implementation.");
		write_options(out, options);
	}
}

/* What an overlay may change besides the stages. */
static void write_overlaid(struct buffer *out)
{
	struct arena arena;
	arena_init(&arena, 512, NULL);
	for (const char *const *name = settings_names(SETTINGS_IN_OVERLAY, &arena); *name; name++) {
		if (strcmp(*name, "stages") != 0)
			buffer_printf(out, ".BR %s ,\n", *name);
	}
	arena_finish(&arena);
}

static void write_stage(void *context, enum sluice_kind kind, const char *file)
{
	struct buffer *out = context;
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(file, &error);
	(void)kind;
	if (!plugin) {
		say(error.text);
		return;
	}
	char title[2 * MANUAL_NAME_SIZE];
	(void)snprintf(title, sizeof(title), "%s: %s", kind_names[plugin->ops.kind], plugin->ops.name);
	roff_subheading(out, title);
	roff_text(out, plugin->ops.summary);
	write_options(out, plugin->ops.options);
	loader_close(plugin);
}

static bool write_pipeline_page(const char *folder, char **stage_path, struct sluice_error *error)
{
	struct buffer page = {0}, overlaid = {0}, settings = {0}, stages = {0};
	write_overlaid(&overlaid);
	write_settings(&settings);
	loader_list(stage_path, write_stage, &stages);
	roff_begin(&page, "sluice-pipeline", 5, "the pipeline file of sluice");
	template_fill(template_find(template_files, "sluice-pipeline.5"),
	              (const struct template_word[]){{"OVERLAID", overlaid.data},
	                                             {"SETTINGS", settings.data},
	                                             {"STAGES", stages.data ? stages.data : ""},
	                                             {NULL, NULL}},
	              &page);
	roff_heading(&page, "SEE ALSO");
	roff_reference(&page, "sluice", 1, false);
	roff_reference(&page, "sluice-check", 1, false);
	roff_reference(&page, "sluice-stage", 3, true);
	bool ok = manual_write_file(folder, "sluice-pipeline.5", &page, error);
	buffer_finish(&stages);
	buffer_finish(&settings);
	buffer_finish(&overlaid);
	buffer_finish(&page);
	return ok;
}

static bool write_completion(const char *folder, struct sluice_error *error)
{
	struct buffer script = {0}, names = {0};
	for (const struct subcommand *each = sluice_subcommands; each->name; each++)
		buffer_printf(&names, "%s%s", names.size ? " " : "", each->name);
	template_fill(template_find(template_files, "completion.bash"),
	              (const struct template_word[]){{"SUBCOMMANDS", names.data}, {NULL, NULL}}, &script);
	completion_write_subcommands(&script, sluice_subcommands);
	bool ok = manual_write_file(folder, MANUAL_COMPLETION, &script, error);
	buffer_finish(&names);
	buffer_finish(&script);
	return ok;
}

int cmd_manual(int argc, char **argv)
{
	struct command command = {
		.usage = "manual DIR",
		.about =
			"Writes the man pages of sluice and its subcommands, that of the pipeline file with the options of every stage found, and the completion of the command line in bash to the folder DIR.",
		.example = "sluice manual /tmp/pages && man /tmp/pages/sluice-pipeline.5",
		.common = FLAGS_STAGE_PATH,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct sluice_error error = {0};
	const char *folder = arguments.operands[0];
	char **stage_path = loader_stage_path(arguments.request.stage_path);
	bool ok = mkdir(folder, 0755) == 0 || errno == EEXIST;
	if (!ok)
		sluice_error_set(&error, "%s: cannot be created: %s", folder, strerror(errno));
	ok = ok && write_main_page(folder, &error) && manual_write_pages(sluice_subcommands, folder, &error) &&
	     write_pipeline_page(folder, stage_path, &error) && write_completion(folder, &error);
	loader_free_path(stage_path);
	if (ok)
		status = sibling_become(SIBLING_LAB, (char *[]){argv[0], argv[0], arguments.operands[0], NULL});
	else
		(void)fprintf(stderr, "sluice manual: %s\n", error.text);
	arguments_finish(&arguments);
	return ok ? status : STATUS_CANNOT;
}
