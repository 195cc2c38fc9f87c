/*
 * Buckets that move between two arms; see split.h.
 */
#include "runtime/split.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "runtime/event_thread.h"
#include "runtime/flow.h"

const char *const arm_names[ARM_COUNT] = {[ARM_BASELINE] = "baseline", [ARM_CANDIDATE] = "canary"};

struct split_bucket {
	pthread_mutex_t lock;
	enum arm arm, wanted;
	size_t inside;   /* of its events, counted */
	size_t resuming; /* that have waited and are being carried on */
	struct event_list waiting;
	uint64_t events;       /* since the last change of shares */
	_Atomic uint64_t slow; /* since it came to its arm */
};

struct arm_state {
	_Atomic uint64_t events, errors, slow, inside;
	_Atomic int64_t answered_ns, occupied_ns;
};

struct split_state {
	struct event_thread *thread;
	_Atomic(struct pipeline *) candidate;
	atomic_size_t share;
	_Atomic int64_t limit_ns;
	struct arm_state arms[ARM_COUNT];
	struct split_bucket buckets[SPLIT_BUCKETS];
};

struct split *split_create(struct event_thread *thread)
{
	struct split *split = must_calloc(1, sizeof(*split));
	split->state = must_calloc(1, sizeof(*split->state));
	split->state->thread = thread;
	for (size_t i = 0; i < SPLIT_BUCKETS; i++)
		(void)pthread_mutex_init(&split->state->buckets[i].lock, NULL);
	return split;
}

void split_destroy(struct split *split)
{
	for (size_t i = 0; i < SPLIT_BUCKETS; i++)
		(void)pthread_mutex_destroy(&split->state->buckets[i].lock);
	free(split->state);
	free(split);
}

static struct split_bucket *bucket_of(struct split *split, const struct event *event)
{
	const struct sluice_event *pub = &event->pub;
	const struct sluice_bytes *key = pub->stream.data       ? &pub->stream
	                                 : pub->message_id.data ? &pub->message_id
	                                                        : &pub->request_id;
	return &split->state->buckets[digest_hash(key->data, key->size) % SPLIT_BUCKETS];
}

/* With the lock: whether events may go in. Those that wait come first. */
static bool is_open(struct split_bucket *bucket)
{
	if (bucket->arm != bucket->wanted && bucket->inside == 0 && bucket->resuming == 0) {
		bucket->arm = bucket->wanted;
		atomic_store(&bucket->slow, 0);
	}
	return bucket->arm == bucket->wanted && bucket->resuming == 0;
}

/* With the lock. */
static void take_in(struct split *split, struct split_bucket *bucket, struct event *event)
{
	struct arm_state *arm = &split->state->arms[bucket->arm];
	struct pipeline *candidate = atomic_load(&split->state->candidate);
	bucket->inside++;
	bucket->events++;
	event->bucket = bucket;
	event->arm = bucket->arm;
	if (atomic_fetch_add(&arm->inside, 1) == 0)
		atomic_store(&arm->occupied_ns, clock_now_ns());
	if (bucket->arm != ARM_CANDIDATE || event->pipeline == candidate)
		return;
	flow_pin(candidate);
	(void)atomic_fetch_sub(event->pins, 1);
	event->pins = candidate->pins;
	event->pipeline = candidate;
}

bool split_enter(struct split *split, struct event *event)
{
	struct split_bucket *bucket = bucket_of(split, event);
	(void)pthread_mutex_lock(&bucket->lock);
	const bool enters = is_open(bucket) && !bucket->waiting.first;
	if (enters) {
		take_in(split, bucket, event);
	} else {
		event->bucket = bucket;
		event->awaits_bucket = true;
		event_list_append(&bucket->waiting, event);
	}
	(void)pthread_mutex_unlock(&bucket->lock);
	return enters;
}

/* With the lock, which it lets go: those that wait may go on. */
static void let_in(struct split *split, struct split_bucket *bucket)
{
	struct event_list waiting = {0};
	if (is_open(bucket)) {
		waiting = bucket->waiting;
		bucket->waiting = (struct event_list){0};
		for (struct event *event = waiting.first; event; event = event->next) {
			bucket->resuming++;
			take_in(split, bucket, event);
		}
	}
	(void)pthread_mutex_unlock(&bucket->lock);
	for (struct event *event; (event = event_list_take(&waiting));)
		event_thread_give(split->state->thread, event);
}

void split_resume(struct event *event)
{
	event->awaits_bucket = false;
	event->has_awaited_bucket = true;
}

void split_resumed(struct split *split, struct split_bucket *bucket)
{
	(void)pthread_mutex_lock(&bucket->lock);
	bucket->resuming--;
	let_in(split, bucket);
}

static bool is_behind(const struct event *event, const struct sluice_bytes *stream)
{
	return event->pub.stream.data && sluice_bytes_equal(event->pub.stream, *stream);
}

/* With the lock. */
static struct event_list take_behind(struct split_bucket *bucket, const struct sluice_bytes *stream)
{
	struct event_list behind = {0}, others = {0};
	for (struct event *event; (event = event_list_take(&bucket->waiting));)
		event_list_append(is_behind(event, stream) ? &behind : &others, event);
	bucket->waiting = others;
	return behind;
}

