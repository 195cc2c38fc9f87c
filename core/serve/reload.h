/*
 * The reloader: a thread that changes the pipeline of a running server.
 *
 * One change at a time, each as a new generation (runtime/generation.h). Building it takes as long as its stages need; the
 * old generation serves meanwhile, and goes on serving when the new one cannot be built. While the generation before is not
 * retired, the next change waits for it, and is refused if that takes too long.
 */
#ifndef SERVE_RELOAD_H
#define SERVE_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "base/buffer.h"

struct config_request;
struct history;
struct reloader;
struct server;
struct service;

/* What the candidate is: another file, or what serves with other overlays; without either, the pipeline file. NULL: not said. */
struct canary_request {
	const char *file, *enable, *disable;
};

struct reload_job {
	enum reload_kind {
		RELOAD_NOTHING,
		RELOAD_FILE,     /* the pipeline as the file, the command line and the environment say now */
		RELOAD_LIFT,     /* the same, and whoever went back has lifted that */
		RELOAD_BACK,     /* an earlier generation; latched */
		RELOAD_BASELINE, /* what serves, without any overlay; latched */
		RELOAD_CANARY_START,
		RELOAD_CANARY_STEP,
		RELOAD_CANARY_PROMOTE,
		RELOAD_CANARY_ABORT,
	} kind;
	int64_t number;   /* BACK: of the generation; 0: the one before */
	int64_t guard_ns; /* FILE: how long a guard looks at it, and goes back if it trips (serve/guard.h); 0: none */
	double weight;    /* CANARY_START, CANARY_STEP: its share of the traffic; 0: the next of the ramp */
	const struct canary_request *canary; /* CANARY_START; there until it is done */
};

/* What came of it: an HTTP status, and JSON, or a sentence where the status is not 200. */
struct reload_result {
	int status;
	struct buffer body;
	struct sluice_error error;
	struct sluice_error unsaved; /* why a new process would not know of it; "": it would, if there is a folder */
};

/* Called once, on the reloader's thread, or on that of reloader_ask() where the reloader was stopped; the result is borrowed.
 */
typedef void (*reload_done_fn)(void *context, const struct reload_result *result);

/* reloader_ask(), for the listeners, which are also linked without a pipeline that can be replaced. */
typedef void (*reload_ask_fn)(struct reloader *reloader, struct reload_job job, reload_done_fn done, void *context);

/* All of it outlives the reloader, which alone uses the history from reloader_begin() on. */
struct reloader_setup {
	struct service *service;
	const struct config_request *request;
	struct history *history;
};

/* NULL and a sentence if it cannot start. */
struct reloader *reloader_start(const struct reloader_setup *setup, struct sluice_error *error);

/* Once that server serves, and the history knows its generation: from here on the reloader may be asked. */
void reloader_begin(struct reloader *reloader, struct server *server);

/* From any thread; `done` may be NULL: the log says what came of it. */
void reloader_ask(struct reloader *reloader, struct reload_job job, reload_done_fn done, void *context);

/* No pipeline is published after this returns; who asks is refused. A generation that has events left is still retired. */
void reloader_refuse(struct reloader *reloader);

/* Whether something that was asked for is not done. */
bool reloader_is_busy(struct reloader *reloader);

/* Ends the thread, after what it is building; who asked has been told, and who asks from now on is refused at once. NULL is
 * allowed. */
void reloader_stop(struct reloader *reloader);

/* When nobody can ask any more. NULL is allowed. */
void reloader_free(struct reloader *reloader);

#endif
