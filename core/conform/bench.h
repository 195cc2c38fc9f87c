/*
 * A bench: one stage, created with options given as text, with events and a clock that the caller sets. Nothing of a
 * pipeline is involved: what is seen is what the stage does. Used by `sluice conform` and by the tests.
 *
 * The memory of each event lies in pages of its own, which become inaccessible when the event ends: a stage that keeps
 * a pointer is found out by the first use of it, without a sanitizer.
 */
#ifndef CONFORM_BENCH_H
#define CONFORM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

struct plugin;

struct bench {
	struct sluice_stage stage;
	const struct sluice_stage_ops *ops;
};

/* `options` are "name=value", NULL-terminated. The plugin stays the caller's and outlives the bench. NULL and a
 * sentence when an option is refused, check() says no or create() fails. */
struct bench *bench_create(const struct plugin *plugin, const char *const *options, bool read_only,
                           struct sluice_error *error);
void bench_close(struct bench *bench);

/* `breach` is called, from whichever thread it happens on, when a stage does what no stage may: times a span that it
 * has not declared, sets a response header that is the server's, fails without a sentence. It does not return. Without
 * one the process ends with the sentence on stderr. */
void bench_on_breach(void (*breach)(const char *sentence));

/* Both clocks stand still from the first call on: monotonic at 1000 s, wall clock as given. */
void bench_set_clock(int64_t wall_ns);
void bench_advance_clock(int64_t ns);

/* The wall clock is set forward, or back, also for those who ask the system instead of the host; the monotonic one stands. */
void bench_jump_clock(int64_t ns);

/* The monotonic clock begins anew, as where the machine was started again. No stage is open. */
void bench_restart_clock(void);

/* From now on what sluice_alloc() gives is not zero, no NUL follows what is not the body, and values of headers end at the
 * end of their pages. */
void bench_be_strict(void);

/* An event with an id and a deadline 10 s ahead. Threads may each have their own. */
struct sluice_event *bench_event(struct bench *bench);
/* What a request line and a Host header say: "POST", "/webhooks?a=1", "hooks.example.com". NULL leaves a field as it is,
 * which at first is like these, with https and the client 203.0.113.7. */
void bench_set_target(struct sluice_event *event, const char *method, const char *target, const char *authority);
void bench_set_client(struct sluice_event *event, const char *address);
void bench_add_header(struct sluice_event *event, const char *name, const char *value);
void bench_set_body(struct sluice_event *event, const void *data,
                    size_t size); /* exact size: the NUL behind it ends the pages */
/* Sets what a parse stage would; any text may be NULL. */
void bench_set_fields(struct sluice_event *event, const char *message_id, const char *event_type, const char *stream,
                      const char *payload);

/* From now on sluice_alloc() gives NULL for this event, as at the bound on the bytes in flight. */
void bench_starve(struct sluice_event *event);

enum sluice_verdict bench_process(struct bench *bench, struct sluice_event *event);
void bench_process_batch(struct bench *bench, struct sluice_event *const *events, enum sluice_verdict *verdicts,
                         size_t count);
/* Likewise on a worker's thread, for which the caller has called worker_create(). */
void bench_process_on(struct bench *bench, struct sluice_worker *worker, struct sluice_event *const *events,
                      enum sluice_verdict *verdicts, size_t count);

/* Begins a new epoch of the store: what stages have learnt of it is in doubt (sluice_store_epoch()). */
void bench_doubt_store(void);

/* What the stage said with its last verdict. */
int bench_status(const struct sluice_event *event);
bool bench_conflicts(const struct sluice_event *event);                                /* sluice_conflict() */
bool bench_responds(const struct sluice_event *event);                                 /* sluice_respond() */
struct sluice_bytes bench_response_body(const struct sluice_event *event);             /* of that */
const char *bench_response_header(const struct sluice_event *event, const char *name); /* NULL: not set */
size_t bench_response_headers(const struct sluice_event *event);                       /* how many are set */
const char *bench_detail(const struct sluice_event *event);
int64_t bench_delay_ns(const struct sluice_event *event);
int64_t bench_span_ns(const struct sluice_event *event, unsigned span);

/* The events that the stage has made of the request (SLUICE_PARTS): how many, and each, to be processed and freed by the
 * caller, before the request's own. */
size_t bench_parts(const struct sluice_event *event);
struct sluice_event *bench_part(const struct sluice_event *event, size_t number);

/* Whether sluice_resume() was called for it, with what, and how often in all. */
bool bench_wait_resumed(struct sluice_event *event, int64_t timeout_ns, enum sluice_verdict *verdict_out);
unsigned bench_resumes(const struct sluice_event *event);

/* From now on an event ends within sluice_resume(), as where another thread is quick. Returns how many have since the last
 * call. */
unsigned bench_end_resumed(void);

/* Gauges as lines "name{label="value"} 1 # help" and, if it says so, "unhealthy: reason"; the caller frees it. */
char *bench_observe(struct bench *bench);
/* The gauge as observe() shows it now; `label_value` may be NULL. NAN: it does not show it. */
double bench_gauge(struct bench *bench, const char *name, const char *label_value);

/* The store's maintenance functions; those that it lacks are NULL. */
const struct sluice_store_maintenance *bench_maintenance(const struct sluice_stage_ops *ops);

/* Likewise of stats(), its texts as "name{label="value"} = text # help". NULL and a sentence if it fails. */
char *bench_stats(struct bench *bench, struct sluice_error *error);

/* settle(), if the stage has it, then the end of the event and its memory. */
void bench_settle(struct bench *bench, struct sluice_event *event, enum sluice_verdict verdict);
void bench_free(struct sluice_event *event);

/* All log lines, or all sentences said with a verdict, that stages of this process have produced since the last call, a
 * line each; the caller frees it. Beyond a few MiB nothing is kept. */
char *bench_take_log(void);
char *bench_take_sentences(void);

/* Likewise what was announced of the store, "in doubt" for NULL. */
char *bench_take_announcements(void);

/* Equal, an absent text being another than an empty one. */
static inline bool bench_same_bytes(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.data && b.data ? sluice_bytes_equal(a, b) : !a.data && !b.data;
}

#endif
