/*
 * The stage ABI: what a shared object exports to be a stage of a Sluice pipeline.
 *
 * A stage is one shared object with one exported symbol: the table that SLUICE_STAGE() defines at the foot of its file.
 * What every stage has stands in that table; what its kind does, in a table of the kind's own type, which the first two
 * arguments name:
 *
 *     static const struct sluice_auth_ops ops = {.process = process};
 *
 *     SLUICE_STAGE(auth, ops,
 *         .name = "token",
 *         .version = "1.0.0",
 *         .summary = "accepts requests that carry a fixed bearer token",
 *         .options = options,
 *         .config_size = sizeof(struct config));
 *
 * The law of the flow. One event goes down; one verdict per event comes back; a stage never calls another stage. The
 * kinds stand in the order auth, parse, idempotency, queue, persist, each at most once. The queue is the one thread
 * boundary:
 *
 *   - auth, parse, idempotency run on the HTTP threads (or, after a SLUICE_WAIT, on a thread of the core's): process() is
 *     called for many events at once, each by one thread;
 *   - persist runs on the workers, in batches; without a queue it runs on the HTTP threads, in batches of one;
 *   - the core owns threads, workers, streams and retries; a queue stage only keeps events.
 *
 * While one worker holds events of a stream, no other worker gets any of that stream. In a batch, the events of a
 * stream stand in the order of their acceptance, next to each other or not.
 *
 * Life: check → self_test → create → recover (queue) → process… settle… → drain → destroy, each of the singular ones on
 * one thread.
 */
#ifndef SLUICE_STAGE_H
#define SLUICE_STAGE_H

#include "error.h"
#include "event.h"
#include "extension.h"
#include "host.h"
#include "option.h"
#include "record.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sluice_kind {
	SLUICE_KIND_AUTH = 0,
	SLUICE_KIND_PARSE = 1,
	SLUICE_KIND_IDEMPOTENCY = 2,
	SLUICE_KIND_QUEUE = 3,
	SLUICE_KIND_PERSIST = 4,
};

enum {
	SLUICE_SPANS_MAX = 4, /* spans a stage may declare */
};

struct sluice_stage_ops;

/* One stage of a running pipeline. The core owns the struct; `state` is the stage's own, set in create(). */
struct sluice_stage {
	const struct sluice_host *host;
	const struct sluice_stage_ops *ops;
	const void *config; /* config_size bytes, filled from the option table; lives from create() to the end of
	                       destroy() */
	void *state;
	bool read_only; /* persist: opened to be read (verify, audit): create nothing, change nothing */
};

/* One of the threads behind the queue. `state` is for worker_create() to set. */
struct sluice_worker {
	unsigned id; /* 0, 1, 2 … */
	void *state;
};

/* Events for one call of store(). Set a verdict for each; none may be SLUICE_WAIT. */
struct sluice_batch {
	struct sluice_event *const *events; /* in the order of acceptance within each stream */
	enum sluice_verdict *verdicts;      /* SLUICE_FAIL at first */
	size_t count;                       /* 1 to the smaller of max_batch in the pipeline and batch_max below */
	struct sluice_worker *worker;       /* who runs it; NULL on an HTTP thread (a pipeline without a queue) */
};

/* Where observe() and stats() put what they see. `help` is a noun phrase for the metric's HELP line; label and its value
 * may be NULL. All texts are borrowed for the call. */
struct sluice_observer {
	/* Becomes the metric webhook_NAME{LABEL="LABEL_VALUE"}. */
	void (*gauge)(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
	              double value, const char *help);
	/* Says that the stage cannot do its work now and why; /api/health then answers 503 with the sentence. */
	void (*unhealthy)(struct sluice_observer *observer, const char *reason);
	/* For stats() alone, NULL in observe(): a figure that is no number, such as a setting. */
	void (*text)(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
	             const char *value, const char *help);
};

/* What each kind does. A table of another kind's type does not compile; members without "may be NULL" are required. */

/* Proves who sent the event. */
struct sluice_auth_ops {
	enum sluice_verdict (*process)(struct sluice_stage *stage, struct sluice_event *event);
};

enum sluice_parse_flags {
	SLUICE_PARSE_DECODES = 1u << 0, /* payload may be decoded (a form's field, say), not a part of the body */
};

/* Finds id, type, stream, sequence and payload. */
struct sluice_parse_ops {
	enum sluice_verdict (*process)(struct sluice_stage *stage, struct sluice_event *event);
	uint32_t flags; /* enum sluice_parse_flags */
};

/* Knows what was seen: DONE for a duplicate of a stored event, WAIT for one of an event in flight, sluice_conflict(). */
struct sluice_idempotency_ops {
	enum sluice_verdict (*process)(struct sluice_stage *stage, struct sluice_event *event);
};

enum sluice_queue_flags {
	SLUICE_QUEUE_DURABLE = 1u << 0, /* put() passes only what survives a crash and a power cut, so it may back
	                                   `ack: queued`; needs recover() */
};

