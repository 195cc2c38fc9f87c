/*
 * persist/postgres: the plain store in PostgreSQL, and the base of all comparisons: one event is one transaction, on a
 * connection from a pool.
 */
#include <sluice/stage.h>

#include "postgres/store.h"

static const char *const spans[] = {STORE_SPANS, NULL};

static const struct sluice_option options[] = {
	CONFIG_OPTIONS,
	STORE_OPTIONS,
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {.store = store_events,
                                              .scan = store_scan,
                                              .audit_scan = store_audit_scan,
                                              .dead_letter = store_dead_letter,
                                              .batch_max = 1};

SLUICE_STAGE(persist, ops, .name = "postgres", .version = SLUICE_VERSION,
             .summary = "stores events in PostgreSQL, each as a transaction of its own", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = store_check, .create = store_create,
             .destroy = store_destroy, .observe = store_observe, .extensions = store_extensions);
