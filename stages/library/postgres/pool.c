/* The pool. */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "real_clock.h"
#include "transaction.h"

#define PAUSE_MIN_NS (50 * NS_PER_MS)
#define PAUSE_MAX_NS NS_PER_S
#define ROUND_NS (100 * NS_PER_MS) /* how often the thread looks after the connections */
#define PROBE_INTERVAL_NS NS_PER_S
#define WATCH_NS (1500 * NS_PER_MS) /* what the answer to a look may take */

/* Waits for the condition under the lock. False: the time is over. */
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ns)
{
	struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
	return pthread_cond_timedwait(condition, lock, &until) == 0;
}

static const struct config *config_of(const struct pool *pool)
{
	return pool->stage->config;
}

static size_t total(const struct pool *pool)
{
	return pool->idle_count + pool->busy_count + pool->awaited_count + pool->opening + pool->watching;
}

static bool is_pausing(const struct pool *pool)
{
	return pool->trouble[0] && real_now_ns() < pool->not_before_ns;
}

static void push_idle(struct pool *pool, struct connection *connection)
{
	connection->idle_since_ns = real_now_ns();
	connection->next = pool->idle;
	pool->idle = connection;
	pool->idle_count++;
	(void)pthread_cond_signal(&pool->freed);
}

static struct connection *pop_idle(struct pool *pool)
{
	struct connection *connection = pool->idle;
	if (connection) {
		pool->idle = connection->next;
		pool->idle_count--;
	}
	return connection;
}

/* Under the lock: an idle connection that is alive, or NULL. */
static struct connection *take_alive(struct pool *pool)
{
	struct connection *connection;
	while ((connection = pop_idle(pool)) != NULL && !connection_is_alive(connection))
		connection_close(connection);
	return connection;
}

static struct connection *lend(struct pool *pool)
{
	struct connection *connection = take_alive(pool);
	if (connection && pool->busy_count++ == 0)
		pool->moved_ns = real_now_ns();
	return connection;
}

static void explain_wait(const struct pool *pool, char reason[TROUBLE_SIZE])
{
	long long max = (long long)config_of(pool)->pool_max;
	if (pool->trouble[0])
		(void)snprintf(reason, TROUBLE_SIZE, "%.*s", TROUBLE_SIZE - 1, pool->trouble);
	else if (pool->awaited_count > 0)
		(void)snprintf(
			reason, TROUBLE_SIZE,
			"%zu of %lld connections to PostgreSQL wait for a COMMIT to be confirmed (is a synchronous standby away?)",
			pool->awaited_count, max);
	else
		(void)snprintf(reason, TROUBLE_SIZE, "all %lld connections to PostgreSQL are busy (pool.max)", max);
}

/* Under the lock, whenever somebody begins or ends to wait. */
static void note_exhaustion(struct pool *pool)
{
	int64_t now_ns = real_now_ns();
	bool exhausted = pool->waiting > 0 && total(pool) >= (size_t)config_of(pool)->pool_max;
	if (pool->exhausted_since_ns != 0)
		pool->exhausted_ns += now_ns - pool->exhausted_since_ns;
	pool->exhausted_since_ns = exhausted ? now_ns : 0;
}

static void note_timeout(struct pool *pool)
{
	pool->timeouts++;
	pool->timed_out_ns = real_now_ns();
}