void split_note_response(struct split *split, const struct event *event, int status, int64_t took_ns)
{
	struct arm_state *arm = &split->state->arms[event->arm];
	if (event->awaits_bucket)
		return;
	const int64_t now_ns = clock_now_ns(),
		      limit_ns = atomic_load_explicit(&split->state->limit_ns, memory_order_relaxed);
	const bool is_late = event->pub.deadline_ns && now_ns > event->pub.deadline_ns;
	if (limit_ns && took_ns > limit_ns && !event->has_awaited_bucket) {
		(void)atomic_fetch_add(&event->bucket->slow, 1);
		(void)atomic_fetch_add(&arm->slow, 1);
	}
	if (status >= 500 || is_late)
		(void)atomic_fetch_add(&arm->errors, 1);
	(void)atomic_fetch_add(&arm->events, 1);
	atomic_store(&arm->answered_ns, now_ns);
}

void split_leave(struct split *split, struct event *event, enum sluice_verdict verdict)
{
	struct split_bucket *bucket = event->bucket;
	struct event_list behind = {0};
	event->bucket = NULL;
	(void)pthread_mutex_lock(&bucket->lock);
	if (!event->awaits_bucket) { /* else it was rejected with one before it */
		bucket->inside--;
		(void)atomic_fetch_sub(&split->state->arms[event->arm].inside, 1);
	}
	if (verdict == SLUICE_RETRY && event->pub.stream.data)
		behind = take_behind(bucket, &event->pub.stream);
	let_in(split, bucket);
	for (struct event *next; (next = event_list_take(&behind));)
		flow_finish(next, sluice_retry(&next->pub, 0, "an earlier event of the stream could not be stored"));
}

void split_begin(struct split *split, struct pipeline *candidate)
{
	struct split_state *state = split->state;
	atomic_store(&state->candidate, candidate);
	atomic_store(&state->share, 0);
	atomic_store(&state->limit_ns, 0);
	for (size_t i = 0; i < ARM_COUNT; i++) {
		struct arm_state *arm = &state->arms[i];
		atomic_store(&arm->events, 0);
		atomic_store(&arm->errors, 0);
		atomic_store(&arm->slow, 0);
		atomic_store(&arm->answered_ns, 0);
	}
	for (size_t i = 0; i < SPLIT_BUCKETS; i++) {
		struct split_bucket *bucket = &state->buckets[i];
		(void)pthread_mutex_lock(&bucket->lock);
		bucket->arm = bucket->wanted = ARM_BASELINE;
		bucket->events = 0;
		atomic_store(&bucket->slow, 0);
		(void)pthread_mutex_unlock(&bucket->lock);
	}
	atomic_store(&split->on, true);
}

void split_end(struct split *split)
{
	atomic_store(&split->on, false);
}

void split_set_share(struct split *split, size_t buckets)
{
	atomic_store(&split->state->share, buckets);
	for (size_t i = 0; i < SPLIT_BUCKETS; i++) {
		struct split_bucket *bucket = &split->state->buckets[i];
		(void)pthread_mutex_lock(&bucket->lock);
		bucket->wanted = i < buckets ? ARM_CANDIDATE : ARM_BASELINE;
		bucket->events = 0;
		let_in(split, bucket);
	}
}

size_t split_share(const struct split *split)
{
	return atomic_load(&split->state->share);
}

bool split_is_settled(struct split *split)
{
	bool is_settled = true;
	for (size_t i = 0; i < SPLIT_BUCKETS && is_settled; i++) {
		struct split_bucket *bucket = &split->state->buckets[i];
		(void)pthread_mutex_lock(&bucket->lock);
		is_settled = is_open(bucket) && !bucket->waiting.first;
		(void)pthread_mutex_unlock(&bucket->lock);
	}
	return is_settled;
}

void split_set_limit(struct split *split, int64_t limit_ns)
{
	atomic_store(&split->state->limit_ns, limit_ns);
}

void split_count(struct split *split, enum arm which, struct split_counts *counts_out)
{
	const struct arm_state *arm = &split->state->arms[which];
	*counts_out = (struct split_counts){
		/* What is bad is read first, so that it is never more than all. */
		.errors = atomic_load(&arm->errors),           .slow = atomic_load(&arm->slow),
		.inside = atomic_load(&arm->inside),           .answered_ns = atomic_load(&arm->answered_ns),
		.occupied_ns = atomic_load(&arm->occupied_ns),
	};
	counts_out->events = atomic_load(&arm->events);
}

/* (sum n)² / sum n²: Kish's effective sample size. */
void split_get_ratio(struct split *split, struct split_ratio *ratio_out)
{
	double sum = 0, squares = 0;
	*ratio_out = (struct split_ratio){0};
	for (size_t i = 0; i < SPLIT_BUCKETS; i++) {
		struct split_bucket *bucket = &split->state->buckets[i];
		(void)pthread_mutex_lock(&bucket->lock);
		const uint64_t events = bucket->events, slow = atomic_load(&bucket->slow);
		const bool is_candidate = bucket->arm == ARM_CANDIDATE;
		(void)pthread_mutex_unlock(&bucket->lock);
		ratio_out->events += events;
		ratio_out->candidate += is_candidate ? events : 0;
		if (is_candidate && slow > ratio_out->most_slow)
			ratio_out->most_slow = slow;
		sum += (double)events;
		squares += (double)events * (double)events;
	}
	ratio_out->buckets = squares > 0 ? sum * sum / squares : 0;
}
