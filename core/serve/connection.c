/*
 * Connections and their deadlines; see connection.h.
 */
#include "serve/connection.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/clock.h"

void connection_table_init(struct connection_table *table)
{
	(void)pthread_mutex_init(&table->lock, NULL);
	table->first = NULL;
	table->count = 0;
	atomic_init(&table->unknown, 0);
	atomic_init(&table->condemned, 0);
	atomic_init(&table->now_ns, clock_now_ns());
}

void connection_table_finish(struct connection_table *table)
{
	(void)pthread_mutex_destroy(&table->lock);
}

/* The table's clock may be one sweep old, so a sweep is added: nothing ends early. */
static int64_t deadline_after(struct connection_table *table, int64_t timeout_ns)
{
	return atomic_load_explicit(&table->now_ns, memory_order_relaxed) + timeout_ns + SWEEP_EVERY_MS * NS_PER_MS;
}

struct connection *connection_open(struct connection_table *table, int fd, const struct ip_address *peer,
                                   int64_t timeout_ns)
{
	struct connection *connection = must_calloc(1, sizeof(*connection));
	connection->table = table;
	connection->fd = fd;
	connection->peer = *peer;
	atomic_init(&connection->phase, CONNECTION_IDLE);
	atomic_init(&connection->deadline_ns, deadline_after(table, timeout_ns));
	atomic_init(&connection->since_ns, atomic_load_explicit(&table->now_ns, memory_order_relaxed));
	atomic_init(&connection->trust, CONNECTION_UNKNOWN);
	(void)atomic_fetch_add_explicit(&table->unknown, 1, memory_order_relaxed);
	(void)pthread_mutex_lock(&table->lock);
	connection->next = table->first;
	if (table->first)
		table->first->previous = connection;
	table->first = connection;
	table->count++;
	(void)pthread_mutex_unlock(&table->lock);
	return connection;
}

void connection_close(struct connection *connection)
{
	struct connection_table *table = connection->table;
	/* From here on the sweeper does not take it any more. */
	(void)connection_enter(connection, CONNECTION_EXPIRED, 0);
	(void)pthread_mutex_lock(&table->lock);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		table->first = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	table->count--;
	(void)pthread_mutex_unlock(&table->lock);
	connection_trust(connection, TRUST_LEVELS);
	(void)atomic_fetch_sub(&table->condemned, connection->condemned);
	buffer_finish(&connection->target);
	free(connection);
}

void connection_trust(struct connection *connection, enum connection_trust trust)
{
	int before = atomic_load_explicit(&connection->trust, memory_order_relaxed);
	if (before >= (int)trust)
		return;
	if (before == CONNECTION_UNKNOWN)
		(void)atomic_fetch_sub_explicit(&connection->table->unknown, 1, memory_order_relaxed);
	atomic_store_explicit(&connection->trust, (int)trust, memory_order_relaxed);
}

bool connection_enter(struct connection *connection, enum connection_phase phase, int64_t timeout_ns)
{
	struct connection_table *table = connection->table;
	/* A new deadline lies ahead, so that the old phase meets it early does no harm. */
	atomic_store_explicit(&connection->deadline_ns, deadline_after(table, timeout_ns), memory_order_relaxed);
	int now = atomic_load_explicit(&connection->phase, memory_order_acquire);
	do {
		for (; now == CONNECTION_HELD; now = atomic_load(&connection->phase))
			(void)sched_yield();
		if (now == CONNECTION_EXPIRED)
			return false;
	} while (!atomic_compare_exchange_weak(&connection->phase, &now, (int)phase));
	atomic_store_explicit(&connection->since_ns, atomic_load_explicit(&table->now_ns, memory_order_relaxed),
	                      memory_order_relaxed);
	return true;
}

static bool is_overdue(const struct connection *connection, int64_t now_ns)
{
	return atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) <= now_ns;
}

/* What is done to connections from outside of their HTTP threads. */
struct action {
	unsigned phases; /* bits: whom it concerns */
	bool only_overdue;
	/* Without the lock, the connection HELD, so that it cannot be closed; returns the phase it goes on with. */
	int (*apply)(struct connection *connection, int phase, int64_t now_ns);
};

