/* The probe. */
#include "probe.h"

#include <stdio.h>

#include "schema.h"
#include "transaction.h"

enum { PROBE_MAX_MS = 1000 };

static enum fault run(struct connection *connection, const char *sql)
{
	PGresult *result = connection_send(connection, sql);
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault;
}

#define END_PROBE "ROLLBACK TO SAVEPOINT probe; SELECT pg_logical_emit_message(true, 'sluice', '')"

/* Writes what an event would, takes it back, and commits something else, so that all that an event needs is tried. */
void probe_store(struct connection *connection)
{
	static const char format[] =
		"SET LOCAL statement_timeout = %lld; SAVEPOINT probe; INSERT INTO webhook_events (message_id, event_type, stream, "
		"sequence, payload, digest, request_id, received_at) VALUES ('sluice-probe-' || pg_backend_pid(), NULL, NULL, "
		"NULL, '{}', decode(repeat('00', 32), 'hex'), 'sluice-probe', now()) ON CONFLICT (message_id) DO NOTHING; "
		"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES "
		"('sluice-probe-' || pg_backend_pid(), 0, now(), '', decode(repeat('00', 32), 'hex'), "
		"decode(repeat('00', 32), 'hex')); " END_PROBE;
	const struct config *config = connection->stage->config;
	char sql[1200];
	long long timeout_ms = config->statement_timeout.ns / 1000000;
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
	transaction_note_probe(connection, fault, fault == FAULT_NONE ? NULL : schema_explain(connection, &why));
	transaction_roll_back(connection);
}
