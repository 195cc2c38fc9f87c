/* Dead letters. */
#include "letter.h"

#include "row.h"
#include "schema.h"
#include "standing.h"
#include "transaction.h"

static enum fault insert_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason,
                                     bool *inserted_out)
{
	struct parameters parameters = {0};
	row_add(&parameters, event, false);
	parameters_string(&parameters, reason);
	parameters_time(&parameters, connection->stage->host->wall_ns());
	PGresult *result = connection_query(
		connection,
		"INSERT INTO webhook_dead_letters (message_id, event_type, stream, sequence, payload, digest, "
		"request_id, received_at, reason, buried_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON "
		"CONFLICT (message_id, digest) DO NOTHING RETURNING " TRANSACTION_KEEPS(
			"webhook_dead_letters.tableoid") ", " STANDING_IS_DOUBTED("webhook_dead_letters.tableoid"),
		&parameters);
	enum fault fault = connection_judge(connection, result);
	*inserted_out = fault == FAULT_NONE && PQntuples(result) > 0;
	if (*inserted_out && !transaction_keeps(connection, result, 0, "webhook_dead_letters"))
		fault = FAULT_LATER;
	if (*inserted_out && fault == FAULT_NONE && column_int64(result, 0, 1))
		fault = standing_check_letter(connection, event);
	PQclear(result);
	return fault;
}

/* One that is there already counts once it is durable, as with events. */
static enum fault confirm_dead_letter(struct connection *connection, struct sluice_event *event)
{
	PGresult *result = connection_query(
		connection, "SELECT " TRANSACTION_KEEPS("'webhook_dead_letters'::regclass") ", " TRANSACTION_CONFIRM,
		NULL);
	enum fault fault = connection_judge(connection, result);
	if (fault == FAULT_NONE && !transaction_keeps(connection, result, 0, "webhook_dead_letters"))
		fault = FAULT_LATER;
	PQclear(result);
	return fault == FAULT_NONE ? standing_check_letter(connection, event) : fault;
}

static enum fault keep_dead_letter(struct connection *connection, struct sluice_event *event, const char *reason)
{
	bool inserted = false;
	if (!transaction_begin(connection, TRANSACTION_WRITES))
		return FAULT_LATER;
	enum fault fault = insert_dead_letter(connection, event, reason, &inserted);
	if (fault == FAULT_NONE && !inserted)
		fault = confirm_dead_letter(connection, event);
	if (fault == FAULT_NONE && !server_look(connection))
		fault = FAULT_LATER;
	return fault == FAULT_NONE ? transaction_commit(connection) : fault;
}

/* The end of a transaction about a dead letter. */
static bool conclude(struct connection *connection, enum fault fault, const char *what, struct sluice_error *error)
{
	struct sluice_error why = {0};
	if (fault != FAULT_NONE)
		(void)sluice_error_set(error, "PostgreSQL could not %s the dead letter: %s", what,
		                       schema_explain(connection, &why));
	transaction_note(connection, fault, NULL);
	transaction_roll_back(connection);
	return fault == FAULT_NONE;
}

bool letter_keep(struct connection *connection, struct sluice_event *event, const char *reason,
                 struct sluice_error *error)
{
	return conclude(connection, keep_dead_letter(connection, event, reason), "keep", error);
}

static enum fault delete_dead_letter(struct connection *connection, int64_t id)
{
	struct parameters parameters = {0};
	parameters_int64(&parameters, id);
	if (!transaction_begin(connection, TRANSACTION_WRITES))
		return FAULT_LATER;
	PGresult *result = connection_query(connection, "DELETE FROM webhook_dead_letters WHERE id = $1", &parameters);
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault == FAULT_NONE ? transaction_commit(connection) : fault;
}

bool letter_drop(struct connection *connection, int64_t id, struct sluice_error *error)
{
	return conclude(connection, delete_dead_letter(connection, id), "forget", error);
}
