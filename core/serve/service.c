/*
 * What both listeners share; see service.h.
 */
#include "serve/service.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* Who reads takes it once; else a stream of readers would keep a change out. */
static void init_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;
	(void)pthread_rwlockattr_init(&attributes);
	(void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(lock, &attributes);
	(void)pthread_rwlockattr_destroy(&attributes);
}

void service_init(struct service *service, struct pipeline *pipeline, struct trace_writer *trace)
{
	const struct config *config = pipeline_config(pipeline);
	memset(service, 0, sizeof(*service));
	init_lock(&service->lock);
	service->generations = pipeline_generations(pipeline);
	service->recorder = pipeline_recorder(pipeline);
	service->keeps_lineage = config->observability.lineage_recent > 0 || config->observability.lineage_slowest > 0;
	service->lineage = lineage_create((size_t)config->observability.lineage_recent,
	                                  (size_t)config->observability.lineage_slowest);
	service->stats = stats_create(pipeline);
	credentials_init(&service->credentials);
	service->trace = trace;
	service->started_ns = clock_now_ns();
	service->started_wall_ns = clock_wall_ns();
	service_follow(service, pipeline);
}

void service_finish(struct service *service)
{
	credentials_finish(&service->credentials);
	stats_destroy(service->stats);
	lineage_destroy(service->lineage);
	listen_settings_finish(&service->listen_settings);
	(void)pthread_rwlock_destroy(&service->lock);
}

void service_follow(struct service *service, struct pipeline *pipeline)
{
	const struct config *config = pipeline_config(pipeline);
	service->pipeline = pipeline;
	service->config = config;
	service->generation++;
	stats_follow(service->stats, pipeline);
	atomic_store(&service->writes_profiles, config->observability.latency_profile);
	atomic_store(&service->methods, config->methods);
	atomic_store(&service->listen, listen_settings_keep(&service->listen_settings, &config->listen));
}

void service_log_generation(const struct service *service)
{
	const struct config *config = service->config;
	struct buffer optimizations = {0};
	for (const char *const *warning = config->warnings; *warning; warning++)
		log_event(SLUICE_LOG_WARN, NULL, "setting_questionable", sluice_text("hint", *warning));
	config_print_optimizations(config, ",", &optimizations);
	log_event(SLUICE_LOG_INFO, NULL, "generation_published", sluice_int("generation", service->generation),
	          sluice_text("pipeline", config->name), sluice_text("version", SLUICE_VERSION),
	          sluice_text("optimizations", optimizations.data), sluice_text("sha256", config->sha256));
	buffer_finish(&optimizations);
}

static void write_profile(const struct lineage_entry *entry)
{
	struct buffer line = {0};
	lineage_write_profile(entry, &line);
	log_line(line.data, line.size);
	buffer_finish(&line);
}

static void fill_stages(struct trace_record *record, const struct event_times *times)
{
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		const struct stage_times *from = &times->stages[kind];
		struct trace_stage *to = &record->stages[kind];
		if (!from->ran)
			continue;
		*to = (struct trace_stage){from->work_ns, from->wait_ns, from->parked_ns, {0}};
		memcpy(to->spans_ns, from->spans_ns, sizeof(to->spans_ns));
	}
}

static void write_trace(struct service *service, const struct lineage_entry *entry)
{
	const struct event_times *times = &entry->times;
	int64_t start_ns = trace_start_ns(service->trace);
	struct trace_record record;
	trace_record_init(&record);
	record.intended_ns = record.sent_ns = times->start_ns - start_ns;
	record.answered_ns = entry->sent_ns - start_ns;
	record.request = trace_key(entry->request_id, strlen(entry->request_id));
	record.message = entry->message_id_size ? trace_key(entry->message_id, entry->message_id_size) : 0;
	record.status = (uint16_t)entry->status;
	record.attempts = (uint8_t)(times->attempts < UINT8_MAX ? times->attempts : UINT8_MAX);
	record.batch_size = times->batch_size;
	if (times->ack_ns)
		record.respond_ns = entry->sent_ns - times->ack_ns;
	fill_stages(&record, times);
	trace_write(service->trace, &record);
}

void service_record(struct service *service, const struct lineage_entry *entry)
{
	if (entry->times.ack_ns)
		recorder_record(service->recorder, SERIES_RESPOND, entry->sent_ns - entry->times.ack_ns);
	recorder_record(service->recorder, SERIES_TOTAL, entry->sent_ns - entry->times.start_ns);
	if (service->keeps_lineage)
		lineage_add(service->lineage, entry);
	if (atomic_load_explicit(&service->writes_profiles, memory_order_relaxed))
		write_profile(entry);
	if (service->trace)
		write_trace(service, entry);
}

void service_record_refusal(struct service *service, const struct lineage_entry *entry)
{
	if (!service->trace)
		return;
	struct lineage_entry refusal = *entry;
	refusal.times.start_ns = entry->sent_ns;
	write_trace(service, &refusal);
}
