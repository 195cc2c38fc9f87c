/*
 * Conformance: runs the checks of a stage's kind, each in a process of its own, and says which promises it keeps.
 */
#ifndef CONFORM_CONFORM_H
#define CONFORM_CONFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "conform/check.h"
#include "runtime/loader.h"

enum conform_effort {
	CONFORM_USUAL, /* under a minute on two cores */
	CONFORM_QUICK, /* some seconds */
	CONFORM_LONG,
};

struct conform {
	const struct plugin *plugin;
	const char *const *options; /* "name=value", NULL-terminated */
	const char *only;           /* the one check to run; NULL: all */
	const struct plugin
		*store; /* of an idempotency stage that asks a store: the persist stage that fills it, or NULL */
	const char
		*request; /* a file with a request that an auth or parse stage accepts, or a folder of requests and what
	                        is stated of them: see stated.h; absolute; or NULL */
	const char *expect;       /* what is stated of the request in the file, or NULL */
	const char *start_folder; /* that relative paths in `expect` begin at; absolute */
	int64_t timeout_ns;       /* of each check */
	enum conform_effort effort;
	const char *sources;     /* the folder with those of the stage, to be built once more, or NULL; absolute */
	unsigned long long seed; /* of random operations */
	size_t scripts;          /* of such; 0: as many as the effort is for */
	const char *replay;      /* a script of such, or NULL: see model.h */
};

enum check_outcome { CHECK_KEPT, CHECK_BROKEN, CHECK_SKIPPED, CHECK_OUTCOMES };
extern const char *const check_outcome_names[CHECK_OUTCOMES]; /* "ok", "BROKEN", "skipped" */

struct check_result {
	const struct check_entry *entry;
	enum check_outcome outcome;
	char sentence[1024]; /* why; if it is kept, what it went through, or empty */
	char where[64];      /* "suite_auth.c:120", or empty */
	int64_t took_ns;
};

/* Whether there is such a check for the kind; else a sentence, with a "did you mean". */
bool conform_has(enum sluice_kind kind, const char *name, struct sluice_error *error);

/* Whether the stage can be created at all with the options given. A stage that crashes there can: its checks will tell.
 */
bool conform_can_create(const struct conform *conform, struct sluice_error *error);

/* Runs the checks one after another; `before` and `after` each of them may be NULL. Returns how many there are of each
 * outcome. */
struct conform_totals {
	unsigned counts[CHECK_OUTCOMES];
};
struct conform_totals conform_run(const struct conform *conform,
                                  void (*before)(void *context, const struct check_entry *entry),
                                  void (*after)(void *context, const struct check_result *result), void *context);

/* Runs one check. */
void conform_run_check(const struct conform *conform, const struct check_entry *entry, struct check_result *result_out);

#endif
