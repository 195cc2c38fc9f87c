/* The indexes. */
#include "indexes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "real_clock.h"

enum {
	SQL_SIZE = 2 * SCHEMA_QUOTED_SIZE + 256,
	POLL_MS = 200,
	LOOK_EVERY_MS = 1000,
	LOG_EVERY_MS = 10000,
	RETRY_MS = 30000,
};

/* An index is named webhook_events_by_ and what the options call it. That of message_id is part of the table. */
static const struct {
	const char *name, *columns;
} rows[] = {
	{"event_type", "(event_type, received_at DESC)"},
	{"request_id", "(request_id)"},
	{"event_type_message_id", "(event_type, message_id, received_at DESC)"},
	{"received_at", "USING brin (received_at)"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
_Static_assert((int)ROWS <= (int)INDEXES_MAX, "struct indexes has room for each");

enum state { STATE_UNKNOWN, STATE_MISSING, STATE_INVALID, STATE_BEING_MADE, STATE_THERE };

static const struct config *config_of(const struct indexes *indexes)
{
	return indexes->stage->config;
}

static bool is_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->indexes.count; i++) {
		if (strcmp(config->indexes.items[i], name) == 0)
			return true;
	}
	return false;
}

bool indexes_check(const struct config *config, struct sluice_error *error)
{
	for (size_t i = 0; i < config->indexes.count; i++) {
		const char *name = config->indexes.items[i];
		bool known = strcmp(name, "message_id") == 0;
		for (size_t row = 0; row < ROWS; row++)
			known |= strcmp(name, rows[row].name) == 0;
		if (!known)
			return sluice_error_set(
				error,
				"indexes: expected event_type, request_id, event_type_message_id or received_at, got \"%s\"",
				name);
	}
	return true;
}

static bool is_stopping(struct indexes *indexes)
{
	(void)pthread_mutex_lock(&indexes->lock);
	bool stopping = indexes->stopping;
	(void)pthread_mutex_unlock(&indexes->lock);
	return stopping;
}

static bool rest(struct indexes *indexes, int64_t ms)
{
	int64_t until_ns = real_now_ns() + ms * NS_PER_MS;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	(void)pthread_mutex_lock(&indexes->lock);
	while (!indexes->stopping && real_now_ns() < until_ns)
		(void)pthread_cond_timedwait(&indexes->changed, &indexes->lock, &until);
	bool goes_on = !indexes->stopping;
	(void)pthread_mutex_unlock(&indexes->lock);
	return goes_on;
}

static void set_progress(struct indexes *indexes, size_t row, double progress)
{
	(void)pthread_mutex_lock(&indexes->lock);
	indexes->progress[row] = progress;
	(void)pthread_mutex_unlock(&indexes->lock);
}

static enum state look(struct indexes *indexes, struct connection *connection, size_t row, struct sluice_error *error)
{
	static const char sql[] =
		"SELECT CASE WHEN indisvalid THEN 't' WHEN p.pid IS NULL THEN 'i' ELSE 'b' END FROM pg_index "
		"JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace "
		"LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = indexrelid "
		"WHERE nspname = $1 AND relname = 'webhook_events_by_' || $2";
	struct parameters parameters = {0};
	char answer[8];
	parameters_string(&parameters, indexes->server->schema);
	parameters_string(&parameters, rows[row].name);
	if (!connection_ask(connection, sql, &parameters, answer, sizeof(answer), error))
		return STATE_UNKNOWN;
	return answer[0] == 't'   ? STATE_THERE
	       : answer[0] == 'i' ? STATE_INVALID
	       : answer[0] == 'b' ? STATE_BEING_MADE
	                          : STATE_MISSING;
}

/* Of whichever process makes an index on the table. */
static void look_at_progress(struct indexes *indexes, struct connection *connection, size_t row, bool logs)
{
	static const char sql[] =
		"SELECT round(coalesce(CASE WHEN blocks_total > 0 THEN blocks_done::numeric / blocks_total WHEN "
		"tuples_total > 0 THEN tuples_done::numeric / tuples_total END, 0), 3) || ' ' || phase FROM "
		"pg_stat_progress_create_index WHERE relid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = "
		"relnamespace WHERE nspname = $1 AND relname = 'webhook_events') LIMIT 1";
	struct parameters parameters = {0};
	struct sluice_error ignored = {0};
	char answer[128], *phase;
	parameters_string(&parameters, indexes->server->schema);
	if (!connection_ask(connection, sql, &parameters, answer, sizeof(answer), &ignored) || !answer[0])
		return;
	double progress = strtod(answer, &phase);
	set_progress(indexes, row, progress);
	if (logs)
		sluice_log(indexes->stage, SLUICE_LOG_INFO, "index_progress", sluice_text("index", rows[row].name),
		           sluice_real("percent_of_phase", 100 * progress), sluice_text("phase", phase + 1));
}

