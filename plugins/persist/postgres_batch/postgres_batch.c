/*
 * persist/postgres_batch: group commit. What waits when a worker is free goes to the database as one statement, whatever
 * the number of events, on the tables of persist/postgres.
 */
#include <sluice/stage.h>

#include "postgres/store.h"

static const char *const spans[] = {STORE_SPANS, NULL};

static const struct sluice_option options[] = {
	CONFIG_OPTIONS,
	STORE_OPTIONS,
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_events, .scan = store_scan, .audit_scan = store_audit_scan, .dead_letter = store_dead_letter};

SLUICE_STAGE(persist, ops, .name = "postgres_batch", .version = SLUICE_VERSION,
             .summary = "stores events in PostgreSQL, each batch as one statement", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = store_check, .create = store_create,
             .destroy = store_destroy, .observe = store_observe, .extensions = store_extensions);
