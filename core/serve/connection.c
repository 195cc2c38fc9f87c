/*
 * Connections and their deadlines; see connection.h.
 */
#include "serve/connection.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/clock.h"

void roster_init(struct roster *roster)
{
	(void)pthread_mutex_init(&roster->lock, NULL);
	roster->first = NULL;
	roster->count = 0;
	atomic_init(&roster->now_ns, clock_now_ns());
}

void roster_finish(struct roster *roster)
{
	(void)pthread_mutex_destroy(&roster->lock);
}

/* The roster's clock may be one sweep old, so a sweep is added: nothing ends early. */
static int64_t deadline_after(struct roster *roster, int64_t timeout_ns)
{
	return atomic_load_explicit(&roster->now_ns, memory_order_relaxed) + timeout_ns + SWEEP_EVERY_MS * NS_PER_MS;
}

struct connection *connection_open(struct roster *roster, int fd, int64_t timeout_ns)
{
	struct connection *connection = must_calloc(1, sizeof(*connection));
	connection->roster = roster;
	connection->fd = fd;
	atomic_init(&connection->phase, CONNECTION_IDLE);
	atomic_init(&connection->deadline_ns, deadline_after(roster, timeout_ns));
	(void)pthread_mutex_lock(&roster->lock);
	connection->next = roster->first;
	if (roster->first)
		roster->first->previous = connection;
	roster->first = connection;
	roster->count++;
	(void)pthread_mutex_unlock(&roster->lock);
	return connection;
}

void connection_close(struct connection *connection)
{
	struct roster *roster = connection->roster;
	/* From here on the sweeper does not take it any more. */
	(void)connection_enter(connection, CONNECTION_EXPIRED, 0);
	(void)pthread_mutex_lock(&roster->lock);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		roster->first = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	roster->count--;
	(void)pthread_mutex_unlock(&roster->lock);
	buffer_finish(&connection->target);
	free(connection);
}

bool connection_enter(struct connection *connection, enum connection_phase phase, int64_t timeout_ns)
{
	/* A new deadline lies ahead, so that the old phase meets it early does no harm. */
	atomic_store_explicit(&connection->deadline_ns, deadline_after(connection->roster, timeout_ns),
	                      memory_order_relaxed);
	int now = atomic_load_explicit(&connection->phase, memory_order_relaxed);
	for (;;) {
		if (now == CONNECTION_EXPIRED)
			return false;
		if (now == CONNECTION_HELD) {
			(void)sched_yield();
			now = atomic_load(&connection->phase);
			continue;
		}
		if (atomic_compare_exchange_weak(&connection->phase, &now, (int)phase))
			return true;
	}
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

static void for_each(struct roster *roster, const struct action *action, int64_t now_ns)
{
	(void)pthread_mutex_lock(&roster->lock);
	for (struct connection *connection = roster->first; connection; connection = connection->next) {
		int phase = atomic_load_explicit(&connection->phase, memory_order_relaxed);
		if (!hold(connection, action, phase, now_ns))
			continue;
		(void)pthread_mutex_unlock(&roster->lock);
		phase = action->apply(connection, phase, now_ns);
		(void)pthread_mutex_lock(&roster->lock);
		atomic_store(&connection->phase, phase);
	}
	(void)pthread_mutex_unlock(&roster->lock);
}

static int end(struct connection *connection, int phase, int64_t now_ns)
{
	(void)phase, (void)now_ns;
	(void)shutdown(connection->fd, SHUT_RDWR);
	return CONNECTION_EXPIRED;
}

static int settle(struct connection *connection, int phase, int64_t now_ns)
{
	(void)now_ns;
	(void)connection->roster->settle(connection->roster->context, connection);
	return phase;
}

static int end_overdue(struct connection *connection, int phase, int64_t now_ns)
{
	const struct roster *roster = connection->roster;
	if (!is_overdue(connection, now_ns)) /* it went on just before it was HELD */
		return phase;
	if (phase == CONNECTION_BUSY) {
		if (!roster->settle(roster->context, connection) && connection->overdue)
			return end(connection, phase, now_ns);
		connection->overdue = true;
		atomic_store_explicit(&connection->deadline_ns, now_ns + roster->grace_ns, memory_order_relaxed);
		return phase;
	}
	if (phase != CONNECTION_IDLE || !connection->served)
		roster->time_out(roster->context, connection, phase != CONNECTION_IDLE);
	return end(connection, phase, now_ns);
}

enum {
	IDLE = 1 << CONNECTION_IDLE,
	UNFINISHED = IDLE | 1 << CONNECTION_HEADERS | 1 << CONNECTION_BODY,
	BUSY = 1 << CONNECTION_BUSY,
};

void roster_sweep(struct roster *roster, int64_t now_ns)
{
	static const struct action action = {.phases = UNFINISHED | BUSY, .only_overdue = true, .apply = end_overdue};
	atomic_store_explicit(&roster->now_ns, now_ns, memory_order_relaxed);
	for_each(roster, &action, now_ns);
}

void roster_dismiss_idle(struct roster *roster)
{
	static const struct action action = {.phases = IDLE, .apply = end};
	for_each(roster, &action, 0);
}

void roster_dismiss_unfinished(struct roster *roster)
{
	static const struct action action = {.phases = UNFINISHED, .apply = end};
	for_each(roster, &action, 0);
}

void roster_settle_all(struct roster *roster)
{
	static const struct action action = {.phases = BUSY, .apply = settle};
	for_each(roster, &action, 0);
}

size_t roster_count(struct roster *roster)
{
	(void)pthread_mutex_lock(&roster->lock);
	size_t count = roster->count;
	(void)pthread_mutex_unlock(&roster->lock);
	return count;
}

size_t roster_count_in(struct roster *roster, enum connection_phase phase)
{
	size_t count = 0;
	(void)pthread_mutex_lock(&roster->lock);
	for (struct connection *connection = roster->first; connection; connection = connection->next)
		count += atomic_load(&connection->phase) == (int)phase;
	(void)pthread_mutex_unlock(&roster->lock);
	return count;
}
