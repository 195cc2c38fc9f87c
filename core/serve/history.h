/*
 * The history: the last generations that a server has served with, for the way back, and whether somebody went back.
 *
 * A generation that was left by a rollback is not gone back to again. A rollback is latched: until a person lifts it, the
 * pipeline file is not read, not even by a new start. With a folder all of this outlives the process: after each change the
 * folder has a file with the state, replaced in one step, and the pipeline file of each generation as it was read. In a new
 * process the stages are loaded from where they are then.
 *
 * Used by one thread at a time.
 */
#ifndef SERVE_HISTORY_H
#define SERVE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/config.h"

enum { HISTORY_KEPT = 5, HISTORY_REASON_SIZE = 128 };

struct history;

struct history_latch {
	int64_t left; /* the generation that was left */
	int64_t at_ms;
	char reason[HISTORY_REASON_SIZE];
};

/* Reads what an earlier process has left in the folder, which is created if needed; NULL: nothing is left to a later one. The
 * request is that of the command line and outlives it. NULL and a sentence if the folder cannot be used. */
struct history *history_open(const char *folder, const struct config_request *request, struct sluice_error *error);

/* `clean`: the process ends because it was told to. NULL is allowed. */
void history_close(struct history *history, bool clean);

int64_t history_next(const struct history *history); /* number of the generation to come */

/* NULL: nobody has gone back, or it was lifted. */
const struct history_latch *history_latch(const struct history *history);

/* Whether the last process ended without being told to, with a generation that could be served again. */
bool history_crashed(const struct history *history);

/* The config of a generation, for the caller to free. `number` 0: the newest that differs from `now` (may be NULL) and was not
 * left by a rollback; -1: the newest of all, that is, the one that served last. NULL and a sentence if there is none, or it
 * cannot be loaded. */
struct config *history_find(struct history *history, int64_t number, const struct config *now,
                            struct sluice_error *error);

/* What serves now without any overlay, for the caller to free; loaded when it was added, so that nothing of a file that has
 * changed since is in the way. */
struct config *history_baseline(struct history *history, struct sluice_error *error);

/* The generation serves, or is about to: with a latch it is what somebody goes back to, and is written before the change, so
 * that a crash in the middle of it leaves a server that starts on the way back. `latch` NULL: none holds any more. False and a
 * sentence if that cannot be written: it is then known to this process alone. */
bool history_add(struct history *history, int64_t number, const struct config *config,
                 const struct history_latch *latch, struct sluice_error *error);

/* The next start serves the pipeline file. */
bool history_lift(struct history *history, struct sluice_error *error);

#endif
