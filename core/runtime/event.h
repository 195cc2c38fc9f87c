/*
 * The core's side of an event: the public struct first, then what only the core sees.
 */
#ifndef RUNTIME_EVENT_H
#define RUNTIME_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/event.h>
#include <sluice/stage.h>

#include "base/arena.h"
#include "runtime/config.h"
#include "runtime/loader.h"
#include "runtime/response.h"
#include "runtime/verdict.h"

struct pipeline;
struct event;
struct instance;
struct lane;
struct split_bucket;

/* Where the time of an event went, in ns. Working, waiting and being parked are three figures. A stage that did not run
 * has `ran` unset. Together with the gap before the answer they add up to the total. */
struct event_times {
	int64_t start_ns; /* monotonic: the request was complete */
	int64_t wall_ns;  /* the same moment on the wall clock */
	int64_t ack_ns;   /* monotonic: ack point or failure; 0 before */
	struct stage_times {
		bool ran;
		bool has_cpu;      /* cpu_ns is measured; never of the queue: when put() ends, others have the event */
		int64_t exit_ns;   /* monotonic, when it was last left */
		int64_t work_ns;   /* inside the stage, all tries */
		int64_t wait_ns;   /* before it, in the queue or between tries */
		int64_t parked_ns; /* WAIT until resumed */
		int64_t cpu_ns; /* of work_ns, what its thread was on a processor; of a batch's store(), as of all of it */
		int64_t spans_ns[SLUICE_SPANS_MAX];
	} stages[KIND_COUNT];
	uint32_t batch_size; /* events in the batch it was last in; 0: none */
	uint32_t attempts;
};

/* What the HTTP side needs to answer. Borrowed for the call of answer(). */
struct event_answer {
	enum event_outcome outcome;
	enum sluice_verdict verdict;
	int status;         /* 202, 200, or what the stage said */
	int64_t delay_ns;   /* RETRY: what the stage asked for; 0: nothing */
	const char *detail; /* a sentence for the sender; "" if none */
	const char *stage;  /* kind that ended it: "auth" … */
	enum ack ack;
	const struct sluice_event *event;
	const struct event_times *times;
	const char *const *spans[KIND_COUNT]; /* their names, by stage; they outlive the pipeline's generation */
	const char *arm;                      /* of a canary: "baseline" or "canary"; NULL: there was none */
	const struct response *response;      /* what the stages add; its status is 0 unless it replaces the rest */
	/* Of a request that carried several events, whose fate this sums up: what became of each, in order. */
	const struct event_answer *parts;
	size_t part_count;
};
typedef void (*event_answer_fn)(void *context, const struct event_answer *answer);

struct parts;

/* How a body was compressed for its way. */
enum content_coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_UNKNOWN };

struct event {
	struct sluice_event pub; /* must be first */

	struct pipeline *pipeline; /* its generation: set for good when it is admitted */
	struct event_pool *pool;   /* where its memory comes from */
	atomic_size_t *pins;       /* of its generation, counted while it is in flight; NULL before */
	struct arena arena;
	bool admitted; /* it has a place in the pool … */
	bool beyond;   /* … beyond its bounds */
	struct event_times times;
	struct event_times *times_at_put; /* `ack: queued`: a copy from before the queue had it, for the answer */
	atomic_uint references;

	/* Set by the HTTP side before pipeline_submit(). May be NULL: nobody waits. */
	event_answer_fn answer;
	void *answer_context;

	/* Likewise; see inflate.h. */
	enum content_coding coding; /* of the body, until it is inflated */
	bool inflates_first;        /* before the auth stage, not behind it */
	size_t inflated_max;        /* bytes */

	/* Where it is. */
	unsigned at;        /* kind of the stage that has it */
	bool was_put;       /* set before put(), then left alone: `at` and `in_queue` are the worker's from there on */
	bool in_queue;      /* the queue stage has kept it and wants to hear done() */
	int64_t entered_ns; /* when it came to where it is: the stamp of the last boundary */
	int64_t put_ns;     /* when it came to the queue; for who called put(), others may have the event by then */

