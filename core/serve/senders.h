/*
 * Senders whose webhooks were accepted recently, by the address of their connections. Where there is not enough for all, they
 * come before those of whom nothing is known.
 *
 * A small table that forgets: bounded, whoever sends. An IPv6 sender is known by its /64, since its other bits change.
 */
#ifndef SERVE_SENDERS_H
#define SERVE_SENDERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/network.h"

enum {
	SENDERS_MAX = 4096,
	SENDERS_RECENT_S = 600,
};

struct senders {
	pthread_mutex_t lock;
	struct known_sender {
		struct ip_address address;
		int64_t accepted_ns; /* monotonic; 0: free */
	} items[SENDERS_MAX];
};

void senders_init(struct senders *senders);
void senders_finish(struct senders *senders);

/* From any thread. */
void senders_add(struct senders *senders, const struct ip_address *address, int64_t now_ns);
bool senders_know(struct senders *senders, const struct ip_address *address, int64_t now_ns);

#endif
