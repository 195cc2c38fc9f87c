/*
 * A persist stage on PostgreSQL: its life, its pool, storing, reading, dead letters, upkeep and figures. The stage's state is
 * a struct store, its config begins with a struct config, its spans are STORE_SPANS; how many events it is handed at once is
 * its own to say.
 */
#ifndef POSTGRES_STORE_H
#define POSTGRES_STORE_H

#include <sluice/stage.h>

#include "indexes.h"
#include "pool.h"
#include "server.h"
#include "upkeep.h"

enum { STORE_SPAN_POOL_WAIT, STORE_SPAN_EXECUTE };
#define STORE_SPANS [STORE_SPAN_POOL_WAIT] = "pool_wait", [STORE_SPAN_EXECUTE] = "execute"

struct store {
	struct server server;
	struct pool pool;          /* unless the stage is read-only */
	struct indexes indexes;    /* likewise */
	struct connection *reader; /* of one moment, of a read-only stage */
	struct upkeep upkeep;
};

/* As the functions of a stage with these names. */
bool store_check(const void *config, struct sluice_error *error);
bool store_create(struct sluice_stage *stage, struct sluice_error *error);
void store_destroy(struct sluice_stage *stage);
void store_events(struct sluice_stage *stage, struct sluice_batch *batch);
void store_observe(struct sluice_stage *stage, struct sluice_observer *observer);
bool store_scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                struct sluice_error *error);
bool store_audit_scan(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error);
bool store_dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                       struct sluice_error *error);

/* Its options; in the table of a stage that begins with CONFIG_OPTIONS. */
#define STORE_OPTIONS INDEXES_OPTIONS

extern const struct sluice_extension store_extensions[];

#endif
