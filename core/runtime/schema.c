#include "runtime/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_writer.h"
#include "runtime/config.h"
#include "runtime/loader.h"
#include "runtime/settings.h"
#include "yaml/option.h"

/* A stage as the schema needs it, read while its file was open. */
struct found {
	enum sluice_kind kind;
	struct plugin *plugin;
	struct found *next;
};

/* What any text may be instead of its type: a reference into the environment. */
#define ENVIRONMENT "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"
#define SIZE "[0-9]+(\\.[0-9]+)?([kMGT]?B|[KMGT]iB)?"
#define DURATION "0|[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d)"
#define PERCENT "[0-9]+(\\.[0-9]+)?%"

static void write_text_or(struct json_writer *json, const char *pattern)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "type", "string");
	jsonw_text(json, "pattern", pattern);
	jsonw_end_object(json);
}

static void write_types(struct json_writer *json, const char *one, const char *other)
{
	jsonw_array(json, "type");
	jsonw_text(json, NULL, one);
	jsonw_text(json, NULL, other);
	jsonw_end_array(json);
}

static void write_plain(struct json_writer *json, const char *type)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "type", type);
	jsonw_end_object(json);
}

static void write_int(struct json_writer *json, const struct sluice_option *option)
{
	jsonw_array(json, "anyOf");
	jsonw_object(json, NULL);
	jsonw_text(json, "type", "integer");
	if (option->min || option->max) {
		jsonw_int(json, "minimum", option->min);
		jsonw_int(json, "maximum", option->max);
	}
	jsonw_end_object(json);
	write_text_or(json, "^-?[0-9]+$|" ENVIRONMENT);
	jsonw_end_array(json);
}

static void write_choice(struct json_writer *json, const struct sluice_option *option)
{
	jsonw_array(json, "anyOf");
	jsonw_object(json, NULL);
	jsonw_array(json, "enum");
	for (const char *const *choice = option->choices; *choice; choice++)
		jsonw_text(json, NULL, *choice);
	jsonw_end_array(json);
	jsonw_end_object(json);
	write_text_or(json, ENVIRONMENT);
	jsonw_end_array(json);
}

static void write_bool(struct json_writer *json)
{
	jsonw_array(json, "anyOf");
	write_plain(json, "boolean");
	write_text_or(json, "^(true|false)$|" ENVIRONMENT);
	jsonw_end_array(json);
}

static void write_strings(struct json_writer *json)
{
	jsonw_array(json, "anyOf");
	write_plain(json, "string");
	jsonw_object(json, NULL);
	jsonw_text(json, "type", "array");
	jsonw_object(json, "items");
	write_types(json, "string", "number");
	jsonw_end_object(json);
	jsonw_end_object(json);
	jsonw_end_array(json);
}

static void write_type(struct json_writer *json, const struct sluice_option *option)
{
	switch (option->type) {
	case SLUICE_TYPE_BOOL:
		write_bool(json);
		break;
	case SLUICE_TYPE_INT:
		write_int(json, option);
		break;
	case SLUICE_TYPE_SIZE:
		write_types(json, "integer", "string");
		jsonw_text(json, "pattern", "^(" SIZE ")$|" ENVIRONMENT);
		break;
	case SLUICE_TYPE_DURATION:
		write_types(json, "integer", "string");
		jsonw_text(json, "pattern", "^(" DURATION ")$|" ENVIRONMENT);
		break;
	case SLUICE_TYPE_PERCENT:
		jsonw_text(json, "type", "string");
		jsonw_text(json, "pattern", "^(" PERCENT ")$|" ENVIRONMENT);
		break;
	case SLUICE_TYPE_STRING:
		write_types(json, "string", "number");
		break;
	case SLUICE_TYPE_CHOICE:
		write_choice(json, option);
		break;
	case SLUICE_TYPE_STRINGS:
		write_strings(json);
		break;
	case SLUICE_TYPE_END:
		break;
	}
}

static void write_option(struct json_writer *json, const char *key, const struct sluice_option *option)
{
	struct buffer expected = {0}, about = {0};
	option_describe(option, &expected);
	buffer_printf(&about, "%s (%s)", option->help ? option->help : option->name, expected.data);
	jsonw_object(json, key);
	jsonw_text(json, "description", about.data);
	if (option->fallback)
		jsonw_text(json, "default", option->fallback);
	write_type(json, option);
	jsonw_end_object(json);
	buffer_finish(&expected);
	buffer_finish(&about);
}

/* Whether an earlier option of the table stands in the same group. */
static bool group_is_written(const struct sluice_option *options, const struct sluice_option *option, size_t size)
{
	while (strncmp(options->name, option->name, size) != 0)
		options++;
	return options != option;
}

/* The options whose names begin with the first `size` bytes of `group`, as members of "properties". */
static void write_options(struct json_writer *json, const struct sluice_option *options, const char *group, size_t size)
{
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		const char *rest = option->name + size;
		size_t name_size = strncmp(option->name, group, size) == 0 ? strcspn(rest, ".") : 0;
		if (name_size == 0)
			continue;
		if (!rest[name_size]) {
			write_option(json, rest, option);
		} else if (!group_is_written(options, option, size + name_size + 1)) {
			char key[64];
			(void)snprintf(key, sizeof(key), "%.*s", (int)name_size, rest);
			jsonw_object(json, key);
			jsonw_text(json, "type", "object");
			jsonw_bool(json, "additionalProperties", false);
			jsonw_object(json, "properties");
			write_options(json, options, option->name, size + name_size + 1);
			jsonw_end_object(json);
			jsonw_end_object(json);
		}
	}
}

