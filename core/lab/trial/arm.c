/*
 * Servers under test; see arm.h.
 */
#include "lab/trial/arm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/process.h"
#include "client/client.h"
#include "lab/run/run.h"

enum { START_TIMEOUT_S = 60, STOP_TIMEOUT_S = 60, FLAGS_MAX = 256, LOG_SHOWN = 700, STATE_DEPTH = 8 };

static void fill_arguments(const struct arm *arm, const char **argv)
{
	const char *const own[] = {
		"sluice",       "run",   arm->plan->pipeline,  "--set",       "listen.port=0", "--set",
		"admin.port=0", "--set", "admin.enabled=true", "--log-level", "info",          "--trace",
		arm->trace};
	size_t count = 0;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		argv[count++] = own[i];
	for (const char *const *flag = arm->plan->flags; flag && *flag && count < FLAGS_MAX; flag++)
		argv[count++] = *flag;
	argv[count] = NULL;
}

/* In the child. It dies with the laboratory. */
_Noreturn static void become_server(const struct arm *arm, int out)
{
	const char *argv[FLAGS_MAX + 1];
	int log = open(arm->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	sigset_t none;
	fill_arguments(arm, argv);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0); /* Ctrl-C is for the laboratory */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)setenv("ENABLE_OPTIMIZATIONS", arm->plan->optimizations, 1);
	(void)setenv("STATE_DIR", arm->state, 1);
	(void)setenv("SLUICE_LOCATION", arm->plan->location, 1); /* for stages before the store that ask it */
	if (log >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
		(void)execv(arm->plan->program, (char *const *)(uintptr_t)argv);
		(void)dprintf(STDERR_FILENO, "cannot start %s: %s\n", arm->plan->program, strerror(errno));
	}
	_exit(127);
}

/* Whether there is something to be read before that time; a signal is no reason to give up. */
static bool await_readable(int descriptor, int64_t until_ns)
{
	struct pollfd readable = {.fd = descriptor, .events = POLLIN};
	int found = -1;
	errno = EINTR;
	while (found < 0 && errno == EINTR) {
		int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS;
		found = poll(&readable, 1, left_ms > 0 ? (int)left_ms : 0);
	}
	return found > 0;
}

/* Takes what the server says until both of its lines are there, or `until_ns`. */
static bool hear(struct arm *arm, int out, int64_t until_ns)
{
	struct buffer said = {0};
	char piece[512];
	bool heard = false, open = true;
	while (!heard && open) {
		ssize_t got = await_readable(out, until_ns) ? read(out, piece, sizeof(piece)) : 0;
		open = got > 0;
		if (open)
			buffer_add(&said, piece, (size_t)got);
		const char *admin = said.data ? strstr(said.data, "admin ") : NULL;
		const char *ready = said.data ? strstr(said.data, "ready ") : NULL;
		heard = admin && ready && strchr(ready, '\n') && sscanf(admin, "admin %127s", arm->admin) == 1 &&
		        sscanf(ready, "ready %127s", arm->url) == 1;
	}
	buffer_finish(&said);
	return heard;
}

/* The end of the server's log: why it did not start stands there. */
static void quote_log(const struct arm *arm, const char *what, struct sluice_error *error)
{
	char text[LOG_SHOWN + 1] = "";
	FILE *log = fopen(arm->log, "re");
	if (log) {
		(void)fseek(log, 0, SEEK_END);
		long size = ftell(log);
		(void)fseek(log, size > LOG_SHOWN ? size - LOG_SHOWN : 0, SEEK_SET);
		text[fread(text, 1, LOG_SHOWN, log)] = '\0';
		(void)fclose(log);
	}
	(void)sluice_error_set(error, "arm %s (%s) %s:\n%s", arm->plan->letter, arm->plan->label, what, text);
}

/* The command sees where the arm's rows are, and what arm it is. */
static bool prepare(const struct arm *arm, struct sluice_error *error)
{
	if (!arm->plan->prepare)
		return true;
	pid_t child = fork();
	if (child == 0) {
		(void)setenv("SLUICE_ARM", arm->plan->letter, 1);
		(void)setenv("SLUICE_LOCATION", arm->plan->location, 1);
		(void)setenv("SLUICE_URL", arm->url, 1);
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		if (!arm->plan->prepare_in || chdir(arm->plan->prepare_in) == 0)
			(void)execl("/bin/sh", "sh", "-c", arm->plan->prepare, (char *)NULL);
		_exit(127);
	}
	int status = 0;
	if (child < 0 || !process_wait(child, &status))
		return sluice_error_set(error, "prepare: %s", strerror(errno));
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       sluice_error_set(error, "prepare: `%s` failed for arm %s with status %d", arm->plan->prepare,
	                        arm->plan->letter, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static char *name_file(const struct arm_plan *plan, const char *directory, const char *stem, const char *ending)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "%s-%s.%s", stem, plan->letter, ending);
	return run_file(directory, name);
}

