/*
 * A guard: looks for a while at what senders meet since a change, and says when that is worse than it may be.
 *
 * It trips on responses of 5xx (GUARD_ERRORS of them and more than GUARD_SHARE of all, whoever gave them: a stage, a bound, a
 * deadline), on a dead letter, and on health that is bad. All of that is absolute, so it begins only on a server that is
 * healthy.
 */
#ifndef SERVE_GUARD_H
#define SERVE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

struct service;

enum { GUARD_ERRORS = 5, GUARD_LOOK_MS = 20 };
#define GUARD_SHARE 0.001

struct guard {
	int64_t until_ns; /* monotonic; 0: there is none */
	int64_t begun_ns, onset_ns;
	uint64_t responses, errors, dead_letters; /* when it began */
	int64_t before;                           /* the generation to go back to */
};

/* Whether the service is healthy enough to begin with; a sentence if not. */
bool guard_may_begin(struct service *service, struct sluice_error *error);

/* From now on for that long; the generation that serves was published by a change from `before`. */
void guard_begin(struct guard *guard, struct service *service, int64_t ns, int64_t before);

/* True and what it has seen: it trips. */
bool guard_trips(struct guard *guard, struct service *service, struct sluice_error *reason);

#endif
