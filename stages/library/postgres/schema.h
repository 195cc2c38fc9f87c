/*
 * The schema, created and migrated at start under an advisory lock, so that any number of processes may start at once.
 *
 * What an event does not have (no parse stage ran) is NULL, never an empty text. The type of webhook_events.payload is
 * that of the option payload_type when the table was made.
 */
#ifndef POSTGRES_SCHEMA_H
#define POSTGRES_SCHEMA_H

#include <stdbool.h>

#include <sluice/error.h>

#include "connection.h"

/* Brings the tables to the newest version, in the schema that the options name, which is made if there is none. A
 * database of a newer Sluice, one without the tables that its version says it has, a payload column of another type
 * than the options say, and a role without the rights it needs are refused. */
bool schema_migrate(struct connection *connection, struct sluice_error *error);

/* Refuses what schema_migrate() would have to change: for who only reads, within a transaction. */
bool schema_check(struct connection *connection, struct sluice_error *error);

/* Why the last query failed: what `trouble` says or, if that is about tables or rights, what is wrong with them, for which
 * it rolls back and asks. The sentence is in one of the two. */
const char *schema_explain(struct connection *connection, struct sluice_error *why);

#endif
