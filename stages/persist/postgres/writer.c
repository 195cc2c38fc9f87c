/* One event, one transaction. */
#include "writer.h"

#include <stdio.h>
#include <string.h>

#include "payload.h"
#include "schema.h"

#define PAYLOAD_MAX ((size_t)1000000000) /* what PostgreSQL keeps in a field, with room for its own */

static const struct config *config_of(const struct connection *connection)
{
	return connection->stage->config;
}

static void add_event(struct parameters *parameters, struct sluice_event *event, bool payload_is_text)
{
	struct sluice_bytes payload = event->payload;
	if (!payload.data)
		payload.data = "";
	parameters_text(parameters, event->message_id);
	parameters_text(parameters, event->event_type);
	parameters_text(parameters, event->stream);
	if (event->has_sequence)
		parameters_int64(parameters, event->sequence);
	else
		parameters_null(parameters);
	if (payload_is_text)
		parameters_text(parameters, payload);
	else
		parameters_bytea(parameters, payload.data, payload.size);
	parameters_bytea(parameters, sluice_digest(event), SLUICE_DIGEST_SIZE);
	parameters_text(parameters, event->request_id);
	parameters_time(parameters, event->received_at_ns);
}

/* Why the last query failed. Rolls back to ask what is wrong with tables or rights. */
static const char *explain(struct connection *connection, struct sluice_error *why)
{
	if (!connection->schema_failed)
		return connection->trouble;
	connection->schema_failed = false;
	connection_roll_back(connection);
	return schema_check(connection, why) ? connection->trouble : why->text;
}

static enum sluice_verdict give_up(struct connection *connection, struct sluice_event *event, enum fault fault)
{
	struct sluice_error why = {0};
	if (fault == FAULT_REFUSED)
		return sluice_fail(event, "PostgreSQL refuses this event: %s", connection->trouble);
	return sluice_retry(event, 0, "PostgreSQL could not commit: %s", explain(connection, &why));
}

/* `*id_out` is 0 when the message id is there already. */
static enum fault insert(struct connection *connection, struct sluice_event *event, int64_t *id_out)
{
	const struct payload_form *form = &payload_forms[config_of(connection)->payload_type];
	char sql[300];
	(void)snprintf(sql, sizeof(sql),
	               "INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, "
	               "request_id, received_at) VALUES ($1, $2, $3, $4, %s, $6, $7, $8) ON CONFLICT (message_id) DO "
	               "NOTHING RETURNING id",
	               form->written_as);
	struct parameters parameters = {0};
	add_event(&parameters, event, form->takes_text);
	PGresult *result = connection_query(connection, sql, &parameters);
	enum fault fault = connection_judge(connection, result);
	if (fault == FAULT_NONE)
		*id_out = PQntuples(result) > 0 ? column_int64(result, 0, 0) : 0;
	PQclear(result);
	return fault;
}

/* Compares with the row that has the message id. One that an earlier try of this very event has committed, without the
 * answer coming through, is not a duplicate: the sender is to hear that it was accepted. */
static enum sluice_verdict look_up(struct connection *connection, struct sluice_event *event)
{
	struct parameters parameters = {0};
	parameters_text(&parameters, event->message_id);
	PGresult *result = connection_query(
		connection, "SELECT digest, request_id FROM webhook_events WHERE message_id = $1", &parameters);
	enum fault fault = connection_judge(connection, result);
	enum sluice_verdict verdict;
	uint8_t digest[SLUICE_DIGEST_SIZE];
	if (fault != FAULT_NONE) {
		verdict = give_up(connection, event, fault);
	} else if (PQntuples(result) == 0) {
		verdict = sluice_fail(event,
		                      "the database dropped the event without an error (a trigger that returns NULL?)");
	} else {
		column_digest(result, 0, 0, digest);
		bool same = memcmp(digest, sluice_digest(event), SLUICE_DIGEST_SIZE) == 0;
		bool ours = event->attempt > 1 && sluice_bytes_equal(column_bytes(result, 0, 1), event->request_id);
		if (!same)
			verdict = sluice_conflict(event, "this message id is stored with a different content");
		else
			verdict = ours ? SLUICE_PASS : SLUICE_DONE;
	}
	PQclear(result);
	return verdict;
}

