/* Looks for events by their message ids. */
#include "find.h"

#include <stdio.h>

#include "payload.h"
#include "row.h"
#include "transaction.h"

#define FIND(condition)                                                                                                 \
	"WITH durable AS MATERIALIZED (SELECT " TRANSACTION_COMMIT_MODE(                                                \
		"$2") ", " TRANSACTION_CONFIRM                                                                          \
		      ") SELECT asked.place, digest, request_id, " TRANSACTION_FAIL_UNLESS(                             \
			      condition) " FROM durable, unnest($1::text[]) WITH ORDINALITY AS asked (id, place) JOIN " \
					 "webhook_events ON message_id = asked.id ORDER BY asked.place"

static const struct statement statements[] = {
	[DURABILITY_STRICT] = {STATEMENT_FIND, FIND(TRANSACTION_KEPT("webhook_events.tableoid"))},
	[DURABILITY_RELAXED] = {STATEMENT_FIND + 1, FIND("true")},
};

enum fault find_events(struct connection *connection, struct sluice_event *const *events, size_t count,
                       PGresult **result_out)
{
	const struct config *config = connection->stage->config;
	struct parameters parameters = {0};
	struct array ids = {0};
	enum fault fault = FAULT_LATER;
	*result_out = NULL;
	if (row_add_ids(&parameters, &ids, events, count))
		fault = transaction_run(connection, &statements[config->durability], &parameters, NULL, result_out);
	else
		fault_say(&connection->trouble, "out of memory");
	array_free(&ids);
	if (transaction_cannot_keep(connection, fault))
		transaction_explain_cannot_keep(connection);
	return fault;
}

enum fault find_content(struct connection *connection, struct sluice_event *event, PGresult **result_out)
{
	const struct config *config = connection->stage->config;
	struct parameters parameters = {0};
	char sql[160];
	*result_out = NULL;
	(void)snprintf(sql, sizeof(sql),
	               "SELECT event_type, stream, sequence, %s FROM webhook_events WHERE message_id = $1",
	               payload_forms[config->payload_type].read_as);
	parameters_text(&parameters, event->message_id);
	if (!transaction_begin(connection, TRANSACTION_READS))
		return FAULT_LATER;
	*result_out = connection_query(connection, sql, &parameters);
	enum fault fault = connection_judge(connection, *result_out);
	transaction_roll_back(connection);
	return fault;
}
