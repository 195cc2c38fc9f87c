/*
 * The pool: connections kept open, each lent to one thread at a time.
 *
 * A thread of its own opens connections, so nobody who wants one waits for a connect, a name server or a login longer
 * than allowed: it keeps pool.min of them, opens more up to pool.max while somebody waits, closes what has been idle
 * too long, notices what has died, and while the database cannot be reached tries again with growing pauses.
 */
#ifndef PERSIST_POSTGRES_POOL_H
#define PERSIST_POSTGRES_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

#include "connection.h"

enum { POOL_TROUBLE_SIZE = TROUBLE_SIZE + 64 };

struct pool {
	struct sluice_stage *stage;
	pthread_t thread;
	pthread_mutex_t lock;    /* over what follows */
	pthread_cond_t freed;    /* for who waits for a connection */
	pthread_cond_t wanted;   /* for the thread */
	struct connection *idle; /* the one used last is the first */
	size_t idle_count, busy_count, waiting, opening;
	char trouble[POOL_TROUBLE_SIZE]; /* of the last attempt to connect; "" if it went well */
	int64_t pause_ns;                /* before the next attempt, growing */
	int64_t not_before_ns;
	bool stopping;
};

struct pool_counts {
	size_t idle, busy, waiting;
};

/* Starts with the connection `first`, which is the pool's from now on, even when this fails. */
bool pool_create(struct pool *pool, struct sluice_stage *stage, struct connection *first, struct sluice_error *error);

/* All connections must have been given back. */
void pool_destroy(struct pool *pool);

/* Lends a connection, waiting at most `wait_ns` for it, or until it is clear that there will be none. NULL and a reason
 * otherwise. From any thread. */
struct connection *pool_take(struct pool *pool, int64_t wait_ns, char reason[TROUBLE_SIZE]);

/* Gives it back; a broken one is closed. */
void pool_give(struct pool *pool, struct connection *connection);

/* Whether the last attempt to connect failed, and why. From any thread, as the counts. */
bool pool_in_trouble(struct pool *pool, char trouble_out[POOL_TROUBLE_SIZE]);
struct pool_counts pool_count(struct pool *pool);

#endif
