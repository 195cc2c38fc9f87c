/*
 * Which store a pipeline stands on, as its persist stage says, and how often that has changed or come into doubt. What
 * other stages remember of the store is only as good as the epoch they learnt it in; see sluice_store_epoch().
 */
#ifndef RUNTIME_STORE_IDENTITY_H
#define RUNTIME_STORE_IDENTITY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct store_identity {
	pthread_mutex_t lock;
	char *text; /* as last announced; NULL: nothing yet, or in doubt */
	_Atomic uint64_t epoch;
};

void store_identity_init(struct store_identity *identity);
void store_identity_finish(struct store_identity *identity);

/* Begins a new epoch unless the text is the one announced before. NULL: the store is in doubt. From any thread. */
void store_identity_announce(struct store_identity *identity, const char *text);

/* From any thread. */
static inline uint64_t store_identity_epoch(struct store_identity *identity)
{
	return atomic_load_explicit(&identity->epoch, memory_order_acquire);
}

#endif
