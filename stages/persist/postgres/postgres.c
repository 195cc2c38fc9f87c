/*
 * persist/postgres: the plain store in PostgreSQL, and the base of all comparisons: one event is one transaction, on a
 * connection from a pool.
 */
#include <sluice/stage.h>

#include "postgres/store.h"
#include "writer.h"

static enum sluice_verdict store_event(struct sluice_stage *stage, struct sluice_event *event)
{
	struct store *store = stage->state;
	char reason[TROUBLE_SIZE];
	const struct sluice_batch alone = {.events = &event, .count = 1};
	struct connection *connection = store_take(stage, &alone, reason);
	if (!connection)
		return sluice_retry(event, 0, "%s", reason);
	enum sluice_verdict verdict = writer_store(connection, event);
	pool_give(&store->pool, connection);
	return verdict;
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	batch->verdicts[0] = store_event(stage, batch->events[0]);
}

static const char *const spans[] = {
	[STORE_SPAN_POOL_WAIT] = "pool_wait", [SPAN_EXECUTE] = "execute", [SPAN_COMMIT] = "commit", NULL};

static const struct sluice_option options[] = {
	CONFIG_OPTIONS,
	STORE_OPTIONS,
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {.store = store_batch,
                                              .scan = store_scan,
                                              .audit_scan = store_audit_scan,
                                              .dead_letter = store_dead_letter,
                                              .batch_max = 1};

SLUICE_STAGE(persist, ops, .name = "postgres", .version = SLUICE_VERSION,
             .summary = "stores events in PostgreSQL, each as a transaction of its own", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = store_check, .create = store_create,
             .destroy = store_destroy, .observe = store_observe, .extensions = store_extensions);
