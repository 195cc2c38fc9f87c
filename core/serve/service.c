/*
 * What both listeners share; see service.h.
 */
#include "serve/service.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/spans.h"

enum { LAST_SPANS_MS = 2000 /* that the last spans may take to be exported */ };

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
	exemplars_init(&service->exemplars);
	service->trace = trace;
	service->started_ns = clock_now_ns();
	service->started_wall_ns = clock_wall_ns();
	service_follow(service, pipeline);
}

void service_finish(struct service *service)
{
	exporter_destroy(service->exporter, LAST_SPANS_MS * NS_PER_MS);
	exemplars_finish(&service->exemplars);
	credentials_finish(&service->credentials);
	stats_destroy(service->stats);
	lineage_destroy(service->lineage);
	listen_settings_finish(&service->listen_settings);
	(void)pthread_rwlock_destroy(&service->lock);
}

static size_t write_spans(void *context, const void *item, struct json_writer *json)
{
	return spans_write(item, service_listen(context)->path, json);
}

bool service_export(struct service *service, const struct config *config, const char *module,
                    struct sluice_error *error)
{
	const struct observability_config *seen = &config->observability;
	digest_uuid7(clock_wall_ns(), service->instance);
	const struct exporter_setup setup = {
		.module = module,
		.target = {.url = seen->otlp_url,
	                   .ca_file = seen->otlp_ca_file,
	                   .headers = seen->otlp_headers,
	                   .timeout_ns = seen->otlp_timeout.ns},
		.resource = {.service = seen->otlp_service ? seen->otlp_service : config->name,
	                     .version = SLUICE_VERSION,
	                     .instance = service->instance},
		.item_size = sizeof(struct lineage_entry),
		.queue = (size_t)seen->otlp_queue,
		.batch = (size_t)seen->otlp_batch,
		.every_ns = seen->otlp_every.ns,
		.write = write_spans,
		.context = service,
	};
	service->sampling = (struct trace_sampling){.by_parent = seen->otlp_parents, .share = seen->otlp_share};
	service->exporter = exporter_create(&setup, error);
	return service->exporter;
}

static void export_spans(struct service *service, const struct lineage_entry *entry)
{
	if (service->exporter && entry->trace.is_sampled)
		exporter_add(service->exporter, entry);
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

void service_show_latch(struct service *service, const struct history_latch *latch)
{
	(void)pthread_rwlock_wrlock(&service->lock);
	service->is_rolled_back = latch != NULL;
	if (latch)
		service->rolled_back = *latch;
	(void)pthread_rwlock_unlock(&service->lock);
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

void service_refuse(struct service *service, const struct refused *refused)
{
	service_count(service, refused->status);
	refusals_note(&service->refusals, refused);
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
		if (from->has_cpu)
			record->cpu_ns[kind] = from->cpu_ns;
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
	export_spans(service, entry);
	if (entry->trace.is_sampled)
		exemplars_add(&service->exemplars, entry);
}

void service_record_refusal(struct service *service, const struct lineage_entry *entry)
{
	export_spans(service, entry);
	if (!service->trace)
		return;
	struct lineage_entry refusal = *entry;
	refusal.times.start_ns = entry->sent_ns;
	write_trace(service, &refusal);
}
