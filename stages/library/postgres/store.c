/* A persist stage on PostgreSQL. */
#include "store.h"

#include <stdlib.h>

#include "figures.h"
#include "letter.h"
#include "probe.h"
#include "prune.h"
#include "reader.h"
#include "schema.h"
#include "start.h"
#include "transaction.h"
#include "writer.h"

static bool accept_server(struct connection *connection, struct sluice_error *error)
{
	bool ok = server_find_schema(connection, error) && schema_migrate(connection, error) &&
	          transaction_open(connection, TRANSACTION_WRITES, error);
	if (ok && !server_look(connection))
		ok = sluice_error_set(error, "url: %s", connection->trouble.text);
	transaction_roll_back(connection);
	return ok;
}

static bool create_pool(struct store *store, struct sluice_error *error)
{
	struct connection *first = start_connection(&store->server, CONNECTION_WRITES, error);
	if (!first)
		return false;
	if (!accept_server(first, error)) {
		connection_close(first);
		return false;
	}
	if (!pool_create(&store->pool, first, probe_store, error))
		return false;
	if (indexes_start(&store->indexes, &store->server, error))
		return true;
	pool_destroy(&store->pool);
	return false;
}

static bool create_reader(struct store *store, struct sluice_error *error)
{
	store->reader = start_connection(&store->server, CONNECTION_READS, error);
	if (!store->reader)
		return false;
	if (reader_look(store->reader, true, error))
		return true;
	connection_close(store->reader);
	return false;
}

bool store_check(const void *config, struct sluice_error *error)
{
	return config_check(config, error) && indexes_check(config, error);
}

bool store_create(struct sluice_stage *stage, struct sluice_error *error)
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

void store_destroy(struct sluice_stage *stage)
{
	struct store *store = stage->state;
	if (stage->read_only) {
		connection_close(store->reader);
	} else {
		indexes_stop(&store->indexes);
		pool_destroy(&store->pool);
	}
	server_finish(&store->server);
	free(store);
}

static void reject_all(struct sluice_batch *batch, const char *reason)
{
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = sluice_retry(batch->events[i], 0, "%s", reason);
}

/* A connection is waited for no longer than the first of the senders waits. */
void store_events(struct sluice_stage *stage, struct sluice_batch *batch)
{
	const struct sluice_host *host = stage->host;
	struct store *store = stage->state;
	char reason[TROUBLE_SIZE];
	int64_t start_ns = host->now_ns();
	struct connection *connection = pool_take_for(&store->pool, batch->events, batch->count, reason);
	int64_t taken_ns = host->now_ns();
	sluice_batch_span(stage, batch, STORE_SPAN_POOL_WAIT, taken_ns - start_ns);
	if (!connection) {
		reject_all(batch, reason);
		return;
	}
	writer_store(connection, batch);
	sluice_batch_span(stage, batch, STORE_SPAN_EXECUTE, host->now_ns() - taken_ns);
	pool_give(&store->pool, connection);
}

static struct connection *take_connection(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct store *store = stage->state;
	char trouble[TROUBLE_SIZE];
	struct connection *connection = pool_take(&store->pool, config->pool_connect_timeout.ns, trouble);
	if (!connection)
		(void)sluice_error_set(error, "%s", trouble);
	return connection;
}

bool store_dead_letter(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
                       struct sluice_error *error)
{
	struct store *store = stage->state;
	struct connection *connection = take_connection(stage, error);
	if (!connection)
		return false;
	bool ok = letter_keep(connection, event, reason, error);
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

bool store_scan(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
                struct sluice_error *error)
{
	struct connection *reader = begin_reading(stage, error);
	return reader && end_reading(stage, reader, reader_scan(reader, after_id, each, context, error));
}

static bool scan_letters(struct sluice_stage *stage, int64_t after_id, sluice_letter_fn each, void *context,
                         struct sluice_error *error)
{
	struct connection *reader = begin_reading(stage, error);
	return reader && end_reading(stage, reader, reader_scan_letters(reader, after_id, each, context, error));
}

static bool drop_letter(struct sluice_stage *stage, int64_t id, struct sluice_error *error)
{
	struct store *store = stage->state;
	struct connection *connection = take_connection(stage, error);
	if (!connection)
		return false;
	bool ok = letter_drop(connection, id, error);
	pool_give(&store->pool, connection);
	return ok;
}

static bool prune(struct sluice_stage *stage, struct sluice_pruning *pruning, struct sluice_error *error)
{
	struct store *store = stage->state;
	struct connection *connection = take_connection(stage, error);
	if (!connection)
		return false;
	bool ok = prune_events(connection, pruning, error);
	pool_give(&store->pool, connection);
	return ok;
}

bool store_audit_scan(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct connection *reader = begin_reading(stage, error);
	return reader && end_reading(stage, reader, reader_audit_scan(reader, each, context, error));
}

void store_observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct store *store = stage->state;
	if (stage->read_only)
		return;
	pool_observe(&store->pool, "db", observer);
	indexes_observe(&store->indexes, observer);
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

static const struct sluice_store_maintenance maintenance = {.maintain = maintain, .stats = show_figures, .drop = drop};
static const struct sluice_dead_letters dead_letters = {.scan = scan_letters, .drop = drop_letter};
static const struct sluice_store_retention retention = {.prune = prune};
const struct sluice_extension store_extensions[] = {
	{SLUICE_STORE_MAINTENANCE, &maintenance},
	{SLUICE_DEAD_LETTERS, &dead_letters},
	{SLUICE_STORE_RETENTION, &retention},
	SLUICE_EXTENSION_END,
};
