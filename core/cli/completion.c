/* Completion in bash; see completion.h. The script needs nothing but bash itself. */
#include "completion.h"

#include <string.h>

#include "subcommands.h"

static const char head[] =
	"# Written by `sluice manual` from the tables that the program runs on.\n"
	"_sluice() {\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= takes= operands= files=\n"
	"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$subcommands --help --version\" -- \"$word\"))\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tcase ${COMP_WORDS[1]} in\n";

static const char tail[] = "\tesac\n"
			   "\tcase \" $takes \" in\n"
			   "\t*\" $before \"*) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
			   "\tesac\n"
			   "\tcase $word in\n"
			   "\t-*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n"
			   "\t*)\n"
			   "\t\tCOMPREPLY=($(compgen -W \"$operands\" -- \"$word\"))\n"
			   "\t\t[ -z \"$files\" ] || COMPREPLY+=($(compgen -d -S / -- \"$word\") $(compgen -f -X "
			   "\"!$files\" -- \"$word\"))\n"
			   "\t\t;;\n"
			   "\tesac\n"
			   "}\n"
			   "complete -o filenames -F _sluice sluice\n";

/* What an operand is, by the word that stands for it in a usage line. */
static const struct {
	const char *word, *operands, *files;
} operands[] = {
	{"PIPELINE", NULL, "*.yaml"},
	{"FILE.so", NULL, "*.so"},
	{"KIND/NAME", "$(sluice stages 2>/dev/null | awk '{ print $1 \"/\" $2 }')", NULL},
	{"KIND NAME", "auth parse idempotency queue persist", NULL},
};

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
	/* Words that stand for themselves: `audit verify PIPELINE`. */
	while (rest && rest[1] >= 'a' && rest[1] <= 'z') {
		size_t size = 1 + strcspn(rest + 1, " ");
		buffer_add(&words, rest, size);
		rest = strchr(rest + 1, ' ');
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
	buffer_printf(out, "\t%.*s)", (int)strcspn(command->usage, " "), command->usage);
	write_flags(out, "flags", flags, count, true);
	write_flags(out, "takes", flags, count, false);
	write_operands(out, command->usage);
	buffer_add_text(out, " ;;\n");
}

void completion_write(struct buffer *out)
{
	const char *body = strstr(head, "$subcommands");
	buffer_add(out, head, (size_t)(body - head));
	for (const struct subcommand *each = subcommands; each->name; each++)
		buffer_printf(out, "%s%s", each == subcommands ? "" : " ", each->name);
	buffer_add_text(out, body + strlen("$subcommands"));
	for (const struct subcommand *each = subcommands; each->name; each++)
		subcommand_describe(each, write_subcommand, out);
	buffer_add_text(out, tail);
}
