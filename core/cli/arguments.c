/*
 * Shared flags and a subcommand's own become one table for getopt_long(), each row with its index as the value
 * returned.
 */
#include "cli/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "yaml/bind.h"
#include "yaml/option.h"
#include "yaml/yaml.h"

enum { FLAGS_MAX = 48, SETS_MAX = 256 };

/* Where the shared flags go before they are put together. */
struct shared {
	bool help, json;
	const char *log_level, *log_format, *stage_path;
	const char *enable, *disable;
	const char *sets[SETS_MAX + 1];
	size_t set_count;
};

enum take { TAKE_TARGET, TAKE_JOIN, TAKE_SET, TAKE_OPTION };

struct row {
	struct flag flag;
	enum take take;
	unsigned needs; /* enum command_common */
};

struct parser {
	const struct command *command;
	struct row rows[FLAGS_MAX];
	size_t row_count;
	struct shared shared;
	struct arena *arena;
};

/* What follows the flag of an option, in the help. */
static const char *placeholder_of(const struct sluice_option *option, struct arena *arena)
{
	static const char *const of_type[] = {
		[SLUICE_TYPE_INT] = "N",         [SLUICE_TYPE_SIZE] = "SIZE",   [SLUICE_TYPE_DURATION] = "TIME",
		[SLUICE_TYPE_PERCENT] = "SHARE", [SLUICE_TYPE_STRING] = "TEXT", [SLUICE_TYPE_STRINGS] = "A,B",
	};
	if (option->type == SLUICE_TYPE_CHOICE) {
		char *joined = arena_strdup(arena, option->choices[0]);
		for (size_t i = 1; option->choices[i]; i++)
			joined = arena_printf(arena, "%s|%s", joined, option->choices[i]);
		return joined;
	}
	return option->type == SLUICE_TYPE_BOOL                     ? NULL
	       : option->type == SLUICE_TYPE_STRING && option->unit ? option->unit
	                                                            : of_type[option->type];
}

static void add_options(struct parser *parser)
{
	for (const struct sluice_option *option = parser->command->options; option && option->type != SLUICE_TYPE_END;
	     option++) {
		bool has_default = option->fallback && option->fallback[0] && option->type != SLUICE_TYPE_BOOL;
		const char *help = has_default ? arena_printf(parser->arena, "%s (%s)", option->help, option->fallback)
		                               : option->help;
		struct flag flag = {option->name, placeholder_of(option, parser->arena), help, NULL, NULL};
		parser->rows[parser->row_count++] = (struct row){flag, TAKE_OPTION, 0};
	}
}

static void add_rows(struct parser *parser)
{
	struct shared *shared = &parser->shared;
	const struct row rows[] = {
		{{"enable", "A,B", "enable these optimizations as well", NULL, &shared->enable},
	         TAKE_JOIN,
	         FLAGS_OVERLAYS},
		{{"disable", "A,B|all", "disable these optimizations", NULL, &shared->disable},
	         TAKE_JOIN,
	         FLAGS_OVERLAYS},
		{{"set", "PATH=VALUE", "set any setting, e.g. listen.port=0; repeatable", NULL, NULL},
	         TAKE_SET,
	         FLAGS_SET},
		{{"set", "NAME=VALUE", "set an option of the stage; repeatable", NULL, NULL}, TAKE_SET, FLAGS_OPTIONS},
		{{"stage-path", "DIR:DIR", "where to look for stages (SLUICE_STAGE_PATH)", NULL, &shared->stage_path},
	         TAKE_TARGET,
	         FLAGS_STAGE_PATH},
		{{"json", NULL, "print JSON", &shared->json, NULL}, TAKE_TARGET, FLAGS_JSON},
		{{"log-level", "LEVEL", "debug, info, warn or error", NULL, &shared->log_level}, TAKE_TARGET, 0},
		{{"log-format", "FORMAT", "text or json", NULL, &shared->log_format}, TAKE_TARGET, 0},
		{{"help", NULL, "print this", &shared->help, NULL}, TAKE_TARGET, 0},
	};
	for (const struct flag *flag = parser->command->flags; flag && flag->name; flag++)
		parser->rows[parser->row_count++] = (struct row){*flag, TAKE_TARGET, 0};
	add_options(parser);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((rows[i].needs & ~parser->command->common) == 0)
			parser->rows[parser->row_count++] = rows[i];
	}
}

/* "check" of "check PIPELINE" */
static int name_length(const struct command *command)
{
	return (int)strcspn(command->usage, " ");
}