/* Keeps events between the HTTP threads and the workers. */
struct sluice_queue_ops {
	/* Keeps the event and returns PASS (then it may already be in other hands: don't touch it), WAIT (will resume it
	 * when it is kept; take() does not yield it before), or RETRY at a bound. Concurrent calls. The order in which
	 * put() was entered under the stage's own lock is the order of acceptance. */
	enum sluice_verdict (*put)(struct sluice_stage *stage, struct sluice_event *event);
	/* Yields up to `max` kept events, oldest first, each once; 0 when there are none. Never waits for an event; of a
	 * durable queue it may read from a disk. One call at a time. */
	size_t (*take)(struct sluice_stage *stage, struct sluice_event **events, size_t max);
	/* The event is through: forget it, free its place. From any thread, in any order. With `verdict` RETRY it was
	 * rejected; a durable queue that had acknowledged it keeps it for its next life. */
	void (*done)(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict);
	/* DURABLE; else NULL. Once, before the first take(): makes ready what an earlier life left behind. take() then
	 * yields it, in order and before anything newer, as events made by host->restore(); while that gives NULL the
	 * pool is full: try at a later take(). */
	bool (*recover)(struct sluice_stage *stage, struct sluice_error *error);
	uint32_t flags; /* enum sluice_queue_flags */
};

/* Stores events for good. */
struct sluice_persist_ops {
	/* PASS: committed and durable. DONE: stored before, with the same digest; else sluice_conflict(). One event never
	 * fails its neighbours. After RETRY for one event all later ones of its stream get RETRY too and are not stored:
	 * what is tried again must not be overtaken. */
	void (*store)(struct sluice_stage *stage, struct sluice_batch *batch);
	/* Every stored event with id > after_id, by id. May be NULL in a stage that declares SLUICE_WRITE_ONLY, which cannot
	 * stand behind `ack: stored`. */
	bool (*scan)(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
	             struct sluice_error *error);
	/* Every row of the audit trail, writer by writer, each by position. May be NULL. */
	bool (*audit_scan)(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error);
	/* Keeps an acknowledged event that can never be stored among the dead letters; true once that is durable. May be
	 * NULL: then the stage cannot stand behind `ack: queued`. */
	bool (*dead_letter)(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
	                    struct sluice_error *error);
	/* Per worker thread, called on it. May be NULL. When all events of a thread's last three batches came back with
	 * SLUICE_RETRY, what worker_create() made is destroyed and made again, with growing pauses while that fails. */
	bool (*worker_create)(struct sluice_stage *stage, struct sluice_worker *worker, struct sluice_error *error);
	void (*worker_destroy)(struct sluice_stage *stage, struct sluice_worker *worker);
	uint32_t batch_max; /* events it takes in one call; 1: it gains nothing from more; 0: no limit of its own */
};

struct sluice_stage_ops {
	/* As compiled. The sizes let the structs grow at their ends. Filled by SLUICE_STAGE(), as are kind and its table. */
	uint32_t abi_major, abi_minor, size, option_size;
	enum sluice_kind kind;
	uint32_t kind_size; /* of the kind's table */
	union {
		const struct sluice_auth_ops *auth;
		const struct sluice_parse_ops *parse;
		const struct sluice_idempotency_ops *idempotency;
		const struct sluice_queue_ops *queue;
		const struct sluice_persist_ops *persist;
		const void *any;
	} of;

	const char *name;                          /* lower_case; how reports call it */
	const char *version;                       /* the stage's own */
	const char *summary;                       /* one phrase */
	const struct sluice_option *options;       /* up to SLUICE_OPTION_END; NULL: takes none */
	size_t config_size;                        /* of the struct the options fill */
	const char *const *spans;                  /* NULL-terminated names of the parts it times itself, at most
	                                              SLUICE_SPANS_MAX; may be NULL */
	const struct sluice_extension *extensions; /* up to SLUICE_EXTENSION_END; may be NULL */

	/* The functions below may be NULL. */

	/* Looks at the config alone: what the table cannot say (one of two must be given). No side effects. */
	bool (*check)(const void *config, struct sluice_error *error);
	/* Proves the stage's own promises on known input (a signature scheme's public vectors, say), without side effects;
	 * `sluice check` and `sluice run` call it before create(). */
	bool (*self_test)(struct sluice_error *error);
	/* Builds stage->state; may connect. Failing, it leaves nothing behind. NULL: the stage has no state. */
	bool (*create)(struct sluice_stage *stage, struct sluice_error *error);

	/* Once per event that the stage has seen, at its ack point or its failure, after which the stage must have
	 * forgotten it. `verdict` is the event's last: PASS or DONE: it is stored. REJECT, RETRY, FAIL: it is not. Stages
	 * are settled in reverse; with `ack: queued`, those behind the queue when the event has come through them. From
	 * any thread. A stage before the queue only reads the event here (a worker may have it already): no
	 * sluice_alloc(), no sluice_span(), and of its fields only its own sluice_local() may be written. */
	void (*settle)(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict);

