/*
 * Per-thread histograms; see recorder.h.
 */
#include "runtime/recorder.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"

/* The histograms of one thread. A histogram is made when first recorded into: most threads touch few series. */
struct set {
	_Atomic(struct histogram *) series[SERIES_COUNT];
	atomic_bool taken;
	struct set *next;
};

struct recorder {
	pthread_key_t mine; /* the thread's set; given free when the thread ends */
	pthread_mutex_t lock;
	struct set *_Atomic sets;
};

static void give_set_free(void *set)
{
	atomic_store(&((struct set *)set)->taken, false);
}

struct recorder *recorder_create(void)
{
	struct recorder *recorder = must_calloc(1, sizeof(*recorder));
	if (pthread_key_create(&recorder->mine, give_set_free) != 0) {
		free(recorder);
		return NULL;
	}
	(void)pthread_mutex_init(&recorder->lock, NULL);
	return recorder;
}

void recorder_destroy(struct recorder *recorder)
{
	(void)pthread_key_delete(recorder->mine);
	struct set *set = recorder->sets;
	while (set) {
		struct set *next = set->next;
		for (size_t i = 0; i < SERIES_COUNT; i++)
			free(set->series[i]);
		free(set);
		set = next;
	}
	(void)pthread_mutex_destroy(&recorder->lock);
	free(recorder);
}

static struct set *claim_set(struct recorder *recorder)
{
	(void)pthread_mutex_lock(&recorder->lock);
	struct set *set = recorder->sets;
	while (set && atomic_load(&set->taken))
		set = set->next;
	if (!set) {
		set = must_calloc(1, sizeof(*set));
		set->next = recorder->sets;
		recorder->sets = set;
	}
	atomic_store(&set->taken, true);
	(void)pthread_mutex_unlock(&recorder->lock);
	(void)pthread_setspecific(recorder->mine, set);
	return set;
}

void recorder_record(struct recorder *recorder, size_t series, int64_t ns)
{
	struct set *set = pthread_getspecific(recorder->mine);
	if (!set)
		set = claim_set(recorder);
	struct histogram *histogram = atomic_load_explicit(&set->series[series], memory_order_relaxed);
	if (!histogram) {
		histogram = must_calloc(1, sizeof(*histogram));
		atomic_store_explicit(&set->series[series], histogram, memory_order_release);
	}
	histogram_record(histogram, ns);
}

void recorder_merge(struct recorder *recorder, size_t series, struct histogram *into)
{
	for (struct set *set = recorder->sets; set; set = set->next) {
		const struct histogram *histogram = atomic_load_explicit(&set->series[series], memory_order_acquire);
		if (histogram)
			histogram_add(into, histogram);
	}
}
