/*
 * Eviction; see eviction.h. The worst few are collected in one pass under the table's lock and held, so that they cannot
 * go meanwhile; they are ended without it.
 */
#include "serve/eviction.h"

#include "base/clock.h"

struct candidate {
	struct connection *connection;
	int trust, phase;
	double burden; /* what it has kept from others so far */
};

struct search {
	unsigned phases;             /* bits */
	enum connection_trust trust; /* at most */
	double (*burden)(struct connection *connection, int64_t now_ns);
	size_t max, count;
	struct candidate found[EVICTED_AT_ONCE]; /* the worst first */
};

static double waited(struct connection *connection, int64_t now_ns)
{
	return (double)(now_ns - atomic_load_explicit(&connection->since_ns, memory_order_relaxed));
}

static double kept(struct connection *connection, int64_t now_ns)
{
	return waited(connection, now_ns) * (double)atomic_load_explicit(&connection->held, memory_order_relaxed);
}

/* A few large bodies of a known sender may be what keeps all others out. */
static int trust_of(const struct search *search, const struct connection *connection)
{
	int trust = atomic_load_explicit(&connection->trust, memory_order_relaxed);
	return search->burden == kept ? (int)(trust == CONNECTION_TRUSTED) : trust;
}

/* Newer connections come first in the table, so of two that are alike the older one goes. */
static bool is_worse(const struct candidate *a, const struct candidate *b)
{
	return a->trust != b->trust ? a->trust < b->trust : a->burden >= b->burden;
}

static void insert(struct search *search, struct candidate candidate)
{
	size_t at = search->count;
	if (at == search->max && !is_worse(&candidate, &search->found[at - 1]))
		return;
	if (at == search->max)
		at--;
	else
		search->count++;
	for (; at > 0 && is_worse(&candidate, &search->found[at - 1]); at--)
		search->found[at] = search->found[at - 1];
	search->found[at] = candidate;
}

/* Those that have moved on meanwhile are left alone. */
static size_t hold(struct search *search)
{
	size_t held = 0;
	for (size_t i = 0; i < search->count; i++) {
		struct candidate *candidate = &search->found[i];
		if (atomic_compare_exchange_strong(&candidate->connection->phase, &candidate->phase, CONNECTION_HELD))
			search->found[held++] = *candidate;
	}
	return held;
}

static void collect(struct connection_table *table, struct search *search, int64_t now_ns)
{
	(void)pthread_mutex_lock(&table->lock);
	for (struct connection *connection = table->first; connection; connection = connection->next) {
		struct candidate candidate = {
			.connection = connection,
			.trust = trust_of(search, connection),
			.phase = atomic_load_explicit(&connection->phase, memory_order_relaxed),
			.burden = search->burden(connection, now_ns),
		};
		if (search->phases >> candidate.phase & 1 && candidate.trust <= (int)search->trust)
			insert(search, candidate);
	}
	search->count = hold(search);
	(void)pthread_mutex_unlock(&table->lock);
}

static void end(struct connection_table *table, const struct candidate *candidate)
{
	struct connection *connection = candidate->connection;
	if (candidate->phase != CONNECTION_IDLE || !connection->served)
		table->dismiss(table->context, connection, candidate->phase != CONNECTION_IDLE, DISMISSED_FOR_OTHERS);
	connection->condemned = atomic_load_explicit(&connection->held, memory_order_relaxed);
	(void)atomic_fetch_add(&table->condemned, connection->condemned);
	connection_end(connection);
}

size_t evict_waiting(struct connection_table *table, enum connection_trust trust, size_t count, int64_t now_ns)
{
	struct search search = {
		.phases = 1 << CONNECTION_IDLE | 1 << CONNECTION_HEADERS | 1 << CONNECTION_BODY,
		.trust = trust,
		.burden = waited,
		.max = count < EVICTED_AT_ONCE ? count : EVICTED_AT_ONCE,
	};
	collect(table, &search, now_ns);
	for (size_t i = 0; i < search.count; i++)
		end(table, &search.found[i]);
	return search.count;
}

size_t evict_bodies(struct connection_table *table, size_t bytes, int64_t now_ns)
{
	struct search search = {
		.phases = 1 << CONNECTION_BODY,
		.trust = CONNECTION_TRUSTED,
		.burden = kept,
		.max = EVICTED_AT_ONCE,
	};
	size_t evicted = 0;
	collect(table, &search, now_ns);
	for (size_t i = 0; i < search.count; i++) {
		struct connection *connection = search.found[i].connection;
		/* A body that is alone keeps nobody out. */
		if (search.count == 1 || atomic_load(&table->condemned) >= bytes) {
			atomic_store(&connection->phase, search.found[i].phase);
			continue;
		}
		end(table, &search.found[i]);
		evicted++;
	}
	return evicted;
}
