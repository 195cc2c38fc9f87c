/*
 * The stage ABI: what a shared object exports to be a stage of a Sluice pipeline.
 *
 * A stage is one shared object with one exported symbol, the table that SLUICE_STAGE() defines at the foot of its file:
 *
 *     SLUICE_STAGE(
 *         .kind = SLUICE_KIND_AUTH,
 *         .name = "token",
 *         .version = "1.0.0",
 *         .summary = "accepts requests that carry a fixed bearer token",
 *         .options = options,
 *         .config_size = sizeof(struct config),
 *         .process = process);
 *
 * The law of the flow. One event goes down; one verdict per event comes back; a stage never calls another stage. The
 * kinds stand in the order auth, parse, idempotency, queue, persist, each at most once. The queue is the one thread
 * boundary:
 *
 *   - auth, parse, idempotency run on the HTTP threads (or, after a SLUICE_WAIT, on a thread of the core's): process()
 * is called for many events at once, each by one thread;
 *   - persist runs on the workers, in batches; without a queue it runs on the HTTP threads, in batches of one;
 *   - the core owns threads, workers, streams and retries; a queue stage only keeps events.
 *
 * While one worker holds events of a stream, no other worker gets any of that stream. In a batch, the events of a
 * stream stand in the order of their acceptance, next to each other or not.
 *
 * Life: check → create → recover (queue) → process… settle… → drain → destroy, each of the singular ones on one thread.
 */
#ifndef SLUICE_STAGE_H
#define SLUICE_STAGE_H

#include "error.h"
#include "event.h"
#include "host.h"
#include "option.h"
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

enum sluice_stage_flags {
	SLUICE_STAGE_DURABLE =
		1u << 0, /* queue: put() passes only what survives a crash and a power cut; may back `ack: queued` */
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

/* Events for one call of process_batch(). Set a verdict for each; none may be SLUICE_WAIT. */
struct sluice_batch {
	struct sluice_event *const *events; /* in the order of acceptance within each stream */
	enum sluice_verdict *verdicts;      /* SLUICE_FAIL at first */
	size_t count;                       /* 1 to max_batch */
	struct sluice_worker *worker;       /* who runs it; NULL on an HTTP thread (a pipeline without a queue) */
};

/* A stored event, as it comes out of a store. All pointers are borrowed for the call. */
struct sluice_record {
	int64_t id; /* grows in the order of acceptance within a stream */
	struct sluice_bytes message_id, event_type, stream, payload, request_id; /* stream: absent if it has none */
	int64_t sequence;
	bool has_sequence;
	bool payload_rewritten; /* payload is not the exact bytes (PostgreSQL's jsonb): the digest does not follow from
	                           it */
	int64_t received_at_ns; /* wall clock, ns since the Unix epoch; a store may round it to µs */
	uint8_t digest[SLUICE_DIGEST_SIZE];
};

/*
 * One row of the audit trail: one committed transaction of one writer. A writer is one sequence of transactions (one
 * connection, say); its rows are numbered from 1 and each holds the hash of the one before, 32 zero bytes for the
 * first. `covers` lists the events of the transaction, 40 bytes each: the row's id as 8 bytes big-endian, then its
 * digest. The hash over all that is host->audit_hash(): the rule stands in one place, for who writes and who verifies.
 */
struct sluice_audit_row {
	struct sluice_bytes writer; /* unique for all time: 16 random bytes in hex */
	int64_t position;           /* 1, 2, 3 … */
	int64_t written_at_ns;      /* wall clock; whole microseconds, so that every store keeps it exactly */
	struct sluice_bytes covers;
	uint8_t previous[SLUICE_DIGEST_SIZE];
	uint8_t hash[SLUICE_DIGEST_SIZE];
};

/* Takes the rows that scan() and audit_scan() yield; false ends the scan early, which is no error. */
typedef bool (*sluice_record_fn)(void *context, const struct sluice_record *record);
typedef bool (*sluice_audit_fn)(void *context, const struct sluice_audit_row *row);

/* Where observe() and measure() put what they see. `help` is a sentence for the metric's HELP line; label and its value
 * may be NULL. All texts are borrowed for the call. */
struct sluice_observer {
	/* Becomes the metric webhook_NAME{LABEL="LABEL_VALUE"}. */
	void (*gauge)(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
	              double value, const char *help);
	/* Says that the stage cannot do its work now and why; /api/health then answers 503 with the sentence. */
	void (*unhealthy)(struct sluice_observer *observer, const char *reason);
	/* Since 1.2. For measure() alone, NULL in observe(): a figure that is no number, such as a setting. */
	void (*text)(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
	             const char *value, const char *help);
};

/* How the name of a place begins (SLUICE_OPTION_PLACE) that was made for a laboratory and may be erased by it. */
#define SLUICE_LAB_PREFIX "sluice_lab_"

/* Whether the place, or of a path its last part, has such a name. */
static inline bool sluice_is_lab_place(const char *place)
{
	const char *slash = strrchr(place, '/');
	return strncmp(slash ? slash + 1 : place, SLUICE_LAB_PREFIX, sizeof(SLUICE_LAB_PREFIX) - 1) == 0;
}

struct sluice_stage_ops {
	/* As compiled. The sizes let both structs grow at their ends. Filled by SLUICE_STAGE(). */
	uint32_t abi_major, abi_minor, size, option_size;

