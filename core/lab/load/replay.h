/*
 * Replay: sends webhooks on an open-loop schedule over keep-alive connections, from one thread.
 *
 * The schedule is fixed before the start: request i is due at a time that does not depend on how the server does. A due
 * request waits for two things and is never dropped: its stream (the one before it has its answer) and a free
 * connection. Latency counts from the intended time, so a server that falls behind is charged for what waits
 * (coordinated omission: Gil Tene's wrk2 and HdrHistogram).
 *
 * What the generator itself adds is its lag, kept apart: from the moment a request could be sent until it was. That
 * moment is when a generator that is never late would have sent it, given how long the answers took: it was due, and
 * those before it on its connection and in its stream had been answered, less what these were late themselves. So a
 * generator that stood still is late with all that it has to make up for, not only with what finds a free connection.
 * In a closed loop there is nothing to make up for: each request is late by itself. An answer counts from the moment
 * its last bytes had reached this machine, by the system's stamp, not from when the loop came to read it.
 *
 * Streams order events of kind new and conflict; duplicates go when they are due, so they also meet their original in
 * flight.
 */
#ifndef LAB_LOAD_REPLAY_H
#define LAB_LOAD_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "lab/load/input.h"
#include "lab/load/replay_target.h"
#include "lab/load/sign.h"
#include "trace/trace.h"

enum replay_arrivals { REPLAY_UNIFORM, REPLAY_POISSON };
extern const char *const replay_arrivals_names[]; /* NULL-terminated */

struct replay_plan {
	const struct input *input;
	size_t first, count; /* which lines; the number in a record is that of the line */
	struct replay_target targets[2];
	size_t target_count; /* 2: each request goes to one of them, by coin */
	size_t connections;  /* per target */
	double rate;         /* requests a second, all targets together; 0: as fast as answers come (closed loop) */
	enum replay_arrivals arrivals;
	uint64_t seed; /* of the arrivals and the coin */
	uint32_t block;
	const struct signer *signer; /* NULL: nothing is signed */
	const char *request_prefix;  /* a request's id is this and its number from request_first on */
	size_t request_first;
	unsigned retries;   /* tries beyond the first, for 503 and broken connections, at most 254; 0: none */
	int64_t timeout_ns; /* an answer to one try that takes longer counts as none */
	int64_t origin_ns;  /* monotonic: what the times of the records count from */
};

/* What is known while it runs. */
struct replay_progress {
	size_t sent, answered, wrong; /* wrong: not the answer that the kind asks for */
	double seconds, rate;
	int64_t p95_ns; /* of the last seconds, corrected */
};

struct replay_result {
	struct trace_record *records; /* one per request that was sent, in the order of the schedule; of one that was
	                                 tried again: when it was sent first, and what came of it last */
	size_t count;
	int64_t start_ns, end_ns; /* monotonic: the first intended time, the last answer */
	int64_t cpu_ns;           /* processor time of the sending thread between them */
	int64_t late_p95_ns;      /* generator lag, see above */
	size_t retried;           /* tries beyond the first */
	bool interrupted;
};

/* Whether to go on: asked about once a second, and whenever a signal came. NULL: yes. */
typedef bool (*replay_each_fn)(void *context, const struct replay_progress *progress);

/* False and a sentence if the target cannot be reached at the start; what breaks later is in the records. */
bool replay_run(const struct replay_plan *plan, replay_each_fn each, void *context, struct replay_result *result_out,
                struct sluice_error *error);
void replay_free(struct replay_result *result);

/* Whether `status` is an answer that an event of this kind may get. */
bool replay_answer_is_right(enum input_kind kind, int status, bool is_signed);

/* What the generator itself added to the request, ns; -1: it was not sent. */
int64_t replay_lag_ns(const struct trace_record *record);

#endif
