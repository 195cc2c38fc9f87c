/*
 * How the last transactions ended: what the stage says of its health.
 *
 * Bad since a transaction failed over the server and none succeeded after it; a moment is left for one that does, so that
 * a single failure among successes is not told. A probe asks for less than an event may: its success counts once the
 * last failure of an event is some time ago. From any thread.
 */
#ifndef POSTGRES_HEALTH_H
#define POSTGRES_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/stage.h>

enum { HEALTH_SIZE = 600 };

struct health {
	struct sluice_stage *stage;
	_Atomic int64_t failing_since_ns; /* 0: not; by the real clock */
	_Atomic int64_t failed_ns;        /* the last time */
	pthread_mutex_t lock;             /* over what follows */
	char reason[HEALTH_SIZE];         /* of the last failure */
	char warning[HEALTH_SIZE];        /* of a server that would be refused at start; "": none */
};

void health_init(struct health *health, struct sluice_stage *stage);
void health_finish(struct health *health);

void health_succeeded(struct health *health);
void health_failed(struct health *health, const char *reason);

/* The same, of a probe. */
void health_probe_succeeded(struct health *health);
void health_probe_failed(struct health *health, const char *reason);

/* A setting of the server that does no harm yet; NULL: there is none. */
void health_warn(struct health *health, const char *warning);

/* Whether the last transaction failed, told or not. */
bool health_is_failing(struct health *health);

/* Whether that is to be told, and why. */
bool health_is_bad(struct health *health, char reason_out[HEALTH_SIZE]);

#endif
