/*
 * The sources are a CMake project, or else the C files of the folder. The program starts itself for each check: the library of
 * ThreadSanitizer must come before all others, and needs a place in memory that a random layout may take.
 */
#include "conform/build.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/process.h"
#include "conform/files.h"

enum { ARGUMENTS_MAX = 600, LINE_MAX_SIZE = 400, STATUS_BROKEN = 1, STATUS_KEPT = 0 };

#define SANITIZE "-fsanitize=thread"

static const char *const checks[] = {"threads", "many-threads", "tick", "drain", "observe"};

struct build {
	const struct conform *conform;
	char folder[PATH_MAX / 2];
	char stage[PATH_MAX], library[PATH_MAX], program[PATH_MAX], prefix[PATH_MAX];
	struct buffer output; /* of the last program that ran */
};

/* A list of arguments; the texts are borrowed. */
struct command {
	const char *arguments[ARGUMENTS_MAX + 1];
	size_t count;
	const char *preload; /* a library, or NULL */
	const char *folder;  /* to run in, or NULL */
};

static void add(struct command *command, const char *argument)
{
	if (command->count < ARGUMENTS_MAX)
		command->arguments[command->count++] = argument;
}

_Noreturn static void become(const struct build *build, const struct command *command, int out)
{
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(out, STDERR_FILENO);
	if (command->folder && chdir(command->folder) != 0)
		_exit(127);
	(void)setenv("CMAKE_PREFIX_PATH", build->prefix, 0);
	if (command->preload) {
		(void)setenv("LD_PRELOAD", command->preload, 1);
		(void)setenv("TSAN_OPTIONS", "atexit_sleep_ms=50", 0);
		(void)personality(ADDR_NO_RANDOMIZE);
	}
	(void)execvp(command->arguments[0], (char *const *)(uintptr_t)command->arguments);
	(void)dprintf(out, "%s: %s\n", command->arguments[0], strerror(errno));
	_exit(127);
}

