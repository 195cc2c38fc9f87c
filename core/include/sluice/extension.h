/*
 * Extensions: what a stage may offer besides its main table.
 *
 * A stage lists its extensions in `sluice_stage_ops.extensions`, each an id with a version and a table of functions. The
 * core looks up the ids it knows and ignores the others, so an extension comes or goes without a change to the main
 * table. The layout behind an id is fixed; a changed layout takes the next version in its id. The host offers its own
 * extensions the same way, through host->extension().
 *
 *     static const struct sluice_store_maintenance maintenance = {.maintain = maintain, .stats = stats, .drop = drop};
 *     static const struct sluice_extension extensions[] = {
 *         {SLUICE_STORE_MAINTENANCE, &maintenance},
 *         SLUICE_EXTENSION_END,
 *     };
 */
#ifndef SLUICE_EXTENSION_H
#define SLUICE_EXTENSION_H

#include <stddef.h>
#include <string.h>

#include "error.h"
#include "event.h"
#include "record.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_stage;
struct sluice_observer;

struct sluice_extension {
	const char *id;
	const void *table;
};

#define SLUICE_EXTENSION_END                                                                                           \
	{                                                                                                              \
		NULL, NULL                                                                                             \
	}

/* The table behind `id`, or NULL. `extensions` may be NULL. */
static inline const void *sluice_extension_find(const struct sluice_extension *extensions, const char *id)
{
	for (; extensions && extensions->id; extensions++)
		if (strcmp(extensions->id, id) == 0)
			return extensions->table;
	return NULL;
}

/*
 * persist: what a laboratory needs that compares two pipelines on stores of their own.
 *
 * The functions may take their time and ask the network. They work on every stage that was created, read_only or not,
 * also while it or another process stores events. Of these and the scans, one runs at a time. Each may be NULL.
 */
#define SLUICE_STORE_MAINTENANCE "sluice.store-maintenance/1"

struct sluice_store_maintenance {
	/* Brings the store to rest between two measurements: what it would otherwise do at a moment of its own (write
	 * back what it holds in memory, clear up, look at how its rows are spread) is done when this returns. Loses and
	 * changes no row. What the store's account is not allowed to do is left out, and logged once. A read_only stage
	 * that shows one moment shows the present one afterwards; others that go on showing theirs can make it fail. */
	bool (*maintain)(struct sluice_stage *stage, struct sluice_error *error);
	/* Figures of the database for a report: what the store keeps and what that has cost so far, at least one gauge;
	 * and the settings it rests on, by text(). Changes nothing. No payload, secret or literal of a statement may be
	 * in it. */
	bool (*stats)(struct sluice_stage *stage, struct sluice_observer *observer, struct sluice_error *error);
	/* Drops the store's location (SLUICE_OPTION_LOCATION) with all that is in it; nobody else may use it any more.
	 * Refuses, and leaves all as it is, unless sluice_is_lab_location(). Only destroy() may follow. Needs an option
	 * with SLUICE_OPTION_LOCATION. */
	bool (*drop)(struct sluice_stage *stage, struct sluice_error *error);
};

/*
 * auth: what a signature covers, so that `sluice check` can tell whether a recorded webhook could be sent again under
 * another message id. From any thread, without a stage: `config` has passed check().
 */
#define SLUICE_SIGNED_HEADERS "sluice.signed-headers/1"

struct sluice_signed_headers {
	/* Whether every request that passes proves the value of the header `name`, whose case does not matter. */
	bool (*covers)(const void *config, const char *name);
	/* Whether every event that passes has an authenticated_id. */
	bool (*covers_id)(const void *config);
};

/*
 * auth: which methods besides POST the stage answers, for senders that look at an address before they use it (a verification
 * handshake). The listener refuses others before they reach it. A request of another method than POST ends at the auth stage:
 * what it passes is refused with 405 and stored nowhere. From any thread, without a stage: `config` has passed check().
 */
#define SLUICE_REQUEST_METHODS "sluice.request-methods/1"

struct sluice_request_methods {
	/* "GET", "HEAD", "OPTIONS"; "POST": some of its POSTs have no body, and then come without Content-Length, too. */
	bool (*takes)(const void *config, const char *method);
};

/*
 * persist: the dead letters that dead_letter() has kept, for `sluice dead` and `sluice verify`. Beside a running server or
 * without one; of these functions and the scans, one runs at a time, but drop() may be called from `each`.
 */
#define SLUICE_DEAD_LETTERS "sluice.dead-letters/1"

/* All pointers are borrowed for the call. */
struct sluice_letter {
	struct sluice_record record; /* as it was acknowledged; `id` is the letter's own */
	struct sluice_bytes reason;
	int64_t refused_at_ns; /* wall clock, ns since the Unix epoch; a store may round it to µs */
};

/* False ends the scan early, which is no error. */
typedef bool (*sluice_letter_fn)(void *context, const struct sluice_letter *letter);

struct sluice_dead_letters {
	/* Every dead letter with id > after_id, by id. Of a read_only stage, too. */
	bool (*scan)(struct sluice_stage *stage, int64_t after_id, sluice_letter_fn each, void *context,
	             struct sluice_error *error);
	/* Forgets one; true once that is durable, also when there is none with that id. Not of a read_only stage. */
	bool (*drop)(struct sluice_stage *stage, int64_t id, struct sluice_error *error);
};