	/* Called from time to time, also while no event comes: to rotate a file, expire entries, reload a key. Returns how
	 * long to leave it alone, in ns (held to 10 ms … 1 h). On a thread of the core's, one call at a time, beside
	 * process() on others; not in a read_only stage. It delays the ticks of the other stages, so it should be quick. */
	int64_t (*tick)(struct sluice_stage *stage);
	/* Gauges and health, at each scrape; must be quick and must not wait for the network. From any thread. */
	void (*observe)(struct sluice_stage *stage, struct sluice_observer *observer);

	/* No new events come; those inside still go through. A chance to hurry: flush, stop lingering. */
	void (*drain)(struct sluice_stage *stage);
	/* No event is inside any more. Frees all that create() made. */
	void (*destroy)(struct sluice_stage *stage);
};

#if defined(__GNUC__)
#define SLUICE_EXPORT __attribute__((visibility("default")))
#else
#define SLUICE_EXPORT
#endif

#ifdef __cplusplus
#define SLUICE_EXTERN extern "C"
#else
#define SLUICE_EXTERN extern
#endif

/* The one exported symbol. */
#define SLUICE_STAGE_SYMBOL "sluice_stage"

#define SLUICE_KIND_OF_auth SLUICE_KIND_AUTH
#define SLUICE_KIND_OF_parse SLUICE_KIND_PARSE
#define SLUICE_KIND_OF_idempotency SLUICE_KIND_IDEMPOTENCY
#define SLUICE_KIND_OF_queue SLUICE_KIND_QUEUE
#define SLUICE_KIND_OF_persist SLUICE_KIND_PERSIST

/* The address of `table`, if its type is `type`; otherwise it does not compile. */
#ifdef __cplusplus
#define SLUICE_TABLE(table, type) (static_cast<const type *>(&(table)))
#else
#define SLUICE_TABLE(table, type) (_Generic(&(table), const type * : &(table), type * : &(table)))
#endif

/* `kind` is one of auth, parse, idempotency, queue, persist, without quotes; `table` is a struct sluice_KIND_ops. */
#define SLUICE_STAGE(kind_, table, ...)                                                                                \
	SLUICE_EXTERN SLUICE_EXPORT const struct sluice_stage_ops sluice_stage;                                        \
	const struct sluice_stage_ops sluice_stage = {                                                                 \
		.abi_major = SLUICE_ABI_MAJOR,                                                                         \
		.abi_minor = SLUICE_ABI_MINOR,                                                                         \
		.size = sizeof(struct sluice_stage_ops),                                                               \
		.option_size = sizeof(struct sluice_option),                                                           \
		.kind = SLUICE_KIND_OF_##kind_,                                                                        \
		.kind_size = sizeof(table),                                                                            \
		.of = {.kind_ = SLUICE_TABLE(table, struct sluice_##kind_##_ops)},                                     \
		__VA_ARGS__}

/* This stage's word in the event: `*sluice_local(stage, event) = claim`. */
static inline void **sluice_local(const struct sluice_stage *stage, struct sluice_event *event)
{
	return &event->local[stage->ops->kind];
}

/* Says that `ns` of the work on this event (or on each event of the batch) went into span number `span` of the table.
 */
static inline void sluice_span(struct sluice_stage *stage, struct sluice_event *event, unsigned span, int64_t ns)
{
	stage->host->span(stage, &event, 1, span, ns);
}

static inline void sluice_batch_span(struct sluice_stage *stage, const struct sluice_batch *batch, unsigned span,
                                     int64_t ns)
{
	stage->host->span(stage, batch->events, batch->count, span, ns);
}

/* persist: says which store the stage is connected with, at each connect. Equal texts mean the same store with all that
 * it had acknowledged; a restored backup, a failover or a table made again must give another one. NULL: in doubt, since
 * a connection broke or a row that should exist did not. From any thread. The text is copied. */
static inline void sluice_announce_store(struct sluice_stage *stage, const char *identity)
{
	stage->host->announce_store(stage, identity);
}

/* A number that grows whenever the store behind has changed or come into doubt. What was learnt of the store under an
 * earlier number has to be asked again before it is believed. From any thread; cheap enough for every event. */
static inline uint64_t sluice_store_epoch(struct sluice_stage *stage)
{
	return stage->host->store_epoch(stage);
}

/* A log line with a name and named values:
 *     sluice_log(stage, SLUICE_LOG_INFO, "pool_grown", sluice_int("connections", n), sluice_text("why", why));
 * No secret, signature or payload may go in. */
#ifdef __cplusplus
} /* a template has C++ linkage */
template <typename... Fields>
static inline void sluice_log(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
                              Fields... fields)
{
	const struct sluice_field list[] = {fields..., sluice_field()};
	stage->host->log(stage, level, name, list, sizeof...(fields));
}
extern "C" {
#else
#define sluice_log(stage, level, ...)                                                                                  \
	(stage)->host->log((stage), (level), SLUICE_FIRST_(__VA_ARGS__, 0),                                            \
	                   (const struct sluice_field[]){SLUICE_REST_(__VA_ARGS__, {0})},                              \
	                   sizeof((const struct sluice_field[]){SLUICE_REST_(__VA_ARGS__, {0})}) /                     \
	                                   sizeof(struct sluice_field) -                                               \
	                           1)
#endif

#ifdef __cplusplus
}
#endif
#endif
