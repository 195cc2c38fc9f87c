/* One event, one transaction. */
#include "writer.h"

#include <stdio.h>
#include <string.h>

#include "postgres/payload.h"
#include "postgres/schema.h"
#include "postgres/transaction.h"

enum { PROBE_MAX_MS = 1000 };

#define PAYLOAD_MAX ((size_t)1000000000) /* what PostgreSQL keeps in a field, with room for its own */

static const struct config *config_of(const struct connection *connection)
{
	return connection->stage->config;
}

static enum fault run(struct connection *connection, const char *sql)
{
	PGresult *result = connection_send(connection, sql);
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault;
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
	struct trouble trouble = connection->trouble;
	if (!fault_is_of_schema(&trouble))
		return connection->trouble.text;
	transaction_roll_back(connection);
	bool fine = !transaction_begin(connection, TRANSACTION_READS) || schema_check(connection, why);
	transaction_roll_back(connection);
	connection->trouble = trouble;
	return fine ? connection->trouble.text : why->text;
}

static enum sluice_verdict give_up(struct connection *connection, struct sluice_event *event, enum fault fault)
{
	struct sluice_error error = {0};
	if (fault == FAULT_REFUSED)
		return sluice_fail(event, "PostgreSQL refuses this event: %s", connection->trouble.text);
	const char *why = explain(connection, &error);
	transaction_note(connection, fault, why);
	return sluice_retry(event, 0, "PostgreSQL could not commit: %s", why);
}

/* `*id_out` is 0 when the message id is there already. */
static enum fault insert(struct connection *connection, struct sluice_event *event, int64_t *id_out)
{
	const struct payload_form *form = &payload_forms[config_of(connection)->payload_type];
	char sql[500];
	(void)snprintf(sql, sizeof(sql),
	               "INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, "
	               "request_id, received_at) VALUES ($1, $2, $3, $4, %s, $6, $7, $8) ON CONFLICT (message_id) DO "
	               "NOTHING RETURNING id, " TRANSACTION_KEEPS("webhook_events.tableoid"),
	               form->written_as);
	struct parameters parameters = {0};
	add_event(&parameters, event, form->takes_text);
	PGresult *result = connection_query(connection, sql, &parameters);
	enum fault fault = connection_judge(connection, result);
	bool inserted = fault == FAULT_NONE && PQntuples(result) > 0;
	if (inserted)
		*id_out = column_int64(result, 0, 0);
	if (inserted && !transaction_keeps(connection, result, 1, "webhook_events"))
		fault = FAULT_LATER;
	PQclear(result);
	return fault;
}

/* One that an earlier try of this very event has committed, without the answer coming through, is not a duplicate: the
 * sender is to hear that it was accepted. */
static enum sluice_verdict compare(struct sluice_event *event, const PGresult *row)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	column_digest(row, 0, 0, digest);
	bool ours = event->attempt > 1 && sluice_bytes_equal(column_bytes(row, 0, 1), event->request_id);
	if (memcmp(digest, sluice_digest(event), SLUICE_DIGEST_SIZE) != 0)
		return sluice_conflict(event, "this message id is stored with a different content");
	return ours ? SLUICE_PASS : SLUICE_DONE;
}

/* Compares with the row that has the message id, once that is durable. */
static enum sluice_verdict look_up(struct connection *connection, struct sluice_event *event)
{
	struct parameters parameters = {0};
	parameters_text(&parameters, event->message_id);
	PGresult *row = connection_query(
		connection,
		"SELECT digest, request_id, " TRANSACTION_KEEPS(
			"webhook_events.tableoid") ", " TRANSACTION_CONFIRM
						   " FROM webhook_events WHERE message_id = $1",
		&parameters);
	enum fault fault = connection_judge(connection, row);
	bool found = fault == FAULT_NONE && PQntuples(row) > 0;
	if (found && !transaction_keeps(connection, row, 2, "webhook_events"))
		fault = FAULT_LATER;
	if (found && fault == FAULT_NONE)
		fault = transaction_commit(connection);
	enum sluice_verdict verdict;
	if (fault != FAULT_NONE) {
		verdict = give_up(connection, event, fault);
	} else if (found) {
		transaction_note(connection, FAULT_NONE, NULL);
		verdict = compare(event, row);
	} else {
		server_doubt(connection->server);
		verdict = sluice_fail(event,
		                      "the database dropped the event without an error (a trigger that returns NULL?)");
	}
	PQclear(row);
	return verdict;
}

/* What goes wrong here is never the event's fault. */
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
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, "
		"previous, hash) VALUES ($1, $2, $3, $4, $5, $6) RETURNING " TRANSACTION_KEEPS(
			"webhook_audit_trail.tableoid"),
		&parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	if (ok && PQntuples(result) == 0) {
		fault_say(&connection->trouble, "a trigger dropped a row of webhook_audit_trail");
		ok = false;
	}
	ok = ok && transaction_keeps(connection, result, 0, "webhook_audit_trail");
	PQclear(result);
	return ok ? FAULT_NONE : FAULT_LATER;
}

/* A COMMIT whose answer is lost leaves the connection broken, and with it the chain: its head is then unknown. One that
 * came with a warning is part of the chain. */
