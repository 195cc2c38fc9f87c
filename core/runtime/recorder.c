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
	struct histogram *before[SERIES_COUNT]; /* what there was at the restart of a series; NULL: never */
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
	for (size_t i = 0; i < SERIES_COUNT; i++)
		free(recorder->before[i]);
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

static struct set *own_set(struct recorder *recorder)
{
	struct set *set = pthread_getspecific(recorder->mine);
	return set ? set : claim_set(recorder);
}

static void record(struct set *set, size_t series, int64_t ns)
{
	struct histogram *histogram = atomic_load_explicit(&set->series[series], memory_order_relaxed);
	if (!histogram) {
		histogram = must_calloc(1, sizeof(*histogram));
		atomic_store_explicit(&set->series[series], histogram, memory_order_release);
	}
	histogram_record(histogram, ns);
}

void recorder_record(struct recorder *recorder, size_t series, int64_t ns)
{
	record(own_set(recorder), series, ns);
}

/* Most events neither wait before a stage nor are parked in it: their work is their whole time there, recorded once and
 * counted as both when somebody looks. */
static void record_stage(struct set *set, enum sluice_kind kind, const struct stage_times *stage)
{
	if (stage->wait_ns == 0 && stage->parked_ns == 0) {
		record(set, series_of(kind, PART_UNDELAYED), stage->work_ns);
		return;
	}
	record(set, series_of(kind, PART_WORK), stage->work_ns);
	record(set, series_of(kind, PART_WHOLE), stage->work_ns + stage->wait_ns + stage->parked_ns);
	if (stage->wait_ns)
		record(set, series_of(kind, PART_WAIT), stage->wait_ns);
	if (stage->parked_ns)
		record(set, series_of(kind, PART_PARKED), stage->parked_ns);
}

static void record_queue(struct set *set, const struct stage_times *queue)
{
	record(set, series_of(SLUICE_KIND_QUEUE, PART_WAIT), queue->wait_ns);
	record(set, series_of(SLUICE_KIND_QUEUE, PART_WHOLE), queue->work_ns + queue->wait_ns + queue->parked_ns);
}

void recorder_record_stages(struct recorder *recorder, const struct event_times *times, unsigned first, unsigned last)
{
	struct set *set = own_set(recorder);
	for (unsigned kind = first; kind <= last; kind++) {
		const struct stage_times *stage = &times->stages[kind];
		if (stage->ran && kind == SLUICE_KIND_QUEUE)
			record_queue(set, stage);
		else if (stage->ran)
			record_stage(set, (enum sluice_kind)kind, stage);
	}
}

static void merge(struct recorder *recorder, size_t series, struct histogram *into)
{
	for (struct set *set = recorder->sets; set; set = set->next) {
		const struct histogram *histogram = atomic_load_explicit(&set->series[series], memory_order_acquire);
		if (histogram)
			histogram_add(into, histogram);
	}
}

void recorder_restart(struct recorder *recorder, size_t series)
{
	struct histogram *before = must_calloc(1, sizeof(*before));
	merge(recorder, series, before);
	free(recorder->before[series]);
	recorder->before[series] = before;
}

void recorder_merge(struct recorder *recorder, size_t series, struct histogram *into)
{
	merge(recorder, series, into);
	if (recorder->before[series])
		histogram_subtract(into, recorder->before[series]);
	if (series >= SERIES_RESPOND)
		return;
	enum sluice_kind kind = (enum sluice_kind)(series % KIND_COUNT);
	unsigned part = (unsigned)(series / KIND_COUNT);
	if (part == PART_WORK || part == PART_WHOLE)
		merge(recorder, series_of(kind, PART_UNDELAYED), into);
}
