/*
 * Sampling by perf; see profiler.h.
 */
#include "lab/trial/profiler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/process.h"
#include "lab/run/run.h"
#include "lab/trial/stacks.h"

enum { ARMS = 2, ARGUMENTS_MAX = 24, FOLDER_DEPTH = 8, SAID_MAX = 600 };

/* Samples a second and thread that runs; no divisor of what servers do at regular intervals. */
#define FREQUENCY "499"

/* What a stack may be deep, in bytes: compilers leave out the frame pointers that would make it a walk. */
#define CALL_GRAPH "dwarf,16384"

struct profile {
	pid_t process;                /* 0: none */
	int control, acknowledgement; /* perf gives up when one of them is closed */
	char *samples, *log, *stacks;
	const struct arm *arm;
};

struct profiler {
	char *folder; /* hidden: what perf leaves, removed at the end */
	struct profile profiles[ARMS];
	size_t count;
};

bool profiler_is_there(struct sluice_error *error)
{
	const char *path = getenv("PATH");
	char *copy = must_strdup(path ? path : ""), *rest = NULL;
	bool found = false;
	for (const char *folder = strtok_r(copy, ":", &rest); folder && !found; folder = strtok_r(NULL, ":", &rest)) {
		char *file = run_file(folder, "perf");
		found = access(file, X_OK) == 0;
		free(file);
	}
	free(copy);
	return found ||
	       sluice_error_set(error, "--profile: perf is not in PATH: install it (Debian: linux-perf), or leave "
	                               "--profile out; observability.processor_time needs no perf");
}

/* In the child: what it says goes to the log, its output to `out` (-1: nowhere). */
_Noreturn static void become_perf(const char *const *arguments, const char *log, int out)
{
	int said = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666), nowhere = open("/dev/null", O_RDWR);
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0); /* Ctrl-C is for the laboratory */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (said >= 0 && nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 &&
	    dup2(out >= 0 ? out : nowhere, STDOUT_FILENO) >= 0 && dup2(said, STDERR_FILENO) >= 0)
		(void)execvp("perf", (char *const *)(uintptr_t)arguments);
	(void)dprintf(said, "perf: %s\n", strerror(errno));
	_exit(127);
}

static pid_t start_perf(const char *const *arguments, const char *log, int out)
{
	pid_t child = fork();
	if (child == 0)
		become_perf(arguments, log, out);
	return child;
}

static bool quote_log(const struct profile *profile, const char *what, struct sluice_error *error)
{
	char said[SAID_MAX + 1] = "";
	FILE *log = fopen(profile->log, "re");
	if (log) {
		said[fread(said, 1, SAID_MAX, log)] = '\0';
		(void)fclose(log);
	}
	return sluice_error_set(error, "--profile: perf could not %s of arm %s: %s", what, profile->arm->plan->letter,
	                        said);
}

/* It answers "ack" when it samples. */
static bool enable(int control, int acknowledgement)
{
	static const char command[] = "enable\n";
	char answer[8];
	return write(control, command, sizeof(command) - 1) == (ssize_t)sizeof(command) - 1 &&
	       read(acknowledgement, answer, sizeof(answer)) > 0;
}

static void close_both(const int pipe[2])
{
	(void)close(pipe[0]);
	(void)close(pipe[1]);
}

/* Kernel's stacks included, where the user may see them: a server that waits for the disk works there. */
static bool record(struct profile *profile, struct sluice_error *error)
{
	int control[2], acknowledgement[2];
	char pid[16], descriptors[40];
	if (pipe(control) != 0)
		return sluice_error_set(error, "pipe: %s", strerror(errno));
	if (pipe(acknowledgement) != 0) {
		close_both(control);
		return sluice_error_set(error, "pipe: %s", strerror(errno));
	}
	(void)fcntl(control[1], F_SETFD, FD_CLOEXEC);
	(void)fcntl(acknowledgement[0], F_SETFD, FD_CLOEXEC);
	(void)snprintf(pid, sizeof(pid), "%d", (int)profile->arm->process);
	(void)snprintf(descriptors, sizeof(descriptors), "fd:%d,%d", control[0], acknowledgement[1]);
	const char *const arguments[] = {
		"perf",     "record",         "-q", "-e", "cpu-clock", "-F",        FREQUENCY, "--call-graph",
		CALL_GRAPH, "--no-buildid",   "-D", "-1", "--control", descriptors, "-p",      pid,
		"-o",       profile->samples, NULL};
	profile->process = start_perf(arguments, profile->log, -1);
	(void)close(control[0]);
	(void)close(acknowledgement[1]);
	profile->control = control[1];
	profile->acknowledgement = acknowledgement[0];
	return (profile->process > 0 && enable(control[1], acknowledgement[0])) ||
	       quote_log(profile, "sample the server", error);
}

