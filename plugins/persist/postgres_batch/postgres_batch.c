/*
 * persist/postgres_batch: group commit. What waits when a worker is free goes to the database as one statement, whatever
 * the number of events, on the tables of persist/postgres.
 */
#include <sluice/stage.h>

#include "postgres/store.h"
#include "writer.h"

static void reject_all(struct sluice_batch *batch, const char *reason)
{
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = sluice_retry(batch->events[i], 0, "%s", reason);
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	struct store *store = stage->state;
	char reason[TROUBLE_SIZE];
	struct connection *connection = store_take(stage, batch, reason);
	if (!connection) {
		reject_all(batch, reason);
		return;
	}
	int64_t start_ns = stage->host->now_ns();
	writer_store(connection, batch);
	sluice_batch_span(stage, batch, SPAN_EXECUTE, stage->host->now_ns() - start_ns);
	pool_give(&store->pool, connection);
}

static const char *const spans[] = {[STORE_SPAN_POOL_WAIT] = "pool_wait", [SPAN_EXECUTE] = "execute", NULL};

static const struct sluice_option options[] = {
	CONFIG_OPTIONS,
	STORE_OPTIONS,
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_batch, .scan = store_scan, .audit_scan = store_audit_scan, .dead_letter = store_dead_letter};

SLUICE_STAGE(persist, ops, .name = "postgres_batch", .version = SLUICE_VERSION,
             .summary = "stores events in PostgreSQL, each batch as one statement", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = store_check, .create = store_create,
             .destroy = store_destroy, .observe = store_observe, .extensions = store_extensions);
