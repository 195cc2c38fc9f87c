/*
 * From argv to a subcommand; see subcommands.h.
 */
#include "cli/subcommands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sluice/version.h>

#include "cli/cli.h"
#include "cli/sibling.h"
#include "yaml/option.h"

void subcommands_print(FILE *out, const struct subcommand *subcommands, bool of_lab)
{
	for (const struct subcommand *each = subcommands; each->name; each++)
		if (each->about && of_lab == !each->run)
			(void)fprintf(out, "  %-9s %s\n", each->name, each->about);
}

void subcommand_describe(const struct subcommand *subcommand, subcommand_fn each, void *context)
{
	char name[64], help[] = "--help";
	(void)snprintf(name, sizeof(name), "%s", subcommand->name);
	arguments_describe(each, context);
	(void)subcommand->run(2, (char *[]){name, help, NULL});
	arguments_describe(NULL, NULL);
}

/* Of those that users may name. */
static const char *name_at(const void *context, size_t i)
{
	const struct subcommand *subcommand = (const struct subcommand *)context + i;
	return subcommand->about ? subcommand->name : "";
}

static int complain(const struct program *program, const char *name)
{
	size_t count = 0;
	while (program->subcommands[count].name)
		count++;
	const char *close = option_did_you_mean(name, count, name_at, program->subcommands);
	(void)fprintf(stderr, "%s: unknown subcommand '%s'", program->name, name);
	if (close && close[0])
		(void)fprintf(stderr, "; did you mean '%s'?", close);
	(void)fprintf(stderr, "\n\n");
	program->print_usage(stderr);
	return STATUS_CANNOT;
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static int run(const struct program *program, int argc, char **argv)
{
	static const char *const help_names[] = {"--help", "-h", "help", NULL};
	const char *name = argc > 1 ? argv[1] : "";
	if (is_one_of(name, help_names)) {
		char help[] = "--help";
		if (argc == 3 && !is_one_of(argv[2], help_names)) /* help NAME is NAME --help */
			return run(program, 3, (char *[]){argv[0], argv[2], help, NULL});
		program->print_usage(stdout);
		return STATUS_YES;
	}
	if (strcmp(name, "--version") == 0) {
		(void)printf("%s %s (stage ABI %d.%d)\n", program->name, SLUICE_VERSION, SLUICE_ABI_MAJOR,
		             SLUICE_ABI_MINOR);
		return STATUS_YES;
	}
	for (const struct subcommand *each = program->subcommands; each->name; each++)
		if (strcmp(name, each->name) == 0)
			return each->run ? each->run(argc - 1, argv + 1) : sibling_become(SIBLING_LAB, argv);
	if (name[0])
		return complain(program, name);
	program->print_usage(stderr);
	return STATUS_CANNOT;
}

/* A file that is opened would get the number of a standard stream that is closed, and what is written there. Open in the
 * wrong direction, a stream still fails as a closed one does. */
static bool occupy_standard_streams(void)
{
	static const int directions[] = {
		[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", directions[fd]) != fd)
			return false;
	return true;
}

/* A full disk behind standard output must not pass for success. */
int program_main(const struct program *program, int argc, char **argv)
{
	if (!occupy_standard_streams())
		return STATUS_CANNOT;
	int status = run(program, argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "%s: standard output: cannot write it: %s\n", program->name, strerror(errno));
	return STATUS_CANNOT;
}
