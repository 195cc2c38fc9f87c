/*
 * The statement. What a trigger or a setting of the server would take away from the promise makes it fail, as after its
 * commit nothing can be taken back.
 */
#include "insert.h"

#include <stdio.h>

#include "payload.h"
#include "row.h"
#include "standing.h"
#include "transaction.h"

#define COMMIT_MODE TRANSACTION_COMMIT_MODE("$15")

#define EVENTS "'webhook_events'::regclass::oid"
#define TRAIL "'webhook_audit_trail'::regclass::oid"

/* What is selected from is a row with the ids and digests that the audit row covers, as `list`. It is hashed by the rule of
 * host->audit_hash(), by the server, which alone knows the ids. */
#define AUDIT(from, condition)                                                                                         \
	"audit AS (INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) SELECT $9, " \
	"$10, $11, list, $12, sha256($13 || int8send(octet_length(list)) || list) FROM " from " WHERE " condition      \
	" RETURNING hash, webhook_audit_trail.tableoid = " TRAIL " AS is_plain)"

/* $14 is 1 where the rows are looked at before the COMMIT. */
#define ASSERTED(condition) TRANSACTION_FAIL_UNLESS(condition " AND ($14 = 1 OR doubted = 0)")
#define DOUBTED                                                                                                        \
	" LEFT JOIN audit ON true CROSS JOIN (SELECT coalesce(" STANDING_DOUBTS(EVENTS,                                \
	                                                                        TRAIL) ", 0) AS doubted) AS triggers"

/* A row in a partition is neither kept nor left alone by what the table that is named says of itself. */
#define AUDITED(table) "hash IS NOT NULL AND " table ".is_plain AND audit.is_plain"
#define KEPT(table) AUDITED(table) " AND " TRANSACTION_KEPT(EVENTS) " AND " TRANSACTION_KEPT(TRAIL)

/* One event: half the price of an array of one. */
#define ONE(payload, condition)                                                                                        \
	"WITH stored AS (INSERT INTO webhook_events (" ROW_COLUMNS ") VALUES ($1, $2, $3, $4, " payload                \
	", $6, $7, $8) ON CONFLICT (message_id) DO NOTHING RETURNING id, message_id, digest, int8send(id) || digest "  \
	"AS list, webhook_events.tableoid = " EVENTS                                                                   \
	" AS is_plain), " AUDIT("stored", COMMIT_MODE) " SELECT message_id, digest, hash, id, doubted, " ASSERTED(     \
		condition("stored")) " FROM stored" DOUBTED

/* Many, each parameter an array. */
#define STORED(payload_array, payload)                                                                                 \
	"stored AS (INSERT INTO webhook_events (" ROW_COLUMNS                                                          \
	") SELECT message_id, event_type, stream, sequence, " payload                                                  \
	", digest, request_id, received_at FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], "             \
	"$5::" payload_array ", $6::bytea[], $7::text[], $8::timestamptz[]) WITH ORDINALITY AS event (message_id, "    \
	"event_type, stream, sequence, payload, digest, request_id, received_at, place) ORDER BY place ON CONFLICT "   \
	"(message_id) DO NOTHING RETURNING id, message_id, digest, webhook_events.tableoid = " EVENTS " AS is_plain)"

#define COVERED                                                                                                        \
	"covered AS (SELECT string_agg(int8send(id) || digest, ''::bytea ORDER BY id) AS list, bool_and(is_plain) AS " \
	"is_plain FROM stored)"

#define CHECKED(condition)                                                                                             \
	"checked AS MATERIALIZED (SELECT hash, doubted, " ASSERTED(                                                    \
		"list IS NULL OR " condition) " FROM covered" DOUBTED ")"

#define MANY(payload_array, payload, condition)                                                                        \
	"WITH " STORED(                                                                                                \
		payload_array,                                                                                         \
		payload) ", " COVERED                                                                                  \
			 ", " AUDIT("covered", "list IS NOT NULL AND " COMMIT_MODE) ", " CHECKED(condition(            \
				 "covered")) " SELECT "                                                                \
					     "message_id, stored.digest, hash, id, doubted FROM stored, checked ORDER BY id"

enum { INSERTED_HASH = INSERTED_DIGEST + 1, INSERTED_ID, INSERTED_DOUBTED };

enum { PAYLOAD_TYPES = PAYLOAD_JSONB + 1, DURABILITIES = DURABILITY_RELAXED + 1 };

#define STATEMENTS(first, array, one, many)                                                                            \
	[DURABILITY_STRICT] = {{(first), ONE(one, KEPT)}, {(first) + 1, MANY(array, many, KEPT)}},                     \
	[DURABILITY_RELAXED] = {{(first) + 2, ONE(one, AUDITED)}, {(first) + 3, MANY(array, many, AUDITED)}}

/* By payload type, durability, and whether there are many. */
static const struct statement statements[PAYLOAD_TYPES][DURABILITIES][2] = {
	[PAYLOAD_BYTEA] = {STATEMENTS(STATEMENT_INSERT, "bytea[]", "$5", "payload")},
	[PAYLOAD_JSON] = {STATEMENTS(STATEMENT_INSERT + 4, "text[]", "$5::json", "payload::json")},
	[PAYLOAD_JSONB] = {STATEMENTS(STATEMENT_INSERT + 8, "text[]", "$5::jsonb", "payload::jsonb")},
};

