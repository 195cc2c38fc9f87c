/*
 * Completion in bash; see completion.h.
 */
#include "cli/completion.h"

#include <string.h>

#define CHOICE_CHARACTERS "abcdefghijklmnopqrstuvwxyz-|"

/* What an operand is, by the word that stands for it in a usage line. */
static const struct {
	const char *word, *operands, *files;
} operands[] = {
	{"PIPELINE", NULL, "*.yaml"},
	{"FILE.so", NULL, "*.so"},
	{"KIND/NAME", "$(sluice stages 2>/dev/null | awk '{ print $1 \"/\" $2 }')", NULL},
	{"KIND NAME", "auth parse idempotency queue persist", NULL},
};

/* What may follow a flag, by the word that stands for it in the help: OVERLAYS are those of the pipeline file. */
static const struct {
	const char *word, *values;
} values[] = {
	{"A,B", "OVERLAYS"},
	{"A,B|all", "OVERLAYS|all"},
	{"NAMES", "OVERLAYS|none|file"},
	{"LEVEL", "debug|info|warn|error"},
	{"FORMAT", "text|json"},
	{NULL, NULL},
};

/* NULL: anything. A word such as "uniform|poisson" stands for itself. */
static const char *values_of(const struct flag *flag)
{
	size_t i = 0;
	if (!flag->value)
		return NULL;
	while (values[i].word && strcmp(values[i].word, flag->value) != 0)
		i++;
	if (values[i].word)
		return values[i].values;
	bool is_choice = strchr(flag->value, '|') && !flag->value[strspn(flag->value, CHOICE_CHARACTERS)];
	return is_choice ? flag->value : NULL;
}

static void write_values(struct buffer *out, const struct flag *flags, size_t count)
{
	buffer_add_text(out, " values=\"");
	const char *separator = "";
	for (size_t i = 0; i < count; i++) {
		const char *text = values_of(&flags[i]);
		if (!text)
			continue;
		buffer_printf(out, "%s--%s=%s", separator, flags[i].name, text);
		separator = " ";
	}
	buffer_add_text(out, "\"");
}

static void write_flags(struct buffer *out, const char *variable, const struct flag *flags, size_t count, bool all)
{
	buffer_printf(out, " %s=\"", variable);
	const char *separator = "";
	for (size_t i = 0; i < count; i++) {
		if (!all && !flags[i].value)
			continue;
		buffer_printf(out, "%s--%s", separator, flags[i].name);
		separator = " ";
	}
	buffer_add_text(out, "\"");
}

static void write_operands(struct buffer *out, const char *usage)
{
	const char *rest = strchr(usage, ' ');
	struct buffer words = {0};
	const char *files = NULL;
	for (size_t i = 0; rest && i < sizeof(operands) / sizeof(operands[0]); i++) {
		if (!strstr(rest, operands[i].word))
			continue;
		if (operands[i].operands)
			buffer_printf(&words, " %s", operands[i].operands);
		if (operands[i].files)
			files = operands[i].files;
	}
	/* Words that stand for themselves: `evidence pack|verify DIR/`. */
	while (rest && rest[1] >= 'a' && rest[1] <= 'z') {
		size_t size = strcspn(rest + 1, "| ");
		buffer_printf(&words, " %.*s", (int)size, rest + 1);
		rest = rest[1 + size] ? rest + 1 + size : NULL;
	}
	if (words.size)
		buffer_printf(out, " operands=\"%s\"", words.data + 1);
	if (files)
		buffer_printf(out, " files='%s'", files);
	buffer_finish(&words);
}

static void write_subcommand(void *context, const struct command *command, const struct flag *flags, size_t count)
{
	struct buffer *out = context;
	buffer_printf(out, "_sluice_%.*s() {", (int)strcspn(command->usage, " "), command->usage);
	write_flags(out, "flags", flags, count, true);
	write_flags(out, "takes", flags, count, false);
	write_values(out, flags, count);
	write_operands(out, command->usage);
	buffer_add_text(out, "; }\n");
}

void completion_write_subcommands(struct buffer *out, const struct subcommand *subcommands)
{
	for (const struct subcommand *each = subcommands; each->name; each++)
		if (subcommand_is_described(each))
			subcommand_describe(each, write_subcommand, out);
}
