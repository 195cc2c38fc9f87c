/*
 * A split: for a while a part of the traffic goes through a candidate, a second pipeline beside the one that serves, which is
 * the baseline. Each is an arm.
 *
 * The arm of an event is chosen between the parse and the idempotency stage. A keyed hash of its stream, or of its message id
 * where it has no stream, says which of SPLIT_BUCKETS buckets it is in, and each bucket is in one arm: so all of a stream, and
 * every copy of a message, goes one way. A bucket changes arms while none of its events is inside; those that come meanwhile
 * wait, in their order, and so no stream is overtaken. What waits behind an event that could not be stored is rejected with it,
 * as behind the queue.
 *
 * One thread controls the split; events come on all threads.
 */
#ifndef RUNTIME_SPLIT_H
#define RUNTIME_SPLIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/event.h"

enum { SPLIT_BUCKETS = 1024 };
enum arm { ARM_BASELINE, ARM_CANDIDATE, ARM_COUNT };

extern const char *const arm_names[ARM_COUNT]; /* "baseline", "canary" */

struct event_thread;
struct pipeline;
struct split;
struct split_bucket;

/* Of one arm since split_begin(): events with a response. */
struct split_counts {
	uint64_t events;
	uint64_t errors;     /* responses of 5xx, and those that came after the sender's deadline */
	uint64_t slow;       /* over the limit of split_set_limit(), of those that did not wait for their bucket */
	uint64_t inside;     /* those without a response */
	int64_t answered_ns; /* monotonic: the last response; 0: none */
	int64_t occupied_ns; /* monotonic: when the first of those came, or one before it */
};

/* `thread`: carries on with events that have waited, by flow_carry_on(). */
struct split *split_create(struct event_thread *thread);
void split_destroy(struct split *split);

/* From here on events are counted in their buckets, all of which are in the baseline. Those that came before are not: buckets
 * may move when they are gone. */
void split_begin(struct split *split, struct pipeline *candidate);

/* Buckets move towards a candidate's share of so many of them. */
void split_set_share(struct split *split, size_t buckets);
size_t split_share(const struct split *split); /* as asked; from any thread, as the counts below */

/* Whether all buckets are where they are to be. */
bool split_is_settled(struct split *split);

/* All buckets have settled in one arm, and no event can come that was pinned to the other. */
void split_end(struct split *split);

/* What is slow, in ns from the complete request to its ack point; 0: nothing. */
void split_set_limit(struct split *split, int64_t limit_ns);
void split_count(struct split *split, enum arm arm, struct split_counts *counts_out);

/* How evenly the buckets divide the traffic since the last split_set_share(): all events, those of the candidate, and how many
 * equal buckets would be as uneven. */
struct split_ratio {
	uint64_t events, candidate;
	double buckets;
	uint64_t most_slow; /* slow responses in one bucket of the candidate since it moved there, at most */
};
void split_get_ratio(struct split *split, struct split_ratio *ratio_out);

/* For the flow. True: the event is in its arm. False: it waits, and is in other hands. */
bool split_enter(struct split *split, struct event *event);

/* An event that has waited is in its arm; after it has gone on. */
void split_resume(struct event *event);
void split_resumed(struct split *split, struct split_bucket *bucket);

/* The event has its response; then it is through, with that verdict. */
void split_note_response(struct split *split, const struct event *event, int status, int64_t took_ns);
void split_leave(struct split *split, struct event *event, enum sluice_verdict verdict);

/* For split_is_on() alone. */
struct split {
	atomic_bool on;
	struct split_state *state;
};

static inline bool split_is_on(const struct split *split)
{
	return atomic_load(&split->on);
}

#endif