struct connection *pool_take(struct pool *pool, int64_t wait_ns, char reason[TROUBLE_SIZE])
{
	int64_t until_ns = real_now_ns() + (wait_ns > 0 ? wait_ns : 0);
	(void)pthread_mutex_lock(&pool->lock);
	struct connection *connection = lend(pool);
	bool timely = true;
	while (!connection && timely && !(total(pool) == 0 && is_pausing(pool))) {
		pool->waiting++;
		note_exhaustion(pool);
		(void)pthread_cond_signal(&pool->wanted);
		timely = wait_until(&pool->freed, &pool->lock, until_ns);
		pool->waiting--;
		note_exhaustion(pool);
		connection = lend(pool);
	}
	if (!connection) {
		explain_wait(pool, reason);
		if (!pool->trouble[0])
			note_timeout(pool);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return connection;
}

struct connection *pool_take_for(struct pool *pool, struct sluice_event *const *events, size_t count,
                                 char reason[TROUBLE_SIZE])
{
	int64_t now_ns = pool->stage->host->now_ns(), wait_ns = config_of(pool)->pool_connect_timeout.ns;
	for (size_t i = 0; i < count; i++) {
		const struct sluice_event *event = events[i];
		if (!event->acknowledged && event->deadline_ns != 0 && event->deadline_ns - now_ns < wait_ns)
			wait_ns = event->deadline_ns - now_ns;
	}
	return pool_take(pool, wait_ns, reason);
}

/* Under the lock. */
static void take_back(struct pool *pool, struct connection *connection)
{
	if (!connection->broken) {
		push_idle(pool, connection);
		return;
	}
	if (connection->awaited && connection_is_awaited(connection)) {
		connection->next = pool->awaited;
		pool->awaited = connection;
		pool->awaited_count++;
	} else {
		connection_close(connection);
	}
	(void)pthread_cond_signal(&pool->wanted);
}

void pool_give(struct pool *pool, struct connection *connection)
{
	(void)pthread_mutex_lock(&pool->lock);
	pool->busy_count--;
	pool->moved_ns = real_now_ns();
	take_back(pool, connection);
	(void)pthread_mutex_unlock(&pool->lock);
}

static bool wants_another(const struct pool *pool)
{
	const struct config *config = config_of(pool);
	size_t count = total(pool), max = (size_t)config->pool_max;
	bool tries = pool->trouble[0] || health_is_failing(&pool->server->health);
	return count < (size_t)config->pool_min || (count == 0 && tries) || (pool->waiting > 0 && count < max);
}

static void note_success(struct pool *pool, struct connection *connection)
{
	if (pool->trouble[0])
		sluice_log(pool->stage, SLUICE_LOG_INFO, "database_reachable",
		           sluice_int("connections", (int64_t)total(pool)));
	pool->trouble[0] = '\0';
	pool->pause_ns = 0;
	push_idle(pool, connection);
}

static void note_failure(struct pool *pool, const struct sluice_error *error)
{
	if (!pool->trouble[0])
		sluice_log(pool->stage, SLUICE_LOG_WARN, "database_unreachable", sluice_text("cause", error->text));
	(void)snprintf(pool->trouble, sizeof(pool->trouble), "%.*s", (int)sizeof(pool->trouble) - 1, error->text);
	pool->pause_ns = pool->pause_ns ? 2 * pool->pause_ns : PAUSE_MIN_NS;
	if (pool->pause_ns > PAUSE_MAX_NS)
		pool->pause_ns = PAUSE_MAX_NS;
	pool->not_before_ns = real_now_ns() + pool->pause_ns;
	(void)pthread_cond_broadcast(&pool->freed); /* who waits need not any more */
}

/* A new connection may lead to another server. What is wrong with it, the transactions will say again. */
static void meet_server(struct connection *connection)
{
	if (!transaction_begin(connection, TRANSACTION_WRITES) || !server_look(connection))
		transaction_note_probe(connection, FAULT_LATER, NULL);
	transaction_roll_back(connection);
}

static void open_another(struct pool *pool)
{
	struct sluice_error error = {0};
	pool->opening++;
	(void)pthread_mutex_unlock(&pool->lock);
	struct connection *connection = connection_open(pool->server, CONNECTION_WRITES, &error);
	if (connection)
		meet_server(connection);
	if (connection && connection->broken) {
		(void)sluice_error_set(&error, "PostgreSQL: %s", connection->trouble.text);
		connection_close(connection);
		connection = NULL;
	}
	(void)pthread_mutex_lock(&pool->lock);
	pool->opening--;
	if (connection)
		note_success(pool, connection);
	else
		note_failure(pool, &error);
}

/* Closes what has died, and above pool.min what has not been used for long. */
static void look_after_idle(struct pool *pool)
{
	const struct config *config = config_of(pool);
	int64_t oldest_ns = real_now_ns() - config->pool_idle_timeout.ns;
	struct connection **link = &pool->idle;
	while (*link) {
		struct connection *connection = *link;
		bool old = config->pool_idle_timeout.ns > 0 && connection->idle_since_ns < oldest_ns &&
		           total(pool) > (size_t)config->pool_min;
		if (!old && connection_is_alive(connection)) {
			link = &connection->next;
			continue;
		}
		*link = connection->next;
		pool->idle_count--;
		connection_close(connection);
	}
}

/* Lets go of COMMITs that were answered or whose connection ended. */
static void look_after_awaited(struct pool *pool)
{
	struct connection **link = &pool->awaited;
	while (*link) {
		struct connection *connection = *link;
		if (connection_is_awaited(connection)) {
			link = &connection->next;
			continue;
		}
		*link = connection->next;
		pool->awaited_count--;
		connection_close(connection);
	}
}

/* Without the lock. */
static void try_it(struct pool *pool, struct connection *connection)
{
	int64_t limit_ns = connection->limit_ns;
	if (limit_ns > WATCH_NS)
		connection->limit_ns = WATCH_NS;
	if (health_is_failing(&pool->server->health)) {
		pool->probe(connection);
	} else {
		if (!transaction_begin(connection, TRANSACTION_WRITES))
			transaction_note_probe(connection, FAULT_LATER, NULL);
		transaction_roll_back(connection);
	}
	connection->limit_ns = limit_ns;
}

/* Who waits for a connection will see for himself. */
static bool is_try_due(struct pool *pool)
{
	int64_t now_ns = real_now_ns();
	bool failing = health_is_failing(&pool->server->health);
	if (!pool->idle || pool->waiting > 0 ||
	    (failing ? now_ns < pool->probe_due_ns : now_ns < atomic_load(&pool->server->look_due_ns)))
		return false;
	pool->probe_due_ns = now_ns + PROBE_INTERVAL_NS;
	return true;
}

static void look_at_server(struct pool *pool)
{
	struct connection *connection = is_try_due(pool) ? take_alive(pool) : NULL;
	if (!connection)
		return;
	pool->watching = 1;
	(void)pthread_mutex_unlock(&pool->lock);
	try_it(pool, connection);
	(void)pthread_mutex_lock(&pool->lock);
	pool->watching = 0;
	take_back(pool, connection);
}

static struct connection **find_awaited(struct pool *pool, const char *backend)
{
	struct connection **link = &pool->awaited;
	while (*link && strcmp((*link)->backend, backend) != 0)
		link = &(*link)->next;
	return link;
}

/* The awaited backends, with commas; to be freed. */
static char *list_awaited(const struct pool *pool)
{
	char *list = calloc(pool->awaited_count + 1, BACKEND_SIZE + 1);
	size_t used = 0;
	for (const struct connection *each = pool->awaited; list && each; each = each->next)
		used += (size_t)snprintf(list + used, BACKEND_SIZE + 1, "%s%s", used ? "," : "", each->backend);
	return list;
}

/* Which of these backends the server does not have, one a row. */
static PGresult *ask_for_gone(struct connection *connection, const char *list)
{
	static const char sql[] =
		"SELECT backend FROM unnest(string_to_array($1, ',')) AS backend WHERE backend NOT IN (SELECT pid || '/' || "
		"(extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_stat_get_activity(NULL) WHERE "
		"backend_start IS NOT NULL)";
	struct parameters parameters = {0};
	parameters_string(&parameters, list);
	PGresult *result = connection_query(connection, sql, &parameters);
	if (connection_judge(connection, result) == FAULT_NONE)
		return result;
	PQclear(result);
	return NULL;
}

/* All places wait, and the server that they wait for may have been replaced by another. One connection more, for as long
 * as it takes to ask, tells whether their backends are gone. */
static void ask_about_awaited(struct pool *pool)
{
	struct sluice_error error = {0};
	char *list = list_awaited(pool);
	pool->probe_due_ns = real_now_ns() + PROBE_INTERVAL_NS;
	(void)pthread_mutex_unlock(&pool->lock);
	struct connection *connection = list ? connection_open(pool->server, CONNECTION_READS, &error) : NULL;
	PGresult *gone = connection ? ask_for_gone(connection, list) : NULL;
	(void)pthread_mutex_lock(&pool->lock);
	for (int line = 0; line < PQntuples(gone); line++) {
		struct connection **link = find_awaited(pool, PQgetvalue(gone, line, 0)), *found = *link;
		if (!found)
			continue;
		*link = found->next;
		pool->awaited_count--;
		connection_close(found);
	}
	PQclear(gone);
	free(list);
	if (connection)
		connection_close(connection);
}

/* What could be remembered of the store is in doubt while nobody would notice that it was exchanged. */
static void look_for_doubt(struct pool *pool)
{
	bool stuck = pool_is_stuck(pool), empty = total(pool) == 0;
	if ((stuck && !pool->stuck) || (empty && !pool->empty))
		server_doubt(pool->server);
	pool->stuck = stuck;
	pool->empty = empty;
}

static bool is_full_of_awaited(const struct pool *pool)
{
	return pool->awaited_count >= (size_t)config_of(pool)->pool_max && real_now_ns() >= pool->probe_due_ns;
}

static void *look_after(void *context)
{
	struct pool *pool = context;
	(void)pthread_mutex_lock(&pool->lock);
	while (!pool->stopping) {
		look_after_idle(pool);
		look_after_awaited(pool);
		look_for_doubt(pool);
		look_at_server(pool);
		int64_t until_ns = real_now_ns() + ROUND_NS;
		if (is_full_of_awaited(pool))
			ask_about_awaited(pool);
		if (!wants_another(pool))
			pool->trouble[0] = '\0'; /* one more could not be had, and is needed no more */
		else if (!is_pausing(pool) && !pool->stopping) {
			open_another(pool);
			continue;
		}
		if (is_pausing(pool) && pool->not_before_ns < until_ns)
			until_ns = pool->not_before_ns;
		(void)wait_until(&pool->wanted, &pool->lock, until_ns);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

bool pool_create(struct pool *pool, struct connection *first, pool_probe_fn probe, struct sluice_error *error)
{
	*pool = (struct pool){.server = first->server, .stage = first->stage, .probe = probe};
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&pool->freed, &monotonic);
	(void)pthread_cond_init(&pool->wanted, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&pool->lock, NULL);
	push_idle(pool, first);
	if (pthread_create(&pool->thread, NULL, look_after, pool) == 0)
		return true;
	(void)sluice_error_set(error, "no thread could be started");
	connection_close(pop_idle(pool));
	(void)pthread_mutex_destroy(&pool->lock);
	(void)pthread_cond_destroy(&pool->wanted);
	(void)pthread_cond_destroy(&pool->freed);
	return false;
}

void pool_destroy(struct pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	(void)pthread_cond_signal(&pool->wanted);
	(void)pthread_mutex_unlock(&pool->lock);
	(void)pthread_join(pool->thread, NULL);
	struct connection *connection;
	while ((connection = pop_idle(pool)) != NULL)
		connection_close(connection);
	while ((connection = pool->awaited) != NULL) {
		pool->awaited = connection->next;
		connection_close(connection);
	}
	(void)pthread_mutex_destroy(&pool->lock);
	(void)pthread_cond_destroy(&pool->wanted);
	(void)pthread_cond_destroy(&pool->freed);
}