/* Its exit status; -1: it did not end by itself. */
static int run(struct build *build, const struct command *command)
{
	char part[4096];
	int ends[2], status = -1;
	buffer_empty(&build->output);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	(void)fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		become(build, command, ends[1]);
	(void)close(ends[1]);
	for (ssize_t size; child > 0 && (size = read(ends[0], part, sizeof(part))) > 0;)
		buffer_add(&build->output, part, (size_t)size);
	buffer_add_text(&build->output, "");
	(void)close(ends[0]);
	if (child < 0 || !process_wait(child, &status))
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The line of the output that says most: the first with "error", or else the last. */
static const char *tell(const struct build *build, char line[LINE_MAX_SIZE])
{
	const char *text = build->output.data ? build->output.data : "", *found = strstr(text, "rror");
	size_t size = strlen(text);
	while (size && text[size - 1] == '\n')
		size--;
	const char *at = found ? found : text + size;
	while (at > text && at[-1] != '\n')
		at--;
	(void)snprintf(line, LINE_MAX_SIZE, "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

static bool fail(const struct build *build, const char *what, struct sluice_error *error)
{
	char line[LINE_MAX_SIZE];
	return sluice_error_set(error, "could not %s: %s", what, tell(build, line));
}

static const char *name_of_stage(const struct build *build)
{
	const char *slash = strrchr(build->conform->plugin->path, '/');
	return slash ? slash + 1 : build->conform->plugin->path;
}

/* nftw() takes no context. */
static struct {
	const char *name;
	char path[PATH_MAX];
} wanted;

static int compare_name(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	if (type != FTW_F || strcmp(path + place->base, wanted.name) != 0)
		return 0;
	(void)snprintf(wanted.path, sizeof(wanted.path), "%s", path);
	return 1;
}

static bool build_project(struct build *build, struct sluice_error *error)
{
	char binaries[sizeof(build->folder) + 8];
	(void)snprintf(binaries, sizeof(binaries), "%s/b", build->folder);
	struct command configure = {.arguments = {"cmake", "-S", build->conform->sources, "-B", binaries,
	                                          "-DCMAKE_C_COMPILER=gcc", "-DCMAKE_CXX_COMPILER=g++",
	                                          "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_C_FLAGS=" SANITIZE,
	                                          "-DCMAKE_CXX_FLAGS=" SANITIZE,
	                                          "-DCMAKE_MODULE_LINKER_FLAGS=" SANITIZE}};
	struct command compile = {.arguments = {"cmake", "--build", binaries}};
	if (run(build, &configure) != 0)
		return fail(build, "configure its sources with cmake", error);
	if (run(build, &compile) != 0)
		return fail(build, "compile its sources with ThreadSanitizer", error);
	wanted.name = name_of_stage(build);
	wanted.path[0] = '\0';
	(void)nftw(binaries, compare_name, 16, FTW_PHYS);
	memcpy(build->stage, wanted.path, sizeof(build->stage));
	return build->stage[0] ||
	       sluice_error_set(error, "its sources were compiled, and no %s came of it", wanted.name);
}

static bool build_files(struct build *build, struct sluice_error *error)
{
	struct command compile = {
		.arguments = {"gcc", "-std=gnu11", "-g", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", SANITIZE},
		.count = 8};
	char pattern[PATH_MAX + 8], installed[PATH_MAX + 16], in_tree[PATH_MAX + 16];
	glob_t files;
	(void)snprintf(pattern, sizeof(pattern), "%s/*.c", build->conform->sources);
	if (glob(pattern, 0, NULL, &files) != 0)
		return sluice_error_set(error, "%s: has neither a CMakeLists.txt nor a C file",
		                        build->conform->sources);
	(void)snprintf(build->stage, sizeof(build->stage), "%s/%s", build->folder, name_of_stage(build));
	(void)snprintf(installed, sizeof(installed), "-I%s/include", build->prefix);
	(void)snprintf(in_tree, sizeof(in_tree), "-I%s/core/include", build->prefix);
	add(&compile, installed);
	add(&compile, in_tree);
	add(&compile, "-o");
	add(&compile, build->stage);
	for (size_t i = 0; i < files.gl_pathc; i++)
		add(&compile, files.gl_pathv[i]);
	bool ok = run(build, &compile) == 0 || fail(build, "compile its sources with ThreadSanitizer", error);
	globfree(&files);
	return ok;
}

/* Where what is needed lies: the library of ThreadSanitizer, this program, and what is installed with it. */
static bool find_tools(struct build *build, struct sluice_error *error)
{
	struct command ask = {.arguments = {"gcc", "-print-file-name=libtsan.so"}};
	if (!realpath("/proc/self/exe", build->program))
		return sluice_error_set(error, "/proc/self/exe: %s", strerror(errno));
	memcpy(build->prefix, build->program, sizeof(build->prefix));
	for (int i = 0; i < 2 && strrchr(build->prefix, '/'); i++) /* PREFIX/bin/sluice-lab */
		*strrchr(build->prefix, '/') = '\0';
	if (run(build, &ask) != 0)
		return fail(build, "run gcc, which has the ThreadSanitizer for this", error);
	(void)snprintf(build->library, sizeof(build->library), "%.*s", (int)strcspn(build->output.data, "\n"),
	               build->output.data);
	return build->library[0] == '/' || sluice_error_set(error, "gcc has no libtsan.so here: install it");
}

static bool prepare(struct build *build, struct sluice_error *error)
{
	const char *parent = getenv("TMPDIR");
	char lists[PATH_MAX + 16];
	int size = snprintf(build->folder, sizeof(build->folder), "%s/sluice-build-XXXXXX",
	                    parent && *parent ? parent : "/tmp");
	if (size >= (int)sizeof(build->folder)) {
		build->folder[0] = '\0';
		return sluice_error_set(error, "TMPDIR is longer than %zu bytes", sizeof(build->folder) - 1);
	}
	if (!mkdtemp(build->folder))
		return sluice_error_set(error, "%s: %s", build->folder, strerror(errno));
	(void)snprintf(lists, sizeof(lists), "%s/CMakeLists.txt", build->conform->sources);
	if (!find_tools(build, error))
		return false;
	return access(lists, R_OK) == 0 ? build_project(build, error) : build_files(build, error);
}

static bool has_check(const struct conform *conform, const char *name)
{
	return conform_has(conform->plugin->ops.kind, name, &(struct sluice_error){{0}});
}

static int run_check(struct build *build, const char *name)
{
	const struct conform *conform = build->conform;
	struct command command = {
		.arguments = {build->program, "conform", build->stage, "--quick", "--timeout", "300s", "--only", name},
		.count = 8,
		.preload = build->library,
		.folder = conform->start_folder};
	for (const char *const *given = conform->options; given && *given; given++) {
		add(&command, "--set");
		add(&command, *given);
	}
	const struct {
		const char *flag, *value;
	} flags[] = {{"--request", conform->request},
	             {"--expect", conform->expect},
	             {"--store", conform->store ? conform->store->path : NULL}};
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!flags[i].value)
			continue;
		add(&command, flags[i].flag);
		add(&command, flags[i].value);
	}
	return run(build, &command);
}

/* What stands below "BROKEN" in the report of the other process. */
static void quote_finding(const struct build *build, const char *name, struct check_result *result)
{
	const char *at = strstr(build->output.data, "  BROKEN ");
	at = at ? strchr(at, '\n') : NULL;
	at = at ? at + 1 + strspn(at + 1, " ") : "";
	result->outcome = CHECK_BROKEN;
	(void)snprintf(result->sentence, sizeof(result->sentence), "in the check %s: %.*s", name,
	               (int)strcspn(at, "\n"), at);
}

static void watch_checks(struct build *build, struct check_result *result)
{
	unsigned kept = 0;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int status = has_check(build->conform, checks[i]) ? run_check(build, checks[i]) : -1;
		kept += status == STATUS_KEPT;
		if (status == STATUS_BROKEN) {
			quote_finding(build, checks[i], result);
			return;
		}
	}
	char line[LINE_MAX_SIZE];
	if (kept)
		result->outcome = CHECK_KEPT;
	else
		(void)snprintf(result->sentence, sizeof(result->sentence),
		               "it was compiled, and no check could run: %s", tell(build, line));
}

void build_check(const struct conform *conform, struct check_result *result)
{
	struct build build = {.conform = conform};
	struct sluice_error error = {0};
	if (prepare(&build, &error))
		watch_checks(&build, result);
	else
		(void)snprintf(result->sentence, sizeof(result->sentence), "%s", error.text);
	if (build.folder[0])
		files_remove(build.folder);
	buffer_finish(&build.output);
}
