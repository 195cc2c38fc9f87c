/*
 * A fleet: the connections of a replay to one target, and the requests that could go to it.
 *
 * The connection that has been free for longest is used next: so all of them are used, none is closed for being idle,
 * and of a server that closes one behind its answer the loop has heard before it would use it again.
 */
#ifndef LAB_LOAD_FLEET_H
#define LAB_LOAD_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "lab/load/heap.h"
#include "lab/load/replay_target.h"
#include "lab/load/sender.h"

struct sender_list {
	struct sender *first, *last;
};

/* Starts as {0}. */
struct fleet {
	const struct replay_target *target;
	struct addrinfo *addresses;
	struct sender *senders;
	size_t count;
	struct sender_list free, busy; /* in the order in which they became it */
	struct heap ready;             /* requests that could go, by their intended time */
};

/* Finds the server and begins to connect to it, `count` times; sender->target is `number` in each. False and a sentence
 * if nobody accepts connections there; what goes wrong afterwards shows in the states. */
bool fleet_open(struct fleet *fleet, const struct replay_target *target, uint8_t number, size_t count, int epoll,
                struct sluice_error *error);
void fleet_finish(struct fleet *fleet);

/* Whether some connection is still being made. */
bool fleet_is_connecting(const struct fleet *fleet);

/* All connections are free from now on. False and a sentence if one of them does not stand. */
bool fleet_start(struct fleet *fleet, int64_t now_ns, struct sluice_error *error);

/* Makes the next free connection busy; not where there is none. And back. */
struct sender *fleet_take(struct fleet *fleet);
void fleet_give_back(struct fleet *fleet, struct sender *sender);

#endif