static bool hold(struct connection *connection, const struct action *action, int phase, int64_t now_ns)
{
	return action->phases >> phase & 1 && (!action->only_overdue || is_overdue(connection, now_ns)) &&
	       atomic_compare_exchange_strong(&connection->phase, &phase, CONNECTION_HELD);
}

static void for_each(struct connection_table *table, const struct action *action, int64_t now_ns)
{
	(void)pthread_mutex_lock(&table->lock);
	for (struct connection *connection = table->first; connection; connection = connection->next) {
		int phase = atomic_load_explicit(&connection->phase, memory_order_relaxed);
		if (!hold(connection, action, phase, now_ns))
			continue;
		(void)pthread_mutex_unlock(&table->lock);
		phase = action->apply(connection, phase, now_ns);
		(void)pthread_mutex_lock(&table->lock);
		atomic_store(&connection->phase, phase);
	}
	(void)pthread_mutex_unlock(&table->lock);
}

void connection_end(struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
	atomic_store(&connection->phase, CONNECTION_EXPIRED);
}

static int end(struct connection *connection, int phase, int64_t now_ns)
{
	(void)phase, (void)now_ns;
	(void)shutdown(connection->fd, SHUT_RDWR);
	return CONNECTION_EXPIRED;
}

static int expire(struct connection *connection, int phase, int64_t now_ns)
{
	(void)now_ns;
	(void)connection->table->expire(connection->table->context, connection);
	return phase;
}

/* What has come and was not read yet came in time: the delay is ours. A sender of drops is met between two of them. */
static bool has_unread(const struct connection *connection, int64_t now_ns)
{
	int bytes = 0;
	return now_ns - atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) <
	               UNREAD_GRACE_S * NS_PER_S &&
	       ioctl(connection->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static int end_overdue(struct connection *connection, int phase, int64_t now_ns)
{
	const struct connection_table *table = connection->table;
	if (!is_overdue(connection, now_ns)) /* it went on just before it was HELD */
		return phase;
	if (phase == CONNECTION_BUSY) {
		if (!table->expire(table->context, connection) && connection->overdue)
			return end(connection, phase, now_ns);
		connection->overdue = true;
		atomic_store_explicit(&connection->deadline_ns, now_ns + table->grace_ns, memory_order_relaxed);
		return phase;
	}
	if (has_unread(connection, now_ns))
		return phase;
	if (phase != CONNECTION_IDLE || !connection->served)
		table->dismiss(table->context, connection, phase != CONNECTION_IDLE, DISMISSED_LATE);
	return end(connection, phase, now_ns);
}

enum {
	IDLE = 1 << CONNECTION_IDLE,
	UNFINISHED = IDLE | 1 << CONNECTION_HEADERS | 1 << CONNECTION_BODY,
	BUSY = 1 << CONNECTION_BUSY,
};

void connection_table_sweep(struct connection_table *table, int64_t now_ns)
{
	static const struct action action = {.phases = UNFINISHED | BUSY, .only_overdue = true, .apply = end_overdue};
	atomic_store_explicit(&table->now_ns, now_ns, memory_order_relaxed);
	for_each(table, &action, now_ns);
}

void connection_table_close_idle(struct connection_table *table)
{
	static const struct action action = {.phases = IDLE, .apply = end};
	for_each(table, &action, 0);
}

void connection_table_close_unfinished(struct connection_table *table)
{
	static const struct action action = {.phases = UNFINISHED, .apply = end};
	for_each(table, &action, 0);
}

void connection_table_expire_all(struct connection_table *table)
{
	static const struct action action = {.phases = BUSY, .apply = expire};
	for_each(table, &action, 0);
}

size_t connection_table_count(struct connection_table *table)
{
	(void)pthread_mutex_lock(&table->lock);
	size_t count = table->count;
	(void)pthread_mutex_unlock(&table->lock);
	return count;
}

size_t connection_table_count_in(struct connection_table *table, enum connection_phase phase)
{
	size_t count = 0;
	(void)pthread_mutex_lock(&table->lock);
	for (struct connection *connection = table->first; connection; connection = connection->next)
		count += atomic_load(&connection->phase) == (int)phase;
	(void)pthread_mutex_unlock(&table->lock);
	return count;
}
