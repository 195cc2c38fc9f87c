/*
 * The service: what both listeners share. Made by `run` before they start, gone after they have stopped.
 */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/pipeline.h"
#include "serve/credentials.h"
#include "serve/lineage.h"
#include "serve/stats.h"
#include "trace/trace.h"

enum { SERVICE_STATUS_MAX = 600 };

struct service {
	struct pipeline *pipeline;
	const struct config *config;
	struct recorder *recorder;
	struct lineage *lineage;
	struct stats *stats;
	struct credentials credentials;
	struct trace_writer *trace; /* NULL: none is written */
	bool keeps_lineage;
	int64_t generation; /* of the pipeline; the first is 1 */
	int64_t started_ns, started_wall_ns;
	atomic_bool draining;                          /* shutting down: responses end their connections */
	atomic_bool refusing;                          /* nothing goes into the pipeline any more */
	_Atomic uint64_t evicted;                      /* connections ended because others needed their place */
	_Atomic uint64_t statuses[SERVICE_STATUS_MAX]; /* responses of the webhook listener, by HTTP status */
};

/* The pipeline and the trace (may be NULL) stay the caller's. */
void service_init(struct service *service, struct pipeline *pipeline, struct trace_writer *trace);
void service_finish(struct service *service);

static inline void service_count(struct service *service, int status)
{
	if (status > 0 && status < SERVICE_STATUS_MAX)
		atomic_fetch_add_explicit(&service->statuses[status], 1, memory_order_relaxed);
}

/* A request of the pipeline is over: its lineage, its trace record, its profile line and the series `respond` and `total`.
 */
void service_record(struct service *service, const struct lineage_entry *entry);

/* A response that the pipeline had no part in, for the trace: a moment, since nobody has timed it. */
void service_record_refusal(struct service *service, const struct lineage_entry *entry);

#endif
