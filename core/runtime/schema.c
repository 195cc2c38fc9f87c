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
	char *name; /* what a pipeline calls it: its file's */
	struct plugin *plugin;
	struct found *next;
};

enum { NAME_SIZE = 512, ABOUT_SIZE = 128 };

/* What any text may be instead of its type: a reference into the environment. */
#define ENVIRONMENT "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"
/* As quantity.h reads them. */
#define SIZE "[0-9]+|[0-9]+(\\.[0-9]+)?([kMGT]?B|[KMGT]iB)"
#define DURATION "0|[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d)"
#define PERCENT "[0-9]+(\\.[0-9]+)?%"
#define OR_ENVIRONMENT(pattern) "^(" pattern ")$|" ENVIRONMENT

/* An editor shows what is wrong with each alternative of an anyOf, so there is none: a value has one type per JSON
 * type, and where that does not do, if and else. */
static void write_types(struct json_writer *json, const char *one, const char *other)
{
	jsonw_array(json, "type");
	jsonw_text(json, NULL, one);
	jsonw_text(json, NULL, other);
	jsonw_end_array(json);
}

static void write_text(struct json_writer *json, const char *key, const char *pattern)
{
	if (key)
		jsonw_object(json, key);
	jsonw_text(json, "type", "string");
	jsonw_text(json, "pattern", pattern);
	if (key)
		jsonw_end_object(json);
}

static void write_number(struct json_writer *json, const struct sluice_option *option, const char *pattern)
{
	write_types(json, "integer", "string");
	if (option->min || option->max) {
		jsonw_int(json, "minimum", option->min);
		jsonw_int(json, "maximum", option->max);
	}
	jsonw_text(json, "pattern", pattern);
}

static void write_enum(struct json_writer *json, const char *const *choices)
{
	jsonw_array(json, "enum");
	for (; *choices; choices++)
		jsonw_text(json, NULL, *choices);
	jsonw_end_array(json);
}

static void write_choice(struct json_writer *json, const struct sluice_option *option)
{
	write_text(json, "if", ENVIRONMENT);
	jsonw_object(json, "else");
	write_enum(json, option->choices);
	jsonw_end_object(json);
}

/* 0 is 0 in any unit; every other number needs one. */
static void write_duration(struct json_writer *json)
{
	jsonw_object(json, "if");
	jsonw_int(json, "const", 0);
	jsonw_end_object(json);
	write_text(json, "else", OR_ENVIRONMENT(DURATION));
}

static void write_strings(struct json_writer *json)
{
	jsonw_array(json, "type");
	jsonw_text(json, NULL, "string");
	jsonw_text(json, NULL, "number");
	jsonw_text(json, NULL, "array");
	jsonw_end_array(json);
	jsonw_object(json, "items");
	write_types(json, "string", "number");
	jsonw_end_object(json);
}