static char *name_state(const struct arm_plan *plan, const char *directory)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "state-%s", plan->state);
	return run_file(directory, name);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type, (void)place;
	return remove(path);
}

void arm_remove_state(const struct arm_plan *plan, const char *directory)
{
	char *state = name_state(plan, directory);
	(void)nftw(state, remove_one, STATE_DEPTH, FTW_DEPTH | FTW_PHYS);
	free(state);
}

bool arm_start(struct arm *arm, const struct arm_plan *plan, const char *directory, struct sluice_error *error)
{
	int out[2];
	*arm = (struct arm){.plan = plan,
	                    .process = -1,
	                    .trace = name_file(plan, directory, "trace", "bin"),
	                    .log = name_file(plan, directory, "server", "log"),
	                    .state = name_state(plan, directory)};
	(void)mkdir(arm->state, 0777); /* what needs it says so if it is missing */
	if (pipe2(out, O_CLOEXEC) != 0)
		return sluice_error_set(error, "pipe: %s", strerror(errno));
	arm->process = fork();
	if (arm->process == 0)
		become_server(arm, out[1]);
	(void)close(out[1]);
	bool ready = arm->process > 0 && hear(arm, out[0], clock_now_ns() + START_TIMEOUT_S * NS_PER_S);
	(void)close(out[0]);
	if (!ready)
		quote_log(arm, "did not start", error);
	if (ready && prepare(arm, error))
		return true;
	arm_finish(arm);
	return false;
}

/* Whether it has ended within that time; its status is taken. */
static bool await_end(struct arm *arm, int timeout_s, int *status_out)
{
	int process = pidfd_open(arm->process, 0);
	bool over = process >= 0 && await_readable(process, clock_now_ns() + timeout_s * NS_PER_S) &&
	            process_wait(arm->process, status_out);
	if (process >= 0)
		(void)close(process);
	if (over)
		arm->process = -1;
	return over;
}

bool arm_stop(struct arm *arm, struct sluice_error *error)
{
	int status = 0;
	if (arm->process <= 0)
		return true;
	(void)kill(arm->process, SIGTERM);
	if (!await_end(arm, STOP_TIMEOUT_S, &status)) {
		quote_log(arm, "did not stop in a minute after SIGTERM", error);
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	quote_log(arm, "did not end well", error);
	return false;
}

void arm_finish(struct arm *arm)
{
	int status;
	if (arm->process > 0) {
		(void)kill(arm->process, SIGKILL);
		(void)process_wait(arm->process, &status);
	}
	free(arm->trace);
	free(arm->log);
	free(arm->state);
	*arm = (struct arm){.process = -1};
}

static int64_t count_descriptors(pid_t process)
{
	char path[64];
	int64_t count = -2; /* . and .. */
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)process);
	DIR *entries = opendir(path);
	while (entries && readdir(entries))
		count++;
	if (entries)
		(void)closedir(entries);
	return count > 0 ? count : 0;
}

/* proc(5): utime and stime are fields 14 and 15, num_threads 20, rss 24; the name in field 2 may hold anything. */
bool arm_get_usage(const struct arm *arm, struct arm_usage *usage_out)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	long threads = 0, pages = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)arm->process);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	(void)fclose(file);
	const char *after_name = strrchr(text, ')');
	if (!after_name ||
	    sscanf(after_name + 1,
	           " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld %*d %*u %*u %ld", &user,
	           &system, &threads, &pages) != 4)
		return false;
	*usage_out = (struct arm_usage){
		.cpu_ns = (int64_t)(user + system) * (NS_PER_S / sysconf(_SC_CLK_TCK)),
		.rss_bytes = pages * sysconf(_SC_PAGESIZE),
		.descriptors = count_descriptors(arm->process),
		.threads = threads,
	};
	return true;
}

bool arm_fetch(const struct arm *arm, const char *path, struct buffer *out, struct sluice_error *error)
{
	long status = 0;
	if (!client_get(arm->admin, path, NULL, out, &status, error))
		return false;
	if (status == 200)
		return true;
	client_explain(out, status, error);
	return false;
}

json_t *arm_ask(const struct arm *arm, const char *path, struct sluice_error *error)
{
	struct buffer body = {0};
	json_error_t cause;
	json_t *answer = arm_fetch(arm, path, &body, error) ? json_loadb(body.data, body.size, 0, &cause) : NULL;
	if (!answer && !error->text[0])
		(void)sluice_error_set(error, "%s%s: not JSON: %s", arm->admin, path, cause.text);
	buffer_finish(&body);
	return answer;
}