static enum fault commit(struct connection *connection, const struct sluice_audit_row *row)
{
	enum fault fault = transaction_commit(connection);
	if (fault == FAULT_NONE || connection->warned)
		chain_advance(&connection->chain, connection->stage, row);
	if (fault == FAULT_NONE)
		identity_note_commit(&connection->server->identity, &connection->chain);
	return fault;
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
		fault = commit(connection, &row);
	if (fault != FAULT_NONE)
		return give_up(connection, event, fault);
	sluice_span(connection->stage, event, SPAN_COMMIT, host->now_ns() - executed_ns);
	transaction_note(connection, FAULT_NONE, NULL);
	return SLUICE_PASS;
}

enum sluice_verdict writer_store(struct connection *connection, struct sluice_event *event)
{
	int64_t start_ns = connection->stage->host->now_ns(), id = 0;
	if (event->payload.size > PAYLOAD_MAX)
		return sluice_fail(event, "PostgreSQL keeps no more than 1 GB in a field");
	enum fault fault = transaction_begin(connection, TRANSACTION_WRITES) ? FAULT_NONE : FAULT_LATER;
	if (fault == FAULT_NONE)
		fault = insert(connection, event, &id);
	enum sluice_verdict verdict;
	if (fault != FAULT_NONE)
		verdict = give_up(connection, event, fault);
	else if (id == 0)
		verdict = look_up(connection, event);
	else
		verdict = store_new(connection, event, id, start_ns);
	transaction_roll_back(connection);
	return verdict;
}

static enum fault insert_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason,
                                     bool *inserted_out)
{
	struct parameters parameters = {0};
	add_event(&parameters, event, false);
	parameters_string(&parameters, reason);
	parameters_time(&parameters, connection->stage->host->wall_ns());
	PGresult *result = connection_query(
		connection,
		"INSERT INTO webhook_dead_letters (message_id, event_type, stream, sequence, payload, digest, "
		"request_id, received_at, reason, buried_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON "
		"CONFLICT (message_id, digest) DO NOTHING RETURNING " TRANSACTION_KEEPS(
			"webhook_dead_letters.tableoid"),
		&parameters);
	enum fault fault = connection_judge(connection, result);
	*inserted_out = fault == FAULT_NONE && PQntuples(result) > 0;
	if (*inserted_out && !transaction_keeps(connection, result, 0, "webhook_dead_letters"))
		fault = FAULT_LATER;
	PQclear(result);
	return fault;
}

/* One that is there already counts once it is durable, as with events. */
static enum fault confirm_dead_letter(struct connection *connection)
{
	PGresult *result = connection_query(
		connection, "SELECT " TRANSACTION_KEEPS("'webhook_dead_letters'::regclass") ", " TRANSACTION_CONFIRM,
		NULL);
	enum fault fault = connection_judge(connection, result);
	if (fault == FAULT_NONE && !transaction_keeps(connection, result, 0, "webhook_dead_letters"))
		fault = FAULT_LATER;
	PQclear(result);
	return fault;
}

static enum fault keep_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason)
{
	bool inserted = false;
	if (!transaction_begin(connection, TRANSACTION_WRITES))
		return FAULT_LATER;
	enum fault fault = insert_dead_letter(connection, event, reason, &inserted);
	if (fault == FAULT_NONE && !inserted)
		fault = confirm_dead_letter(connection);
	return fault == FAULT_NONE ? transaction_commit(connection) : fault;
}

bool writer_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason,
                        struct sluice_error *error)
{
	struct sluice_error why = {0};
	enum fault fault = keep_dead_letter(connection, event, reason);
	if (fault != FAULT_NONE)
		(void)sluice_error_set(error, "PostgreSQL could not keep the dead letter: %s",
		                       explain(connection, &why));
	transaction_note(connection, fault, NULL);
	transaction_roll_back(connection);
	return fault == FAULT_NONE;
}

#define END_PROBE "ROLLBACK TO SAVEPOINT probe; SELECT pg_logical_emit_message(true, 'sluice', '')"

/* Writes what an event would, takes it back, and commits something else, so that all that an event needs is tried. */
void writer_probe(struct connection *connection)
{
	static const char format[] =
		"SET LOCAL statement_timeout = %lld; SAVEPOINT probe; INSERT INTO webhook_events (message_id, event_type, stream, "
		"sequence, payload, digest, request_id, received_at) VALUES ('sluice-probe-' || pg_backend_pid(), NULL, NULL, "
		"NULL, '{}', decode(repeat('00', 32), 'hex'), 'sluice-probe', now()) ON CONFLICT (message_id) DO NOTHING; "
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES "
		"('sluice-probe-' || pg_backend_pid(), 0, now(), '', decode(repeat('00', 32), 'hex'), "
		"decode(repeat('00', 32), 'hex')); " END_PROBE;
	char sql[1200];
	long long timeout_ms = config_of(connection)->statement_timeout.ns / 1000000;
	(void)snprintf(sql, sizeof(sql), format, timeout_ms < PROBE_MAX_MS ? timeout_ms : PROBE_MAX_MS);
	enum fault fault = transaction_begin(connection, TRANSACTION_WRITES) ? FAULT_NONE : FAULT_LATER;
	if (fault == FAULT_NONE && !server_look(connection))
		fault = FAULT_LATER;
	if (fault == FAULT_NONE)
		fault = run(connection, sql);
	if (fault == FAULT_REFUSED) /* a constraint that wants other rows says nothing of the server */
		fault = run(connection, END_PROBE);
	if (fault == FAULT_NONE)
		fault = transaction_commit(connection);
	struct sluice_error why = {0};
	transaction_note_probe(connection, fault, fault == FAULT_NONE ? NULL : explain(connection, &why));
	transaction_roll_back(connection);
}