static void write_type(struct json_writer *json, const struct sluice_option *option)
{
	switch (option->type) {
	case SLUICE_TYPE_BOOL:
		write_types(json, "boolean", "string");
		jsonw_text(json, "pattern", OR_ENVIRONMENT("true|false"));
		break;
	case SLUICE_TYPE_INT:
		write_number(json, option, OR_ENVIRONMENT("-?[0-9]+"));
		break;
	case SLUICE_TYPE_SIZE:
		write_number(json, option, OR_ENVIRONMENT(SIZE));
		break;
	case SLUICE_TYPE_DURATION:
		write_duration(json);
		break;
	case SLUICE_TYPE_PERCENT:
		write_text(json, NULL, OR_ENVIRONMENT(PERCENT));
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

/* `now` is the new name of an option that is written under an old one; NULL otherwise. */
static void write_option(struct json_writer *json, const char *key, const struct sluice_option *option, const char *now)
{
	struct buffer about = {0};
	if (now)
		buffer_printf(&about, "deprecated: use %s; ", now);
	buffer_printf(&about, "%s (", option->help ? option->help : option->name);
	option_describe(option, &about);
	buffer_add_text(&about, ")");
	jsonw_object(json, key);
	jsonw_text(json, "description", about.data);
	if (now)
		jsonw_bool(json, "deprecated", true);
	if (option->fallback)
		jsonw_text(json, "default", option->fallback);
	write_type(json, option);
	jsonw_end_object(json);
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
			write_option(json, rest, option, NULL);
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

/* The old names of options, "listen.old", as members of the "properties" of `section`; those in groups are left out. */
static void write_old_names(struct json_writer *json, const struct sluice_option *options, const char *section)
{
	size_t size = strlen(section);
	for (const struct yaml_rename *row = settings_renamed; row->from; row++) {
		bool is_here = strncmp(row->from, section, size) == 0 && row->from[size] == '.' &&
		               strncmp(row->to, row->from, size + 1) == 0 && !strchr(row->from + size + 1, '.');
		const struct sluice_option *option = is_here ? option_find(options, row->to + size + 1) : NULL;
		if (option && !option_find(options, row->from + size + 1))
			write_option(json, row->from + size + 1, option, row->to);
	}
}

/* `kind` is NULL for a section. */
static void write_reference(struct json_writer *json, const char *key, const char *kind, const char *name)
{
	char place[NAME_SIZE];
	(void)snprintf(place, sizeof(place), "#/definitions/%s%s%s", kind ? kind : "", kind ? "-" : "", name);
	jsonw_object(json, key);
	jsonw_text(json, "$ref", place);
	jsonw_end_object(json);
}

static void define_section(struct json_writer *json, const struct config_section *section)
{
	jsonw_object(json, section->name);
	jsonw_text(json, "description", section->about);
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	jsonw_object(json, "properties");
	write_options(json, section->options, "", 0);
	write_old_names(json, section->options, section->name);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_old_section(struct json_writer *json, const struct yaml_rename *row)
{
	char about[ABOUT_SIZE];
	(void)snprintf(about, sizeof(about), "deprecated: use %s", row->to);
	jsonw_object(json, row->from);
	jsonw_text(json, "description", about);
	jsonw_bool(json, "deprecated", true);
	jsonw_array(json, "allOf");
	write_reference(json, NULL, NULL, row->to);
	jsonw_end_array(json);
	jsonw_end_object(json);
}

static void write_sections(struct json_writer *json, bool overlayable_only)
{
	for (const struct config_section *section = config_sections; section->name; section++) {
		if (section->overlayable || !overlayable_only)
			write_reference(json, section->name, NULL, section->name);
	}
	for (const struct yaml_rename *row = settings_renamed; row->from; row++) {
		const struct config_section *section = config_section_find(row->to);
		if (section && (section->overlayable || !overlayable_only))
			write_old_section(json, row);
	}
}

/* An overlay removes a pin with an empty one. */
static void write_pin(struct json_writer *json, bool may_be_empty)
{
	jsonw_object(json, settings_stage_options[0].name);
	jsonw_text(json, "description", settings_stage_options[0].help);
	if (may_be_empty)
		write_types(json, "string", "null");
	else
		jsonw_text(json, "type", "string");
	jsonw_text(json, "pattern",
	           may_be_empty ? OR_ENVIRONMENT("([0-9a-fA-F]{64})?") : OR_ENVIRONMENT("[0-9a-fA-F]{64}"));
	jsonw_end_object(json);
}

/* What may stand beside an implementation's name, which an overlay gives as `use`. It has no type: that of the item is
 * said once, so that one that is no map is one error. */
static void define_stage(struct json_writer *json, const struct found *found)
{
	const struct sluice_stage_ops *ops = &found->plugin->ops;
	const struct sluice_option *of_kind = config_kind_options(found->kind);
	char name[NAME_SIZE];
	(void)snprintf(name, sizeof(name), "%s-%s", kind_names[found->kind], found->name);
	jsonw_object(json, name);
	jsonw_text(json, "description", ops->summary);
	jsonw_bool(json, "additionalProperties", false);
	jsonw_object(json, "properties");
	jsonw_bool(json, kind_names[found->kind], true);
	jsonw_bool(json, "use", true);
	jsonw_bool(json, settings_stage_options[0].name, true);
	write_options(json, of_kind, "", 0);
	write_options(json, ops->options, "", 0);
	write_old_names(json, of_kind, kind_names[found->kind]);
	write_old_names(json, ops->options, kind_names[found->kind]);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_definitions(struct json_writer *json, const struct found *found)
{
	jsonw_object(json, "definitions");
	for (const struct config_section *section = config_sections; section->name; section++)
		define_section(json, section);
	for (; found; found = found->next)
		define_stage(json, found);
	jsonw_end_object(json);
}

/* The name of an implementation; a file or a variable may be any. */
static void write_use(struct json_writer *json, const char *key, enum sluice_kind kind, const struct found *found)
{
	jsonw_object(json, key);
	write_text(json, "if", "/|\\.so$|" ENVIRONMENT);
	jsonw_object(json, "else");
	jsonw_array(json, "enum");
	size_t count = 0;
	for (; found; found = found->next) {
		if (found->kind == kind && ++count)
			jsonw_text(json, NULL, found->name);
	}
	if (count == 0) /* an empty list would be no schema */
		jsonw_text(json, NULL, "");
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_required(struct json_writer *json, const struct sluice_option *options)
{
	jsonw_array(json, "required");
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		if ((option->flags & SLUICE_OPTION_REQUIRED) && !strchr(option->name, '.'))
			jsonw_text(json, NULL, option->name);
	}
	jsonw_end_array(json);
}

/* Where `key` names this implementation, its definition holds; what it requires may stand elsewhere in an overlay. */
static void write_condition(struct json_writer *json, const char *key, const struct found *found, bool is_whole)
{
	jsonw_object(json, NULL);
	jsonw_object(json, "if");
	jsonw_array(json, "required");
	jsonw_text(json, NULL, key);
	jsonw_end_array(json);
	jsonw_object(json, "properties");
	jsonw_object(json, key);
	jsonw_text(json, "const", found->name);
	jsonw_end_object(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
	jsonw_object(json, "then");
	if (is_whole)
		write_required(json, found->plugin->ops.options);
	jsonw_array(json, "allOf");
	write_reference(json, NULL, kind_names[found->kind], found->name);
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

/* An item without a kind gets one error, whose text says what is missing. */
static void write_kind_required(struct json_writer *json)
{
	jsonw_object(json, NULL);
	jsonw_object(json, "if");
	jsonw_array(json, "anyOf");
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		jsonw_object(json, NULL);
		jsonw_array(json, "required");
		jsonw_text(json, NULL, kind_names[kind]);
		jsonw_end_array(json);
		jsonw_end_object(json);
	}
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_object(json, "else");
	jsonw_array(json, "required");
	jsonw_text(json, NULL, "auth, parse, idempotency, queue or persist");
	jsonw_end_array(json);
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
	jsonw_text(json, "type", "object");
	jsonw_object(json, "properties");
	for (int kind = 0; kind < KIND_COUNT; kind++)
		write_use(json, kind_names[kind], (enum sluice_kind)kind, found);
	jsonw_bool(json, "use", false);
	write_pin(json, false);
	jsonw_end_object(json);
	jsonw_array(json, "allOf");
	write_kind_required(json);
	for (; found; found = found->next)
		write_condition(json, kind_names[found->kind], found, true);
	jsonw_end_array(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

/* What an overlay changes in a stage: known only where it names the implementation. */
static void write_stage_patch(struct json_writer *json, enum sluice_kind kind, const struct found *found)
{
	jsonw_object(json, kind_names[kind]);
	jsonw_text(json, "type", "object");
	jsonw_object(json, "properties");
	write_use(json, "use", kind, found);
	jsonw_bool(json, kind_names[kind], false);
	write_pin(json, true);
	jsonw_end_object(json);
	jsonw_array(json, "allOf");
	for (; found; found = found->next) {
		if (found->kind == kind)
			write_condition(json, "use", found, false);
	}
	jsonw_bool(json, NULL, true);
	jsonw_end_array(json);
	jsonw_end_object(json);
}

/* One overlay: a patch may leave anything out. */
static void write_overlay(struct json_writer *json, const struct found *found)
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
	write_option(json, "ack", option_find(settings_top_options, "ack"), NULL);
	write_sections(json, true);
	jsonw_object(json, "stages");
	jsonw_text(json, "type", "object");
	jsonw_bool(json, "additionalProperties", false);
	jsonw_object(json, "properties");
	for (int kind = 0; kind < KIND_COUNT; kind++)
		write_stage_patch(json, (enum sluice_kind)kind, found);
	jsonw_end_object(json);
	jsonw_end_object(json);
	jsonw_end_object(json);
}

static void write_overlays(struct json_writer *json, const struct found *found)
{
	jsonw_object(json, "optimizations");
	jsonw_text(json, "description", "named overlays, each proven or rolled back on its own");
	jsonw_text(json, "type", "object");
	jsonw_object(json, "additionalProperties");
	write_overlay(json, found);
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
	const char *base = strrchr(file, '/') + 1;
	*found = (struct found){kind, must_strdup(base), plugin, NULL};
	found->name[strlen(base) - strlen(".so")] = '\0';
	*search->end = found;
	search->end = &found->next;
}

static void free_found(struct found *found)
{
	while (found) {
		struct found *next = found->next;
		loader_close(found->plugin);
		free(found->name);
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
	write_sections(json, false);
	write_stages(json, found);
	write_overlays(json, found);
	jsonw_end_object(json);
	write_definitions(json, found);
	jsonw_end_object(json);
	free_found(found);
}
