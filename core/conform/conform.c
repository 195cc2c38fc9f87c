/*
 * The outside of a check: its process, its folder, its time, and what is to be said when it ends without a word.
 */
#include "conform/conform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/process.h"
#include "conform/build.h"
#include "conform/files.h"
#include "conform/record.h"
#include "yaml/option.h"

enum { FOLDER_SIZE = 256, EXCERPT_MAX = 300 };

const char *const check_outcome_names[CHECK_OUTCOMES] = {"ok", "BROKEN", "skipped"};

static const struct check_entry *const kind_suites[KIND_COUNT] = {
	[SLUICE_KIND_AUTH] = suite_auth,
	[SLUICE_KIND_PARSE] = suite_parse,
	[SLUICE_KIND_IDEMPOTENCY] = suite_idempotency,
	[SLUICE_KIND_QUEUE] = suite_queue,
	[SLUICE_KIND_PERSIST] = suite_persist,
};

const struct check_entry suite_build[] = {
	{"thread-sanitizer", "its sources, compiled with ThreadSanitizer, have no data race", NULL,
         CHECK_NEEDS_SOURCES},
	{NULL, NULL, NULL, 0},
};

/* The number `i` of the checks for a kind: what every stage promises, then what this kind does. NULL behind the last.
 */
static const struct check_entry *entry_at(enum sluice_kind kind, size_t i)
{
	const struct check_entry *const suites[] = {suite_common, kind_suites[kind], suite_build};
	for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++) {
		for (const struct check_entry *entry = suites[s]; entry->name; entry++) {
			if (i-- == 0)
				return entry;
		}
	}
	return NULL;
}

static const char *name_at(const void *kind, size_t i)
{
	return entry_at(*(const enum sluice_kind *)kind, i)->name;
}

bool conform_has(enum sluice_kind kind, const char *name, struct sluice_error *error)
{
	size_t count = 0;
	for (const struct check_entry *entry; (entry = entry_at(kind, count)); count++) {
		if (strcmp(entry->name, name) == 0)
			return true;
	}
	const char *close = option_did_you_mean(name, count, name_at, &kind);
	return sluice_error_set(error, "there is no check %s for %s stages%s%s", name, kind_names[kind],
	                        close ? "; did you mean " : "", close ? close : "");
}

/* A running check. */
struct run {
	pid_t process;
	int process_fd;
	int in;     /* its record */
	int output; /* what it writes to stdout and stderr */
	char folder[FOLDER_SIZE];
};

_Noreturn static void run_inside(const struct run *run, const struct conform *conform, const struct check_entry *entry,
                                 int out)
{
	struct rlimit none = {0, 0};
	int nothing = open("/dev/null", O_RDONLY);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	bool ready = dup2(nothing, STDIN_FILENO) >= 0 && dup2(run->output, STDOUT_FILENO) >= 0 &&
	             dup2(run->output, STDERR_FILENO) >= 0 && chdir(run->folder) == 0;
	if (!ready)
		_exit(1);
	check_main(conform, entry, run->folder, out, run->output);
}

static bool start(struct run *run, const struct conform *conform, const struct check_entry *entry,
                  struct sluice_error *error)
{
	const char *parent = getenv("TMPDIR");
	int ends[2] = {-1, -1};
	*run = (struct run){.process = -1, .process_fd = -1, .in = -1};
	(void)snprintf(run->folder, sizeof(run->folder), "%s/sluice-conform-XXXXXX",
	               parent && *parent ? parent : "/tmp");
	if (!mkdtemp(run->folder))
		return sluice_error_set(error, "%s: %s", run->folder, strerror(errno));
	run->output = memfd_create("output", MFD_CLOEXEC);
	if (run->output < 0 || pipe2(ends, O_CLOEXEC) != 0)
		return sluice_error_set(error, "cannot create a pipe: %s", strerror(errno));
	run->in = ends[0];
	(void)fflush(NULL);
	run->process = fork();
	if (run->process == 0)
		run_inside(run, conform, entry, ends[1]);
	(void)close(ends[1]);
	if (run->process > 0)
		run->process_fd = pidfd_open(run->process, 0);
	return run->process_fd >= 0 || sluice_error_set(error, "cannot start a process: %s", strerror(errno));
}

static char *read_output(const struct run *run)
{
	struct buffer text = {0};
	char part[4096];
	for (ssize_t size; (size = pread(run->output, part, sizeof(part), (off_t)text.size)) > 0;)
		buffer_add(&text, part, (size_t)size);
	return buffer_take(&text);
}

/* What a sanitizer, or else assert(), has to say in it; NULL if that is nothing. */
static const char *find_alarm(const char *output)
{
	static const char *const marks[] = {"SUMMARY: ThreadSanitizer: ",
	                                    "AddressSanitizer: ",
	                                    "ThreadSanitizer: ",
	                                    "LeakSanitizer: ",
	                                    "runtime error: ",
	                                    "Assertion "};
	const char *found = NULL;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && !found; i++)
		found = strstr(output, marks[i]);
	return found;
}

/* The line of a process's last words that says most: the alarm, or else the last. */
static void add_excerpt(const char *output, struct check_result *result)
{
	size_t size = strlen(output);
	while (size && output[size - 1] == '\n')
		size--;
	const char *line = find_alarm(output);
	if (!line) {
		line = output + size;
		while (line > output && line[-1] != '\n')
			line--;
	}
	size = strcspn(line, "\n");
	size_t used = strlen(result->sentence);
	if (size)
		(void)snprintf(result->sentence + used, sizeof(result->sentence) - used, "; output: %.*s",
		               (int)(size < EXCERPT_MAX ? size : EXCERPT_MAX), line);
}

