/* The pool. */
#include "pool.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define PAUSE_MIN_NS INT64_C(50000000)
#define PAUSE_MAX_NS NS_PER_S
#define ROUND_NS NS_PER_S /* how often the thread looks after the idle ones */

static int64_t now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

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
	return pool->idle_count + pool->busy_count + pool->opening;
}

static bool is_pausing(const struct pool *pool)
{
	return pool->trouble[0] && now_ns() < pool->not_before_ns;
}

static void push_idle(struct pool *pool, struct connection *connection)
{
	connection->idle_since_ns = now_ns();
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
static struct connection *lend(struct pool *pool)
{
	struct connection *connection;
	while ((connection = pop_idle(pool)) != NULL && !connection_is_alive(connection))
		connection_close(connection);
	if (connection)
		pool->busy_count++;
	return connection;
}

struct connection *pool_take(struct pool *pool, int64_t wait_ns, char reason[TROUBLE_SIZE])
{
	int64_t until_ns = now_ns() + (wait_ns > 0 ? wait_ns : 0);
	(void)pthread_mutex_lock(&pool->lock);
	struct connection *connection = lend(pool);
	bool timely = true;
	while (!connection && timely && !(total(pool) == 0 && is_pausing(pool))) {
		pool->waiting++;
		(void)pthread_cond_signal(&pool->wanted);
		timely = wait_until(&pool->freed, &pool->lock, until_ns);
		pool->waiting--;
		connection = lend(pool);
	}
	if (!connection && pool->trouble[0])
		(void)snprintf(reason, TROUBLE_SIZE, "%.*s", TROUBLE_SIZE - 1, pool->trouble);
	else if (!connection)
		(void)snprintf(reason, TROUBLE_SIZE, "all %lld connections to PostgreSQL are busy",
		               (long long)config_of(pool)->pool_max);
	(void)pthread_mutex_unlock(&pool->lock);
	return connection;
}

void pool_give(struct pool *pool, struct connection *connection)
{
	bool broken = connection->broken;
	if (broken)
		connection_close(connection);
	(void)pthread_mutex_lock(&pool->lock);
	pool->busy_count--;
	if (broken)
		(void)pthread_cond_signal(&pool->wanted);
	else
		push_idle(pool, connection);
	(void)pthread_mutex_unlock(&pool->lock);
}

bool pool_in_trouble(struct pool *pool, char trouble_out[POOL_TROUBLE_SIZE])
{
	(void)pthread_mutex_lock(&pool->lock);
	memcpy(trouble_out, pool->trouble, sizeof(pool->trouble));
	(void)pthread_mutex_unlock(&pool->lock);
	return trouble_out[0] != '\0';
}

struct pool_counts pool_count(struct pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	struct pool_counts counts = {.idle = pool->idle_count, .busy = pool->busy_count, .waiting = pool->waiting};
	(void)pthread_mutex_unlock(&pool->lock);
	return counts;
}

static bool wants_another(const struct pool *pool)
{
	const struct config *config = config_of(pool);
	size_t count = total(pool);
	return count < (size_t)config->pool_min || (count == 0 && pool->trouble[0]) ||
	       (pool->waiting > 0 && count < (size_t)config->pool_max);
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
	pool->not_before_ns = now_ns() + pool->pause_ns;
	(void)pthread_cond_broadcast(&pool->freed); /* who waits need not any more */
}

static void open_another(struct pool *pool)
{
	struct sluice_error error = {0};
	pool->opening++;
	(void)pthread_mutex_unlock(&pool->lock);
	struct connection *connection = connection_open(pool->stage, CONNECTION_WRITES, &error);
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
	int64_t oldest_ns = now_ns() - config->pool_idle_timeout.ns;
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

static void *look_after(void *context)
{
	struct pool *pool = context;
	(void)pthread_mutex_lock(&pool->lock);
	while (!pool->stopping) {
		look_after_idle(pool);
		int64_t until_ns = now_ns() + ROUND_NS;
		if (!wants_another(pool))
			pool->trouble[0] = '\0'; /* one more could not be had, and is needed no more */
		else if (!is_pausing(pool)) {
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

bool pool_create(struct pool *pool, struct sluice_stage *stage, struct connection *first, struct sluice_error *error)
{
	*pool = (struct pool){.stage = stage};
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
	(void)pthread_mutex_destroy(&pool->lock);
	(void)pthread_cond_destroy(&pool->wanted);
	(void)pthread_cond_destroy(&pool->freed);
}
