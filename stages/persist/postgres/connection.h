/*
 * A connection to PostgreSQL that never hangs: opening it and each query have an end, whatever the network does.
 *
 * A connection belongs to one thread at a time. Once `broken` it is good for nothing but connection_close(); what its
 * last COMMIT did may then be unknown. It carries the audit chain that is written through it: one chain per connection,
 * so that writers do not wait for each other's head.
 */
#ifndef PERSIST_POSTGRES_CONNECTION_H
#define PERSIST_POSTGRES_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>
#include <sluice/stage.h>

#include "../chain.h"

enum durability { DURABILITY_STRICT, DURABILITY_RELAXED };
enum payload_type { PAYLOAD_BYTEA, PAYLOAD_JSON, PAYLOAD_JSONB };

/* The options, as the table in postgres.c fills them. */
struct config {
	const char *url;
	const char *schema; /* "": where the server's search_path leads */
	int durability;     /* enum durability */
	int payload_type;   /* enum payload_type */
	int64_t pool_min, pool_max;
	struct sluice_duration pool_idle_timeout;
	struct sluice_duration pool_connect_timeout; /* to open a connection, and to wait for a free one */
	struct sluice_duration pool_keepalive;
	struct sluice_duration statement_timeout;
};

enum { TROUBLE_SIZE = 400 };

struct connection {
	struct sluice_stage *stage;
	PGconn *pg;
	struct chain chain;
	bool broken;
	bool schema_failed;         /* the last fault was about tables or rights: schema_check() knows more */
	char trouble[TROUBLE_SIZE]; /* of the last query that failed, without the password */
	int64_t idle_since_ns;
	int64_t limit_ns;        /* how long an answer is waited for */
	struct connection *next; /* in the pool */
};

enum connection_use {
	CONNECTION_WRITES,
	CONNECTION_READS, /* in one long transaction, without a statement timeout */
	CONNECTION_TENDS, /* statements that may take minutes, each for itself */
};

/* Whether libpq can read the url. The sentence does not show it. */
bool connection_check_url(const char *url, struct sluice_error *error);

/* Whether the name can be a schema's without being quoted, and is none of the server's own. "" is allowed. */
bool connection_check_schema(const char *schema, struct sluice_error *error);

/* Opens a connection, on which all names are looked for in the option `schema` and nowhere else, within
 * pool.connect_timeout and refuses a server that is too old or, unless durability is relaxed,
 * that does not keep what it commits. NULL and a sentence otherwise. */
struct connection *connection_open(struct sluice_stage *stage, enum connection_use use, struct sluice_error *error);

/* Logs the head of the chain. */
void connection_close(struct connection *connection);

/* Whether the server still holds its end, as far as can be told without asking it. */
bool connection_is_alive(struct connection *connection);

/* Parameters of a query, all binary, so that a NUL in a text is the server's to refuse and cuts nothing off. */
enum { PARAMETERS_MAX = 10 };
struct parameters {
	int count;
	Oid types[PARAMETERS_MAX];
	const char *values[PARAMETERS_MAX];
	int sizes[PARAMETERS_MAX];
	int formats[PARAMETERS_MAX];
	char numbers[PARAMETERS_MAX][8];
};
void parameters_text(struct parameters *parameters, struct sluice_bytes text); /* absent: NULL */
void parameters_bytea(struct parameters *parameters, const void *data, size_t size);
void parameters_int64(struct parameters *parameters, int64_t value);
void parameters_null(struct parameters *parameters);
void parameters_time(struct parameters *parameters, int64_t wall_ns);

/* Runs one statement. The result is the caller's to clear; columns come in binary. NULL: the connection is broken. */
PGresult *connection_query(struct connection *connection, const char *sql, const struct parameters *parameters);

/* The single value that a query yields, as text; "" if it is NULL or there is none. */
bool connection_ask(struct connection *connection, const char *sql, const struct parameters *parameters, char *answer,
                    size_t room, struct sluice_error *error);

/* Runs one or more statements whose results do not matter. */
bool connection_run(struct connection *connection, const char *sql, struct sluice_error *error);

/* Hands the rows to `each` as they come, without holding them all; false from it ends that, not the query. */
typedef bool (*connection_row_fn)(void *context, const PGresult *row);
bool connection_stream(struct connection *connection, const char *sql, const struct parameters *parameters,
                       connection_row_fn each, void *context, struct sluice_error *error);

/* What a result means for the event at hand. */
enum fault {
	FAULT_NONE,
	FAULT_LATER,   /* the database, not the event: try again */
	FAULT_REFUSED, /* the event, and it will be refused again */
};
/* `result` may be NULL. On a fault `trouble` says why, with the SQLSTATE and names from the schema, never with values.
 */
enum fault connection_judge(struct connection *connection, const PGresult *result);

/* Ends whatever transaction is open. */
void connection_roll_back(struct connection *connection);

/* Columns of a binary result. */
struct sluice_bytes column_bytes(const PGresult *row, int line, int column); /* NULL: absent */
int64_t column_int64(const PGresult *row, int line, int column);
double column_real(const PGresult *row, int line, int column); /* a float8 */
int64_t column_time_ns(const PGresult *row, int line, int column);
void column_digest(const PGresult *row, int line, int column, uint8_t digest[SLUICE_DIGEST_SIZE]);

#endif
