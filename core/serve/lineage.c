/*
 * The lineage ring; see lineage.h.
 */
#include "serve/lineage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { LOCKS = 16 };

struct slot {
	uint64_t number; /* of the request, from 1; 0: empty */
	struct lineage_entry entry;
};

struct lineage {
	_Atomic uint64_t added;
	size_t recent_count;
	struct slot *recent; /* slot i is under locks[i % LOCKS] */
	pthread_mutex_t locks[LOCKS];

	size_t slowest_count;
	struct slot *slowest; /* under slowest_lock */
	pthread_mutex_t slowest_lock;
	size_t quickest;              /* index of the one to give way */
	_Atomic int64_t threshold_ns; /* what a request must exceed to be among the slowest */
};

struct lineage *lineage_create(size_t recent, size_t slowest)
{
	struct lineage *lineage = must_calloc(1, sizeof(*lineage));
	lineage->recent_count = recent;
	lineage->slowest_count = slowest;
	lineage->recent = must_calloc(recent + 1, sizeof(struct slot));
	lineage->slowest = must_calloc(slowest + 1, sizeof(struct slot));
	for (size_t i = 0; i < LOCKS; i++)
		(void)pthread_mutex_init(&lineage->locks[i], NULL);
	(void)pthread_mutex_init(&lineage->slowest_lock, NULL);
	atomic_init(&lineage->threshold_ns, slowest ? -1 : INT64_MAX);
	return lineage;
}

void lineage_destroy(struct lineage *lineage)
{
	for (size_t i = 0; i < LOCKS; i++)
		(void)pthread_mutex_destroy(&lineage->locks[i]);
	(void)pthread_mutex_destroy(&lineage->slowest_lock);
	free(lineage->recent);
	free(lineage->slowest);
	free(lineage);
}

static int64_t total_of(const struct lineage_entry *entry)
{
	return entry->sent_ns - entry->times.start_ns;
}

/* An empty slot is quicker than any request. */
static int64_t rank_of(const struct slot *slot)
{
	return slot->number ? total_of(&slot->entry) : -1;
}

static void fill(struct slot *slot, uint64_t number, const struct lineage_entry *entry)
{
	slot->number = number;
	slot->entry = *entry;
}

static void add_slow(struct lineage *lineage, uint64_t number, const struct lineage_entry *entry)
{
	(void)pthread_mutex_lock(&lineage->slowest_lock);
	if (total_of(entry) > rank_of(&lineage->slowest[lineage->quickest])) {
		fill(&lineage->slowest[lineage->quickest], number, entry);
		for (size_t i = 0; i < lineage->slowest_count; i++)
			if (rank_of(&lineage->slowest[i]) < rank_of(&lineage->slowest[lineage->quickest]))
				lineage->quickest = i;
		atomic_store_explicit(&lineage->threshold_ns, rank_of(&lineage->slowest[lineage->quickest]),
		                      memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&lineage->slowest_lock);
}

void lineage_add(struct lineage *lineage, const struct lineage_entry *entry)
{
	uint64_t number = atomic_fetch_add_explicit(&lineage->added, 1, memory_order_relaxed) + 1;
	if (lineage->recent_count) {
		size_t index = (size_t)(number % lineage->recent_count);
		pthread_mutex_t *lock = &lineage->locks[index % LOCKS];
		(void)pthread_mutex_lock(lock);
		fill(&lineage->recent[index], number, entry);
		(void)pthread_mutex_unlock(lock);
	}
	if (total_of(entry) > atomic_load_explicit(&lineage->threshold_ns, memory_order_relaxed))
		add_slow(lineage, number, entry);
}

static bool is_of(const struct lineage_entry *entry, const char *id, size_t size)
{
	if (size == entry->message_id_size && memcmp(entry->message_id, id, size) == 0)
		return true;
	return size < sizeof(entry->request_id) && entry->request_id[size] == '\0' &&
	       memcmp(entry->request_id, id, size) == 0;
}

/* The newest; but a request that timed out is kept twice, and what was found out later says more. */
static bool says_more(const struct slot *slot, const struct slot *best)
{
	bool is_known = slot->entry.times.ack_ns != 0, best_is_known = best->entry.times.ack_ns != 0;
	if (best->number == 0 || is_known != best_is_known)
		return best->number == 0 || is_known;
	return slot->number > best->number;
}

static void look(const struct slot *slot, const char *id, size_t size, struct slot *best)
{
	if (slot->number && is_of(&slot->entry, id, size) && says_more(slot, best))
		*best = *slot;
}

bool lineage_find(struct lineage *lineage, const char *id, size_t size, struct lineage_entry *entry_out)
{
	struct slot best = {.number = 0};
	if (size == 0)
		return false;
	for (size_t i = 0; i < lineage->recent_count; i++) {
		(void)pthread_mutex_lock(&lineage->locks[i % LOCKS]);
		look(&lineage->recent[i], id, size, &best);
		(void)pthread_mutex_unlock(&lineage->locks[i % LOCKS]);
	}
	(void)pthread_mutex_lock(&lineage->slowest_lock);
	for (size_t i = 0; i < lineage->slowest_count; i++)
		look(&lineage->slowest[i], id, size, &best);
	(void)pthread_mutex_unlock(&lineage->slowest_lock);
	*entry_out = best.entry;
	return best.number > 0;
}