static void write_section(struct json_writer *json, const struct config_section *section)
{
	jsonw_object(json, section->name);
	jsonw_text(json, "description", section->about);
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	jsonw_object(json, "properties");
	write_options(json, section->options, "", 0);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_required(struct json_writer *json, const struct found *found)
{
	jsonw_array(json, "required");
	jsonw_text(json, NULL, kind_names[found->kind]);
	for (const struct sluice_option *option = found->plugin->ops.options; option->type != SLUICE_TYPE_END;
	     option++) {
		if ((option->flags & SLUICE_OPTION_REQUIRED) && !strchr(option->name, '.'))
			jsonw_text(json, NULL, option->name);
	}
	jsonw_end_array(json);
}

static void write_pin(struct json_writer *json)
{
	jsonw_object(json, settings_stage_options[0].name);
	jsonw_text(json, "description", settings_stage_options[0].help);
	jsonw_text(json, "type", "string");
	jsonw_text(json, "pattern", "^[0-9a-fA-F]{64}$|" ENVIRONMENT);
	jsonw_end_object(json);
}

/* An item of `stages`. */
static void write_stage(struct json_writer *json, const struct found *found)
{
	const struct sluice_stage_ops *ops = &found->plugin->ops;
	jsonw_object(json, NULL);
	jsonw_text(json, "description", ops->summary);
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	write_required(json, found);
	jsonw_object(json, "properties");
	jsonw_object(json, kind_names[found->kind]);
	jsonw_text(json, "const", ops->name);
	jsonw_end_object(json);
	write_pin(json);
	write_options(json, config_kind_options(found->kind), "", 0);
	write_options(json, ops->options, "", 0);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

/* An item of `stages` whose implementation is a file or comes from the environment: nothing is known of its options. */
static void write_stage_by_file(struct json_writer *json, int kind)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "type", "object");
	jsonw_array(json, "required");
	jsonw_text(json, NULL, kind_names[kind]);
	jsonw_end_array(json);
	jsonw_object(json, "properties");
	jsonw_object(json, kind_names[kind]);
	jsonw_text(json, "type", "string");
	jsonw_text(json, "pattern", "/|\\.so$|" ENVIRONMENT);
	jsonw_end_object(json);
	write_pin(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_stages(struct json_writer *json, const struct found *found)
{
	jsonw_object(json, "stages");
	jsonw_text(json, "description", "in the order auth, parse, idempotency, queue, persist, each at most once");
	jsonw_text(json, "type", "array");
	jsonw_int(json, "minItems", 1);
	jsonw_int(json, "maxItems", KIND_COUNT);
	jsonw_object(json, "items");
	jsonw_array(json, "anyOf");
	for (; found; found = found->next)
		write_stage(json, found);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		write_stage_by_file(json, kind);
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

/* One overlay: a patch may leave anything out, so only the names are given. */
static void write_overlay(struct json_writer *json)
{
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	jsonw_object(json, "properties");
	jsonw_object(json, "about");
	jsonw_text(json, "type", "string");
	jsonw_end_object(json);
	jsonw_object(json, "treats");
	jsonw_text(json, "description", "the conditions for which sluice analyze recommends it, such as pool_wait");
	write_strings(json);
	jsonw_end_object(json);
	jsonw_object(json, "excludes");
	write_strings(json);
	jsonw_end_object(json);
	write_option(json, "ack", option_find(settings_top_options, "ack"));
	for (const struct config_section *section = config_sections; section->name; section++) {
		if (section->overlayable)
			write_section(json, section);
	}
	jsonw_object(json, "stages");
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	jsonw_object(json, "properties");
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		jsonw_object(json, kind_names[kind]);
		jsonw_text(json, "type", "object");
		jsonw_end_object(json);
	}
	jsonw_end_object(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_overlays(struct json_writer *json)
{
	jsonw_object(json, "optimizations");
	jsonw_text(json, "description", "named overlays, each one thing that can be proven or rolled back");
	jsonw_text(json, "type", "object");
	jsonw_object(json, "additionalProperties");
	write_overlay(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
	jsonw_object(json, "enable");
	jsonw_text(json, "description",
	           "the overlays that are on unless the environment or the command line says otherwise");
	write_strings(json);
	jsonw_end_object(json);
}

struct search {
	struct found **end;
};

static void keep_found(void *context, enum sluice_kind kind, const char *file)
{
	struct search *search = context;
	struct sluice_error ignored = {0};
	struct plugin *plugin = loader_open_file(file, &ignored);
	if (!plugin)
		return;
	struct found *found = must_calloc(1, sizeof(*found));
	*found = (struct found){kind, plugin, NULL};
	*search->end = found;
	search->end = &found->next;
}

static void free_found(struct found *found)
{
	while (found) {
		struct found *next = found->next;
		loader_close(found->plugin);
		free(found);
		found = next;
	}
}

void schema_print(char *const *stage_path, struct buffer *out)
{
	struct json_writer writer = {.out = out};
	struct json_writer *json = &writer;
	struct found *found = NULL;
	struct search search = {&found};
	loader_list(stage_path, keep_found, &search);
	jsonw_object(json, NULL);
	jsonw_text(json, "$schema", "http://json-schema.org/draft-07/schema#");
	jsonw_text(json, "title", "Sluice pipeline");
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	jsonw_array(json, "required");
	jsonw_text(json, NULL, "stages");
	jsonw_end_array(json);
	jsonw_object(json, "properties");
	write_options(json, settings_top_options, "", 0);
	for (const struct config_section *section = config_sections; section->name; section++)
		write_section(json, section);
	write_stages(json, found);
	write_overlays(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
	free_found(found);
}
