/* A connection to PostgreSQL. */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "real_clock.h"

/* What the answer to a statement may take beyond statement_timeout before the network is held responsible. */
#define GRACE_NS (2 * NS_PER_S)
/* How long a reader waits for the next row. */
#define SILENCE_NS (60 * NS_PER_S)

/* How long a statement that maintains the database may take. */
#define MAINTENANCE_NS (600 * NS_PER_S)

/* A peer that is gone is noticed after three of these, even where pool.keepalive is off. */
enum { AWAITED_KEEPALIVE_S = 10 };

#define OLDEST_SERVER 150000

static const struct config *config_of(const struct connection *connection)
{
	return connection->stage->config;
}

static void note_broken(struct connection *connection)
{
	if (!connection->broken)
		server_doubt(connection->server);
	connection->broken = true;
}

static void set_broken(struct connection *connection, const char *why)
{
	fault_say(&connection->trouble, why);
	note_broken(connection);
}

static void set_broken_by_libpq(struct connection *connection)
{
	fault_of_message(PQerrorMessage(connection->pg), &connection->trouble);
	note_broken(connection);
}

void connection_give_up(struct connection *connection)
{
	note_broken(connection);
}

/* Waits for the socket. False: the time is over. */
static bool wait_for(PGconn *pg, short events, int64_t until_ns)
{
	struct pollfd socket = {.fd = PQsocket(pg), .events = events};
	for (;;) {
		int64_t left_ns = until_ns - real_now_ns();
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
			fault_say(&connection->trouble, "no answer within pool.connect_timeout");
			return false;
		}
		PostgresPollingStatusType state = PQconnectPoll(connection->pg);
		if (state == PGRES_POLLING_OK)
			return true;
		if (state == PGRES_POLLING_FAILED)
			break;
		events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	}
	fault_of_message(PQerrorMessage(connection->pg), &connection->trouble);
	return false;
}

/* What stands before dbname can be overruled by the url, what stands behind it cannot; empty values count as not given. */
static bool start_connecting(struct connection *connection, const struct address *address)
{
	const struct config *config = config_of(connection);
	char keepalive[24], user_timeout[24];
	long long idle_s = (config->pool_keepalive.ns + NS_PER_S - 1) / NS_PER_S;
	(void)snprintf(keepalive, sizeof(keepalive), "%lld", idle_s);
	(void)snprintf(user_timeout, sizeof(user_timeout), "%lld", 3000 * idle_s);
	const char *const options[][2] = {
		{"application_name", "sluice"},  {"keepalives", idle_s ? "1" : "0"},
		{"keepalives_idle", keepalive},  {"keepalives_interval", keepalive},
		{"keepalives_count", "3"},       {"tcp_user_timeout", user_timeout},
		{"dbname", config->url},         {"host", address->host},
		{"hostaddr", address->hostaddr}, {"port", address->port},
		{"client_encoding", "UTF8"},
	};
	enum { OPTIONS = sizeof(options) / sizeof(options[0]) };
	const char *names[OPTIONS + 1] = {NULL}, *values[OPTIONS + 1] = {NULL};
	for (int i = 0; i < OPTIONS; i++) {
		names[i] = options[i][0];
		values[i] = options[i][1];
	}
	connection->pg = PQconnectStartParams(names, values, 1);
	(void)PQsetErrorVerbosity(connection->pg, PQERRORS_SQLSTATE);
	return connection->pg != NULL;
}

/* Whether a WARNING may be about a COMMIT: by default it is. One with a context came from a function, such as a trigger's;
 * the others are of every transaction on a server whose ids run out. */
static bool may_be_of_commit(const PGresult *notice)
{
	static const char *const of_ids[] = {"GetNewTransactionId", "GetNewMultiXactId"};
	const char *function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
	for (size_t i = 0; function && i < sizeof(of_ids) / sizeof(of_ids[0]); i++)
		if (strcmp(function, of_ids[i]) == 0)
			return false;
	return !PQresultErrorField(notice, PG_DIAG_CONTEXT);
}

