/*
 * The command line of a subcommand: the flags that several share, its own, and what is left.
 *
 *     bool print = false;
 *     const struct flag flags[] = {{"print", NULL, "show the effective pipeline", .set = &print}, {NULL}};
 *     const struct command command = {
 *         .usage = "check PIPELINE",
 *         .about = "Says everything that `run` would refuse, without starting.",
 *         .example = "sluice check pipelines/quickstart.yaml --print",
 *         .flags = flags, .common = FLAGS_PIPELINE, .operands_min = 1, .operands_max = 1};
 *     struct arguments arguments;
 *     int status;
 *     if (!arguments_parse(&command, argc, argv, &arguments, &status))
 *         return status;
 *     …
 *     arguments_finish(&arguments);
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/option.h>

#include "base/arena.h"
#include "runtime/config.h"

/* A flag of one subcommand; a table of them ends with a NULL name. Exactly one of the targets is given. */
struct flag {
	const char *name;  /* without the dashes */
	const char *value; /* what follows it, "URL"; NULL: nothing does */
	const char *help;  /* one phrase */
	bool *set;         /* becomes true when the flag is there */
	const char **text; /* becomes what follows it; the last one wins */
};

/* Which shared flags a subcommand takes. --help, --log-level and --log-format always are. */
enum command_common {
	FLAGS_STAGE_PATH = 1u << 0, /* --stage-path */
	FLAGS_JSON = 1u << 1,       /* --json */
	FLAGS_OVERLAYS = 1u << 2,   /* --enable --disable */
	FLAGS_OPTIONS = 1u << 3,    /* --set, of the options of one stage */
	FLAGS_SET = 1u << 4,        /* --set, of a pipeline */
	FLAGS_PIPELINE = FLAGS_STAGE_PATH | FLAGS_OVERLAYS | FLAGS_SET,
};

struct command {
	const char *usage;                   /* "check PIPELINE": what follows "sluice " */
	const char *about;                   /* sentences */
	const char *example;                 /* lines to type */
	const struct flag *flags;            /* may be NULL */
	const struct sluice_option *options; /* more flags, with types and bounds; NULL: none. An option's unit is what
	                                        the help shows for a text: FILE */
	void *config;                        /* what they fill: defaults first */
	const char *file_option; /* which of them names a YAML file that sets the others, as far as no flag does; paths
	                            in it (SLUICE_OPTION_FILE) are relative to it; NULL */
	unsigned common;         /* enum command_common */
	int operands_min, operands_max;
};

struct arguments {
	struct arena arena;
	struct config_request request; /* `file` is the first operand, if the subcommand takes FLAGS_OVERLAYS */
	bool json;
	char **operands; /* NULL-terminated */
	int operand_count;
};

/* Reads argv and sets up the log as asked. False: the subcommand is over with *status_out, after --help or after a
 * sentence on stderr that says what is wrong. What `arguments` points to lives until arguments_finish() and as long as
 * argv. */
bool arguments_parse(const struct command *command, int argc, char **argv, struct arguments *arguments,
                     int *status_out);
void arguments_finish(struct arguments *arguments);

/* From now on arguments_parse() only calls `each` with the subcommand and all its flags, its own first, and says that
 * the subcommand is over: so the manual and the completion learn what each one takes. NULL: it parses again. */
void arguments_describe(void (*each)(void *context, const struct command *command, const struct flag *flags,
                                     size_t flag_count),
                        void *context);

#endif
