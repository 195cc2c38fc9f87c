/*
 * sluice stages: which stages there are, and what one of them takes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "yaml/option.h"

static const char *const type_names[] = {
	[SLUICE_TYPE_BOOL] = "bool",         [SLUICE_TYPE_INT] = "int",         [SLUICE_TYPE_SIZE] = "size",
	[SLUICE_TYPE_DURATION] = "duration", [SLUICE_TYPE_PERCENT] = "percent", [SLUICE_TYPE_STRING] = "string",
	[SLUICE_TYPE_CHOICE] = "choice",     [SLUICE_TYPE_STRINGS] = "strings",
};

struct flag_name {
	enum sluice_kind kind;
	uint32_t flag;
	const char *name;
};

static const struct flag_name flag_names[] = {
	{SLUICE_KIND_PARSE, SLUICE_PARSE_DECODES, "decodes"},
	{SLUICE_KIND_QUEUE, SLUICE_QUEUE_DURABLE, "durable"},
};

static bool has_flag(const struct sluice_stage_ops *ops, const struct flag_name *name)
{
	uint32_t flags = ops->kind == SLUICE_KIND_PARSE   ? ops->of.parse->flags
	                 : ops->kind == SLUICE_KIND_QUEUE ? ops->of.queue->flags
	                                                  : 0;
	return ops->kind == name->kind && (flags & name->flag);
}

/* What loader_list() found. */
struct list {
	struct arena arena;
	const char **files, **names; /* "…/queue/memory.so", "memory" */
	size_t count;
};

static void keep_file(void *context, enum sluice_kind kind, const char *file)
{
	struct list *list = context;
	const char *base = strrchr(file, '/') + 1;
	(void)kind;
	list->files = must_realloc(list->files, (list->count + 1) * sizeof(*list->files));
	list->names = must_realloc(list->names, (list->count + 1) * sizeof(*list->names));
	list->files[list->count] = arena_strdup(&list->arena, file);
	list->names[list->count++] = arena_strndup(&list->arena, base, strlen(base) - strlen(".so"));
}

static void list_finish(struct list *list)
{
	free(list->files);
	free(list->names);
	arena_finish(&list->arena);
}

static void write_options(struct json_writer *json, const char *key, const struct sluice_option *options)
{
	jsonw_array(json, key);
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		struct buffer takes = {0};
		option_describe(option, &takes);
		jsonw_object(json, NULL);
		jsonw_text(json, "name", option->name);
		jsonw_text(json, "type", type_names[option->type]);
		jsonw_text(json, "takes", takes.data);
		jsonw_text(json, "default", option->fallback);
		jsonw_bool(json, "required", option->flags & SLUICE_OPTION_REQUIRED);
		jsonw_bool(json, "secret", option->flags & SLUICE_OPTION_SECRET);
		jsonw_bool(json, "place", option->flags & SLUICE_OPTION_LOCATION);
		jsonw_bool(json, "file", option->flags & SLUICE_OPTION_FILE);
		jsonw_text(json, "help", option->help);
		jsonw_end_object(json);
		buffer_finish(&takes);
	}
	jsonw_end_array(json);
}

static void write_plugin(struct json_writer *json, const struct plugin *plugin)
{
	const struct sluice_stage_ops *ops = &plugin->ops;
	jsonw_object(json, NULL);
	jsonw_text(json, "kind", kind_names[ops->kind]);
	jsonw_text(json, "name", ops->name);
	jsonw_text(json, "version", ops->version);
	jsonw_text(json, "summary", ops->summary);
	jsonw_text(json, "file", plugin->path);
	jsonw_text(json, "sha256", plugin->sha256);
	jsonw_int(json, "abi_major", ops->abi_major);
	jsonw_int(json, "abi_minor", ops->abi_minor);
	jsonw_array(json, "flags");
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		if (has_flag(ops, &flag_names[i]))
			jsonw_text(json, NULL, flag_names[i].name);
	}
	jsonw_end_array(json);
	jsonw_array(json, "extensions");
	for (const struct sluice_extension *extension = ops->extensions; extension && extension->id; extension++)
		jsonw_text(json, NULL, extension->id);
	jsonw_end_array(json);
	jsonw_array(json, "spans");
	for (const char *const *span = ops->spans; span && *span; span++)
		jsonw_text(json, NULL, *span);
	jsonw_end_array(json);
	write_options(json, "options", ops->options);
	write_options(json, "core_options", config_kind_options(ops->kind));
	jsonw_end_object(json);
}

static void print_options(const struct sluice_option *options)
{
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		struct buffer takes = {0};
		option_describe(option, &takes);
		printf("  %-24s %s\n", option->name, option->help ? option->help : "");
		printf("  %-24s %s", "", takes.data);
		if (option->flags & SLUICE_OPTION_REQUIRED)
			printf("; required");
		else if (option->fallback)
			printf("; default: %s", *option->fallback ? option->fallback : "''");
		printf("%s%s\n", option->flags & SLUICE_OPTION_SECRET ? "; secret" : "",
		       option->flags & SLUICE_OPTION_LOCATION ? "; location" : "");
		buffer_finish(&takes);
	}
}

