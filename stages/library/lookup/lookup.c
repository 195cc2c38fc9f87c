/* Asks PostgreSQL for message ids; see lookup.h. */
#include "lookup.h"

#include "claims/claims.h"
#include "postgres/find.h"
#include "postgres/start.h"
#include "postgres/transaction.h"

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

bool lookup_open(struct lookup *lookup, struct sluice_stage *stage, struct sluice_error *error)
{
	lookup->stage = stage;
	if (!server_init(&lookup->server, stage, error))
		return false;
	if (connect(lookup, error))
		return true;
	server_finish(&lookup->server);
	return false;
}

void lookup_close(struct lookup *lookup)
{
	pool_destroy(&lookup->pool);
	server_finish(&lookup->server);
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

enum sluice_verdict lookup_event(struct lookup *lookup, struct sluice_event *event)
{
	struct sluice_stage *stage = lookup->stage;
	char reason[TROUBLE_SIZE];
	int64_t start_ns = stage->host->now_ns();
	struct connection *connection = pool_take_for(&lookup->pool, &event, 1, reason);
	int64_t taken_ns = stage->host->now_ns();
	sluice_span(stage, event, LOOKUP_SPAN_POOL_WAIT, taken_ns - start_ns);
	if (!connection)
		return sluice_retry(event, 0, "%s", reason);
	enum sluice_verdict verdict = ask(connection, event);
	sluice_span(stage, event, LOOKUP_SPAN_LOOK_UP, stage->host->now_ns() - taken_ns);
	pool_give(&lookup->pool, connection);
	return verdict;
}
