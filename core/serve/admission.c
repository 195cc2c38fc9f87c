/*
 * Admission; see admission.h.
 */
#include "serve/admission.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/generation.h"
#include "serve/eviction.h"

enum {
	DESCRIPTORS_APART = 64, /* that the rest of the process needs */
	CONNECTIONS_MIN = 16,
	KNOWN_SHARE = 8,     /* one connection in so many is for senders that are known */
	TURNOVER_SHARE = 32, /* one in so many gives way at once */
	LOGGED_EVERY_S = 10, /* at most */
};

static size_t turnover_of(size_t limit)
{
	size_t share = limit / TURNOVER_SHARE;
	return share < 1 ? 1 : share > EVICTED_AT_ONCE ? EVICTED_AT_ONCE : share;
}

/* As many descriptors as the system lets us have. */
static rlim_t raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return RLIM_INFINITY;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_max;
}

bool admission_init(struct admission *admission, int64_t wanted, struct sluice_error *error)
{
	const rlim_t files = raise_limit();
	size_t limit = (size_t)wanted, apart = DESCRIPTORS_APART + turnover_of(limit);
	if (files != RLIM_INFINITY && files < limit + apart) {
		if (files < DESCRIPTORS_APART + CONNECTIONS_MIN + 1)
			return sluice_error_set(error,
			                        "the limit on open files (ulimit -n) is %llu: at least %d are needed",
			                        (unsigned long long)files, DESCRIPTORS_APART + CONNECTIONS_MIN + 1);
		limit = (size_t)files - DESCRIPTORS_APART;
		limit -= turnover_of(limit);
		log_event(SLUICE_LOG_WARN, NULL, "connections_limited", sluice_int("max_connections", wanted),
		          sluice_int("allowed", (int64_t)limit),
		          sluice_text("reason", "the limit on open files (ulimit -n)"));
	}
	admission->limit = limit;
	admission->turnover = turnover_of(limit);
	senders_init(&admission->senders);
	return true;
}

void admission_finish(struct admission *admission)
{
	senders_finish(&admission->senders);
}

static bool evict(struct admission *admission, enum connection_trust trust)
{
	size_t evicted = evict_waiting(admission->table, trust, admission->turnover, clock_now_ns());
	(void)atomic_fetch_add_explicit(admission->evicted, evicted, memory_order_relaxed);
	return evicted > 0;
}

static bool make_place(struct admission *admission, const struct ip_address *address)
{
	const size_t limit = admission->limit, unknown = atomic_load(&admission->table->unknown);
	if (unknown >= limit - limit / KNOWN_SHARE && !senders_know(&admission->senders, address, clock_now_ns()))
		return evict(admission, CONNECTION_UNKNOWN);
	return atomic_load(&admission->connections) < limit || evict(admission, CONNECTION_TRUSTED);
}

bool admission_take(struct admission *admission, const struct ip_address *address)
{
	bool taken = make_place(admission, address);
	(void)atomic_fetch_add(&admission->connections, taken);
	return taken;
}

void admission_give_back(struct admission *admission)
{
	(void)atomic_fetch_sub(&admission->connections, 1);
}

/* While some have not come to the table yet, one that is there would have to give way in place of one of them, however
 * trusted it is. */
bool admission_has_room(struct admission *admission)
{
	const size_t connections = atomic_load(&admission->connections);
	return connections < admission->limit || (connections < admission->limit + admission->turnover &&
	                                          connection_table_count(admission->table) >= connections);
}

void admission_recognize(struct admission *admission, struct connection *connection)
{
	if (senders_know(&admission->senders, &connection->peer, clock_now_ns()))
		connection_trust(connection, CONNECTION_KNOWN);
}

void admission_remember(struct admission *admission, struct connection *connection, int64_t now_ns)
{
	connection_trust(connection, CONNECTION_TRUSTED);
	if (now_ns - connection->remembered_ns < NS_PER_S)
		return;
	connection->remembered_ns = now_ns;
	senders_add(&admission->senders, &connection->peer, now_ns);
}

static size_t excess_of(const struct admission *admission)
{
	return admission->generations ? generations_excess(admission->generations) : 0;
}

bool admission_is_crowded(const struct admission *admission)
{
	return excess_of(admission) > atomic_load(&admission->table->condemned);
}

void admission_relieve(struct admission *admission)
{
	size_t excess, evicted;
	while ((excess = excess_of(admission)) && (evicted = evict_bodies(admission->table, excess, clock_now_ns())))
		(void)atomic_fetch_add_explicit(admission->evicted, evicted, memory_order_relaxed);
}

void admission_log(struct admission *admission, const char *listener, int64_t now_ns)
{
	const uint64_t evicted = atomic_load_explicit(admission->evicted, memory_order_relaxed);
	if (evicted == admission->logged || now_ns - admission->logged_ns < LOGGED_EVERY_S * NS_PER_S)
		return;
	log_event(SLUICE_LOG_WARN, NULL, "connections_evicted", sluice_text("listener", listener),
	          sluice_int("count", (int64_t)(evicted - admission->logged)),
	          sluice_text("reason", "they waited longest while others needed their place; see "
	                                "listen.max_connections and events.max_bytes"));
	admission->logged = evicted;
	admission->logged_ns = now_ns;
}
