/*
 * The builder: a thread that reads every message id of the store into the filter, at the start and again in each new epoch of
 * the store, and says when the filter is whole.
 *
 * Bits are never taken back. So an event that is on its way while the store is read is in the filter already, and what the
 * store no longer has costs a look-up at most.
 */
#ifndef IDEMPOTENCY_FILTER_BUILDER_H
#define IDEMPOTENCY_FILTER_BUILDER_H

#include <pthread.h>
#include <stdatomic.h>

#include "bloom.h"
#include "lookup/lookup.h"

struct builder {
	struct lookup *lookup;
	struct bloom *bloom;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop;
	atomic_bool stopping;
	_Atomic uint64_t whole_in; /* the epoch of the store in which it is whole, plus one; 0: in none */
};

bool builder_start(struct builder *builder, struct lookup *lookup, struct bloom *bloom, struct sluice_error *error);
void builder_stop(struct builder *builder);

/* Whether the filter has every id that the store had, in its present epoch. From any thread. */
bool builder_is_whole(struct builder *builder);

#endif