	enum sluice_kind kind;
	const char *name;                    /* lower_case; how reports call it */
	const char *version;                 /* the stage's own */
	const char *summary;                 /* one phrase */
	const struct sluice_option *options; /* up to SLUICE_OPTION_END; NULL: takes none */
	size_t config_size;                  /* of the struct the options fill */
	const char *const *spans; /* NULL-terminated names of the parts it times itself, at most SLUICE_SPANS_MAX */
	uint32_t flags;           /* enum sluice_stage_flags */

	/* Looks at the config alone: what the table cannot say (one of two must be given). No side effects. May be
	 * NULL. */
	bool (*check)(const void *config, struct sluice_error *error);

	/* Builds stage->state; may connect. Failing, it leaves nothing behind. NULL: the stage has no state. */
	bool (*create)(struct sluice_stage *stage, struct sluice_error *error);

	/* auth, parse, idempotency, persist: handles one event, or a batch. A stage has one of the two, the core makes
	 * the other; only persist may have process_batch(). In a batch, after RETRY for one event all later ones of its
	 * stream get RETRY too and are not stored: what is tried again must not be overtaken. */
	enum sluice_verdict (*process)(struct sluice_stage *stage, struct sluice_event *event);
	void (*process_batch)(struct sluice_stage *stage, struct sluice_batch *batch);

	/* Once per event that process() has seen, at its ack point or its failure, after which the stage must have
	 * forgotten it. `verdict` is the event's last: PASS or DONE: it is kept. REJECT, RETRY, FAIL: it is not. Stages
	 * are settled in reverse; with `ack: queued`, those behind the queue when the event has come through them. From
	 * any thread. A stage before the queue only reads the event here (a worker may have it already): no
	 * sluice_alloc(), no sluice_span(), and of its fields only its own sluice_local() may be written. May be NULL.
	 */
	void (*settle)(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict);

	/* queue. put(): keeps the event and returns PASS (then it may already be in other hands: don't touch it), WAIT
	 * (will resume it when it is kept; take() does not yield it before), or RETRY at a bound. Concurrent calls. The
	 * order in which put() was entered under the stage's own lock is the order of acceptance. */
	enum sluice_verdict (*put)(struct sluice_stage *stage, struct sluice_event *event);
	/* Yields up to `max` kept events, oldest first, each once; 0 when there are none. Never blocks. One call at a
	 * time. */
	size_t (*take)(struct sluice_stage *stage, struct sluice_event **events, size_t max);
	/* The event is through: forget it, free its place. From any thread, in any order. `verdict` RETRY: it was
	 * turned away; a durable queue that had acknowledged it keeps it for its next life. */
	void (*done)(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict);
	/* DURABLE: once, before the first take(): makes ready what an earlier life left behind. take() then yields it,
	 * in order and before anything newer, as events made by host->restore(); while that gives NULL the pool is
	 * full: try at a later take(). */
	bool (*recover)(struct sluice_stage *stage, struct sluice_error *error);

