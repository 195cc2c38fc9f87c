/*
 * What somebody asks of a canary, and what a look at it asks for: the part of the reloader that deals with one. On the
 * reloader's thread.
 */
#ifndef SERVE_CANARY_CHANGE_H
#define SERVE_CANARY_CHANGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "serve/reload.h"

struct canary;

struct canary_change {
	struct service *service;
	struct server *server; /* NULL: not yet */
	const struct config_request *request;
	struct history *history;
	struct canary *canary;
	atomic_bool *refusing; /* nothing is published any more */
};

/* Whether the job is one of a canary. */
bool canary_change_is(struct reload_job job);

/* Does it; for RELOAD_CANARY_START only one generation is there. */
void canary_change(const struct canary_change *change, struct reload_job job, struct reload_result *result);

/* Every CANARY_LOOK_MS while there is a canary. */
void canary_change_look(const struct canary_change *change);

#endif
