/*
 * Pruning: a statement that removes the old ones among the next rows, their audit row, and the COMMIT. Two that prune at the same time
 * wait for each other's rows, and each names those that it has removed.
 */
#include "prune.h"

#include <stdlib.h>

#include "rights.h"
#include "schema.h"
#include "transaction.h"

/* A line for each row that went, and the last id looked at in each of them; one line without an id where none went. */
#define PRUNE                                                                                                          \
	"WITH next AS MATERIALIZED (SELECT id, received_at FROM webhook_events WHERE id > $1 ORDER BY id LIMIT $2), "  \
	"gone AS (DELETE FROM webhook_events USING next WHERE webhook_events.id = next.id AND next.received_at < $3 "  \
	"RETURNING webhook_events.id, digest), extent AS (SELECT count(*) AS looked, coalesce(max(id), $1) AS last "   \
	"FROM next) SELECT looked, last, gone.id, gone.digest FROM extent LEFT JOIN gone ON true ORDER BY gone.id"
enum { PRUNED_LOOKED, PRUNED_LAST, PRUNED_ID, PRUNED_DIGEST };

#define ADD_AUDIT_ROW                                                                                                  \
	"INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash) VALUES ($1, $2, $3, "  \
	"$4, $5, $6) RETURNING " TRANSACTION_KEEPS("webhook_audit_trail.tableoid")

static enum fault remove_old(struct connection *connection, struct sluice_pruning *pruning, PGresult **gone_out)
{
	struct parameters parameters = {0};
	parameters_int64(&parameters, pruning->after_id);
	parameters_int64(&parameters, (int64_t)pruning->max);
	parameters_time(&parameters, pruning->before_ns);
	*gone_out = connection_query(connection, PRUNE, &parameters);
	enum fault fault = connection_judge(connection, *gone_out);
	if (fault != FAULT_NONE)
		return fault;
	pruning->looked = (size_t)column_int64(*gone_out, 0, PRUNED_LOOKED);
	pruning->after_id = column_int64(*gone_out, 0, PRUNED_LAST);
	pruning->pruned = PQgetisnull(*gone_out, 0, PRUNED_ID) ? 0 : (size_t)PQntuples(*gone_out);
	return FAULT_NONE;
}

static enum fault add_audit_row(struct connection *connection, const struct sluice_audit_row *row)
{
	struct parameters parameters = {0};
	parameters_text(&parameters, row->writer);
	parameters_int64(&parameters, row->position);
	parameters_time(&parameters, row->written_at_ns);
	parameters_bytea(&parameters, row->covers.data, row->covers.size);
	parameters_bytea(&parameters, row->previous, SLUICE_DIGEST_SIZE);
	parameters_bytea(&parameters, row->hash, SLUICE_DIGEST_SIZE);
	PGresult *added = connection_query(connection, ADD_AUDIT_ROW, &parameters);
	enum fault fault = connection_judge(connection, added);
	if (fault == FAULT_NONE && PQntuples(added) == 0) {
		fault_say(&connection->trouble, "a trigger dropped a row of webhook_audit_trail");
		fault = FAULT_LATER;
	} else if (fault == FAULT_NONE && !transaction_keeps(connection, added, 0, "webhook_audit_trail")) {
		fault = FAULT_LATER;
	}
	PQclear(added);
	return fault;
}

/* What went, with its audit row. */
static enum fault conclude(struct connection *connection, const struct sluice_pruning *pruning, const PGresult *gone)
{
	uint8_t *covers = malloc(pruning->pruned * CHAIN_COVER_SIZE),
		*room = malloc(CHAIN_PRUNED_SIZE(pruning->pruned));
	struct sluice_audit_row row;
	uint8_t digest[SLUICE_DIGEST_SIZE];
	enum fault fault = FAULT_LATER;
	if (!covers || !room) {
		fault_say(&connection->trouble, "out of memory");
		goto free_memory;
	}
	for (size_t i = 0; i < pruning->pruned; i++) {
		column_digest(gone, (int)i, PRUNED_DIGEST, digest);
		chain_cover(covers + i * CHAIN_COVER_SIZE, column_int64(gone, (int)i, PRUNED_ID), digest);
	}
	chain_prune(&connection->chain, connection->stage->host, covers, pruning->pruned, pruning->before_ns, room,
	            &row);
	fault = add_audit_row(connection, &row);
	if (fault == FAULT_NONE)
		fault = transaction_commit(connection);
	if (fault == FAULT_NONE || connection->warned)
		chain_advance(&connection->chain, connection->stage, &row);
free_memory:
	free(covers);
	free(room);
	return fault;
}

static enum fault prune(struct connection *connection, struct sluice_pruning *pruning)
{
	PGresult *gone = NULL;
	if (!transaction_begin(connection, TRANSACTION_WRITES))
		return FAULT_LATER;
	connection->warned = false;
	enum fault fault = remove_old(connection, pruning, &gone);
	if (fault == FAULT_NONE && pruning->pruned > 0)
		fault = conclude(connection, pruning, gone);
	PQclear(gone);
	return fault;
}

/* The right to remove rows is one that storing them does not need. */
static const char *explain(struct connection *connection, struct sluice_error *why)
{
	const struct trouble trouble = connection->trouble;
	const char *cause = schema_explain(connection, why);
	if (cause != connection->trouble.text || !fault_is_of_schema(&trouble))
		return cause;
	bool fine = !transaction_begin(connection, TRANSACTION_READS) || rights_check(connection, RIGHTS_PRUNE, why);
	connection->trouble = trouble;
	return fine ? connection->trouble.text : why->text;
}

/* Its failure says nothing of whether events can be stored, so health does not hear of it. */
bool prune_events(struct connection *connection, struct sluice_pruning *pruning, struct sluice_error *error)
{
	struct sluice_error why = {0};
	const int64_t first = pruning->after_id;
	pruning->looked = pruning->pruned = 0;
	enum fault fault = prune(connection, pruning);
	if (fault != FAULT_NONE) {
		(void)sluice_error_set(error, "PostgreSQL could not prune: %s", explain(connection, &why));
		pruning->looked = pruning->pruned = 0;
		pruning->after_id = first;
	}
	transaction_roll_back(connection);
	return fault == FAULT_NONE;
}
