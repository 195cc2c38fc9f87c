/*
 * A connection set: the connections of a replay to one target, and the requests that could go to it.
 *
 * The connection that has been free for longest is used next: so all of them are used, none is closed for being idle,
 * and of a server that closes one behind its answer the loop has heard before it would use it again.
 */
#ifndef LAB_LOAD_CONNECTION_SET_H
#define LAB_LOAD_CONNECTION_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "lab/load/heap.h"
#include "lab/load/http_client.h"
#include "lab/load/replay_target.h"

struct client_list {
	struct http_client *first, *last;
};

/* Starts as {0}. */
struct connection_set {
	const struct replay_target *target;
	struct addrinfo *addresses;
	struct http_client *clients;
	size_t count;
	struct client_list free, busy; /* in the order in which they became it */
	struct heap ready;             /* requests that could go, by their intended time */
};

/* Finds the server and begins to connect to it, `count` times; client->target is `number` in each. False and a sentence
 * if nothing accepts connections there; what goes wrong afterwards shows in the states. */
bool connection_set_open(struct connection_set *set, const struct replay_target *target, uint8_t number, size_t count,
                         int epoll, struct sluice_error *error);
void connection_set_finish(struct connection_set *set);

/* Whether some connection is still being made. */
bool connection_set_is_connecting(const struct connection_set *set);

/* All connections are free from now on. False and a sentence if one of them does not stand. */
bool connection_set_start(struct connection_set *set, int64_t now_ns, struct sluice_error *error);

/* Makes the next free connection busy; not where there is none. And back. */
struct http_client *connection_set_take(struct connection_set *set);
void connection_set_give_back(struct connection_set *set, struct http_client *client);

#endif
