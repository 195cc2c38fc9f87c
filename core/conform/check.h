/*
 * A check: one promise of a kind's contract, as a function that finds out whether a stage keeps it.
 *
 * Each check runs in a process of its own, with a time limit, against a stage freshly created: a stage that crashes,
 * hangs or calls exit() breaks the promise that was being checked and nothing else. A check ends at the first thing
 * that does not hold, with a sentence that says what was expected and what was seen.
 *
 *     static void settles_once(struct check *check)
 *     {
 *         struct bench *bench = check_open(check);
 *         …
 *         check_that(check, count == 1, "settle() was expected to free the claim once, and did so %d times", count);
 *     }
 *
 *     const struct check_entry suite_idempotency[] = {
 *         {"one-claim", "of events with one id, one is on its way", one_claim},
 *         {NULL},
 *     };
 */
#ifndef CONFORM_CHECK_H
#define CONFORM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "base/buffer.h"
#include "conform/bench.h"
#include "runtime/verdict.h"

struct check;

struct check_entry {
	const char *name;    /* kebab-case; what flawed stages name and `--only` takes */
	const char *promise; /* one phrase: what a stage of the kind promises */
	void (*run)(struct check *check);
	unsigned flags; /* enum check_flags */
};

enum check_flags {
	CHECK_NEEDS_DURABLE = 1u << 0, /* skipped unless the stage declares SLUICE_QUEUE_DURABLE */
	CHECK_NEEDS_OPTIONS = 1u << 1, /* skipped unless it has an option table */
	CHECK_NEEDS_STORE = 1u << 2,   /* skipped unless the persist stage that it asks is given */
	CHECK_NEEDS_SOURCES = 1u << 3, /* skipped unless its sources are given; see build.h */
};

/* The suites, each ending with a NULL name: what every stage promises, then by kind, then what its sources show. */
extern const struct check_entry suite_common[], suite_auth[], suite_parse[], suite_idempotency[], suite_queue[],
	suite_persist[], suite_build[];

/* The stage under test with the options given on the command line, plus `extra` ("name=value", NULL-terminated, may be
 * NULL). Ends the check if it cannot be created. Closed by bench_close(), or with the process. */
struct bench *check_open(struct check *check);
struct bench *check_open_with(struct check *check, const char *const *extra);
struct bench *check_open_read_only(struct check *check);

/* Like check_open(), but tells why not: for options that must be refused. NULL and a sentence then. */
struct bench *check_try(struct check *check, const char *const *extra, struct sluice_error *error);
struct bench *check_try_read_only(struct check *check, struct sluice_error *error);

/* From now on the stage is created with every option that is a size at its lower bound, as far as it takes that: its
 * files are short then, and many. */
void check_use_least_sizes(struct check *check);

/* "name=SIZE" with the option at its lower bound; false: it is no size. */
bool check_print_least_size(const struct sluice_option *option, struct buffer *out);

/* How long to wait for what ought to come at once: 3 s, or a twentieth of the check's time limit where that is more. */
int64_t check_patience_ns(const struct check *check);

/* After so long, what can be done any number of times is enough: half of the check's time limit. */
int64_t check_budget_ns(const struct check *check);

/* How often to do what may be done more often: in a quick run, a usual one, a long one. */
size_t check_effort(const struct check *check, size_t quick, size_t usual, size_t with_long);

/* The persist stage given with --store, open as soon as the stage under test is; NULL: none is given. */
struct bench *check_store(const struct check *check);

/* An option given on the command line, or NULL: a check that needs one (an auth stage's secret) can look, and skip
 * itself. */
const char *check_option(const struct check *check, const char *name);

/* The stage's table, and the file given with --request or NULL. */
const struct sluice_stage_ops *check_ops(const struct check *check);
const char *check_request(const struct check *check);

/* What --expect states, or NULL; and the folder that its relative paths begin at. */
const char *check_expect(const struct check *check);
const char *check_start_folder(const struct check *check);

/* What has come out of the process on stdout and stderr since it started; the caller frees it. */
char *check_get_output(struct check *check);

/* Ends the check: the promise is kept, is broken, or cannot be checked here. */
#define check_that(check, holds, ...) ((holds) ? (void)0 : check_fail((check), __FILE__, __LINE__, __VA_ARGS__))
_Noreturn __attribute__((format(printf, 4, 5))) void check_fail(struct check *check, const char *file, int line,
                                                                const char *format, ...);
/* What there is to say of it if it is kept: how much it went through. */
__attribute__((format(printf, 2, 3))) void check_note(struct check *check, const char *format, ...);
_Noreturn __attribute__((format(printf, 2, 3))) void check_skip(struct check *check, const char *format, ...);

/* A folder of the check's own, removed afterwards, which is also the working directory; and a number that differs from
 * run to run, for ids that a store has not seen. */
const char *check_folder(const struct check *check);
unsigned long long check_unique(const struct check *check);

/* Runs `work` in another process and waits for it; its return value (0–255) comes back, 256 + signal if it was killed.
 * `kill_when` non-NULL: the child is killed with SIGKILL as soon as the function, called in this process with the
 * descriptor that the child writes to, returns. */
int check_in_process(struct check *check, int (*work)(struct check *check, int out, void *context), void *context,
                     void (*kill_when)(struct check *check, int in, void *context));

/* Likewise, but what the other process finds is only told: in the sentence, which is empty otherwise. One that hangs is
 * killed, and that is a finding. */
int check_in_process_apart(struct check *check, int (*work)(struct check *check, int out, void *context), void *context,
                           char *sentence, size_t room);

/* Where random operations begin; how many scripts of them, 0: as many as the effort is for; and the script given with --replay
 * or NULL. */
unsigned long long check_seed(const struct check *check);
size_t check_scripts(const struct check *check);
const char *check_replay(const struct check *check);

#endif
