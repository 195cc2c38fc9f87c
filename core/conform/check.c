/*
 * The inside of a check's process: how a check gets its stage, and how it ends. Its last word is one record, written at
 * once, by whichever thread has it to say; then the process is over, whatever else still runs in it.
 */
#include "conform/check.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/process.h"
#include "conform/disk.h"
#include "conform/pages.h"
#include "conform/record.h"
#include "yaml/option.h"
#include "yaml/quantity.h"

enum { OPTIONS_MAX = 256, SIGNAL_STACK = 65536, SIZES_MAX = 16 };

struct check {
	const struct conform *conform;
	const struct check_entry *entry;
	const char *folder;
	int out, output;
	unsigned long long unique;
	struct bench *store;        /* beside the stage under test; NULL: none */
	char *sizes[SIZES_MAX + 1]; /* check_use_least_sizes() */
	char note[256];
};

/* For those who find a flaw where no check is at hand: a breach, a signal. */
static struct check *current;

_Noreturn static void end(const struct check *check, const struct record *record)
{
	ssize_t written = write(check->out, record, sizeof(*record));
	_exit(written == (ssize_t)sizeof(*record) ? 0 : 1);
}

void check_fail(struct check *check, const char *file, int line, const char *format, ...)
{
	struct record record = {.outcome = CHECK_BROKEN};
	const char *slash = strrchr(file, '/');
	(void)snprintf(record.where, sizeof(record.where), "%s:%d", slash ? slash + 1 : file, line);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(record.sentence, sizeof(record.sentence), format, arguments);
	va_end(arguments);
	end(check, &record);
}

void check_skip(struct check *check, const char *format, ...)
{
	struct record record = {.outcome = CHECK_SKIPPED};
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(record.sentence, sizeof(record.sentence), format, arguments);
	va_end(arguments);
	end(check, &record);
}

void check_note(struct check *check, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(check->note, sizeof(check->note), format, arguments);
	va_end(arguments);
}

static void on_breach(const char *sentence)
{
	struct record record = {.outcome = CHECK_BROKEN};
	(void)snprintf(record.sentence, sizeof(record.sentence), "%s", sentence);
	end(current, &record);
}

static struct sigaction before_us[NSIG];

/* An access to an event that has ended gets its own sentence; any other fault takes its usual course. */
static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	static const struct record touched = {
		.outcome = CHECK_BROKEN,
		.sentence = "the stage used the memory of an event that had ended: copy what is needed later"};
	if (pages_have_ended(info->si_addr))
		end(current, &touched);
	(void)sigaction(number, &before_us[number], NULL); /* and the instruction is tried again */
}

static void catch_faults(void)
{
	static char stack[SIGNAL_STACK];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	(void)sigaltstack(&alternate, NULL);
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGSEGV, &action, &before_us[SIGSEGV]);
	(void)sigaction(SIGBUS, &action, &before_us[SIGBUS]);
}

void check_main(const struct conform *conform, const struct check_entry *entry, const char *folder, int out, int output)
{
	struct check check = {.conform = conform, .entry = entry, .folder = folder, .out = out, .output = output};
	digest_random(&check.unique, sizeof(check.unique));
	current = &check;
	(void)mallopt(M_ARENA_MAX, 1); /* so that leak.c can trust the allocator's figures */
	disk_attach(folder);
	bench_be_strict();
	bench_on_breach(on_breach);
	catch_faults();
	entry->run(&check);
	struct record record = {.outcome = CHECK_KEPT};
	(void)snprintf(record.sentence, sizeof(record.sentence), "%s", check.note);
	end(&check, &record);
}

/* It comes first, as in a pipeline, with those of the options that it has. */
static bool open_store(struct check *check, struct sluice_error *error)
{
	const struct plugin *plugin = check->conform->store;
	const char *options[OPTIONS_MAX + 1] = {NULL};
	size_t count = 0;
	if (!plugin || check->store)
		return true;
	for (const char *const *given = check->conform->options; given && *given && count < OPTIONS_MAX; given++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(*given, "="), *given);
		if (option_find(plugin->ops.options, name))
			options[count++] = *given;
	}
	check->store = bench_create(plugin, options, false, error);
	return check->store != NULL;
}

static struct bench *open_stage(struct check *check, const char *const *extra, bool read_only,
                                struct sluice_error *error)
{
	const char *options[OPTIONS_MAX + 1] = {NULL};
	size_t count = 0;
	for (const char *const *given = check->conform->options; given && *given && count < OPTIONS_MAX; given++)
		options[count++] = *given;
	for (char *const *size = check->sizes; *size && count < OPTIONS_MAX; size++)
		options[count++] = *size;
	for (; extra && *extra && count < OPTIONS_MAX; extra++)
		options[count++] = *extra;
	return open_store(check, error) ? bench_create(check->conform->plugin, options, read_only, error) : NULL;
}

static struct bench *must_open(struct check *check, const char *const *extra, bool read_only)
{
	struct sluice_error error = {0};
	struct bench *bench = open_stage(check, extra, read_only, &error);
	if (!bench)
		check_fail(check, __FILE__, __LINE__, "cannot create the stage%s%s: %s", extra ? " with " : "",
		           extra ? extra[0] : "", error.text);
	return bench;
}

struct bench *check_open(struct check *check)
{
	return must_open(check, NULL, false);
}

struct bench *check_open_with(struct check *check, const char *const *extra)
{
	return must_open(check, extra && extra[0] ? extra : NULL, false);
}

struct bench *check_open_read_only(struct check *check)
{
	return must_open(check, NULL, true);
}

struct bench *check_try(struct check *check, const char *const *extra, struct sluice_error *error)
{
	return open_stage(check, extra, false, error);
}

