/* One event, one transaction. */
#include "writer.h"

#include <stdio.h>

#include "postgres/payload.h"
#include "postgres/row.h"
#include "postgres/schema.h"
#include "postgres/standing.h"
#include "postgres/transaction.h"

static const struct config *config_of(const struct connection *connection)
{
	return connection->stage->config;
}

static enum sluice_verdict give_up(struct connection *connection, struct sluice_event *event, enum fault fault)
{
	struct sluice_error error = {0};
	if (fault == FAULT_REFUSED)
		return sluice_fail(event, "PostgreSQL refuses this event: %s", connection->trouble.text);
	const char *why = schema_explain(connection, &error);
	transaction_note(connection, fault, why);
	return sluice_retry(event, 0, "PostgreSQL could not commit: %s", why);
}

enum { INSERTED_ID, INSERTED_KEEPS, INSERTED_TABLE };
enum { AUDITED_KEEPS, AUDITED_DOUBTS };

/* Yields no row when the message id is there already. */
static enum fault insert(struct connection *connection, struct sluice_event *event, PGresult **inserted_out)
{
	const struct payload_form *form = &payload_forms[config_of(connection)->payload_type];
	char sql[800];
	(void)snprintf(sql, sizeof(sql),
	               "INSERT INTO webhook_events (" ROW_COLUMNS
	               ") VALUES ($1, $2, $3, $4, %s, $6, $7, $8) ON CONFLICT (message_id) DO "
	               "NOTHING RETURNING id, " TRANSACTION_KEEPS(
			       "webhook_events.tableoid") ", webhook_events.tableoid::bigint",
	               form->written_as);
	struct parameters parameters = {0};
	row_add(&parameters, event, form->takes_text);
	PGresult *inserted = connection_query(connection, sql, &parameters);
	enum fault fault = connection_judge(connection, inserted);
	*inserted_out = inserted;
	bool keeps = fault != FAULT_NONE || PQntuples(inserted) == 0 ||
	             transaction_keeps(connection, inserted, INSERTED_KEEPS, "webhook_events");
	return keeps ? fault : FAULT_LATER;
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
		uint8_t digest[SLUICE_DIGEST_SIZE];
		transaction_note(connection, FAULT_NONE, NULL);
		column_digest(row, 0, 0, digest);
		verdict = row_compare(event, digest, column_bytes(row, 0, 1));
	} else {
		verdict = row_vanished(connection, event);
	}
	PQclear(row);
	return verdict;
}

/* What goes wrong here is never the event's fault. `*doubts_out`: of the tables of the event and of the audit row. */
static enum fault write_audit_row(struct connection *connection, const struct sluice_audit_row *row,
                                  const PGresult *inserted, int64_t *doubts_out)
{
	struct parameters parameters = {0};
	parameters_text(&parameters, row->writer);
	parameters_int64(&parameters, row->position);
	parameters_time(&parameters, row->written_at_ns);
	parameters_bytea(&parameters, row->covers.data, row->covers.size);
	parameters_bytea(&parameters, row->previous, SLUICE_DIGEST_SIZE);
	parameters_bytea(&parameters, row->hash, SLUICE_DIGEST_SIZE);
	parameters_int64(&parameters, column_int64(inserted, 0, INSERTED_TABLE));
	PGresult *result = connection_query(
		connection,
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, "
		"previous, hash) VALUES ($1, $2, $3, $4, $5, $6) RETURNING " TRANSACTION_KEEPS(
			"webhook_audit_trail.tableoid") ", " STANDING_DOUBTS("$7::oid", "webhook_audit_trail.tableoid"),
		&parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	if (ok && PQntuples(result) == 0) {
		fault_say(&connection->trouble, "a trigger dropped a row of webhook_audit_trail");
		ok = false;
	}
	ok = ok && transaction_keeps(connection, result, AUDITED_KEEPS, "webhook_audit_trail");
	*doubts_out = ok ? column_int64(result, 0, AUDITED_DOUBTS) : 0;
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

static enum sluice_verdict store_new(struct connection *connection, struct sluice_event *event,
                                     const PGresult *inserted, int64_t start_ns)
{
	const struct sluice_host *host = connection->stage->host;
	uint8_t cover[CHAIN_COVER_SIZE];
	struct sluice_audit_row row;
	int64_t doubts = 0;
	chain_cover(cover, column_int64(inserted, 0, INSERTED_ID), sluice_digest(event));
	chain_next(&connection->chain, host, cover, 1, &row);
	enum fault fault = write_audit_row(connection, &row, inserted, &doubts);
	if (fault == FAULT_NONE && doubts)
		fault = standing_check(connection, inserted, INSERTED_ID, &event, 1);
	if (fault == FAULT_REFUSED && !(doubts & STANDING_FIRST_IS_DOUBTED))
		fault = FAULT_LATER;
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
	int64_t start_ns = connection->stage->host->now_ns();
	PGresult *inserted = NULL;
	if (!row_fits(event))
		return SLUICE_FAIL;
	enum fault fault = transaction_begin(connection, TRANSACTION_WRITES) ? FAULT_NONE : FAULT_LATER;
	if (fault == FAULT_NONE)
		fault = insert(connection, event, &inserted);
	enum sluice_verdict verdict;
	if (fault != FAULT_NONE)
		verdict = give_up(connection, event, fault);
	else if (PQntuples(inserted) == 0)
		verdict = look_up(connection, event);
	else
		verdict = store_new(connection, event, inserted, start_ns);
	PQclear(inserted);
	transaction_roll_back(connection);
	return verdict;
}
