/*
 * The effective pipeline as YAML: what a file would have to say to mean the same without overlays, environment or
 * command line. Everything is written, in the order of the tables.
 */
#include <string.h>

#include "runtime/config.h"
#include "runtime/settings.h"
#include "yaml/option.h"

static void indent(struct buffer *out, unsigned depth)
{
	buffer_printf(out, "%*s", (int)(2 * depth), "");
}

/* A text that was never given has no way to be written: leaving it out says it. */
static bool is_unset(const struct sluice_option *option, const void *config)
{
	return option->type == SLUICE_TYPE_STRING &&
	       !*(const char *const *)(const void *)((const char *)config + option->offset);
}

/* Whether `option` is the first of the table with a value whose name has these `size` bytes at its start. */
static bool is_first_of_group(const struct sluice_option *options, const struct sluice_option *option,
                              const void *config, size_t size)
{
	while (strncmp(options->name, option->name, size) != 0 || is_unset(options, config))
		options++;
	return options == option;
}

/* The options whose names begin with the first `size` bytes of `group`; a group goes where its first value stands. */
static void print_options(const struct sluice_option *options, const void *config, const char *group, size_t size,
                          unsigned depth, struct buffer *out)
{
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		if (strncmp(option->name, group, size) != 0 || is_unset(option, config))
			continue;
		const char *rest = option->name + size;
		size_t name_size = strcspn(rest, ".");
		if (!rest[name_size]) {
			indent(out, depth);
			buffer_printf(out, "%s: ", rest);
			option_print(option, config, out);
			buffer_add_text(out, "\n");
		} else if (is_first_of_group(options, option, config, size + name_size + 1)) {
			indent(out, depth);
			buffer_printf(out, "%.*s:\n", (int)name_size, rest);
			print_options(options, config, option->name, size + name_size + 1, depth + 1, out);
		}
	}
}

static void print_stage(const struct config *config, enum sluice_kind kind, struct buffer *out)
{
	static const struct sluice_option use = {.type = SLUICE_TYPE_STRING,
	                                         .offset = offsetof(struct stage_config, use)};
	const struct stage_config *stage = &config->stages[kind];
	buffer_printf(out, "  - %s: ", kind_names[kind]);
	option_print(&use, stage, out);
	buffer_add_text(out, "\n");
	print_options(settings_stage_options, stage, "", 0, 2, out);
	print_options(config_kind_options(kind), (const char *)config + settings_kind_offset(kind), "", 0, 2, out);
	print_options(stage->plugin->ops.options, stage->options, "", 0, 2, out);
}

void config_print(const struct config *config, struct buffer *out)
{
	struct settings_top top = {.pipeline = config->name, .ack = (int)config->ack};
	print_options(settings_top_options, &top, "", 0, 0, out);
	for (const struct config_section *section = config_sections; section->name; section++) {
		buffer_printf(out, "%s:\n", section->name);
		print_options(section->options, (const char *)config + section->offset, "", 0, 1, out);
	}
	buffer_add_text(out, "stages:\n");
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (config->stages[kind].present)
			print_stage(config, (enum sluice_kind)kind, out);
	}
}

void config_print_optimizations(const struct config *config, const char *separator, struct buffer *out)
{
	buffer_add_text(out, "");
	for (const char *const *name = config->optimizations; name && *name; name++)
		buffer_printf(out, "%s%s", name == config->optimizations ? "" : separator, *name);
}