static char *name_hidden(const struct profiler *profiler, const struct arm *arm, const char *ending)
{
	char name[32];
	(void)snprintf(name, sizeof(name), "%s.%s", arm->plan->letter, ending);
	return run_file(profiler->folder, name);
}

struct profiler *profiler_start(const struct arm *arms, size_t count, const char *directory, struct sluice_error *error)
{
	static const char *const names[ARMS] = {RUN_STACKS("a"), RUN_STACKS("b")};
	struct profiler *profiler = must_calloc(1, sizeof(*profiler));
	profiler->folder = run_file(directory, ".perf");
	(void)mkdir(profiler->folder, 0777); /* perf says it if it is missing */
	bool ok = true;
	for (size_t i = 0; ok && i < count; i++) {
		struct profile *profile = &profiler->profiles[profiler->count++];
		*profile = (struct profile){.arm = &arms[i],
		                            .samples = name_hidden(profiler, &arms[i], "data"),
		                            .log = name_hidden(profiler, &arms[i], "log"),
		                            .stacks = run_file(directory, names[i])};
		ok = record(profile, error);
	}
	if (ok)
		return profiler;
	profiler_abandon(profiler);
	return NULL;
}

static void end(struct profile *profile, int number)
{
	int status;
	if (profile->process <= 0)
		return;
	(void)kill(profile->process, number);
	(void)process_wait(profile->process, &status); /* that signal ends it, or it ends by itself */
	(void)close(profile->control);
	(void)close(profile->acknowledgement);
	profile->process = 0;
}

static void link_into(const char *folder, const char *name, const char *target)
{
	char *path = run_file(folder, name);
	(void)symlink(target, path);
	free(path);
}

/* The server runs its stages from copies in memory, whose names lead to no file. So perf looks for all files in a folder of its own,
 * where those names stand beside what the root directory has. */
static char *make_root(const struct profiler *profiler, const struct profile *profile)
{
	char *root = name_hidden(profiler, profile->arm, "root");
	struct dirent *entry;
	DIR *entries = opendir("/");
	(void)mkdir(root, 0777);
	while (entries && (entry = readdir(entries))) {
		char target[sizeof(entry->d_name) + 1];
		(void)snprintf(target, sizeof(target), "/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			link_into(root, entry->d_name, target);
	}
	if (entries)
		(void)closedir(entries);
	for (const struct arm_file *file = profile->arm->plan->stage_files; file && file->path; file++) {
		char *target = realpath(file->path, NULL);
		if (target)
			link_into(root, file->mapped_as, target);
		free(target);
	}
	return root;
}

static bool fold(const struct profile *profile, int script, struct sluice_error *error)
{
	FILE *in = fdopen(script, "re"), *out = fopen(profile->stacks, "we");
	bool ok = in && out;
	if (ok)
		(void)stacks_fold(in, out);
	if (in)
		(void)fclose(in);
	else
		(void)close(script);
	ok = out && fclose(out) == 0 && ok;
	return ok || sluice_error_set(error, "%s: cannot be written: %s", profile->stacks, strerror(errno));
}

static bool write_stacks(const struct profiler *profiler, const struct profile *profile, struct sluice_error *error)
{
	int out[2], status = 0;
	if (pipe2(out, O_CLOEXEC) != 0)
		return sluice_error_set(error, "pipe: %s", strerror(errno));
	char *root = make_root(profiler, profile);
	const char *const arguments[] = {"perf",           "script",      "--symfs", root,          "--kallsyms",
	                                 "/proc/kallsyms", "--no-inline", "-F",      "comm,ip,sym", "-i",
	                                 profile->samples, NULL};
	pid_t child = start_perf(arguments, profile->log, out[1]);
	(void)close(out[1]);
	bool folded = fold(profile, out[0], error);
	bool read = child > 0 && process_wait(child, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	free(root);
	return folded && (read || quote_log(profile, "read its samples", error));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type, (void)place;
	return remove(path);
}

static void destroy(struct profiler *profiler)
{
	for (size_t i = 0; i < profiler->count; i++) {
		free(profiler->profiles[i].samples);
		free(profiler->profiles[i].log);
		free(profiler->profiles[i].stacks);
	}
	(void)nftw(profiler->folder, remove_one, FOLDER_DEPTH, FTW_DEPTH | FTW_PHYS);
	free(profiler->folder);
	free(profiler);
}

bool profiler_stop(struct profiler *profiler, struct sluice_error *error)
{
	bool ok = true;
	if (!profiler)
		return true;
	for (size_t i = 0; i < profiler->count; i++)
		end(&profiler->profiles[i], SIGINT);
	for (size_t i = 0; ok && i < profiler->count; i++)
		ok = write_stacks(profiler, &profiler->profiles[i], error);
	destroy(profiler);
	return ok;
}

void profiler_abandon(struct profiler *profiler)
{
	if (!profiler)
		return;
	for (size_t i = 0; i < profiler->count; i++)
		end(&profiler->profiles[i], SIGKILL);
	destroy(profiler);
}