	/* See resume.h. */
	atomic_int parking;
	enum sluice_verdict resumed_with;
	struct event *next_given; /* see event_thread.h; an event resumed in put() is in another list as well */

	/* See parts.h. */
	struct parts *parts;   /* of its request; NULL: it carries this event alone */
	struct event *carrier; /* of one that was made of a request: what has the request's memory */

	bool digest_known;
	uint8_t digest[SLUICE_DIGEST_SIZE];

	/* What the last stage said with its verdict. */
	int status;
	int64_t delay_ns;
	bool conflicts;
	char detail[SLUICE_DETAIL_MAX];
	struct response response;

	struct lane *lane;      /* of its stream, while behind the queue */
	struct instance *store; /* the persist stage that knows it, behind a queue; NULL: none */
	bool holds_store;       /* which therefore stays; see flow_hold_store() */
	struct event *next;     /* in whatever list has it */

	/* Of a canary, see split.h. */
	struct split_bucket *bucket; /* NULL: its arm was not chosen */
	unsigned arm;                /* enum arm */
	bool awaits_bucket, has_awaited_bucket;
};

static inline struct event *event_of(struct sluice_event *pub)
{
	return (struct event *)(void *)pub;
}

/* Memory of the event for the HTTP side: like sluice_alloc(). */
void *event_alloc(struct event *event, size_t size);

/* A first-in, first-out list of events. Starts as {0}. */
struct event_list {
	struct event *first, *last;
};

static inline void event_list_append(struct event_list *list, struct event *event)
{
	event->next = NULL;
	if (list->last)
		list->last->next = event;
	else
		list->first = event;
	list->last = event;
}

static inline struct event *event_list_take(struct event_list *list)
{
	struct event *event = list->first;
	if (!event)
		return NULL;
	list->first = event->next;
	if (!list->first)
		list->last = NULL;
	event->next = NULL;
	return event;
}

/*
 * The event pool: events are recycled with the first block of their arenas, up to events.pool.count of them, and bounded in
 * bytes and, once they are admitted, in number. From any thread.
 */
struct event_pool;

struct event_pool_counts {
	uint64_t hits, misses; /* events that found memory in the pool, and those that took it from the heap */
	uint64_t growths;      /* events that needed more than events.arena */
};

/* `largest`: bytes that a single event may need while it is received, whatever the half of the pool. */
struct event_pool *event_pool_create(const struct events_config *config, size_t largest);

/* The same bounds and sizes for a pool that is in use: what is out already may be more. */
void event_pool_resize(struct event_pool *pool, const struct events_config *config, size_t largest);
void event_pool_destroy(struct event_pool *pool); /* all events are back */

/* An event to receive into, which holds one reference, empty but for `host` and `pipeline`. It has no place yet; its bytes
 * count as being received, which together may take half of the pool's. */
struct event *event_pool_get(struct event_pool *pool, struct pipeline *pipeline);

/* What it is received for is complete: it takes a place. False: there is none. */
bool event_pool_admit(struct event_pool *pool, struct event *event);

/* The same beyond both bounds, before it has memory; false: as many as may be are there. */
bool event_pool_admit_beyond(struct event_pool *pool, struct event *event);
void event_reference(struct event *event);
void event_release(struct event *event);

size_t event_pool_in_flight(const struct event_pool *pool); /* admitted … */
size_t event_pool_receiving(const struct event_pool *pool); /* … and not yet */
size_t event_pool_bytes(const struct event_pool *pool);

struct event_pool_counts event_pool_counts(const struct event_pool *pool);

/* How many bytes should be given up by events that are not admitted, so that others can be received; 0 while three
 * quarters of what they may take are not used. */
size_t event_pool_excess(const struct event_pool *pool);

/* Waits until no event is out, at most until `until_ns` (monotonic). Returns how many still are. */
size_t event_pool_wait_empty(struct event_pool *pool, int64_t until_ns);

#endif