/*
 * persist: removing events that have grown old, for `sluice prune` and for `persist.retention`. Their audit rows stay, and each
 * transaction that removes some adds a row that names them (record.h). Dead letters stay.
 */
#define SLUICE_STORE_RETENTION "sluice.store-retention/1"

/* One step of a walk through the events by id. */
struct sluice_pruning {
	int64_t before_ns;     /* events received before this go: wall clock, ns since the Unix epoch */
	int64_t after_id;      /* looks at events with greater ids; the stage sets it to the last it looked at */
	size_t max;            /* events to look at, at most */
	size_t looked, pruned; /* set by the stage; `looked` 0: there are no more */
};

struct sluice_store_retention {
	/* Removes the old ones among the next events, durably, in one short transaction that holds up nobody else for longer than
	 * storing so many would. Beside events being stored, by this process or another. Not of a read_only stage. */
	bool (*prune)(struct sluice_stage *stage, struct sluice_pruning *pruning, struct sluice_error *error);
};

/*
 * persist: declares that the stage keeps nothing that could be read again, since it hands events on. A persist stage has
 * scan() or this. Nobody can verify what it has stored, so `ack: stored` is refused: a durable queue before it, and
 * `ack: queued`, keep the events until it has passed them.
 */
#define SLUICE_WRITE_ONLY "sluice.write-only/1"

struct sluice_write_only {
	const char *where; /* a phrase that says where the events go: "to the topic of a broker" */
};

/*
 * queue: what a durable queue has, so that its backlog is delivered also when a pipeline no longer uses it. `config` has
 * passed check().
 */
#define SLUICE_QUEUE_BACKLOG "sluice.queue-backlog/1"

struct sluice_queue_backlog {
	/* Where it keeps its events; two configs with the same place are of the same queue. */
	const char *(*place)(const void *config);
	/* Whether events may wait there that no process has at hand. Changes nothing. */
	bool (*exists)(const void *config);
	/* Of a created stage: how many events it has that are not done. From any thread. */
	size_t (*count)(struct sluice_stage *stage);
};

/*
 * host: what a durable queue calls in recover(), for each event of its backlog in order: idempotency then knows its id
 * before the first request, as that of an event that is kept. To idempotency that is an event which is acknowledged.
 */
#define SLUICE_ACKNOWLEDGED "sluice.acknowledged/1"

struct sluice_acknowledged {
	void (*tell)(struct sluice_stage *stage, const struct sluice_record *record);
};

/*
 * host: whether the workers have stopped, so that what take() yields is only rejected: its order does not matter any more,
 * and a queue holds nothing back. From any thread.
 */
#define SLUICE_STOPPED "sluice.stopped/1"

struct sluice_stopped {
	bool (*is_stopped)(struct sluice_stage *stage);
};

/*
 * host: what a parse stage calls for a request that carries several events. Each becomes an event of its own, with an id, a
 * stream and a verdict; the sender's answer is a success when all of them are stored.
 */
#define SLUICE_PARTS "sluice.parts/1"

struct sluice_parts {
	/* In process() of a parse stage, at most once, for an event whose payload is its body. Makes `count` events, 1 or more,
	 * which have what the request has, their `part` and `parts`, and for a payload elements[part], other bytes than the
	 * body, in the memory of the event or its body. process() is then called for each of them, in that order, may set
	 * what a parse stage sets, and may neither wait nor respond itself; the event given here goes no further. Those of one stream
	 * stay in that order: none is stored when one before it has to be tried again. Returns what process() returns:
	 * SLUICE_PASS, or a refusal when there are more than the pipeline has room for. */
	enum sluice_verdict (*split)(struct sluice_event *event, const struct sluice_bytes *elements, size_t count);
};

/*
 * parse: what makes two events with one message id the same where not all of their content does. Some senders count their
 * attempts in the body.
 */
#define SLUICE_SAMENESS "sluice.sameness/1"

struct sluice_sameness {
	/* Whether the stage was told to compare less than all. Without a stage: `config` has passed check(). */
	bool (*is_partial)(const void *config);
	/* Whether the event counts as the one that is stored, though their digests differ. From any thread that holds the event;
	 * what the event's memory has no room for is not the same. */
	bool (*is_same)(struct sluice_stage *stage, struct sluice_event *event, const struct sluice_record *stored);
};

/*
 * host: the same for the stages behind. One that knows an earlier event by its digest alone, and finds another, lets an event
 * pass for which may_be_same() holds: the store decides. And the store, before it says sluice_conflict(), asks is_same(), with
 * type, stream, sequence, payload and payload_rewritten of the record.
 */
#define SLUICE_SAME_CONTENT "sluice.same-content/1"

struct sluice_same_content {
	bool (*may_be_same)(const struct sluice_event *event);
	bool (*is_same)(struct sluice_event *event, const struct sluice_record *stored);
};

/* How the name of a location (SLUICE_OPTION_LOCATION) begins that a laboratory made and may drop. */
#define SLUICE_LAB_PREFIX "sluice_lab_"

/* Whether the location, or of a path its last part, has such a name. */
static inline bool sluice_is_lab_location(const char *location)
{
	const char *slash = strrchr(location, '/');
	return strncmp(slash ? slash + 1 : location, SLUICE_LAB_PREFIX, sizeof(SLUICE_LAB_PREFIX) - 1) == 0;
}

#ifdef __cplusplus
}
#endif
#endif
