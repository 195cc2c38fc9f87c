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

/* The connection is HELD; returns the phase it goes back to. */
static int end_answer(struct connection *connection, int64_t now_ns)
{
	const struct roster *roster = connection->roster;
	if (roster->settle(roster->context, connection) || !connection->overdue) {
		connection->overdue = true;
		atomic_store_explicit(&connection->deadline_ns, now_ns + roster->grace_ns, memory_order_relaxed);
		return CONNECTION_BUSY;
	}
	(void)shutdown(connection->fd, SHUT_RDWR);
	return CONNECTION_EXPIRED;
}

/* The connection is HELD; returns the phase it goes back to. */
static int end_request(struct connection *connection, int phase)
{
	if (phase != CONNECTION_IDLE || !connection->served)
		connection->roster->time_out(connection->roster->context, connection, phase != CONNECTION_IDLE);
	(void)shutdown(connection->fd, SHUT_RDWR);
	return CONNECTION_EXPIRED;
}

static bool hold(struct connection *connection, int phase)
{
	return phase < CONNECTION_HELD && atomic_compare_exchange_strong(&connection->phase, &phase, CONNECTION_HELD);
}

static void sweep_one(struct connection *connection, int64_t now_ns)
{
	int phase = atomic_load_explicit(&connection->phase, memory_order_relaxed);
	if (!is_overdue(connection, now_ns) || !hold(connection, phase))
		return;
	if (is_overdue(connection, now_ns))
		phase = phase == CONNECTION_BUSY ? end_answer(connection, now_ns) : end_request(connection, phase);
	atomic_store(&connection->phase, phase);
}

void roster_sweep(struct roster *roster, int64_t now_ns)
{
	atomic_store_explicit(&roster->now_ns, now_ns, memory_order_relaxed);
	(void)pthread_mutex_lock(&roster->lock);
	for (struct connection *connection = roster->first; connection; connection = connection->next)
		sweep_one(connection, now_ns);
	(void)pthread_mutex_unlock(&roster->lock);
}

static void dismiss(struct roster *roster, int last_phase)
{
	(void)pthread_mutex_lock(&roster->lock);
	for (struct connection *connection = roster->first; connection; connection = connection->next) {
		int phase = atomic_load_explicit(&connection->phase, memory_order_relaxed);
		if (phase > last_phase || !hold(connection, phase))
			continue;
		(void)shutdown(connection->fd, SHUT_RDWR);
		atomic_store(&connection->phase, CONNECTION_EXPIRED);
	}
	(void)pthread_mutex_unlock(&roster->lock);
}

void roster_dismiss_idle(struct roster *roster)
{
	dismiss(roster, CONNECTION_IDLE);
}

void roster_dismiss_unfinished(struct roster *roster)
{
	dismiss(roster, CONNECTION_BODY);
}

void roster_settle_all(struct roster *roster)
{
	(void)pthread_mutex_lock(&roster->lock);
	for (struct connection *connection = roster->first; connection; connection = connection->next) {
		if (!hold(connection, CONNECTION_BUSY))
			continue;
		(void)roster->settle(roster->context, connection);
		atomic_store(&connection->phase, CONNECTION_BUSY);
	}
	(void)pthread_mutex_unlock(&roster->lock);
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
