/*
 * idempotency/lookup: asks the database for each message id before the event goes on its way, as a service without a cache
 * does. What is in flight is claimed as in idempotency/memory; of what is stored nothing is remembered.
 */
#include <stdlib.h>

#include <sluice/stage.h>

#include "claims/claims.h"
#include "postgres/config.h"
#include "postgres/find.h"
#include "postgres/pool.h"
#include "postgres/server.h"
#include "postgres/start.h"
#include "postgres/transaction.h"

enum { SPAN_POOL_WAIT, SPAN_LOOK_UP };

struct lookup {
	struct claims *claims;
	struct server server;
	struct pool pool;
};

/* Whether the table can be read: also as the pool's probe. */
static bool touch(struct connection *connection)
{
	enum fault fault = FAULT_LATER;
	if (transaction_begin(connection, TRANSACTION_WRITES)) {
		PGresult *result = connection_query(
			connection, "SELECT message_id, digest, request_id FROM webhook_events LIMIT 0", NULL);
		fault = connection_judge(connection, result);
		PQclear(result);
	}
	if (fault == FAULT_NONE)
		fault = transaction_commit(connection);
	transaction_roll_back(connection);
	return fault == FAULT_NONE;
}

static void probe(struct connection *connection)
{
	transaction_note_probe(connection, touch(connection) ? FAULT_NONE : FAULT_LATER, NULL);
}

static bool connect(struct lookup *lookup, struct sluice_error *error)
{
	struct connection *first = start_connection(&lookup->server, CONNECTION_WRITES, error);
	if (!first)
		return false;
	if (server_find_schema(first, error) &&
	    (touch(first) || sluice_error_set(error, "url: %s", first->trouble.text)))
		return pool_create(&lookup->pool, first, probe, error);
	connection_close(first);
	return false;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	if (!lookup || !(lookup->claims = claims_create(0, 0))) {
		free(lookup);
		return sluice_error_set(error, "out of memory");
	}
	if (!server_init(&lookup->server, stage, error))
		goto destroy_claims;
	if (!connect(lookup, error))
		goto finish_server;
	stage->state = lookup;
	return true;
finish_server:
	server_finish(&lookup->server);
destroy_claims:
	claims_destroy(lookup->claims);
	free(lookup);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct lookup *lookup = stage->state;
	pool_destroy(&lookup->pool);
	server_finish(&lookup->server);
	claims_destroy(lookup->claims);
	free(lookup);
}

/* No longer than the sender waits. */
static int64_t timeout_ns(const struct sluice_stage *stage, const struct sluice_event *event)
{
	const struct config *config = stage->config;
	int64_t left_ns = event->deadline_ns ? event->deadline_ns - stage->host->now_ns() : INT64_MAX;
	return left_ns < config->pool_connect_timeout.ns ? left_ns : config->pool_connect_timeout.ns;
}

static enum sluice_verdict judge(struct sluice_event *event, const PGresult *found)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	if (PQntuples(found) == 0)
		return SLUICE_PASS;
	column_digest(found, 0, FOUND_DIGEST, digest);
	return claims_judge(event, digest);
}

static enum sluice_verdict ask(struct connection *connection, struct sluice_event *event)
{
	PGresult *found;
	enum fault fault = find_events(connection, &event, 1, &found);
	enum sluice_verdict verdict;
	transaction_note(connection, fault, NULL);
	if (fault == FAULT_NONE)
		verdict = judge(event, found);
	else if (fault == FAULT_REFUSED)
		verdict = sluice_fail(event, "PostgreSQL refuses the message id: %s", connection->trouble.text);
	else
		verdict = sluice_retry(event, 0, "PostgreSQL could not be asked for the message id: %s",
		                       connection->trouble.text);
	PQclear(found);
	transaction_roll_back(connection);
	return verdict;
}

static enum sluice_verdict look_up(struct sluice_stage *stage, struct sluice_event *event)
{
	struct lookup *lookup = stage->state;
	char reason[TROUBLE_SIZE];
	int64_t start_ns = stage->host->now_ns();
	struct connection *connection = pool_take(&lookup->pool, timeout_ns(stage, event), reason);
	int64_t taken_ns = stage->host->now_ns();
	sluice_span(stage, event, SPAN_POOL_WAIT, taken_ns - start_ns);
	if (!connection)
		return sluice_retry(event, 0, "%s", reason);
	enum sluice_verdict verdict = ask(connection, event);
	sluice_span(stage, event, SPAN_LOOK_UP, stage->host->now_ns() - taken_ns);
	pool_give(&lookup->pool, connection);
	return verdict;
}

/* Whoever has the claim asks. The duplicates that wait for its fate take that for an answer, as do their heirs, for whom
 * the store decides. */
static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct lookup *lookup = stage->state;
	enum sluice_verdict verdict = claims_process(lookup->claims, stage, event);
	return verdict == SLUICE_PASS ? look_up(stage, event) : verdict;
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct lookup *lookup = stage->state;
	claims_settle(lookup->claims, stage, event, verdict);
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct lookup *lookup = stage->state;
	claims_observe(lookup->claims, observer);
	pool_observe(&lookup->pool, "lookup", observer);
}

static const char *const spans[] = {[SPAN_POOL_WAIT] = "pool_wait", [SPAN_LOOK_UP] = "look_up", NULL};

static const struct sluice_option options[] = {
	CONFIG_PLACE_OPTIONS(0),
	CONFIG_DURABILITY_OPTION,
	CONFIG_POOL_OPTIONS,
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "lookup", .version = "1.0.0",
             .summary = "asks PostgreSQL for each message id; duplicates of events in flight wait for their outcome",
             .options = options, .config_size = sizeof(struct config), .spans = spans, .check = config_check,
             .create = create, .settle = settle, .observe = observe, .destroy = destroy);
