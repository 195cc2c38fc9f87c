/*
 * The workers: the threads behind the queue, what each is busy with, and a new start for one whose stage cannot work.
 *
 * A worker works on `jobs` batches at the same time, each on a thread with a state of its own in the persist stage. When every
 * event of its last WORKER_PATIENCE batches came back with SLUICE_RETRY, that state is destroyed and created again, with growing
 * pauses while creating fails; the others go on. A stage without worker_create() keeps no such state, and is left alone.
 */
#ifndef RUNTIME_WORKER_H
#define RUNTIME_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/config.h"
#include "runtime/host.h"

struct workers;

enum { WORKER_PATIENCE = 3 };

/* What a thread works with. */
struct job {
	struct sluice_worker pub; /* what the persist stage sees */
	struct sluice_event **events;
	enum sluice_verdict *verdicts; /* room for one batch each */
};

struct workers_setup {
	const struct config *config;
	struct instance *persist;   /* created */
	_Atomic uint64_t *restarts; /* counts them as workers_restarts() does, for who outlives these; may be NULL */
	void *context;
	/* The next batch, in job->events: waits for one. 0: stop. */
	size_t (*take)(void *context, struct job *job);
	/* Does it. False: the stage could do nothing with any of its events. */
	bool (*work)(void *context, struct job *job, size_t count);
};

struct workers *workers_create(const struct workers_setup *setup);

/* Returns when all have started, or cannot: then some may run, see workers_stop(). */
bool workers_start(struct workers *workers, struct sluice_error *error);

/* take() must return 0 from now on. */
void workers_stop(struct workers *workers);
void workers_destroy(struct workers *workers); /* stopped */

size_t workers_count(const struct workers *workers);
uint64_t workers_restarts(const struct workers *workers);

/* Share of the time since the last call that the worker's jobs have worked, 0–100. One caller at a time. */
double workers_utilization(struct workers *workers, size_t id);

#endif
