/*
 * persist/postgres: the plain store in PostgreSQL, and the base of all comparisons: one event is one transaction, on a
 * connection from a pool.
 */
#include <stdlib.h>

#include <sluice/stage.h>

#include "connection.h"
#include "figures.h"
#include "payload.h"
#include "pool.h"
#include "reader.h"
#include "schema.h"
#include "upkeep.h"
#include "writer.h"

struct store {
	struct pool pool;          /* unless the stage is read-only */
	struct connection *reader; /* of one moment, of a read-only stage */
	struct upkeep upkeep;
};

static bool check(const void *options, struct sluice_error *error)
{
	const struct config *config = options;
	if (config->pool_min > config->pool_max)
		return sluice_error_set(error, "pool.min: expected at most pool.max (%lld connections), got %lld",
		                        (long long)config->pool_max, (long long)config->pool_min);
	return connection_check_url(config->url, error) && connection_check_schema(config->schema, error);
}

static bool create_pool(struct sluice_stage *stage, struct pool *pool, struct sluice_error *error)
{
	struct connection *first = connection_open(stage, CONNECTION_WRITES, error);
	if (!first)
		return false;
	if (schema_migrate(first, error))
		return pool_create(pool, stage, first, error);
	connection_close(first);
	return false;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return sluice_error_set(error, "out of memory");
	stage->state = store;
	if (stage->read_only && (store->reader = reader_open(stage, true, error)) != NULL)
		return true;
	if (!stage->read_only && create_pool(stage, &store->pool, error))
		return true;
	free(store);
	stage->state = NULL;
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	if (stage->read_only)
		connection_close(store->reader);
	else
		pool_destroy(&store->pool);
	free(store);
}

/* How long a connection is waited for: no longer than a sender waits, if one does. */
static int64_t timeout_ns(const struct sluice_stage *stage, const struct sluice_event *event)
{
	const struct config *config = stage->config;
	int64_t left_ns = event->deadline_ns - stage->host->now_ns();
	if (event->acknowledged || event->deadline_ns == 0 || left_ns > config->pool_connect_timeout.ns)
		return config->pool_connect_timeout.ns;
	return left_ns;
}

static enum sluice_verdict store_event(struct sluice_stage *stage, struct sluice_event *event)
{
	struct store *store = stage->state;
	char reason[TROUBLE_SIZE];
	int64_t start_ns = stage->host->now_ns();
	struct connection *connection = pool_take(&store->pool, timeout_ns(stage, event), reason);
	sluice_span(stage, event, SPAN_POOL_WAIT, stage->host->now_ns() - start_ns);
	if (!connection)
		return sluice_retry(event, 0, "%s", reason);
	enum sluice_verdict verdict = writer_store(connection, event);
	pool_give(&store->pool, connection);
	return verdict;
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = store_event(stage, batch->events[i]);
}

static bool dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct store *store = stage->state;
	char trouble[TROUBLE_SIZE];
	struct connection *connection = pool_take(&store->pool, config->pool_connect_timeout.ns, trouble);
	if (!connection)
		return sluice_error_set(error, "%s", trouble);
	bool ok = writer_dead_letter(connection, event, reason, error);
	pool_give(&store->pool, connection);
	return ok;
}

/* The connection to read from: the store's own, or one for this call. */
static struct connection *begin_reading(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = stage->state;
	return stage->read_only ? store->reader : reader_open(stage, false, error);
}

static bool end_reading(struct sluice_stage *stage, struct connection *reader, bool ok)
{
	if (!stage->read_only)
		connection_close(reader);
	return ok;
}

static bool scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                 struct sluice_error *error)
{
	struct connection *reader = begin_reading(stage, error);
	return reader && end_reading(stage, reader, reader_scan(reader, after_id, each, context, error));
}

static bool audit_scan(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct connection *reader = begin_reading(stage, error);
	return reader && end_reading(stage, reader, reader_audit_scan(reader, each, context, error));
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct store *store = stage->state;
	if (stage->read_only)
		return;
	struct pool_counts counts = pool_count(&store->pool);
	const struct {
		const char *state;
		size_t count;
	} gauges[] = {{"idle", counts.idle}, {"busy", counts.busy}, {"waiting", counts.waiting}};
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		observer->gauge(observer, "db_pool_connections", "state", gauges[i].state, (double)gauges[i].count,
		                "Connections to PostgreSQL, and how many threads wait for one.");
	char trouble[POOL_TROUBLE_SIZE];
	if (pool_in_trouble(&store->pool, trouble))
		observer->unhealthy(observer, trouble);
}

