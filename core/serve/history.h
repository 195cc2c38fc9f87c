/*
 * The history: the last generations that a server has served with, for the way back, and whether somebody went back.
 *
 * A generation that was left by a rollback is not gone back to again. A rollback is latched: until a person lifts it, the
 * pipeline file is not read, not even by a new start. With a folder all of this outlives the process: after each change the
 * folder has a file with the state, replaced in one step, and the pipeline file of each generation as it was read. In a new
 * process the stages are loaded from where they are then. What cannot be written is known to this process alone, and is
 * written with the next change or by history_save(). A disk that hangs is waited for only for a moment, little before a way
 * back; what it was to write is written when it responds.
 *
 * Used by one thread at a time.
 */
#ifndef SERVE_HISTORY_H
#define SERVE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/config.h"

enum { HISTORY_KEPT = 5, HISTORY_REASON_SIZE = 128, HISTORY_LAST = -1 };

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

bool history_is_durable(const struct history *history); /* there is a folder */

/* NULL: nobody has gone back, or it was lifted. */
const struct history_latch *history_latch(const struct history *history);

/* Whether the last process ended without being told to, with a generation that could be served again. */
bool history_crashed(const struct history *history);

/* The config of a generation, for the caller to free. `number` 0: the newest that differs from `now` (may be NULL), and be it
 * in a secret, and was not left by a rollback; HISTORY_LAST: the newest that was not left and can be loaded, that is, the one
 * that served last. NULL and a sentence if there is none, or it cannot be loaded. */
struct config *history_find(struct history *history, int64_t number, const struct config *now,
                            struct sluice_error *error);

/* Those of earlier processes, oldest first and NULL-terminated, for the caller to free; what cannot be loaded is named in the
 * log. */
void history_load_earlier(const struct history *history, struct config *configs[HISTORY_KEPT + 1]);

/* What serves now without any overlay, for the caller to free; loaded when it was added, so that nothing of a file that has
 * changed since is in the way. */
struct config *history_baseline(struct history *history, struct sluice_error *error);

/* The generation serves. False and a sentence if that cannot be written. */
bool history_add(struct history *history, int64_t number, const struct config *config, struct sluice_error *error);

/* Before a generation is left for `number`, which is latched: a process that starts from here on serves that. history_add()
 * follows when it serves, or history_withdraw() when it never will. */
bool history_go_back(struct history *history, int64_t number, const struct config *config,
                     const struct history_latch *latch, struct sluice_error *error);

/* All is as it was before history_go_back(), but for the oldest generation, if it had to make room. */
bool history_withdraw(struct history *history, int64_t number, struct sluice_error *error);

/* Latched without a change: what was tried beside the newest generation was left. False and a sentence if that cannot be
 * written. */
bool history_stop(struct history *history, const struct history_latch *latch, struct sluice_error *error);

/* Whether something is tried beside the newest generation; to be saved. A process that starts after a crash meanwhile does not
 * read the pipeline file. */
void history_set_canary(struct history *history, bool is_on);
bool history_had_canary(const struct history *history); /* the last process */

/* Nothing is latched once the next generation is added, and the folder says so from then on. */
void history_lift(struct history *history);

/* Writes what could not be written before. False and a sentence if that fails, or has taken longer than the patience so far,
 * in which case it goes on. */
bool history_save(struct history *history, int64_t patience_ns, struct sluice_error *error);
bool history_is_saved(const struct history *history);

#endif
