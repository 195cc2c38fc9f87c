/*
 * Whether rows that were inserted stand as they were sent: a trigger or a rule may delete or alter them before the COMMIT,
 * and PostgreSQL reports a row inserted all the same. Each transaction asks whether the tables have any, under the
 * locks of its INSERTs; only then the rows are read back.
 */
#ifndef POSTGRES_STANDING_H
#define POSTGRES_STANDING_H

#include <sluice/stage.h>

#include "connection.h"

#define STANDING_ALTERED                                                                                               \
	"(relhasrules OR relhastriggers AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT "      \
	"tgisinternal AND tgname <> 'webhook_audit_trail_append_only'))"

/* A column of a statement about the table with that oid: 1 if it has triggers or rules that are not ours. */
#define STANDING_IS_DOUBTED(oid) "(SELECT " STANDING_ALTERED "::int FROM pg_class WHERE pg_class.oid = " oid ")"

/* The same about two tables at once, for half the price; NULL: neither. */
enum { STANDING_FIRST_IS_DOUBTED = 1, STANDING_SECOND_IS_DOUBTED = 2 };
#define STANDING_DOUBTS(first, second)                                                                                 \
	"(SELECT bit_or(CASE pg_class.oid WHEN " first                                                                 \
	" THEN 1 ELSE 2 END) FROM pg_class WHERE pg_class.oid IN (" first ", " second ") AND " STANDING_ALTERED ")"

/* Before the COMMIT: runs what triggers have left for it, and reads back the rows whose ids are in that column, in the order
 * of the events; events without a row may be among them. FAULT_REFUSED: one of them is gone, or is another. */
enum fault standing_check(struct connection *connection, const PGresult *inserted, int id_column,
                          struct sluice_event *const *events, size_t count);

/* The same for a dead letter, which may have been there before. */
enum fault standing_check_letter(struct connection *connection, struct sluice_event *event);

#endif
