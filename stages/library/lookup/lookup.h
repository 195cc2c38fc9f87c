/*
 * Asks PostgreSQL for message ids: what an idempotency stage needs that does so. Its config begins with a struct config of
 * postgres/config.h, with LOOKUP_OPTIONS in its table, and its spans with LOOKUP_SPANS.
 *
 * The functions may be called from any thread, but for opening and closing.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <sluice/stage.h>

#include "postgres/config.h"
#include "postgres/pool.h"
#include "postgres/server.h"

struct lookup {
	struct sluice_stage *stage;
	struct server server;
	struct pool pool;
};

#define LOOKUP_OPTIONS CONFIG_PLACE_OPTIONS(0), CONFIG_DURABILITY_OPTION, CONFIG_POOL_OPTIONS

enum { LOOKUP_SPAN_POOL_WAIT, LOOKUP_SPAN_LOOK_UP };
#define LOOKUP_SPANS [LOOKUP_SPAN_POOL_WAIT] = "pool_wait", [LOOKUP_SPAN_LOOK_UP] = "look_up"

/* Fails where the tables cannot be read. */
bool lookup_open(struct lookup *lookup, struct sluice_stage *stage, struct sluice_error *error);
void lookup_close(struct lookup *lookup);

/* PASS: the event's id is not stored. DONE or a conflict: it is, durably. RETRY: the database does not say. */
enum sluice_verdict lookup_event(struct lookup *lookup, struct sluice_event *event);

#endif