static void print_help(const struct parser *parser)
{
	const struct command *command = parser->command;
	printf("Usage: sluice %s [FLAGS]\n\n%s\n\nFlags:\n", command->usage, command->about);
	for (size_t i = 0; i < parser->row_count; i++) {
		const struct flag *flag = &parser->rows[i].flag;
		char left[64];
		(void)snprintf(left, sizeof(left), "--%s%s%s", flag->name, flag->value ? " " : "",
		               flag->value ? flag->value : "");
		printf("  %-22s  %s\n", left, flag->help);
	}
	printf("\nExample:\n  %s\n", command->example);
}

static const char *row_name(const void *context, size_t i)
{
	return ((const struct row *)context)[i].flag.name;
}

static void complain(const struct parser *parser, const char *what, const char *argument)
{
	int length = name_length(parser->command);
	fprintf(stderr, "sluice %.*s: %s%s; see sluice %.*s --help\n", length, parser->command->usage, what, argument,
	        length, parser->command->usage);
}

/* getopt_long() has refused argv[optind - 1]. */
static void complain_of_flag(const struct parser *parser, char **argv, int why)
{
	const char *given = argv[optind - 1];
	char name[64];
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, "="), given);
	if (why == ':') {
		complain(parser, "a value must follow ", name);
		return;
	}
	const char *bare = name + strspn(name, "-");
	for (size_t i = 0; i < parser->row_count; i++) {
		if (strcmp(parser->rows[i].flag.name, bare) == 0) {
			complain(parser, "no value may follow ", name);
			return;
		}
	}
	const char *close = option_did_you_mean(bare, parser->row_count, row_name, parser->rows);
	char what[128] = "unknown flag ";
	if (close)
		(void)snprintf(what, sizeof(what), "unknown flag, did you mean --%s instead of ", close);
	complain(parser, what, name);
}

static bool take_option(struct parser *parser, const char *name, const char *value)
{
	const struct command *command = parser->command;
	struct sluice_error error = {0};
	if (option_set(command->options, command->config, name, value ? value : "true", parser->arena, &error))
		return true;
	complain(parser, "--", error.text);
	return false;
}

static bool take_set(struct parser *parser, const struct row *row, const char *value)
{
	struct shared *shared = &parser->shared;
	if (shared->set_count == SETS_MAX) {
		complain(parser, "too many of ", "--set");
		return false;
	}
	if (!strchr(value, '=')) {
		char expected[64];
		(void)snprintf(expected, sizeof(expected), "--set: expected %s, got ", row->flag.value);
		complain(parser, expected, value);
		return false;
	}
	shared->sets[shared->set_count++] = value;
	return true;
}

static bool take(struct parser *parser, const struct row *row, const char *value)
{
	switch (row->take) {
	case TAKE_TARGET:
		if (row->flag.set)
			*row->flag.set = true;
		else
			*row->flag.text = value;
		return true;
	case TAKE_JOIN:
		*row->flag.text = *row->flag.text ? arena_printf(parser->arena, "%s,%s", *row->flag.text, value)
		                                  : value;
		return true;
	case TAKE_SET:
		return take_set(parser, row, value);
	case TAKE_OPTION:
		return take_option(parser, row->flag.name, value);
	}
	return false;
}