static void cancel(PGconn *pg)
{
	char ignored[64];
	PGcancel *handle = PQgetCancel(pg);
	if (handle)
		(void)PQcancel(handle, ignored, sizeof(ignored));
	PQfreeCancel(handle);
}

/* Until the statement has ended, however long that takes; `watch` looks at it meanwhile. Cancels it when it is time to stop. */
static bool await(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row)
{
	int64_t look_ns = real_now_ns() + LOOK_EVERY_MS * NS_PER_MS, log_ns = look_ns;
	bool cancelled = false;
	while (PQconsumeInput(connection->pg) && PQisBusy(connection->pg)) {
		struct pollfd socket = {.fd = PQsocket(connection->pg), .events = POLLIN};
		if (poll(&socket, 1, POLL_MS) < 0 && errno != EINTR)
			return false;
		if (!cancelled && is_stopping(indexes)) {
			cancel(connection->pg);
			cancelled = true;
		}
		int64_t now_ns = real_now_ns();
		if (now_ns < look_ns)
			continue;
		look_at_progress(indexes, watch, row, now_ns >= log_ns);
		look_ns = now_ns + LOOK_EVERY_MS * NS_PER_MS;
		log_ns = now_ns >= log_ns ? now_ns + LOG_EVERY_MS * NS_PER_MS : log_ns;
	}
	return !cancelled;
}

static bool run(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row,
                const char *sql, struct sluice_error *error)
{
	if (connection->broken || !PQsendQuery(connection->pg, sql))
		return sluice_error_set(error, "the connection is broken");
	bool ended = await(indexes, connection, watch, row), ok = ended;
	for (PGresult *result; (result = PQgetResult(connection->pg)); PQclear(result)) {
		if (ok && connection_judge(connection, result) != FAULT_NONE)
			ok = sluice_error_set(error, "PostgreSQL: %s", connection->trouble.text);
	}
	return ok || (!ended && sluice_error_set(error, "stopped"));
}

static bool drop(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row,
                 struct sluice_error *error)
{
	char schema[SCHEMA_QUOTED_SIZE], sql[SQL_SIZE];
	server_quote_schema(indexes->server, schema);
	(void)snprintf(sql, sizeof(sql), "DROP INDEX CONCURRENTLY IF EXISTS %s.webhook_events_by_%s", schema,
	               rows[row].name);
	return run(indexes, connection, watch, row, sql, error);
}

static bool create(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row,
                   struct sluice_error *error)
{
	char schema[SCHEMA_QUOTED_SIZE], sql[SQL_SIZE];
	int64_t start_ns = real_now_ns();
	server_quote_schema(indexes->server, schema);
	(void)snprintf(sql, sizeof(sql), "CREATE INDEX CONCURRENTLY webhook_events_by_%s ON %s.webhook_events %s",
	               rows[row].name, schema, rows[row].columns);
	sluice_log(indexes->stage, SLUICE_LOG_INFO, "index_begun", sluice_text("index", rows[row].name));
	bool ok = run(indexes, connection, watch, row, sql, error);
	if (ok)
		sluice_log(indexes->stage, SLUICE_LOG_INFO, "index_created", sluice_text("index", rows[row].name),
		           sluice_int("ms", (real_now_ns() - start_ns) / NS_PER_MS));
	return ok;
}

/* One step towards what is wanted of an index. False: an error. */
static bool step(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row,
                 enum state state, bool *changed_out, struct sluice_error *error)
{
	switch (state) {
	case STATE_MISSING:
		*changed_out = true;
		return create(indexes, connection, watch, row, error);
	case STATE_INVALID:
		sluice_log(indexes->stage, SLUICE_LOG_WARN, "index_invalid", sluice_text("index", rows[row].name),
		           sluice_text("reason", "an earlier build was interrupted; the index is built again"));
		return drop(indexes, connection, watch, row, error);
	case STATE_BEING_MADE:
		look_at_progress(indexes, watch, row, false);
		(void)rest(indexes, LOOK_EVERY_MS);
		return true;
	default:
		return false;
	}
}

static bool make(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row,
                 bool *changed_out, struct sluice_error *error)
{
	enum state state;
	while ((state = look(indexes, watch, row, error)) != STATE_THERE) {
		if (!step(indexes, connection, watch, row, state, changed_out, error))
			return false;
		if (is_stopping(indexes))
			return sluice_error_set(error, "stopped");
	}
	set_progress(indexes, row, 1);
	return true;
}