static enum fault write_audit_row(struct connection *connection, const struct sluice_audit_row *row)
{
	struct parameters parameters = {0};
	parameters_text(&parameters, row->writer);
	parameters_int64(&parameters, row->position);
	parameters_time(&parameters, row->written_at_ns);
	parameters_bytea(&parameters, row->covers.data, row->covers.size);
	parameters_bytea(&parameters, row->previous, SLUICE_DIGEST_SIZE);
	parameters_bytea(&parameters, row->hash, SLUICE_DIGEST_SIZE);
	PGresult *result = connection_query(
		connection,
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES ($1, $2, $3, $4, $5, $6)",
		&parameters);
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault == FAULT_NONE ? FAULT_NONE : FAULT_LATER; /* none of the event's fault */
}

/* A COMMIT whose answer is lost leaves the connection broken, and with it the chain: its head is then unknown. */
static enum fault commit(struct connection *connection)
{
	PGresult *result = connection_query(connection, "COMMIT", NULL);
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault;
}

static enum fault begin(struct connection *connection)
{
	PGresult *result = connection_query(connection, "BEGIN", NULL);
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault == FAULT_NONE ? FAULT_NONE : FAULT_LATER;
}

static enum sluice_verdict store_new(struct connection *connection, struct sluice_event *event, int64_t id,
                                     int64_t start_ns)
{
	const struct sluice_host *host = connection->stage->host;
	uint8_t cover[CHAIN_COVER_SIZE];
	struct sluice_audit_row row;
	chain_cover(cover, id, sluice_digest(event));
	chain_next(&connection->chain, host, cover, 1, &row);
	enum fault fault = write_audit_row(connection, &row);
	int64_t executed_ns = host->now_ns();
	sluice_span(connection->stage, event, SPAN_EXECUTE, executed_ns - start_ns);
	if (fault == FAULT_NONE)
		fault = commit(connection);
	if (fault != FAULT_NONE)
		return give_up(connection, event, fault);
	sluice_span(connection->stage, event, SPAN_COMMIT, host->now_ns() - executed_ns);
	chain_advance(&connection->chain, connection->stage, &row);
	return SLUICE_PASS;
}

enum sluice_verdict writer_store(struct connection *connection, struct sluice_event *event)
{
	int64_t start_ns = connection->stage->host->now_ns(), id = 0;
	if (event->payload.size > PAYLOAD_MAX)
		return sluice_fail(event, "PostgreSQL keeps no more than 1 GB in a field");
	enum fault fault = begin(connection);
	if (fault == FAULT_NONE)
		fault = insert(connection, event, &id);
	enum sluice_verdict verdict;
	if (fault != FAULT_NONE)
		verdict = give_up(connection, event, fault);
	else if (id == 0)
		verdict = look_up(connection, event);
	else
		verdict = store_new(connection, event, id, start_ns);
	connection_roll_back(connection);
	return verdict;
}

bool writer_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	struct sluice_bytes text = {reason, strlen(reason)};
	struct parameters parameters = {0};
	add_event(&parameters, event, false);
	parameters_text(&parameters, text);
	parameters_time(&parameters, connection->stage->host->wall_ns());
	PGresult *result = connection_query(
		connection,
		"INSERT INTO webhook_dead_letters (message_id, event_type, stream, sequence, payload, digest, "
		"request_id, received_at, reason, buried_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON "
		"CONFLICT (message_id, digest) DO NOTHING",
		&parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	struct sluice_error why = {0};
	if (!ok)
		(void)sluice_error_set(error, "PostgreSQL could not keep the dead letter: %s",
		                       explain(connection, &why));
	PQclear(result);
	return ok;
}