struct bench *check_try_read_only(struct check *check, struct sluice_error *error)
{
	return open_stage(check, NULL, true, error);
}

bool check_print_least_size(const struct sluice_option *option, struct buffer *out)
{
	if (option->type != SLUICE_TYPE_SIZE || !option->min)
		return false;
	buffer_printf(out, "%s=", option->name);
	quantity_print_size((uint64_t)option->min, out);
	return true;
}

void check_use_least_sizes(struct check *check)
{
	size_t count = 0;
	char probe[] = "probe-XXXXXX";
	check_that(check, mkdtemp(probe) && chdir(probe) == 0, "conform: cannot make a folder");
	const struct sluice_option *option = check_ops(check)->options;
	for (; option->type != SLUICE_TYPE_END && count < SIZES_MAX; option++) {
		struct buffer setting = {0};
		if (strncmp(option->name, "max_", 4) == 0 || !check_print_least_size(option, &setting))
			continue; /* a bound on the whole is no size of a file */
		struct bench *bench = check_try(check, (const char *const[]){setting.data, NULL},
		                                &(struct sluice_error){{0}});
		if (bench)
			check->sizes[count++] = setting.data;
		if (bench)
			bench_close(bench);
		else
			buffer_finish(&setting);
	}
	check_that(check, chdir(check->folder) == 0, "conform: cannot go back to %s", check->folder);
}

int64_t check_patience_ns(const struct check *check)
{
	int64_t share_ns = check->conform->timeout_ns / 20, least_ns = 3 * NS_PER_S;
	return share_ns > least_ns ? share_ns : least_ns;
}

int64_t check_budget_ns(const struct check *check)
{
	return check->conform->timeout_ns / 2;
}

size_t check_effort(const struct check *check, size_t quick, size_t usual, size_t with_long)
{
	const size_t times[] = {[CONFORM_QUICK] = quick, [CONFORM_USUAL] = usual, [CONFORM_LONG] = with_long};
	return times[check->conform->effort];
}

struct bench *check_store(const struct check *check)
{
	return check->store;
}

const char *check_option(const struct check *check, const char *name)
{
	const char *value = NULL;
	size_t size = strlen(name);
	for (const char *const *given = check->conform->options; given && *given; given++) {
		if (strncmp(*given, name, size) == 0 && (*given)[size] == '=')
			value = *given + size + 1;
	}
	return value;
}

const struct sluice_stage_ops *check_ops(const struct check *check)
{
	return &check->conform->plugin->ops;
}

const char *check_request(const struct check *check)
{
	return check->conform->request;
}

const char *check_expect(const struct check *check)
{
	return check->conform->expect;
}

const char *check_start_folder(const struct check *check)
{
	return check->conform->start_folder;
}

const char *check_folder(const struct check *check)
{
	return check->folder;
}

unsigned long long check_unique(const struct check *check)
{
	return check->unique;
}

char *check_get_output(struct check *check)
{
	struct buffer text = {0};
	char part[4096];
	(void)fflush(NULL);
	for (ssize_t size; (size = pread(check->output, part, sizeof(part), (off_t)text.size)) > 0;)
		buffer_add(&text, part, (size_t)size);
	return buffer_take(&text);
}

int check_in_process(struct check *check, int (*work)(struct check *check, int out, void *context), void *context,
                     void (*kill_when)(struct check *check, int in, void *context))
{
	int ends[2], status;
	if (pipe(ends) != 0)
		check_skip(check, "cannot create a pipe: %s", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		check_skip(check, "cannot start a process: %s", strerror(errno));
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ends[0]);
		_exit(work(check, ends[1], context));
	}
	(void)close(ends[1]);
	if (kill_when) {
		kill_when(check, ends[0], context);
		(void)kill(child, SIGKILL);
	}
	(void)process_wait(child, &status);
	(void)close(ends[0]);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int check_in_process_apart(struct check *check, int (*work)(struct check *check, int out, void *context), void *context,
                           char *sentence, size_t room)
{
	int ends[2], status, own_out = check->out;
	struct record record = {.outcome = CHECK_KEPT};
	if (pipe(ends) != 0)
		check_skip(check, "cannot create a pipe: %s", strerror(errno));
	check->out = ends[1];
	pid_t child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ends[0]);
		_exit(work(check, ends[1], context));
	}
	check->out = own_out;
	if (child < 0)
		check_skip(check, "cannot start a process: %s", strerror(errno));
	(void)close(ends[1]);
	struct pollfd over = {.fd = ends[0], .events = POLLIN};
	bool hangs = poll(&over, 1, (int)((check_patience_ns(check) + 20 * NS_PER_S) / NS_PER_MS)) == 0;
	if (hangs)
		(void)kill(child, SIGKILL);
	bool has_told = read(ends[0], &record, sizeof(record)) == (ssize_t)sizeof(record);
	(void)process_wait(child, &status);
	(void)close(ends[0]);
	sentence[0] = '\0';
	if (hangs)
		(void)snprintf(sentence, room, "the stage hangs");
	else if (has_told && record.outcome == CHECK_BROKEN)
		(void)snprintf(sentence, room, "%.*s", (int)room - 1, record.sentence);
	else if (WIFSIGNALED(status))
		(void)snprintf(sentence, room, "the stage crashed: SIG%s", sigabbrev_np(WTERMSIG(status)));
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

unsigned long long check_seed(const struct check *check)
{
	return check->conform->seed;
}

size_t check_scripts(const struct check *check)
{
	return check->conform->scripts;
}

const char *check_replay(const struct check *check)
{
	return check->conform->replay;
}
