/*
 * The service: what both listeners share. Made by `run` before they start, gone after they have stopped.
 */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/exporter.h"
#include "runtime/generation.h"
#include "runtime/pipeline.h"
#include "serve/credentials.h"
#include "serve/exemplars.h"
#include "serve/history.h"
#include "serve/lineage.h"
#include "serve/listen_settings.h"
#include "serve/refusals.h"
#include "serve/reload.h"
#include "serve/stats.h"
#include "trace/trace.h"

struct canary;
struct reloader;

enum { SERVICE_STATUS_MAX = 600 };

struct service {
	struct generations *generations;
	struct recorder *recorder;
	_Atomic(const struct listen_config *) listen; /* see service_listen() */
	atomic_bool writes_profiles;
	struct lineage *lineage;
	struct credentials credentials;
	struct trace_writer *trace; /* NULL: none is written */
	struct exporter *exporter;  /* NULL: nothing is traced; see service_export() */
	struct trace_sampling sampling;
	char instance[UUID_TEXT_SIZE]; /* of this process, in traces */
	struct exemplars exemplars;
	bool keeps_lineage;
	int64_t started_ns, started_wall_ns;
	_Atomic(struct reloader *) reloader; /* NULL: the pipeline stays as it is */
	reload_ask_fn ask_reloader;          /* set before it */
	struct canary *canary;               /* likewise */

	/* What runs. Who changes it writes under the lock; who shows it reads, beside others who read. */
	pthread_rwlock_t lock;
	struct pipeline *pipeline;
	const struct config *config;
	struct stats *stats;
	struct listen_settings *listen_settings;
	int64_t generation; /* of the pipeline; the first is 1, or follows those of an earlier process */
	bool is_rolled_back;
	struct history_latch rolled_back;

	atomic_uint methods;                           /* besides POST that the auth stage answers; see methods.h */
	atomic_bool draining;                          /* shutting down: responses end their connections */
	atomic_bool refusing;                          /* nothing goes into the pipeline any more */
	_Atomic uint64_t evicted;                      /* connections ended because others needed their place */
	_Atomic uint64_t statuses[SERVICE_STATUS_MAX]; /* responses of the webhook listener, by HTTP status */
	struct refusals refusals;                      /* likewise, by reason */
};

/* The pipeline and the trace (may be NULL) stay the caller's. */
void service_init(struct service *service, struct pipeline *pipeline, struct trace_writer *trace);
void service_finish(struct service *service);

/* Requests are traced, and exported as observability.otlp says, by the module in that file. Before there are any. What `config` says
 * lives until service_finish(). */
bool service_export(struct service *service, const struct config *config, const char *module,
                    struct sluice_error *error);

/* From here on this pipeline is what is shown, and its settings are in use. With the lock, to write. */
void service_follow(struct service *service, struct pipeline *pipeline);

/* So that pages can show it; NULL: nothing is latched. */
void service_show_latch(struct service *service, const struct history_latch *latch);

/* Says in the log which pipeline serves, and what is questionable about its settings. */
void service_log_generation(const struct service *service);

/* The settings of the webhook listener now; they stay where they are until service_finish(). From any thread. */
static inline const struct listen_config *service_listen(struct service *service)
{
	return atomic_load_explicit(&service->listen, memory_order_acquire);
}

static inline void service_count(struct service *service, int status)
{
	if (status > 0 && status < SERVICE_STATUS_MAX)
		atomic_fetch_add_explicit(&service->statuses[status], 1, memory_order_relaxed);
}

/* The listener has refused a request: counts its response and its reason, and logs it. */
void service_refuse(struct service *service, const struct refused *refused);

/* A request of the pipeline is over: its lineage, its trace record, its profile line and the series `respond` and `total`.
 */
void service_record(struct service *service, const struct lineage_entry *entry);

/* A response that the pipeline had no part in, for the trace: a moment, since nobody has timed it. */
void service_record_refusal(struct service *service, const struct lineage_entry *entry);

#endif
