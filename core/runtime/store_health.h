/*
 * How the store fared lately, whatever persist stage it is: what its last calls of store() came to decides what health
 * says, unless the stage itself says why it cannot store.
 *
 * Bad since a batch of which every event got RETRY and no later one fared better; a moment is left for one that does, so
 * that a single failure among successes is not told. Without traffic nothing is known: some time after the last failure
 * health is good again, so that whoever keeps traffic away from a sick service sends some, and it is tried. A stage that
 * has told of the failure knows better when it is over.
 *
 * FAIL is about one event, and harms nothing. But a store of which the last STORE_REFUSALS outcomes, for a second at least,
 * were FAIL and nothing else refuses everything, and is bad as well, until the first success.
 */
#ifndef RUNTIME_STORE_HEALTH_H
#define RUNTIME_STORE_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

enum { STORE_REFUSALS = 20 };

struct store_health {
	_Atomic int64_t failing_since_ns; /* monotonic; 0: it does not fail */
	_Atomic int64_t failed_ns;        /* the last time */
	atomic_bool told;                 /* by the stage itself */
	atomic_size_t refused;            /* events since the last success */
	pthread_mutex_t lock;
	int64_t refusing_since_ns; /* monotonic; of the first of the refused */
	char reason[SLUICE_DETAIL_MAX];
};

void store_health_init(struct store_health *health);
void store_health_finish(struct store_health *health);

/* What a call of store() came to. The reason is that of an event which got RETRY, or else FAIL; NULL if none did. From any
 * thread. */
void store_health_note(struct store_health *health, const enum sluice_verdict *verdicts, size_t count,
                       const char *reason);

/* Observes the persist stage: as its observe(), and what is known here if it tells nothing bad. */
void store_health_observe(struct store_health *health, struct sluice_stage *persist, struct sluice_observer *observer);

#endif
