/* A connection to PostgreSQL. */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* What the answer to a statement may take beyond statement_timeout before the network is held responsible. */
#define GRACE_NS (2 * NS_PER_S)
/* How long a reader waits for the next row. */
#define SILENCE_NS (60 * NS_PER_S)

/* How long a statement that tends the database may take. */
#define TENDING_NS (600 * NS_PER_S)

#define OLDEST_SERVER 150000

enum { SCHEMA_MAX = 63 }; /* NAMEDATALEN - 1 */

/* pg_type.dat */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 in µs since 1970-01-01 */

/* The real clock, whatever the host's says: the network does not know the host's. */
static int64_t now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The first line of libpq's message, without the password should it ever be in there. */
static void set_trouble(struct connection *connection, const char *message)
{
	const char *password = PQpass(connection->pg);
	size_t length = strcspn(message, "\n"), hidden = password ? strlen(password) : 0, used = 0;
	for (size_t i = 0; i < length && used < TROUBLE_SIZE - 4;) {
		if (hidden > 0 && strncmp(message + i, password, hidden) == 0) {
			memcpy(connection->trouble + used, "***", 3);
			used += 3;
			i += hidden;
		} else {
			connection->trouble[used++] = message[i++];
		}
	}
	connection->trouble[used] = '\0';
}

static void set_broken(struct connection *connection, const char *message)
{
	connection->broken = true;
	set_trouble(connection, message);
}

bool connection_check_url(const char *url, struct sluice_error *error)
{
	char *message = NULL; /* it quotes the url */
	PQconninfoOption *options = PQconninfoParse(url, &message);
	PQfreemem(message);
	PQconninfoFree(options);
	if (options)
		return true;
	return sluice_error_set(
		error,
		"url: neither a libpq URI (postgresql://user@host:port/database) nor a conninfo string (host=… dbname=…); it is not shown, as it may hold a password");
}

bool connection_check_schema(const char *schema, struct sluice_error *error)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
	size_t size = strlen(schema);
	if (size <= SCHEMA_MAX && strspn(schema, letters) == size && !(schema[0] >= '0' && schema[0] <= '9') &&
	    strncmp(schema, "pg_", 3) != 0 && strcmp(schema, "information_schema") != 0)
		return true;
	return sluice_error_set(
		error,
		"schema: expected a name of at most %d lower-case letters, digits and underscores that begins with none of the digits and not with pg_, got \"%s\"",
		SCHEMA_MAX, schema);
}

