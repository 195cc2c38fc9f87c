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

/* Most events neither wait before a stage nor are parked in it: their work is their whole time there, recorded once and
 * counted as both when somebody looks. */
void recorder_record_stage(struct recorder *recorder, enum sluice_kind kind, int64_t work_ns, int64_t wait_ns,
                           int64_t parked_ns)
{
	if (wait_ns == 0 && parked_ns == 0) {
		recorder_record(recorder, series_of(kind, PART_UNDELAYED), work_ns);
		return;
	}
	recorder_record(recorder, series_of(kind, PART_WORK), work_ns);
	recorder_record(recorder, series_of(kind, PART_WHOLE), work_ns + wait_ns + parked_ns);
	if (wait_ns)
		recorder_record(recorder, series_of(kind, PART_WAIT), wait_ns);
	if (parked_ns)
		recorder_record(recorder, series_of(kind, PART_PARKED), parked_ns);
}

static void merge(struct recorder *recorder, size_t series, struct histogram *into)
{
	for (struct set *set = recorder->sets; set; set = set->next) {
		const struct histogram *histogram = atomic_load_explicit(&set->series[series], memory_order_acquire);
		if (histogram)
			histogram_add(into, histogram);
	}
}

void recorder_merge(struct recorder *recorder, size_t series, struct histogram *into)
{
	merge(recorder, series, into);
	if (series >= SERIES_RESPOND)
		return;
	enum sluice_kind kind = (enum sluice_kind)(series / PART_COUNT);
	unsigned part = (unsigned)(series % PART_COUNT);
	if (part == PART_WORK || part == PART_WHOLE)
		merge(recorder, series_of(kind, PART_UNDELAYED), into);
}