/* Notices are no failures and may hold anything; only that there was a WARNING is kept. */
static void note_warning(void *context, const PGresult *notice)
{
	struct connection *connection = context;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	if (severity && strcmp(severity, "WARNING") == 0 && may_be_of_commit(notice))
		connection->warned = true;
}

/* Text "on" or "off" in column `column`. */
static bool is_off(const PGresult *result, int column)
{
	return column_is(result, 0, column, "off");
}

/* Whether the server keeps what it has committed when the power goes, and with standbys, when it burns down. */
static bool is_durable(const PGresult *result, struct sluice_error *error)
{
	static const char way_out[] = "if that may be, say `durability: relaxed`";
	static const char *const settings[] = {"fsync", "full_page_writes", "synchronous_commit"};
	for (int i = 0; i < 3; i++)
		if (is_off(result, i))
			return sluice_error_set(error,
			                        "url: the server has %s=off: it loses answered events in a crash; %s",
			                        settings[i], way_out);
	if (column_is(result, 0, 2, "local") && !column_is(result, 0, 3, ""))
		return sluice_error_set(
			error,
			"url: the server has synchronous_commit=local and names synchronous standbys: a failover loses answered events; %s",
			way_out);
	return true;
}

/* In a session of a pooler's it must not be left behind. Without it, the server's own setting rules. */
static void lift_timeout(struct connection *connection)
{
	if (connection->session != SESSION_SHARED)
		PQclear(connection_query(connection, "SET statement_timeout = 0", NULL));
}

static bool judge_server(struct connection *connection, enum connection_use use, const PGresult *result,
                         struct sluice_error *error)
{
	(void)snprintf(connection->backend, sizeof(connection->backend), "%s", PQgetvalue(result, 0, 5));
	server_set_commit_mode(connection->server, PQgetvalue(result, 0, 2), (size_t)PQgetlength(result, 0, 2));
	connection->session = PQbackendPID(connection->pg) == strtol(connection->backend, NULL, 10) ? SESSION_OURS
	                                                                                            : SESSION_SHARED;
	connection->shows_control = column_is(result, 0, 6, "true");
	if (use != CONNECTION_WRITES)
		return true;
	if (!is_off(result, 4))
		return sluice_error_set(
			error, "PostgreSQL only reads here: it is a standby, or has default_transaction_read_only=on");
	return config_of(connection)->durability == DURABILITY_RELAXED || is_durable(result, error);
}

/* reset_val is what the server, the role and the url say, whatever another client of a pooler has set. */
static bool set_up(struct connection *connection, enum connection_use use, struct sluice_error *error)
{
	static const char sql[] =
		"BEGIN; SET LOCAL statement_timeout = 0; "
		"SELECT current_setting('fsync'), current_setting('full_page_writes'), (SELECT reset_val FROM "
		"pg_settings WHERE name = 'synchronous_commit'), current_setting('synchronous_standby_names'), CASE "
		"WHEN pg_is_in_recovery() THEN 'on' ELSE current_setting('transaction_read_only') END, "
		"pid || '/' || (extract(epoch FROM backend_start) * 1000000)::bigint, "
		"has_function_privilege('pg_control_system()', 'EXECUTE')::text FROM "
		"pg_stat_get_activity(pg_backend_pid())";
	if (PQserverVersion(connection->pg) < OLDEST_SERVER)
		return sluice_error_set(error, "url: the server is PostgreSQL %d; 15 or later is needed",
		                        PQserverVersion(connection->pg) / 10000);
	PGresult *result = connection_send(connection, sql);
	bool ok = connection_judge(connection, result) == FAULT_NONE && PQntuples(result) == 1;
	if (!ok)
		(void)sluice_error_set(error, "cannot connect to PostgreSQL: %s", connection->trouble.text);
	else
		ok = judge_server(connection, use, result, error);
	PQclear(result);
	PQclear(connection_query(connection, "ROLLBACK", NULL));
	if (ok && use == CONNECTION_MAINTAINS)
		lift_timeout(connection);
	if (ok && connection->broken)
		ok = sluice_error_set(error, "cannot connect to PostgreSQL: %s", connection->trouble.text);
	return ok;
}