static const struct config *config_of(const struct connection *connection)
{
	return connection->stage->config;
}

static void add_audit_row(struct parameters *parameters, const struct sluice_audit_row *row,
                          uint8_t prefix[CHAIN_PREFIX_SIZE])
{
	chain_prefix(row, prefix);
	parameters_text(parameters, row->writer);
	parameters_int64(parameters, row->position);
	parameters_time(parameters, row->written_at_ns);
	parameters_bytea(parameters, row->previous, SLUICE_DIGEST_SIZE);
	parameters_bytea(parameters, prefix, CHAIN_PREFIX_SIZE);
}

/* A COMMIT whose answer is lost leaves the connection broken, and with it the chain: its head is then unknown. One that
 * came with a warning is part of the chain. */
static void advance_chain(struct connection *connection, enum fault fault, struct sluice_audit_row *row,
                          const PGresult *result)
{
	bool committed = fault == FAULT_NONE || connection->warned;
	if (!committed || PQntuples(result) == 0)
		return;
	column_digest(result, 0, INSERTED_HASH, row->hash);
	chain_advance(&connection->chain, connection->stage, row);
	if (fault == FAULT_NONE)
		identity_note_commit(&connection->server->identity, &connection->chain);
}

struct part {
	struct sluice_event *const *events;
	size_t count;
};

/* Triggers have to be there for it to cost anything the next time. */
static enum fault check_standing(struct connection *connection, const PGresult *inserted, void *context)
{
	const struct part *part = context;
	if (PQntuples(inserted) == 0) /* duplicates alone say nothing of triggers */
		return FAULT_NONE;
	connection->has_triggers = column_int64(inserted, 0, INSERTED_DOUBTED);
	if (!connection->has_triggers)
		return FAULT_NONE;
	return standing_check(connection, inserted, INSERTED_ID, part->events, part->count);
}

static bool add_events(struct parameters *parameters, struct array arrays[ROW_COLUMN_COUNT],
                       struct sluice_event *const *events, size_t count, bool payload_is_text)
{
	if (count > 1)
		return row_add_all(parameters, arrays, events, count, payload_is_text);
	row_add(parameters, events[0], payload_is_text);
	return true;
}

static enum fault insert(struct connection *connection, struct sluice_event *const *events, size_t count,
                         PGresult **result_out)
{
	const struct config *config = config_of(connection);
	struct parameters parameters = {0};
	struct array arrays[ROW_COLUMN_COUNT] = {0};
	struct sluice_audit_row row;
	uint8_t prefix[CHAIN_PREFIX_SIZE];
	struct part part = {events, count};
	const struct transaction_check check = {check_standing, &part};
	enum fault fault = FAULT_LATER;
	*result_out = NULL;
	chain_begin(&connection->chain, connection->stage->host, &row);
	if (add_events(&parameters, arrays, events, count, payload_forms[config->payload_type].takes_text)) {
		add_audit_row(&parameters, &row, prefix);
		parameters_int64(&parameters, connection->has_triggers);
		fault = transaction_run(connection, &statements[config->payload_type][config->durability][count > 1],
		                        &parameters, connection->has_triggers ? &check : NULL, result_out);
		advance_chain(connection, fault, &row, *result_out);
	} else {
		fault_say(&connection->trouble, "out of memory");
	}
	row_free_arrays(arrays);
	return fault;
}

enum fault insert_events(struct connection *connection, struct sluice_event *const *events, size_t count,
                         PGresult **result_out)
{
	enum fault fault = insert(connection, events, count, result_out);
	if (!connection->has_triggers && transaction_cannot_keep(connection, fault)) { /* over triggers, perhaps */
		PQclear(*result_out);
		transaction_roll_back(connection);
		connection->has_triggers = true;
		fault = insert(connection, events, count, result_out);
	}
	if (transaction_cannot_keep(connection, fault))
		transaction_explain_cannot_keep(connection);
	return fault;
}

/* What the server said first is what is to be told. */
bool insert_blames(struct connection *connection, struct sluice_event *event)
{
	const struct payload_form *form = &payload_forms[config_of(connection)->payload_type];
	const struct trouble trouble = connection->trouble;
	struct parameters parameters = {0};
	char sql[300];
	(void)snprintf(sql, sizeof(sql),
	               "INSERT INTO webhook_events (" ROW_COLUMNS
	               ") VALUES ($1, $2, $3, $4, %s, $6, $7, $8) ON CONFLICT (message_id) DO NOTHING RETURNING id",
	               form->written_as);
	row_add(&parameters, event, form->takes_text);
	enum fault fault = FAULT_LATER;
	PGresult *inserted = NULL;
	if (transaction_begin(connection, TRANSACTION_WRITES)) {
		inserted = connection_query(connection, sql, &parameters);
		fault = connection_judge(connection, inserted);
	}
	if (fault == FAULT_NONE)
		fault = standing_check(connection, inserted, 0, &event, 1);
	PQclear(inserted);
	transaction_roll_back(connection);
	connection->trouble = trouble;
	return fault == FAULT_REFUSED;
}
