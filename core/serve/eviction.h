/*
 * Eviction: which connections give way when there are too many of them, or too many bytes in requests that are not
 * complete yet.
 *
 * A place is scarce, and a sender that is slow or silent keeps one that others could use. So a place is only lent until
 * a request is complete: who has kept it longest goes first, and of whom nothing is known before those whose webhooks
 * were accepted. What is complete is never evicted.
 */
#ifndef SERVE_EVICTION_H
#define SERVE_EVICTION_H

#include <stddef.h>

#include "serve/connection.h"

enum { EVICTED_AT_ONCE = 64 };

/* Ends up to `count` connections that wait for a request or for the rest of one, trusted at most as `trust` says: the
 * least trusted, of these the ones that have waited longest. Returns how many; their places are free a moment later. */
size_t evict_waiting(struct connection_table *table, enum connection_trust trust, size_t count, int64_t now_ns);

/* The same for bodies that are not complete, by the bytes they hold times the time they have held them, until `bytes` are
 * condemned: held by connections that were ended and have not gone yet. */
size_t evict_bodies(struct connection_table *table, size_t bytes, int64_t now_ns);

#endif
