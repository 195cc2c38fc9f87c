/*
 * The statement. What a trigger or a setting of the server would take away from the promise makes it fail, as after its
 * commit nothing can be taken back.
 */
#include "statement.h"

#include <stdio.h>

#include "postgres/payload.h"
#include "postgres/row.h"
#include "postgres/standing.h"
#include "postgres/transaction.h"

#define STORED(payload_array, payload)                                                                                 \
	"stored AS (INSERT INTO webhook_events (" ROW_COLUMNS                                                          \
	") SELECT message_id, event_type, stream, sequence, " payload                                                  \
	", digest, request_id, received_at FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], "             \
	"$5::" payload_array ", $6::bytea[], $7::text[], $8::timestamptz[]) WITH ORDINALITY AS event (message_id, "    \
	"event_type, stream, sequence, payload, digest, request_id, received_at, place) ORDER BY place ON CONFLICT "   \
	"(message_id) DO NOTHING RETURNING id, message_id, digest, webhook_events.tableoid AS relation)"

#define COVERED                                                                                                        \
	"covered AS (SELECT string_agg(int8send(id) || digest, ''::bytea ORDER BY id) AS list, max(relation) AS "      \
	"relation FROM stored)"

#define COMMIT_MODE TRANSACTION_COMMIT_MODE("$15")

/* Hashed by the rule of host->audit_hash(), by the server, which alone knows the ids. */
#define AUDIT                                                                                                          \
	"audit AS (INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) SELECT $9, " \
	"$10, $11, list, $12, sha256($13 || int8send(octet_length(list)) || list) FROM covered WHERE list IS NOT "     \
	"NULL AND " COMMIT_MODE " RETURNING hash, webhook_audit_trail.tableoid AS relation)"

/* $14 is 1 where the rows are looked at before the COMMIT. */
#define CHECKED(condition)                                                                                             \
	"checked AS MATERIALIZED (SELECT hash, doubted, " TRANSACTION_FAIL_UNLESS(                                     \
		"list IS NULL OR (" condition                                                                          \
		" AND ($14 = 1 OR doubted = 0))") " FROM covered LEFT JOIN audit ON true "                             \
						  "CROSS JOIN LATERAL (SELECT coalesce(" STANDING_DOUBTS(              \
							  "covered.relation",                                          \
							  "audit.relation") ", 0) AS doubted) AS triggers)"

#define INSERT(payload_array, payload, condition)                                                                      \
	"WITH " STORED(payload_array, payload) ", " COVERED ", " AUDIT ", " CHECKED(                                   \
		condition) " SELECT message_id, stored.digest, hash, id, doubted FROM stored, checked ORDER BY id"

enum { INSERTED_HASH = INSERTED_DIGEST + 1, INSERTED_ID, INSERTED_DOUBTED };

#define AUDITED "hash IS NOT NULL"
#define KEPT AUDITED " AND " TRANSACTION_KEPT("covered.relation") " AND " TRANSACTION_KEPT("audit.relation")

enum { PAYLOAD_TYPES = PAYLOAD_JSONB + 1 };

/* By payload type and durability. */
static const struct statement inserts[PAYLOAD_TYPES][2] = {
	[PAYLOAD_BYTEA] = {[DURABILITY_STRICT] = {0, INSERT("bytea[]", "payload", KEPT)},
                           [DURABILITY_RELAXED] = {1, INSERT("bytea[]", "payload", AUDITED)}},
	[PAYLOAD_JSON] = {[DURABILITY_STRICT] = {2, INSERT("text[]", "payload::json", KEPT)},
                          [DURABILITY_RELAXED] = {3, INSERT("text[]", "payload::json", AUDITED)}},
	[PAYLOAD_JSONB] = {[DURABILITY_STRICT] = {4, INSERT("text[]", "payload::jsonb", KEPT)},
                           [DURABILITY_RELAXED] = {5, INSERT("text[]", "payload::jsonb", AUDITED)}},
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
	if (row_add_all(&parameters, arrays, events, count, payload_forms[config->payload_type].takes_text)) {
		add_audit_row(&parameters, &row, prefix);
		parameters_int64(&parameters, connection->has_triggers);
		fault = transaction_run(connection, &inserts[config->payload_type][config->durability], &parameters,
		                        connection->has_triggers ? &check : NULL, result_out);
		advance_chain(connection, fault, &row, *result_out);
	} else {
		fault_say(&connection->trouble, "out of memory");
	}
	row_free_arrays(arrays);
	return fault;
}

enum fault statement_insert(struct connection *connection, struct sluice_event *const *events, size_t count,
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
bool statement_blames(struct connection *connection, struct sluice_event *event)
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