static void print_plugin(const struct plugin *plugin)
{
	const struct sluice_stage_ops *ops = &plugin->ops;
	const struct sluice_option *core = config_kind_options(ops->kind);
	printf("%s/%s %s — %s\n", kind_names[ops->kind], ops->name, ops->version, ops->summary);
	printf("file:   %s\nsha256: %s\nabi:    %" PRIu32 ".%" PRIu32 "\n", plugin->path, plugin->sha256,
	       ops->abi_major, ops->abi_minor);
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		if (has_flag(ops, &flag_names[i]))
			printf("flag:   %s\n", flag_names[i].name);
	}
	for (const struct sluice_extension *extension = ops->extensions; extension && extension->id; extension++)
		printf("offers: %s\n", extension->id);
	for (const char *const *span = ops->spans; span && *span; span++)
		printf("%s%s", span == ops->spans ? "spans:  " : ", ", *span);
	printf("%s\noptions:\n", ops->spans && ops->spans[0] ? "\n" : "");
	if (ops->options->type == SLUICE_TYPE_END)
		printf("  none\n");
	print_options(ops->options);
	if (core->type != SLUICE_TYPE_END) {
		printf("\noptions that every %s stage has:\n", kind_names[ops->kind]);
		print_options(core);
	}
}

static int list_stages(const struct list *list, bool as_json)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	int status = STATUS_YES;
	jsonw_array(&json, NULL);
	for (size_t i = 0; i < list->count; i++) {
		struct sluice_error error = {0};
		struct plugin *plugin = loader_open_file(list->files[i], &error);
		if (!plugin) {
			say(error.text);
			status = STATUS_NO;
			continue;
		}
		if (as_json)
			write_plugin(&json, plugin);
		else
			printf("%-12s %-18s %-8s %s\n", kind_names[plugin->ops.kind], plugin->ops.name,
			       plugin->ops.version, plugin->ops.summary);
		loader_close(plugin);
	}
	jsonw_end_array(&json);
	if (as_json)
		puts(text.data);
	else if (list->count == 0)
		fprintf(stderr, "no stages found; see --stage-path\n");
	buffer_finish(&text);
	return status;
}

/* Whether the file is KIND/NAME.so for "NAME" or "KIND/NAME". */
static bool is_named(const char *file, const char *name)
{
	size_t size = strlen(name), file_size = strlen(file);
	if (file_size < size + 4 || strcmp(file + file_size - 3, ".so") != 0)
		return false;
	const char *start = file + file_size - 3 - size;
	return start[-1] == '/' && strncmp(start, name, size) == 0;
}

static bool show_file(const char *file, bool as_json)
{
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(file, &error);
	if (!plugin) {
		say(error.text);
		return false;
	}
	if (as_json) {
		struct buffer text = {0};
		struct json_writer json = {.out = &text};
		write_plugin(&json, plugin);
		puts(text.data);
		buffer_finish(&text);
	} else {
		print_plugin(plugin);
	}
	loader_close(plugin);
	return true;
}

static const char *name_at(const void *context, size_t i)
{
	return ((const struct list *)context)->names[i];
}

static int show_named(const struct list *list, const char *name, bool as_json)
{
	bool found = false;
	for (size_t i = 0; i < list->count; i++) {
		if (!is_named(list->files[i], name))
			continue;
		if (found && !as_json)
			printf("\n");
		found = true;
		if (!show_file(list->files[i], as_json))
			return STATUS_NO;
	}
	if (found)
		return STATUS_YES;
	const char *close = option_did_you_mean(name, list->count, name_at, list);
	fprintf(stderr, "sluice stages: unknown stage %s%s%s%s\n", name, close ? "; did you mean " : "",
	        close ? close : "", close ? "?" : "");
	return STATUS_CANNOT;
}

static bool is_file(const char *operand)
{
	size_t size = strlen(operand);
	return size > 3 && strcmp(operand + size - 3, ".so") == 0;
}

int cmd_stages(int argc, char **argv)
{
	struct command command = {
		.usage = "stages [NAME|KIND/NAME|FILE.so]",
		.about = "Lists the stages found, or shows one: options, spans, version, SHA-256.",
		.example = "sluice stages persist/sqlite",
		.common = FLAGS_STAGE_PATH | FLAGS_JSON,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	const char *operand = arguments.operands[0];
	if (operand && is_file(operand)) {
		status = show_file(operand, arguments.json) ? STATUS_YES : STATUS_NO;
	} else {
		struct list list = {0};
		char **stage_path = loader_stage_path(arguments.request.stage_path);
		arena_init(&list.arena, 4096, NULL);
		loader_list(stage_path, keep_file, &list);
		status = operand ? show_named(&list, operand, arguments.json) : list_stages(&list, arguments.json);
		loader_free_path(stage_path);
		list_finish(&list);
	}
	arguments_finish(&arguments);
	return status;
}
