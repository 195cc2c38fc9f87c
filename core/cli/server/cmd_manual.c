/*
 * sluice manual: writes the pages of the manual and the completion of the command line.
 *
 * What can be listed comes from the tables that the program runs on: subcommands, their flags, the options of the core
 * and of every stage found. The prose around it is in core/cli/server/templates.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/server/completion.h"
#include "cli/server/roff.h"
#include "cli/server/templates.h"
#include "cli/subcommands.h"
#include "runtime/settings.h"
#include "yaml/option.h"

enum { PAGE_NAME_SIZE = 64 };

static void page_name(const char *subcommand, char name[PAGE_NAME_SIZE])
{
	(void)snprintf(name, PAGE_NAME_SIZE, "sluice-%s", subcommand);
}

static bool write_file(const char *folder, const char *name, const struct buffer *text, struct sluice_error *error)
{
	struct buffer path = {0};
	buffer_printf(&path, "%s/%s", folder, name);
	FILE *file = fopen(path.data, "w");
	bool ok = file && fwrite(text->data, 1, text->size, file) == text->size;
	ok = file && fclose(file) == 0 && ok;
	if (!ok)
		sluice_error_set(error, "%s: cannot be written: %s", path.data, strerror(errno));
	buffer_finish(&path);
	return ok;
}

static void write_subcommand_list(struct buffer *out)
{
	for (const struct subcommand *each = subcommands; each->name; each++) {
		roff_item(out, each->name, NULL);
		roff_text(out, each->about);
	}
}

static void write_pages_of_subcommands(struct buffer *out)
{
	for (const struct subcommand *each = subcommands; each->name; each++) {
		char name[PAGE_NAME_SIZE];
		page_name(each->name, name);
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
	bool ok = write_file(folder, "sluice.1", &page, error);
	buffer_finish(&list);
	buffer_finish(&page);
	return ok;
}

/* "audit verify PIPELINE": what is typed as it stands is bold, what stands for something is not. */
static void write_synopsis(struct buffer *out, const char *usage)
{
	roff_heading(out, "SYNOPSIS");
	buffer_add_text(out, ".B sluice");
	const char *rest = usage;
	while (*rest >= 'a' && *rest <= 'z') {
		size_t size = strcspn(rest, " ");
		buffer_add_text(out, " ");
		roff_escape(out, rest, size);
		rest += size + (rest[size] == ' ');
	}
	buffer_add_text(out, "\n");
	if (*rest) {
		buffer_add_text(out, ".I ");
		roff_escape(out, rest, strlen(rest));
		buffer_add_text(out, "\n");
	}
	buffer_add_text(out, ".RI [ flags ]\n");
}

struct page_of_subcommand {
	const struct subcommand *subcommand;
	struct buffer *out;
};

static void write_subcommand_page(void *context, const struct command *command, const struct flag *flags, size_t count)
{
	const struct page_of_subcommand *page = context;
	struct buffer *out = page->out;
	char name[PAGE_NAME_SIZE];
	page_name(page->subcommand->name, name);
	roff_begin(out, name, 1, page->subcommand->about);
	write_synopsis(out, command->usage);
	roff_heading(out, "DESCRIPTION");
	roff_text(out, command->about);
	roff_heading(out, "OPTIONS");
	for (size_t i = 0; i < count; i++) {
		char flag[PAGE_NAME_SIZE];
		(void)snprintf(flag, sizeof(flag), "--%s", flags[i].name);
		roff_item(out, flag, flags[i].value);
		roff_text(out, flags[i].help);
	}
	roff_heading(out, "EXAMPLES");
	roff_example(out, command->example);
	roff_heading(out, "SEE ALSO");
	roff_reference(out, "sluice", 1, false);
	roff_reference(out, "sluice-pipeline", 5, true);
}

static bool write_subcommand_pages(const char *folder, struct sluice_error *error)
{
	bool ok = true;
	for (const struct subcommand *each = subcommands; ok && each->name; each++) {
		struct buffer page = {0};
		char name[PAGE_NAME_SIZE], file[PAGE_NAME_SIZE + 2];
		subcommand_describe(each, write_subcommand_page, &(struct page_of_subcommand){each, &page});
		page_name(each->name, name);
		(void)snprintf(file, sizeof(file), "%s.1", name);
		ok = write_file(folder, file, &page, error);
		buffer_finish(&page);
	}
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
		char title[PAGE_NAME_SIZE];
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
		(void)fprintf(stderr, "%s\n", error.text);
		return;
	}
	char title[2 * PAGE_NAME_SIZE];
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
	bool ok = write_file(folder, "sluice-pipeline.5", &page, error);
	buffer_finish(&stages);
	buffer_finish(&settings);
	buffer_finish(&overlaid);
	buffer_finish(&page);
	return ok;
}

static bool write_completion(const char *folder, struct sluice_error *error)
{
	struct buffer script = {0};
	completion_write(&script);
	bool ok = write_file(folder, "sluice.bash", &script, error);
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
		sluice_error_set(&error, "%s: cannot be made: %s", folder, strerror(errno));
	ok = ok && write_main_page(folder, &error) && write_subcommand_pages(folder, &error) &&
	     write_pipeline_page(folder, stage_path, &error) && write_completion(folder, &error);
	if (!ok)
		(void)fprintf(stderr, "sluice manual: %s\n", error.text);
	loader_free_path(stage_path);
	arguments_finish(&arguments);
	return ok ? STATUS_YES : STATUS_CANNOT;
}