static int64_t limit_of(const struct config *config, enum connection_use use)
{
	return use == CONNECTION_MAINTAINS ? MAINTENANCE_NS : config->statement_timeout.ns + GRACE_NS;
}

static struct connection *open_at(struct server *server, enum connection_use use, const struct address *address,
                                  int64_t until_ns, struct sluice_error *error)
{
	const struct config *config = server->stage->config;
	struct connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		goto out_of_memory;
	*connection = (struct connection){
		.server = server, .stage = server->stage, .limit_ns = limit_of(config, use), .broken = true};
	chain_init(&connection->chain, server->stage->host);
	if (!start_connecting(connection, address))
		goto out_of_memory;
	(void)PQsetNoticeReceiver(connection->pg, note_warning, connection);
	if (!finish_connecting(connection, until_ns)) {
		(void)sluice_error_set(error, "cannot connect to PostgreSQL: %s", connection->trouble.text);
		goto close;
	}
	connection->broken = false;
	(void)PQsetnonblocking(connection->pg, 1);
	if (set_up(connection, use, error))
		return connection;
	goto close;
out_of_memory:
	(void)sluice_error_set(error, "out of memory");
	if (!connection)
		return NULL;
close:
	connection_close(connection);
	return NULL;
}

/* Each host gets an equal share of the time that is left, and no more than the url's connect_timeout. The host that took
 * the last connection comes first, so that the pool does not lead to two servers. */
struct connection *connection_open(struct server *server, enum connection_use use, struct sluice_error *error)
{
	const struct config *config = server->stage->config;
	struct addresses addresses;
	int64_t until_ns = real_now_ns() + config->pool_connect_timeout.ns;
	addresses_find(config->url, atomic_load(&server->host), &addresses);
	for (int i = 0; i < addresses.count; i++) {
		struct sluice_error own = {0};
		int64_t start_ns = real_now_ns(), share_ns = (until_ns - start_ns) / (addresses.count - i);
		if (addresses.connect_timeout_s && share_ns > addresses.connect_timeout_s * NS_PER_S)
			share_ns = addresses.connect_timeout_s * NS_PER_S;
		struct connection *connection = open_at(server, use, &addresses.each[i], start_ns + share_ns, &own);
		if (connection) {
			atomic_store(&server->host, addresses.each[i].number);
			return connection;
		}
		if (i == addresses.count - 1)
			(void)sluice_error_set(error, "%s", own.text);
	}
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
			set_broken_by_libpq(connection);
	}
	return !connection->broken && PQstatus(connection->pg) == CONNECTION_OK;
}

static void set_option(int socket, int level, int option, int value)
{
	(void)setsockopt(socket, level, option, &value, sizeof(value));
}

/* It may be waited for long: somebody must notice when the other end is gone. */
void connection_await(struct connection *connection)
{
	int socket = PQsocket(connection->pg);
	connection->awaited = true;
	if (config_of(connection)->pool_keepalive.ns > 0)
		return;
	set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, AWAITED_KEEPALIVE_S);
	set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, AWAITED_KEEPALIVE_S);
	set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool connection_is_awaited(struct connection *connection)
{
	struct pollfd socket = {.fd = PQsocket(connection->pg), .events = POLLIN};
	while (PQstatus(connection->pg) == CONNECTION_OK && poll(&socket, 1, 0) > 0) {
		if (!PQconsumeInput(connection->pg))
			return false;
	}
	return PQstatus(connection->pg) == CONNECTION_OK && PQisBusy(connection->pg);
}

