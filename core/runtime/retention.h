/*
 * Retention: a thread that removes from the store what is older than `persist.retention`, a few events at a time with long pauses, so
 * that storing does not wait for it. And the walk through the store that `sluice prune` takes as well.
 */
#ifndef RUNTIME_RETENTION_H
#define RUNTIME_RETENTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

/* A sender that tries again after so long finds its event gone, and it is stored once more. Some do for three days. */
#define RETENTION_MIN_NS INT64_C(86400000000000)

struct retention;
struct config;

/* Of a created persist stage that lives longer; does nothing before retention_start(). `pruned` counts. NULL without an error: the
 * config keeps events for good; with one: no thread. */
struct retention *retention_create(struct sluice_stage *persist, const struct config *config, _Atomic uint64_t *pruned,
                                   struct sluice_error *error);
void retention_start(struct retention *retention); /* NULL is allowed */

/* After this nothing is removed. NULL is allowed. */
void retention_destroy(struct retention *retention);

struct retention_walk {
	int64_t before_ns; /* what was received before goes */
	bool to_the_end;   /* past events that are younger: some are stored long after they were received */
	/* After each step, which took so long: waits. False: no more. May be NULL. */
	bool (*pause)(void *context, int64_t took_ns);
	void *context;
	uint64_t looked, pruned; /* so far; start zeroed */
};

/* Walks through the events of a stage by id. False and a sentence if the store cannot go on. */
bool retention_prune(struct sluice_stage *persist, struct retention_walk *walk, struct sluice_error *error);

/* Logs what came of a walk, if it removed anything. */
void retention_log(const struct retention_walk *walk);

#endif
