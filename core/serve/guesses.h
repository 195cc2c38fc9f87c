/*
 * Guesses: wrong tokens, by the network they come from. A network that has used up its share is told to stop (429) until a
 * moment has passed; the right token counts at any time, so that nobody's guesses lock out who has it.
 *
 * A small table that forgets: bounded, whoever guesses. An IPv6 network is a /64.
 */
#ifndef SERVE_GUESSES_H
#define SERVE_GUESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"

enum {
	GUESSES_AT_ONCE = 20, /* wrong tokens, … */
	GUESSES_A_SECOND = 5, /* … and so many more a second */
	GUESSERS_MAX = 256,
};

/* Starts zeroed. One thread. */
struct guesses {
	struct guesser {
		struct ip_address network;
		int64_t free_ns; /* monotonic: when all of its guesses are forgotten */
	} items[GUESSERS_MAX];
	uint64_t unlogged;
	int64_t logged_ns;
};

bool guesses_may(const struct guesses *guesses, const struct ip_address *address, int64_t now_ns);

/* A wrong token has come, which the log says, at most once a second. */
void guesses_add(struct guesses *guesses, const struct ip_address *address, int64_t now_ns);

#endif