static void judge_silence(const struct run *run, int status, struct check_result *result)
{
	result->outcome = CHECK_BROKEN;
	if (WIFSIGNALED(status))
		(void)snprintf(result->sentence, sizeof(result->sentence), "the stage crashed: %s (SIG%s)",
		               strsignal(WTERMSIG(status)), sigabbrev_np(WTERMSIG(status)));
	else
		(void)snprintf(result->sentence, sizeof(result->sentence),
		               "the process exited with status %d during the check", WEXITSTATUS(status));
	char *output = read_output(run);
	add_excerpt(output, result);
	free(output);
}

/* A data race ends no process. */
static void judge_output(const struct run *run, struct check_result *result)
{
	char *output = read_output(run);
	if (find_alarm(output)) {
		result->outcome = CHECK_BROKEN;
		(void)snprintf(result->sentence, sizeof(result->sentence), "a sanitizer reported an error");
		add_excerpt(output, result);
	}
	free(output);
}

static void judge(const struct run *run, int64_t timeout_ns, struct check_result *result)
{
	struct pollfd over = {.fd = run->process_fd, .events = POLLIN};
	int64_t until = clock_now_ns() + timeout_ns;
	int64_t left;
	while ((left = until - clock_now_ns()) > 0 && poll(&over, 1, (int)(left / NS_PER_MS) + 1) <= 0)
		;
	bool timed_out = left <= 0;
	int status = 0;
	(void)kill(-run->process, SIGKILL); /* and what it has started */
	(void)kill(run->process, SIGKILL);
	(void)process_wait(run->process, &status);
	struct record record;
	(void)fcntl(run->in, F_SETFL, O_NONBLOCK);
	if (read(run->in, &record, sizeof(record)) == (ssize_t)sizeof(record)) {
		result->outcome = record.outcome;
		memcpy(result->sentence, record.sentence, sizeof(record.sentence));
		memcpy(result->where, record.where, sizeof(record.where));
		if (record.outcome == CHECK_KEPT)
			judge_output(run, result);
	} else if (timed_out) {
		result->outcome = CHECK_BROKEN;
		(void)snprintf(result->sentence, sizeof(result->sentence), "timed out after %g s",
		               (double)timeout_ns / (double)NS_PER_S);
	} else {
		judge_silence(run, status, result);
	}
}

static void finish(struct run *run)
{
	const int descriptors[] = {run->process_fd, run->in, run->output};
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
		if (descriptors[i] >= 0)
			(void)close(descriptors[i]);
	}
	files_remove(run->folder);
}

/* Why the check is not for this stage, or NULL. */
static const char *lacks(const struct conform *conform, unsigned flags)
{
	const struct sluice_stage_ops *ops = &conform->plugin->ops;
	if ((flags & CHECK_NEEDS_DURABLE) && !(ops->of.queue->flags & SLUICE_QUEUE_DURABLE))
		return "it does not declare SLUICE_QUEUE_DURABLE";
	if ((flags & CHECK_NEEDS_OPTIONS) && ops->options->type == SLUICE_TYPE_END)
		return "it takes no options";
	if ((flags & CHECK_NEEDS_STORE) && !conform->store)
		return "of a stage that asks a store: see --store";
	if ((flags & CHECK_NEEDS_SOURCES) && !conform->sources)
		return "it needs its sources: see --build";
	return NULL;
}

void conform_run_check(const struct conform *conform, const struct check_entry *entry, struct check_result *result_out)
{
	struct run run;
	struct sluice_error error = {0};
	const char *lacking = lacks(conform, entry->flags);
	*result_out = (struct check_result){.entry = entry, .outcome = CHECK_SKIPPED};
	if (lacking) {
		(void)snprintf(result_out->sentence, sizeof(result_out->sentence), "%s", lacking);
		return;
	}
	int64_t began = clock_now_ns();
	if (!entry->run) {
		build_check(conform, result_out);
		result_out->took_ns = clock_now_ns() - began;
		return;
	}
	if (start(&run, conform, entry, &error))
		judge(&run, conform->timeout_ns, result_out);
	else
		memcpy(result_out->sentence, error.text, sizeof(error.text));
	finish(&run);
	result_out->took_ns = clock_now_ns() - began;
}

struct conform_totals conform_run(const struct conform *conform,
                                  void (*before)(void *context, const struct check_entry *entry),
                                  void (*after)(void *context, const struct check_result *result), void *context)
{
	struct conform_totals totals = {{0}};
	const struct check_entry *entry;
	files_note_inherited();
	for (size_t i = 0; (entry = entry_at(conform->plugin->ops.kind, i)); i++) {
		struct check_result result;
		if (conform->only && strcmp(conform->only, entry->name) != 0)
			continue;
		if (before)
			before(context, entry);
		conform_run_check(conform, entry, &result);
		totals.counts[result.outcome]++;
		if (after)
			after(context, &result);
	}
	return totals;
}

static void try_to_open(struct check *check)
{
	const struct sluice_stage_ops *ops = check_ops(check);
	struct sluice_error error = {0};
	if (ops->self_test && !ops->self_test(&(struct sluice_error){{0}}))
		return; /* a check of its own */
	if (!check_try(check, NULL, &error))
		check_skip(check, "%s", error.text);
}

bool conform_can_create(const struct conform *conform, struct sluice_error *error)
{
	static const struct check_entry entry = {"create", "it is created with the options given", try_to_open, 0};
	struct check_result result;
	conform_run_check(conform, &entry, &result);
	return result.outcome != CHECK_SKIPPED || sluice_error_set(error, "%s", result.sentence);
}
