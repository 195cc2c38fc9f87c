/* What is to be seen of the pool. */
#include <stdio.h>
#include <string.h>

#include "pool.h"
#include "real_clock.h"

#define STUCK_NS (1500 * NS_PER_MS)
#define EXHAUSTION_TOLD_NS (3 * NS_PER_S) /* after the last wait in vain */

enum { GAUGE_NAME_SIZE = 64 };

bool pool_is_stuck(const struct pool *pool)
{
	return pool->busy_count > 0 && real_now_ns() - pool->moved_ns > STUCK_NS;
}

static bool is_exhausted(const struct pool *pool)
{
	return pool->timed_out_ns != 0 && real_now_ns() - pool->timed_out_ns < EXHAUSTION_TOLD_NS;
}

static void describe_trouble(const struct pool *pool, char trouble_out[POOL_TROUBLE_SIZE])
{
	const struct config *config = pool->stage->config;
	memcpy(trouble_out, pool->trouble, sizeof(pool->trouble));
	if (trouble_out[0])
		return;
	if (pool_is_stuck(pool))
		(void)snprintf(
			trouble_out, POOL_TROUBLE_SIZE,
			"PostgreSQL has not answered for %.1f s (is a synchronous standby away, a table of Sluice's locked, or the disk slow?)",
			(double)(real_now_ns() - pool->moved_ns) / (double)NS_PER_S);
	else if (is_exhausted(pool))
		(void)snprintf(trouble_out, POOL_TROUBLE_SIZE,
		               "events are rejected because all %lld connections to PostgreSQL are busy (pool.max)",
		               (long long)config->pool_max);
}

static void show_gauge(struct sluice_observer *observer, const char *prefix, const char *name, double value,
                       const char *help)
{
	char whole[GAUGE_NAME_SIZE];
	(void)snprintf(whole, sizeof(whole), "%s_%s", prefix, name);
	observer->gauge(observer, whole, NULL, NULL, value, help);
}

static void show(const struct pool *pool, const char *prefix, struct sluice_observer *observer)
{
	const struct {
		const char *state;
		size_t count;
	} states[] = {{"idle", pool->idle_count}, {"busy", pool->busy_count}, {"waiting", pool->waiting}};
	char name[GAUGE_NAME_SIZE];
	(void)snprintf(name, sizeof(name), "%s_pool_connections", prefix);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		observer->gauge(observer, name, "state", states[i].state, (double)states[i].count,
		                "Connections to PostgreSQL, and how many threads wait for one.");
	int64_t exhausted_ns = pool->exhausted_ns;
	if (pool->exhausted_since_ns != 0)
		exhausted_ns += real_now_ns() - pool->exhausted_since_ns;
	show_gauge(observer, prefix, "pool_exhausted_seconds", (double)exhausted_ns / (double)NS_PER_S,
	           "Time since the start in which all of pool.max were busy while a thread waited for one.");
	show_gauge(observer, prefix, "pool_timeouts", (double)pool->timeouts,
	           "Waits for a connection since the start that ended without one.");
	show_gauge(observer, prefix, "unconfirmed_commits", (double)pool->awaited_count,
	           "COMMITs that PostgreSQL has not answered in time; each keeps its place in the pool.");
}

void pool_observe(struct pool *pool, const char *prefix, struct sluice_observer *observer)
{
	char trouble[POOL_TROUBLE_SIZE], reason[HEALTH_SIZE];
	(void)pthread_mutex_lock(&pool->lock);
	const struct pool seen = *pool;
	describe_trouble(pool, trouble);
	(void)pthread_mutex_unlock(&pool->lock);
	show(&seen, prefix, observer);
	if (trouble[0])
		observer->unhealthy(observer, trouble);
	else if (health_is_bad(&pool->server->health, reason))
		observer->unhealthy(observer, reason);
}