static bool take_flags(struct parser *parser, int argc, char **argv)
{
	struct option options[FLAGS_MAX + 1] = {{0}};
	for (size_t i = 0; i < parser->row_count; i++) {
		const struct flag *flag = &parser->rows[i].flag;
		options[i] = (struct option){flag->name, flag->value ? required_argument : no_argument, NULL,
		                             (int)i + 256};
	}
	optind = 0; /* glibc: start again, the main command may have used it */
	opterr = 0;
	int found;
	while ((found = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (found < 256) {
			complain_of_flag(parser, argv, found);
			return false;
		}
		if (!take(parser, &parser->rows[found - 256], optarg))
			return false;
	}
	return true;
}

/* The path of a file that a file names is relative to that file. */
static void resolve_paths(const struct parser *parser, const char *file, const struct yaml_node *top)
{
	const struct command *command = parser->command;
	const char *slash = strrchr(file, '/');
	for (const struct sluice_option *option = command->options; slash && option->type != SLUICE_TYPE_END;
	     option++) {
		const char **path = (const char **)(void *)((char *)command->config + option->offset);
		if ((option->flags & SLUICE_OPTION_FILE) && yaml_get(top, option->name) && *path && **path != '/')
			*path = arena_printf(parser->arena, "%.*s/%s", (int)(slash - file), file, *path);
	}
}

/* The file is read between the defaults and the flags, which are then taken once more. */
static bool take_file(struct parser *parser, int argc, char **argv)
{
	const struct command *command = parser->command;
	struct sluice_error error = {0};
	const char *file;
	if (!command->file_option)
		return true;
	memcpy(&file, (const char *)command->config + option_find(command->options, command->file_option)->offset,
	       sizeof(file));
	if (!file)
		return true;
	struct bind_table table = {command->options, command->config};
	struct bind bind = {.where = "", .tables = &table, .table_count = 1, .arena = parser->arena};
	const struct yaml_node *top = yaml_read_file(file, parser->arena, &error);
	if (!top || !bind_map(&bind, top, top, &error)) {
		say(error.text);
		return false;
	}
	resolve_paths(parser, file, top);
	parser->shared = (struct shared){0};
	return take_flags(parser, argc, argv);
}

static bool set_up_log(const struct parser *parser)
{
	const struct shared *shared = &parser->shared;
	enum sluice_log_level level = SLUICE_LOG_INFO;
	enum log_format format = LOG_FORMAT_TEXT;
	if (shared->log_level && !log_level_from_text(shared->log_level, &level)) {
		complain(parser, "--log-level: expected debug, info, warn or error, got ", shared->log_level);
		return false;
	}
	if (shared->log_format && !log_format_from_text(shared->log_format, &format)) {
		complain(parser, "--log-format: expected text or json, got ", shared->log_format);
		return false;
	}
	log_setup(level, format, STDERR_FILENO);
	return true;
}

static bool take_operands(const struct parser *parser, int argc, char **argv, struct arguments *arguments)
{
	arguments->operands = argv + optind;
	arguments->operand_count = argc - optind;
	if (arguments->operand_count < parser->command->operands_min) {
		complain(parser, "something is missing: sluice ", parser->command->usage);
		return false;
	}
	if (arguments->operand_count > parser->command->operands_max) {
		complain(parser, "did not expect ", arguments->operands[parser->command->operands_max]);
		return false;
	}
	return true;
}

static void fill_request(const struct parser *parser, struct arguments *arguments)
{
	const struct shared *shared = &parser->shared;
	const char **sets = arena_must(&arguments->arena, (shared->set_count + 1) * sizeof(*sets));
	memcpy(sets, shared->sets, shared->set_count * sizeof(*sets));
	arguments->json = shared->json;
	arguments->request = (struct config_request){
		.file = parser->command->common & FLAGS_OVERLAYS ? arguments->operands[0] : NULL,
		.enable = shared->enable,
		.disable = shared->disable,
		.sets = sets,
		.stage_path = shared->stage_path,
	};
}

static struct {
	void (*each)(void *context, const struct command *command, const struct flag *flags, size_t flag_count);
	void *context;
} description;

void arguments_describe(void (*each)(void *context, const struct command *command, const struct flag *flags,
                                     size_t flag_count),
                        void *context)
{
	description.each = each;
	description.context = context;
}

static void describe(const struct parser *parser)
{
	struct flag flags[FLAGS_MAX];
	for (size_t i = 0; i < parser->row_count; i++)
		flags[i] = parser->rows[i].flag;
	description.each(description.context, parser->command, flags, parser->row_count);
}

static bool fill_defaults(const struct parser *parser)
{
	const struct command *command = parser->command;
	struct sluice_error error = {0};
	if (!command->options || option_fill_fallbacks(command->options, command->config, parser->arena, &error))
		return true;
	complain(parser, "", error.text);
	return false;
}

/* A required option is a text: one that is still missing was not given. */
static bool has_required(const struct parser *parser)
{
	const struct command *command = parser->command;
	for (const struct sluice_option *option = command->options; option && option->type != SLUICE_TYPE_END;
	     option++) {
		const char *text;
		if (!(option->flags & SLUICE_OPTION_REQUIRED))
			continue;
		memcpy(&text, (const char *)command->config + option->offset, sizeof(text));
		if (text)
			continue;
		complain(parser, "something is missing: --", option->name);
		return false;
	}
	return true;
}

bool arguments_parse(const struct command *command, int argc, char **argv, struct arguments *arguments, int *status_out)
{
	struct parser parser = {.command = command};
	*arguments = (struct arguments){0};
	*status_out = STATUS_CANNOT;
	arena_init(&arguments->arena, 4096, NULL);
	parser.arena = &arguments->arena;
	add_rows(&parser);
	if (description.each) {
		describe(&parser);
		*status_out = STATUS_YES;
		goto over;
	}
	if (!fill_defaults(&parser) || !take_flags(&parser, argc, argv) || !take_file(&parser, argc, argv))
		goto over;
	if (parser.shared.help) {
		print_help(&parser);
		*status_out = STATUS_YES;
		goto over;
	}
	if (!set_up_log(&parser) || !has_required(&parser) || !take_operands(&parser, argc, argv, arguments))
		goto over;
	fill_request(&parser, arguments);
	return true;
over:
	arguments_finish(arguments);
	return false;
}

void arguments_finish(struct arguments *arguments)
{
	arena_finish(&arguments->arena);
}
