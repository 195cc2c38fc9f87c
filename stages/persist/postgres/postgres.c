/*
 * persist/postgres: the plain store in PostgreSQL, and the base of all comparisons: one event is one transaction, on a
 * connection from a pool.
 */
#include <stdlib.h>

#include <sluice/stage.h>

#include "postgres/address.h"
#include "postgres/figures.h"
#include "postgres/pool.h"
#include "postgres/reader.h"
#include "postgres/schema.h"
#include "postgres/transaction.h"
#include "postgres/upkeep.h"
#include "writer.h"

struct store {
	struct server server;
	struct pool pool;          /* unless the stage is read-only */
	struct connection *reader; /* of one moment, of a read-only stage */
	struct upkeep upkeep;
};

static bool accept_server(struct connection *connection, struct sluice_error *error)
{
	bool ok = server_find_schema(connection, error) && schema_migrate(connection, error) &&
	          transaction_open(connection, TRANSACTION_WRITES, error);
	if (ok && !server_look(connection))
		ok = sluice_error_set(error, "url: %s", connection->trouble.text);
	transaction_roll_back(connection);
	return ok;
}

/* Who starts it wants to know which server it was; later, what is said is public. */
static struct connection *open_first(struct store *store, enum connection_use use, struct sluice_error *error)
{
	const struct config *config = store->server.stage->config;
	struct sluice_error why = {0};
	char where[ADDRESS_SIZE];
	struct connection *connection = connection_open(&store->server, use, &why);
	if (connection)
		return connection;
	address_describe(config->url, where);
	(void)sluice_error_set(error, "%s%s%s%s", why.text, where[0] ? " (" : "", where, where[0] ? ")" : "");
	return NULL;
}

static bool create_pool(struct store *store, struct sluice_error *error)
{
	struct connection *first = open_first(store, CONNECTION_WRITES, error);
	if (!first)
		return false;
	if (accept_server(first, error))
		return pool_create(&store->pool, first, writer_probe, error);
	connection_close(first);
	return false;
}

static bool create_reader(struct store *store, struct sluice_error *error)
{
	store->reader = open_first(store, CONNECTION_READS, error);
	if (!store->reader)
		return false;
	if (reader_look(store->reader, true, error))
		return true;
	connection_close(store->reader);
	return false;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return sluice_error_set(error, "out of memory");
	if (!server_init(&store->server, stage, error))
		goto free_store;
	if (!(stage->read_only ? create_reader(store, error) : create_pool(store, error)))
		goto finish_server;
	stage->state = store;
	return true;
finish_server:
	server_finish(&store->server);
free_store:
	free(store);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	if (stage->read_only)
		connection_close(store->reader);
	else
		pool_destroy(&store->pool);
	server_finish(&store->server);
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

/* Whether an earlier event of its stream is to be tried again: storing this one would overtake it. */
static bool is_behind_a_retry(const struct sluice_batch *batch, size_t number)
{
	struct sluice_bytes stream = batch->events[number]->stream;
	for (size_t i = 0; i < number && stream.data; i++) {
		if (batch->verdicts[i] == SLUICE_RETRY && sluice_bytes_equal(batch->events[i]->stream, stream))
			return true;
	}
	return false;
}

static void store_batch(struct sluice_stage *stage, struct sluice_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct sluice_event *event = batch->events[i];
		batch->verdicts[i] = is_behind_a_retry(batch, i)
		                             ? sluice_retry(event, 0,
		                                            "an earlier event of its stream is not stored yet")
		                             : store_event(stage, event);
	}
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
	if (stage->read_only)
		return store->reader;
	struct connection *reader = connection_open(&store->server, CONNECTION_READS, error);
	if (!reader || reader_look(reader, false, error))
		return reader;
	connection_close(reader);
	return NULL;
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
	observer->gauge(observer, "db_unconfirmed_commits", NULL, NULL, (double)counts.awaited,
	                "COMMITs that PostgreSQL has not answered in time; each keeps its place in the pool.");
	char trouble[POOL_TROUBLE_SIZE], reason[HEALTH_SIZE];
	if (pool_in_trouble(&store->pool, trouble))
		observer->unhealthy(observer, trouble);
	else if (health_is_bad(&store->server.health, reason))
		observer->unhealthy(observer, reason);
}

/* The moment that a reader holds would keep dead rows from being cleared up, and its locks a schema from being dropped.
 */
static bool maintain(struct sluice_stage *stage, struct sluice_error *error)
{
	struct store *store = stage->state;
	if (!stage->read_only)
		return upkeep_maintain(&store->upkeep, &store->server, error);
	reader_let_go(store->reader);
	bool ok = upkeep_maintain(&store->upkeep, &store->server, error);
	return reader_look(store->reader, true, error) && ok;
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
	return upkeep_drop(&store->server, error);
}

static bool show_figures(struct sluice_stage *stage, struct sluice_observer *observer, struct sluice_error *error)
{
	struct store *store = stage->state;
	return figures_show(&store->server, observer, error);
}

static const char *const spans[] = {
	[SPAN_POOL_WAIT] = "pool_wait", [SPAN_EXECUTE] = "execute", [SPAN_COMMIT] = "commit", NULL};

static const struct sluice_option options[] = {
	CONFIG_OPTIONS,
	SLUICE_OPTION_END,
};

static const struct sluice_persist_ops ops = {
	.store = store_batch, .scan = scan, .audit_scan = audit_scan, .dead_letter = dead_letter, .batch_max = 1};

static const struct sluice_store_maintenance maintenance = {.maintain = maintain, .stats = show_figures, .drop = drop};
static const struct sluice_extension extensions[] = {
	{SLUICE_STORE_MAINTENANCE, &maintenance},
	SLUICE_EXTENSION_END,
};

SLUICE_STAGE(persist, ops, .name = "postgres", .version = "1.0.0",
             .summary = "stores events in PostgreSQL, each as a transaction of its own", .options = options,
             .config_size = sizeof(struct config), .spans = spans, .check = config_check, .create = create,
             .destroy = destroy, .observe = observe, .extensions = extensions);
