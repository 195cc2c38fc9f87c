/*
 * The pool: connections kept open, each lent to one thread at a time.
 *
 * A thread of its own opens connections, so nobody who wants one waits for a connect, a name server or a login longer
 * than allowed: it keeps pool.min of them, opens more up to pool.max while somebody waits, closes what has been idle
 * too long, notices what has died, and while the database cannot be reached tries again with growing pauses. Where no
 * transaction does, it looks at the server once a second, and after a failure it tries whether one would succeed.
 *
 * A COMMIT that is not answered keeps its place until it is, or its backend is gone: the server waits on for a standby,
 * and would have one backend more for each connection that took its place.
 */
#ifndef POSTGRES_POOL_H
#define POSTGRES_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "connection.h"

enum { POOL_TROUBLE_SIZE = TROUBLE_SIZE + 64 };

/* Tries what the stage does, and leaves nothing behind. Its transaction is noted. */
typedef void (*pool_probe_fn)(struct connection *connection);

struct pool {
	struct server *server;
	struct sluice_stage *stage;
	pool_probe_fn probe;
	pthread_t thread;
	pthread_mutex_t lock;       /* over what follows */
	pthread_cond_t freed;       /* for who waits for a connection */
	pthread_cond_t wanted;      /* for the thread */
	struct connection *idle;    /* the one used last is the first */
	struct connection *awaited; /* whose COMMIT is not answered */
	size_t idle_count, busy_count, awaited_count, waiting;
	size_t opening, watching; /* connections that the thread has in hand */
	int64_t moved_ns;         /* when a connection was given back, or lent while none was busy */
	bool stuck, empty;        /* as the thread saw it last */
	int64_t probe_due_ns;
	int64_t exhausted_since_ns;      /* somebody waits and no connection more may be opened; 0: not */
	int64_t exhausted_ns;            /* in all, before that */
	size_t timeouts;                 /* who waited in vain */
	int64_t timed_out_ns;            /* the last of them; 0: none */
	char trouble[POOL_TROUBLE_SIZE]; /* of the last attempt to connect; "" if it went well */
	int64_t pause_ns;                /* before the next attempt, growing */
	int64_t not_before_ns;
	bool stopping;
};

/* Starts with the connection `first`, which is the pool's from now on, even when this fails. */
bool pool_create(struct pool *pool, struct connection *first, pool_probe_fn probe, struct sluice_error *error);

/* All connections must have been given back. */
void pool_destroy(struct pool *pool);

/* Lends a connection, waiting at most `wait_ns` for it, or until it is clear that there will be none. NULL and a reason
 * otherwise. From any thread. */
struct connection *pool_take(struct pool *pool, int64_t wait_ns, char reason[TROUBLE_SIZE]);

/* The same for these events: no longer than pool.connect_timeout, or than the first of their senders waits. */
struct connection *pool_take_for(struct pool *pool, struct sluice_event *const *events, size_t count,
                                 char reason[TROUBLE_SIZE]);

/* Gives it back, without a transaction or broken. */
void pool_give(struct pool *pool, struct connection *connection);

/* As a stage's observe(): gauges whose names begin with `prefix` ("db"), and whether the last attempt to connect failed,
 * nothing has moved for long, somebody has waited in vain, or transactions fail. From any thread. */
void pool_observe(struct pool *pool, const char *prefix, struct sluice_observer *observer);

/* Whether connections are lent and none has come back for long. Under the lock. */
bool pool_is_stuck(const struct pool *pool);

#endif
