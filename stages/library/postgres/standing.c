/* Whether rows stand as they were sent. */
#include "standing.h"

#include "array.h"
#include "payload.h"
#include "row.h"
#include "session.h"

static const struct payload_form *form_of(const struct connection *connection)
{
	const struct config *config = connection->stage->config;
	return &payload_forms[config->payload_type];
}

/* Triggers that wait for the COMMIT must not wait here. */
static enum fault run_triggers(struct connection *connection)
{
	PGresult *result = connection_send(connection, "SET CONSTRAINTS ALL IMMEDIATE");
	enum fault fault = connection_judge(connection, result);
	PQclear(result);
	return fault;
}

static const struct statement read_rows = {STATEMENT_READ_BACK, "SELECT " ROW_COLUMNS
                                                                " FROM webhook_events WHERE id = ANY ($1) ORDER BY id"};

static PGresult *read_back(struct connection *connection, const PGresult *inserted, int id_column)
{
	struct parameters parameters = {0};
	struct array ids = {0};
	PGresult *rows = NULL;
	size_t count = (size_t)PQntuples(inserted);
	if (array_begin(&ids, OID_INT8, count, count * 8)) {
		for (int line = 0; line < (int)count; line++)
			array_add(&ids, column_bytes(inserted, line, id_column));
		parameters_value(&parameters, ids.type, (struct sluice_bytes){ids.data, ids.size});
		rows = session_query(connection, &read_rows, &parameters);
	}
	array_free(&ids);
	return rows;
}

enum fault standing_check(struct connection *connection, const PGresult *inserted, int id_column,
                          struct sluice_event *const *events, size_t count)
{
	enum fault fault = run_triggers(connection);
	if (fault != FAULT_NONE)
		return fault;
	PGresult *rows = read_back(connection, inserted, id_column);
	fault = rows ? connection_judge(connection, rows) : FAULT_LATER;
	int line = 0;
	for (size_t i = 0; fault == FAULT_NONE && i < count && line < PQntuples(rows); i++)
		line += row_is_of(events[i], rows, line, form_of(connection)->exact);
	if (fault == FAULT_NONE && line < PQntuples(inserted)) {
		fault_say(&connection->trouble, "a trigger deletes or alters its row");
		fault = FAULT_REFUSED;
	}
	PQclear(rows);
	return fault;
}

enum fault standing_check_letter(struct connection *connection, struct sluice_event *event)
{
	enum fault fault = run_triggers(connection);
	if (fault != FAULT_NONE)
		return fault;
	struct parameters parameters = {0};
	row_add(&parameters, event, false);
	PGresult *rows = connection_query(connection,
	                                  "SELECT " ROW_COLUMNS " FROM webhook_dead_letters WHERE digest = $6 AND "
	                                  "payload = $5 AND (message_id = $1 OR $1 IS NULL AND message_id IS NULL)",
	                                  &parameters);
	fault = connection_judge(connection, rows);
	if (fault == FAULT_NONE && PQntuples(rows) == 0) {
		fault_say(&connection->trouble, "a trigger deletes or alters rows of webhook_dead_letters");
		fault = FAULT_LATER;
	}
	PQclear(rows);
	return fault;
}