/* Waits for the socket. False: the time is over. */
static bool wait_for(PGconn *pg, short events, int64_t until_ns)
{
	struct pollfd socket = {.fd = PQsocket(pg), .events = events};
	for (;;) {
		int64_t left_ns = until_ns - now_ns();
		int result = left_ns <= 0 ? 0 : poll(&socket, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
		if (result >= 0 || errno != EINTR)
			return result > 0;
	}
}

static bool finish_connecting(struct connection *connection, int64_t until_ns)
{
	short events = POLLOUT;
	while (PQstatus(connection->pg) != CONNECTION_BAD) {
		if (!wait_for(connection->pg, events, until_ns)) {
			set_trouble(connection, "no answer within pool.connect_timeout");
			return false;
		}
		PostgresPollingStatusType state = PQconnectPoll(connection->pg);
		if (state == PGRES_POLLING_OK)
			return true;
		if (state == PGRES_POLLING_FAILED)
			break;
		events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	}
	set_trouble(connection, PQerrorMessage(connection->pg));
	return false;
}

/* What stands before dbname can be overruled by the url, what stands behind it cannot. */
static bool start_connecting(struct connection *connection, const struct config *config)
{
	char keepalive[24], user_timeout[24];
	long long idle_s = (config->pool_keepalive.ns + NS_PER_S - 1) / NS_PER_S;
	(void)snprintf(keepalive, sizeof(keepalive), "%lld", idle_s);
	(void)snprintf(user_timeout, sizeof(user_timeout), "%lld", 3000 * idle_s);
	const char *const names[] = {"application_name",
	                             "keepalives",
	                             "keepalives_idle",
	                             "keepalives_interval",
	                             "keepalives_count",
	                             "tcp_user_timeout",
	                             "dbname",
	                             "client_encoding",
	                             NULL};
	const char *const values[] = {"sluice",     idle_s ? "1" : "0", keepalive, keepalive, "3",
	                              user_timeout, config->url,        "UTF8",    NULL};
	connection->pg = PQconnectStartParams(names, values, 1);
	return connection->pg != NULL;
}

static void drop_notice(void *context, const PGresult *notice)
{
	(void)context, (void)notice;
}

/* Whether the server keeps what it has committed when the power goes. */
static bool is_durable(const PGresult *result, struct sluice_error *error)
{
	static const char *const settings[] = {"fsync", "synchronous_commit", "full_page_writes"};
	for (int i = 0; i < 3; i++)
		if (strcmp(PQgetvalue(result, 0, i), "off") == 0)
			return sluice_error_set(
				error,
				"url: the server has %s=off: it loses answered events in a crash; if that may be, say `durability: relaxed`",
				settings[i]);
	return true;
}

static bool set_up(struct connection *connection, const struct config *config, enum connection_use use,
                   struct sluice_error *error)
{
	static const char sql[] =
		"SELECT current_setting('fsync')::text, current_setting('synchronous_commit')::text, "
		"current_setting('full_page_writes')::text, set_config('statement_timeout', $1, false), "
		"set_config('idle_in_transaction_session_timeout', $2, false), CASE WHEN $3 <> '' THEN "
		"set_config('search_path', quote_ident($3), false) END";
	if (PQserverVersion(connection->pg) < OLDEST_SERVER)
		return sluice_error_set(error, "url: the server is PostgreSQL %d; 15 or later is needed",
		                        PQserverVersion(connection->pg) / 10000);
	char timeout[24];
	(void)snprintf(timeout, sizeof(timeout), "%lld", (long long)(config->statement_timeout.ns / NS_PER_MS));
	struct parameters parameters = {0};
	bool writes = use == CONNECTION_WRITES;
	const char *texts[] = {writes ? timeout : "0", writes ? "30000" : "0", config->schema};
	for (int i = 0; i < 3; i++)
		parameters_text(&parameters, (struct sluice_bytes){texts[i], strlen(texts[i])});
	PGresult *result = connection_query(connection, sql, &parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	if (!ok)
		(void)sluice_error_set(error, "cannot connect to PostgreSQL: %s", connection->trouble);
	else if (use == CONNECTION_WRITES && config->durability == DURABILITY_STRICT)
		ok = is_durable(result, error);
	PQclear(result);
	return ok;
}

struct connection *connection_open(struct sluice_stage *stage, enum connection_use use, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct connection *connection = calloc(1, sizeof(*connection));
	if (!connection) {
		(void)sluice_error_set(error, "out of memory");
		return NULL;
	}
	connection->stage = stage;
	connection->limit_ns = use == CONNECTION_TENDS ? TENDING_NS : config->statement_timeout.ns + GRACE_NS;
	if (!start_connecting(connection, config)) {
		(void)sluice_error_set(error, "out of memory");
		goto close;
	}
	(void)PQsetNoticeReceiver(connection->pg, drop_notice, NULL);
	if (!finish_connecting(connection, now_ns() + config->pool_connect_timeout.ns)) {
		(void)sluice_error_set(error, "cannot connect to PostgreSQL: %s", connection->trouble);
		goto close;
	}
	(void)PQsetnonblocking(connection->pg, 1);
	chain_init(&connection->chain, stage->host);
	if (set_up(connection, config, use, error))
		return connection;
close:
	connection_close(connection);
	return NULL;
}

void connection_close(struct connection *connection)
{
	chain_log_head(&connection->chain, connection->stage);
	PQfinish(connection->pg);
	free(connection);
}

/* A server that goes away says so, or its system closes the socket. Both may be there to be read, one after the other.
 */
bool connection_is_alive(struct connection *connection)
{
	struct pollfd socket = {.fd = PQsocket(connection->pg), .events = POLLIN};
	while (!connection->broken && poll(&socket, 1, 0) > 0) {
		if (!PQconsumeInput(connection->pg))
			set_broken(connection, PQerrorMessage(connection->pg));
	}
	return !connection->broken && PQstatus(connection->pg) == CONNECTION_OK;
}

static void add_parameter(struct parameters *parameters, Oid type, const void *value, size_t size)
{
	int i = parameters->count++;
	parameters->types[i] = type;
	parameters->values[i] = value;
	parameters->sizes[i] = (int)size;
	parameters->formats[i] = 1;
}

static void add_number(struct parameters *parameters, Oid type, int64_t value)
{
	char *bytes = parameters->numbers[parameters->count];
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(unsigned char)((uint64_t)value >> (56 - 8 * i));
	add_parameter(parameters, type, bytes, 8);
}

void parameters_text(struct parameters *parameters, struct sluice_bytes text)
{
	add_parameter(parameters, OID_TEXT, text.data, text.size);
}

void parameters_bytea(struct parameters *parameters, const void *data, size_t size)
{
	add_parameter(parameters, OID_BYTEA, data, size);
}

void parameters_int64(struct parameters *parameters, int64_t value)
{
	add_number(parameters, OID_INT8, value);
}

void parameters_null(struct parameters *parameters)
{
	add_parameter(parameters, OID_INT8, NULL, 0);
}

void parameters_time(struct parameters *parameters, int64_t wall_ns)
{
	add_number(parameters, OID_TIMESTAMPTZ, wall_ns / 1000 - POSTGRES_EPOCH_US);
}

static bool send_all(struct connection *connection, int64_t until_ns)
{
	int left;
	while ((left = PQflush(connection->pg)) > 0) {
		if (!wait_for(connection->pg, POLLIN | POLLOUT, until_ns)) {
			set_broken(connection, "the connection takes no more data");
			return false;
		}
		if (!PQconsumeInput(connection->pg))
			break;
	}
	if (left != 0)
		set_broken(connection, PQerrorMessage(connection->pg));
	return left == 0;
}

/* The next result of what was sent; NULL after the last one, or when the connection broke. */
static PGresult *next_result(struct connection *connection, int64_t until_ns)
{
	while (PQisBusy(connection->pg)) {
		if (!wait_for(connection->pg, POLLIN, until_ns)) {
			set_broken(connection, "PostgreSQL does not answer");
			return NULL;
		}
		if (!PQconsumeInput(connection->pg)) {
			set_broken(connection, PQerrorMessage(connection->pg));
			return NULL;
		}
	}
	return PQgetResult(connection->pg);
}

static bool send_query(struct connection *connection, const char *sql, const struct parameters *parameters)
{
	static const struct parameters none = {0};
	if (!parameters)
		parameters = &none;
	if (PQsendQueryParams(connection->pg, sql, parameters->count, parameters->types, parameters->values,
	                      parameters->sizes, parameters->formats, 1))
		return true;
	set_broken(connection, PQerrorMessage(connection->pg));
	return false;
}

/* Takes all results of what was sent and keeps the first that is an error, or the last. */
static PGresult *collect(struct connection *connection)
{
	int64_t until_ns = now_ns() + connection->limit_ns;
	PGresult *kept = NULL, *result;
	if (!send_all(connection, until_ns))
		return NULL;
	while ((result = next_result(connection, until_ns)) != NULL) {
		if (kept && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
			PQclear(result);
			continue;
		}
		PQclear(kept);
		kept = result;
	}
	if (PQstatus(connection->pg) != CONNECTION_OK && !connection->broken)
		set_broken(connection, PQerrorMessage(connection->pg));
	if (!connection->broken)
		return kept;
	PQclear(kept);
	return NULL;
}

PGresult *connection_query(struct connection *connection, const char *sql, const struct parameters *parameters)
{
	if (connection->broken || !send_query(connection, sql, parameters))
		return NULL;
	return collect(connection);
}

bool connection_run(struct connection *connection, const char *sql, struct sluice_error *error)
{
	if (!connection->broken && !PQsendQuery(connection->pg, sql))
		set_broken(connection, PQerrorMessage(connection->pg));
	PGresult *result = connection->broken ? NULL : collect(connection);
	bool ok = result && PQresultStatus(result) != PGRES_FATAL_ERROR;
	if (!ok)
		(void)sluice_error_set(error, "PostgreSQL: %s",
		                       result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
		                              : connection->trouble);
	PQclear(result);
	return ok;
}

bool connection_stream(struct connection *connection, const char *sql, const struct parameters *parameters,
                       connection_row_fn each, void *context, struct sluice_error *error)
{
	PGresult *result;
	bool ok = true, wanted = true;
	if (connection->broken || !send_query(connection, sql, parameters) || !PQsetSingleRowMode(connection->pg) ||
	    !send_all(connection, now_ns() + SILENCE_NS))
		return sluice_error_set(error, "PostgreSQL: %s", connection->trouble);
	while ((result = next_result(connection, now_ns() + SILENCE_NS)) != NULL) {
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			wanted = wanted && each(context, result);
		else if (connection_judge(connection, result) != FAULT_NONE)
			ok = sluice_error_set(error, "PostgreSQL: %s", connection->trouble);
		PQclear(result);
	}
	return connection->broken ? sluice_error_set(error, "PostgreSQL: %s", connection->trouble) : ok;
}

/*
 * Which SQLSTATEs pass: connections and transactions that failed, resources, operators at work, and what an operator
 * can still mend (a table renamed, a right revoked). All others are about the row: data, constraints, triggers.
 */
static bool passes(const char *sqlstate)
{
	static const char *const classes[] = {"08", "25", "26", "28", "3D", "3F", "40",
	                                      "42", "53", "55", "57", "58", "XX"};
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	}
	return false;
}

static const char *field(const PGresult *result, int which)
{
	const char *text = PQresultErrorField(result, which);
	return text ? text : "";
}

enum fault connection_judge(struct connection *connection, const PGresult *result)
{
	if (!result)
		return FAULT_LATER;
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return FAULT_NONE;
	if (!PQresultErrorField(result, PG_DIAG_SQLSTATE)) { /* libpq's own word, not the server's */
		set_broken(connection, PQresultErrorMessage(result));
		return FAULT_LATER;
	}
	const char *sqlstate = field(result, PG_DIAG_SQLSTATE), *constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
	/* Not the primary message: a trigger may have put anything into it. */
	(void)snprintf(connection->trouble, TROUBLE_SIZE, "SQLSTATE %s%s%s", sqlstate,
	               constraint[0] ? ", constraint " : "", constraint);
	connection->schema_failed = strncmp(sqlstate, "42", 2) == 0 || strncmp(sqlstate, "3F", 2) == 0;
	return passes(sqlstate) ? FAULT_LATER : FAULT_REFUSED;
}

bool connection_ask(struct connection *connection, const char *sql, const struct parameters *parameters, char *answer,
                    size_t room, struct sluice_error *error)
{
	PGresult *result = connection_query(connection, sql, parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	if (ok)
		(void)snprintf(answer, room, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	else
		(void)sluice_error_set(error, "PostgreSQL: %s", connection->trouble);
	PQclear(result);
	return ok;
}

void connection_roll_back(struct connection *connection)
{
	if (!connection->broken && PQtransactionStatus(connection->pg) != PQTRANS_IDLE)
		PQclear(connection_query(connection, "ROLLBACK", NULL));
	if (!connection->broken && PQtransactionStatus(connection->pg) != PQTRANS_IDLE)
		set_broken(connection, "a transaction could not be ended");
}

struct sluice_bytes column_bytes(const PGresult *row, int line, int column)
{
	struct sluice_bytes bytes = {NULL, 0};
	if (PQgetisnull(row, line, column))
		return bytes;
	bytes.data = PQgetvalue(row, line, column);
	bytes.size = (size_t)PQgetlength(row, line, column);
	return bytes;
}

int64_t column_int64(const PGresult *row, int line, int column)
{
	struct sluice_bytes bytes = column_bytes(row, line, column);
	uint64_t value = 0;
	for (size_t i = 0; i < bytes.size; i++)
		value = value << 8 | (unsigned char)bytes.data[i];
	return (int64_t)value;
}

double column_real(const PGresult *row, int line, int column)
{
	int64_t bits = column_int64(row, line, column);
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

int64_t column_time_ns(const PGresult *row, int line, int column)
{
	return (column_int64(row, line, column) + POSTGRES_EPOCH_US) * 1000;
}

/* What is not 32 bytes long has been tampered with; it comes out as zeros, which no digest is. */
void column_digest(const PGresult *row, int line, int column, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	struct sluice_bytes bytes = column_bytes(row, line, column);
	memset(digest, 0, SLUICE_DIGEST_SIZE);
	if (bytes.size == SLUICE_DIGEST_SIZE)
		memcpy(digest, bytes.data, SLUICE_DIGEST_SIZE);
}