/* The moment that a reader holds would keep dead rows from being cleared up, and its locks a schema from being dropped.
 */
static bool maintain(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = stage->state;
	if (!stage->read_only)
		return upkeep_maintain(&store->upkeep, stage, error);
	reader_let_go(store->reader);
	bool ok = upkeep_maintain(&store->upkeep, stage, error);
	return reader_look(store->reader, error) && ok;
}

static bool drop(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct store *store = stage->state;
	if (!sluice_is_lab_location(config->schema))
		return sluice_error_set(error,
		                        "schema: only what is in a schema whose name begins with " SLUICE_LAB_PREFIX
		                        " may be erased, not what is in \"%s\"",
		                        config->schema);
	if (stage->read_only)
		reader_let_go(store->reader);
	return upkeep_drop(stage, error);
}

static const char *const spans[] = {
	[SPAN_POOL_WAIT] = "pool_wait", [SPAN_EXECUTE] = "execute", [SPAN_COMMIT] = "commit", NULL};
static const char *const durabilities[] = {[DURABILITY_STRICT] = "strict", [DURABILITY_RELAXED] = "relaxed", NULL};
static const char *const payload_types[] = {
	[PAYLOAD_BYTEA] = "bytea", [PAYLOAD_JSON] = "json", [PAYLOAD_JSONB] = "jsonb", NULL};

#define MILLISECOND INT64_C(1000000)
#define HOUR INT64_C(3600000000000)

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, url, .name = "url", .flags = SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET,
                             .help = "where PostgreSQL is, as a libpq URI or conninfo string"),
	SLUICE_OPTION_STRING(struct config, schema, .name = "schema", .fallback = "", .flags = SLUICE_OPTION_LOCATION,
                             .help = "the schema of the tables, made if there is none; empty: that of the search_path"),
	SLUICE_OPTION_CHOICE(struct config, durability, .name = "durability", .fallback = "strict",
                             .choices = durabilities,
                             .help = "relaxed allows a server that loses answered events in a crash"),
	SLUICE_OPTION_CHOICE(struct config, payload_type, .name = "payload_type", .fallback = "bytea",
                             .choices = payload_types,
                             .help = "type of the payload column; bytea and json keep the exact bytes, jsonb does not"),
	SLUICE_OPTION_INT(struct config, pool_min, .name = "pool.min", .fallback = "2", .min = 0, .max = 1000,
                          .unit = "connections", .help = "kept open even when idle"),
	SLUICE_OPTION_INT(struct config, pool_max, .name = "pool.max", .fallback = "10", .min = 1, .max = 1000,
                          .unit = "connections", .help = "open at once, at most"),
	SLUICE_OPTION_DURATION(struct config, pool_idle_timeout, .name = "pool.idle_timeout", .fallback = "30s",
                               .min = 0, .max = 24 * HOUR, .help = "closes a connection idle for so long; 0s: never"),
	SLUICE_OPTION_DURATION(struct config, pool_connect_timeout, .name = "pool.connect_timeout", .fallback = "3s",
                               .min = 10 * MILLISECOND, .max = HOUR,
                               .help = "to open a connection, and to wait for a free one"),
	SLUICE_OPTION_DURATION(struct config, pool_keepalive, .name = "pool.keepalive", .fallback = "10s", .min = 0,
                               .max = HOUR, .help = "TCP keepalive of an idle connection, whole seconds; 0s: off"),
	SLUICE_OPTION_DURATION(struct config, statement_timeout, .name = "statement_timeout", .fallback = "5s",
                               .min = 10 * MILLISECOND, .max = HOUR,
                               .help = "a statement that takes longer is given up"),
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_batch, .scan = scan, .audit_scan = audit_scan, .dead_letter = dead_letter, .batch_max = 1};

static const struct sluice_store_maintenance maintenance = {.maintain = maintain, .stats = figures_show, .drop = drop};
static const struct sluice_extension extensions[] = {
	{SLUICE_STORE_MAINTENANCE, &maintenance},
	SLUICE_EXTENSION_END,
};

SLUICE_STAGE(persist, ops, .name = "postgres", .version = "1.0.0",
             .summary = "stores events in PostgreSQL, each as a transaction of its own", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = check, .create = create, .destroy = destroy,
             .observe = observe, .extensions = extensions);