	/* persist. scan(): every stored event with id > after_id, by id. */
	bool (*scan)(struct sluice_stage *stage, int64_t after_id, sluice_record_fn each, void *context,
	             struct sluice_error *error);
	/* persist. Every row of the audit trail, writer by writer, each by position. */
	bool (*audit_scan)(struct sluice_stage *stage, sluice_audit_fn each, void *context, struct sluice_error *error);
	/* persist. Keeps an acknowledged event that can never be stored among the dead letters; true once that is
	 * durable. */
	bool (*bury)(struct sluice_stage *stage, struct sluice_event *event, const char *reason,
	             struct sluice_error *error);

	/* Gauges and health, at each scrape; must be quick and must not wait for the network. From any thread. May be
	 * NULL. */
	void (*observe)(struct sluice_stage *stage, struct sluice_observer *observer);

	/* Per worker thread, called on it. May be NULL. */
	bool (*worker_create)(struct sluice_stage *stage, struct sluice_worker *worker, struct sluice_error *error);
	void (*worker_destroy)(struct sluice_stage *stage, struct sluice_worker *worker);

	/* No new events come; those inside still go through. A chance to hurry: flush, stop lingering. May be NULL. */
	void (*drain)(struct sluice_stage *stage);
	/* No event is inside any more. Frees all that create() made. */
	void (*destroy)(struct sluice_stage *stage);

	/* Since 1.1. Proves the stage's own promises on known input (a signature scheme's public vectors, say), without
	 * side effects; `sluice check` and `sluice run` call it before create(). May be NULL. */
	bool (*self_test)(struct sluice_error *error);

	/*
	 * Since 1.2. persist, for who compares two pipelines. These three may take their time and ask the network. They
	 * work on every stage that was created, read_only or not, also while it or another process stores events. Of
	 * these and the scans, one runs at a time. Each may be NULL.
	 */

	/* Brings the store to rest between two measurements: what it would otherwise do at a moment of its own (write
	 * back what it holds in memory, clear up, look at how its rows are spread) is done when this returns. Loses and
	 * changes no row. What the store's account is not allowed to do is left out, and logged once. A read_only stage
	 * that shows one moment shows the present one afterwards; others that go on showing theirs can make it fail. */
	bool (*tend)(struct sluice_stage *stage, struct sluice_error *error);
	/* Figures of the database for a report: what the store keeps and what that has cost so far, at least one gauge;
	 * and the settings it rests on, by text(). Changes nothing. No payload, secret or literal of a statement may be
	 * in it. */
	bool (*measure)(struct sluice_stage *stage, struct sluice_observer *observer, struct sluice_error *error);
	/* Removes the place with all that is in it, which nobody else may use any more. It refuses, and leaves all as
	 * it is, unless sluice_is_lab_place(). Only destroy() may follow. Needs an option with SLUICE_OPTION_PLACE. */
	bool (*erase)(struct sluice_stage *stage, struct sluice_error *error);
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

#define SLUICE_STAGE(...)                                                                                              \
	SLUICE_EXTERN SLUICE_EXPORT const struct sluice_stage_ops sluice_stage;                                        \
	const struct sluice_stage_ops sluice_stage = {.abi_major = SLUICE_ABI_MAJOR,                                   \
	                                              .abi_minor = SLUICE_ABI_MINOR,                                   \
	                                              .size = sizeof(struct sluice_stage_ops),                         \
	                                              .option_size = sizeof(struct sluice_option),                     \
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
#define sluice_log(stage, level, name, ...)                                                                            \
	(stage)->host->log((stage), (level), (name), (const struct sluice_field[]){__VA_ARGS__},                       \
	                   sizeof((const struct sluice_field[]){__VA_ARGS__}) / sizeof(struct sluice_field))
#endif

#ifdef __cplusplus
}
#endif
#endif