static bool leave_out(struct indexes *indexes, struct connection *connection, struct connection *watch, size_t row,
                      bool *changed_out, struct sluice_error *error)
{
	enum state state = look(indexes, watch, row, error);
	if (state == STATE_UNKNOWN)
		return false;
	if (state == STATE_MISSING || state == STATE_BEING_MADE)
		return true;
	*changed_out = true;
	if (!drop(indexes, connection, watch, row, error))
		return false;
	sluice_log(indexes->stage, SLUICE_LOG_INFO, "index_dropped", sluice_text("index", rows[row].name));
	return true;
}

static bool analyze(struct indexes *indexes, struct connection *connection, struct connection *watch,
                    struct sluice_error *error)
{
	char schema[SCHEMA_QUOTED_SIZE], sql[SQL_SIZE];
	server_quote_schema(indexes->server, schema);
	(void)snprintf(sql, sizeof(sql), "ANALYZE %s.webhook_events, %s.webhook_audit_trail", schema, schema);
	return run(indexes, connection, watch, 0, sql, error);
}

/* All of it once. */
static bool settle(struct indexes *indexes, struct connection *connection, struct connection *watch,
                   struct sluice_error *error)
{
	const struct config *config = config_of(indexes);
	bool ok = true, changed = false;
	for (size_t row = 0; ok && row < ROWS; row++) {
		if (is_named(config, rows[row].name))
			ok = make(indexes, connection, watch, row, &changed, error);
		else if (config->drop_indexes)
			ok = leave_out(indexes, connection, watch, row, &changed, error);
	}
	return ok && (!changed || analyze(indexes, connection, watch, error));
}

static bool try_once(struct indexes *indexes, struct sluice_error *error)
{
	struct connection *connection = connection_open(indexes->server, CONNECTION_MAINTAINS, error);
	struct connection *watch = connection ? connection_open(indexes->server, CONNECTION_READS, error) : NULL;
	bool ok = watch && settle(indexes, connection, watch, error);
	if (watch)
		connection_close(watch);
	if (connection)
		connection_close(connection);
	return ok;
}

static void *work(void *argument)
{
	struct indexes *indexes = argument;
	struct sluice_error error;
	(void)pthread_setname_np(pthread_self(), "sluice-indexes");
	while (error = (struct sluice_error){0}, !try_once(indexes, &error) && !is_stopping(indexes)) {
		sluice_log(indexes->stage, SLUICE_LOG_WARN, "index_failed", sluice_text("reason", error.text),
		           sluice_int("retry_in_ms", RETRY_MS));
		if (!rest(indexes, RETRY_MS))
			break;
	}
	return NULL;
}

bool indexes_start(struct indexes *indexes, struct server *server, struct sluice_error *error)
{
	*indexes = (struct indexes){.server = server, .stage = server->stage};
	if (config_of(indexes)->indexes.count == 0 && !config_of(indexes)->drop_indexes)
		return true;
	(void)pthread_mutex_init(&indexes->lock, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&indexes->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	int problem = pthread_create(&indexes->thread, NULL, work, indexes);
	indexes->runs = problem == 0;
	if (indexes->runs)
		return true;
	(void)pthread_cond_destroy(&indexes->changed);
	(void)pthread_mutex_destroy(&indexes->lock);
	return sluice_error_set(error, "cannot start a thread: %s", strerror(problem));
}

void indexes_stop(struct indexes *indexes)
{
	if (!indexes->runs)
		return;
	(void)pthread_mutex_lock(&indexes->lock);
	indexes->stopping = true;
	(void)pthread_cond_broadcast(&indexes->changed);
	(void)pthread_mutex_unlock(&indexes->lock);
	(void)pthread_join(indexes->thread, NULL);
	(void)pthread_cond_destroy(&indexes->changed);
	(void)pthread_mutex_destroy(&indexes->lock);
	indexes->runs = false;
}

void indexes_observe(struct indexes *indexes, struct sluice_observer *observer)
{
	if (!indexes->runs)
		return;
	for (size_t row = 0; row < ROWS; row++) {
		if (!is_named(config_of(indexes), rows[row].name))
			continue;
		(void)pthread_mutex_lock(&indexes->lock);
		double progress = indexes->progress[row];
		(void)pthread_mutex_unlock(&indexes->lock);
		observer->gauge(observer, "db_index_progress", "index", rows[row].name, progress,
		                "Progress of an index build within its current phase, 0 to 1; 1: the index exists.");
	}
}