static void set_unanswered(struct connection *connection)
{
	set_broken(connection, "no answer in time");
	connection->unanswered = true;
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
		set_broken_by_libpq(connection);
	return left == 0;
}

/* The next result of what was sent; NULL after the last one, or when the connection broke. */
static PGresult *next_result(struct connection *connection, int64_t until_ns)
{
	while (PQisBusy(connection->pg)) {
		if (!wait_for(connection->pg, POLLIN, until_ns)) {
			set_unanswered(connection);
			return NULL;
		}
		if (!PQconsumeInput(connection->pg)) {
			set_broken_by_libpq(connection);
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
	set_broken_by_libpq(connection);
	return false;
}

/* Takes all results of what was sent and keeps the first that is an error, or the last. */
static PGresult *collect(struct connection *connection)
{
	int64_t until_ns = real_now_ns() + connection->limit_ns;
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
		set_broken_by_libpq(connection);
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

/* Collects, if `sent`. */
static PGresult *collect_if(struct connection *connection, int sent)
{
	if (!connection->broken && !sent)
		set_broken_by_libpq(connection);
	return connection->broken ? NULL : collect(connection);
}

PGresult *connection_prepare(struct connection *connection, const char *name, const char *sql,
                             const struct parameters *parameters)
{
	return collect_if(connection, !connection->broken && PQsendPrepare(connection->pg, name, sql, parameters->count,
	                                                                   parameters->types));
}

PGresult *connection_execute(struct connection *connection, const char *name, const struct parameters *parameters)
{
	return collect_if(connection,
	                  !connection->broken &&
	                          PQsendQueryPrepared(connection->pg, name, parameters->count, parameters->values,
	                                              parameters->sizes, parameters->formats, 1));
}

PGresult *connection_send(struct connection *connection, const char *sql)
{
	return collect_if(connection, !connection->broken && PQsendQuery(connection->pg, sql));
}

bool connection_ask(struct connection *connection, const char *sql, const struct parameters *parameters, char *answer,
                    size_t room, struct sluice_error *error)
{
	PGresult *result = connection_query(connection, sql, parameters);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	if (ok)
		(void)snprintf(answer, room, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	else
		(void)sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
	PQclear(result);
	return ok;
}

/* The server's own sentence, as it can be about nothing but the tables. */
bool connection_run(struct connection *connection, const char *sql, struct sluice_error *error)
{
	PGresult *result = connection_send(connection, sql);
	bool ok = connection_judge(connection, result) == FAULT_NONE;
	const char *sentence = ok ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (!ok)
		(void)sluice_error_set(error, "PostgreSQL: %s", sentence ? sentence : connection->trouble.text);
	PQclear(result);
	return ok;
}

bool connection_stream(struct connection *connection, const char *sql, const struct parameters *parameters,
                       connection_row_fn each, void *context, struct sluice_error *error)
{
	PGresult *result;
	bool ok = true, wanted = true;
	if (connection->broken || !send_query(connection, sql, parameters) || !PQsetSingleRowMode(connection->pg) ||
	    !send_all(connection, real_now_ns() + SILENCE_NS))
		return sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
	while ((result = next_result(connection, real_now_ns() + SILENCE_NS)) != NULL) {
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			wanted = wanted && each(context, result);
		else if (connection_judge(connection, result) != FAULT_NONE)
			ok = sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
		PQclear(result);
	}
	return connection->broken ? sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text) : ok;
}

enum fault connection_judge(struct connection *connection, const PGresult *result)
{
	if (!result)
		return FAULT_LATER;
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return FAULT_NONE;
	if (PQresultErrorField(result, PG_DIAG_SQLSTATE))
		return fault_of_result(result, &connection->trouble);
	fault_of_message(PQresultErrorMessage(result), &connection->trouble); /* libpq's own word, not the server's */
	note_broken(connection);
	return FAULT_LATER;
}
