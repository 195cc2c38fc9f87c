/*
 * Prometheus metrics; see metrics.h.
 */
#include "serve/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory_limit.h"
#include "serve/canary.h"
#include "serve/observation.h"

static void head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void write_escaped(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		const char *escape = *text == '\\' ? "\\\\" : *text == '"' ? "\\\"" : *text == '\n' ? "\\n" : NULL;
		buffer_add(out, escape ? escape : text, escape ? 2 : 1);
	}
}

static void write_label(struct buffer *out, const char *before, const char *label, const char *value)
{
	buffer_printf(out, "%s%s=\"", before, label);
	write_escaped(out, value);
	buffer_add_text(out, "\"");
}

static void write_histogram(struct buffer *out, const char *name, const char *label, const char *value,
                            const struct histogram *histogram)
{
	/* Read while others record: the count may be behind its buckets, which must not show. */
	uint64_t largest = histogram_count_at_most(histogram,
	                                           (int64_t)(exemplar_bounds[EXEMPLAR_BOUNDS - 1] * (double)NS_PER_MS));
	uint64_t count = histogram->count > largest ? histogram->count : largest;
	for (size_t i = 0; i < EXEMPLAR_BOUNDS; i++)
		buffer_printf(out, "%s_bucket{%s=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, label, value,
		              exemplar_bounds[i],
		              histogram_count_at_most(histogram, (int64_t)(exemplar_bounds[i] * (double)NS_PER_MS)));
	buffer_printf(out, "%s_bucket{%s=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, label, value, count);
	buffer_printf(out, "%s_sum{%s=\"%s\"} %.6f\n", name, label, value,
	              (double)histogram->sum_ns / (double)NS_PER_MS);
	buffer_printf(out, "%s_count{%s=\"%s\"} %" PRIu64 "\n", name, label, value, count);
}

static void write_stages(struct service *service, struct buffer *out)
{
	static const char name[] = "webhook_http_latency_by_stage_ms";
	struct histogram histogram;
	size_t count;
	const struct series *series = stats_series(service->stats, &count);
	head(out, name, "histogram", "Time of a request in each stage, including waiting, in milliseconds.");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(series[i].part, "whole") != 0 || series[i].is_span)
			continue;
		stats_get(service->stats, i, &histogram);
		write_histogram(out, name, "stage", series[i].stage, &histogram);
	}
}

/* The parts of the work that the store times itself; its whole work where it times none. */
static bool is_database_operation(const struct service *service, const struct series *series)
{
	if (series->kind != SLUICE_KIND_PERSIST)
		return false;
	const char *const *spans = service->config->stages[SLUICE_KIND_PERSIST].plugin->ops.spans;
	return spans && spans[0] ? series->is_span : series->id == series_of(SLUICE_KIND_PERSIST, PART_WORK);
}

static void write_database(struct service *service, struct buffer *out)
{
	static const char name[] = "webhook_db_latency_ms";
	struct histogram histogram;
	size_t count;
	const struct series *series = stats_series(service->stats, &count);
	head(out, name, "histogram", "Time of a request in each store operation, in milliseconds.");
	for (size_t i = 0; i < count; i++) {
		if (!is_database_operation(service, &series[i]))
			continue;
		stats_get(service->stats, i, &histogram);
		write_histogram(out, name, "operation", series[i].part, &histogram);
	}
}

static void write_value(struct buffer *out, const char *name, const char *type, const char *help, double value)
{
	head(out, name, type, help);
	buffer_printf(out, "%s %.15g\n", name, value);
}

/* Shown before there are any, so that the first of them counts in a rate. */
static bool is_watched(int status)
{
	return status == MHD_HTTP_ACCEPTED || status == MHD_HTTP_INTERNAL_SERVER_ERROR ||
	       status == MHD_HTTP_SERVICE_UNAVAILABLE;
}

static void write_responses(struct service *service, struct buffer *out)
{
	head(out, "webhook_requests_total", "counter", "Responses of the webhook listener, by HTTP status.");
	for (int status = 0; status < SERVICE_STATUS_MAX; status++) {
		uint64_t count = atomic_load_explicit(&service->statuses[status], memory_order_relaxed);
		if (count > 0 || is_watched(status))
			buffer_printf(out, "webhook_requests_total{status=\"%d\"} %" PRIu64 "\n", status, count);
	}
}

static void write_refusals(const struct refusals *refusals, struct buffer *out)
{
	head(out, "webhook_refusals_total", "counter", "Requests without a 2xx response, by reason.");
	for (size_t reason = 0; reason < REFUSAL_REASONS; reason++)
		buffer_printf(out, "webhook_refusals_total{reason=\"%s\"} %" PRIu64 "\n", refusal_names[reason],
		              atomic_load_explicit(&refusals->reasons[reason].count, memory_order_relaxed));
}

static void write_exports(const struct exporter *exporter, struct buffer *out)
{
	struct exporter_counts counts;
	if (!exporter)
		return;
	exporter_get_counts(exporter, &counts);
	head(out, "webhook_trace_spans_total", "counter", "Spans handed to the collector, by result.");
	buffer_printf(out, "webhook_trace_spans_total{result=\"exported\"} %" PRIu64 "\n", counts.exported);
	buffer_printf(out, "webhook_trace_spans_total{result=\"failed\"} %" PRIu64 "\n", counts.failed);
	write_value(out, "webhook_traces_dropped_total", "counter",
	            "Traced requests dropped because too many waited to be exported.", (double)counts.dropped);
}

static void write_evictions(struct service *service, struct buffer *out)
{
	head(out, "webhook_connections_evicted_total", "counter",
	     "Connections closed while idle or receiving, because others needed their place.");
	buffer_printf(out, "webhook_connections_evicted_total %" PRIu64 "\n",
	              atomic_load_explicit(&service->evicted, memory_order_relaxed));
}

static void write_credential(struct buffer *out, const struct credential *credential)
{
	uint64_t count = atomic_load_explicit(&credential->requests, memory_order_relaxed);
	if (count == 0)
		return;
	write_label(out, "webhook_auth_credentials_total{", "credential", credential->label);
	buffer_printf(out, "} %" PRIu64 "\n", count);
}

static void write_credentials(const struct credentials *credentials, struct buffer *out)
{
	head(out, "webhook_auth_credentials_total", "counter",
	     "Authenticated requests, by the credential that matched.");
	size_t count = atomic_load(&credentials->count);
	for (size_t i = 0; i < count; i++)
		write_credential(out, &credentials->items[i]);
	write_credential(out, &credentials->other);
}

static void write_pipeline(struct service *service, struct buffer *out)
{
	struct pipeline_stats now;
	pipeline_get_stats(service->pipeline, &now);
	head(out, "webhook_events_total", "counter", "Events for which the sender has a response, by outcome.");
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		buffer_printf(out, "webhook_events_total{outcome=\"%s\"} %" PRIu64 "\n", event_outcome_names[i],
		              now.outcomes[i]);
	head(out, "webhook_rejections_total", "counter",
	     "Events rejected for a fault of the sender, by the stage that found it.");
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		buffer_printf(out, "webhook_rejections_total{stage=\"%s\"} %" PRIu64 "\n", kind_names[kind],
		              now.rejections[kind]);
	write_value(out, "webhook_retries_total", "counter", "Store attempts that had to be retried.",
	            (double)now.retries);
	write_value(out, "webhook_dead_letters_total", "counter",
	            "Acknowledged events that the store rejected permanently.", (double)now.dead_letters);
	write_value(out, "webhook_pruned_events_total", "counter", "Events removed because they had grown old.",
	            (double)now.pruned);
	write_value(out, "webhook_queue_depth", "gauge", "Queued events not yet taken by a worker.",
	            (double)now.queue_depth);
	write_value(out, "webhook_in_flight", "gauge", "Events inside the pipeline.", (double)now.in_flight);
	write_value(out, "webhook_receiving", "gauge", "Requests whose body is not complete.", (double)now.receiving);
	write_value(out, "webhook_in_flight_bytes", "gauge",
	            "Memory of events inside the pipeline and of requests that are being received, in bytes.",
	            (double)now.in_flight_bytes);
	head(out, "webhook_event_pool_total", "counter",
	     "Requests by whether their memory was in the event pool or taken from the heap.");
	buffer_printf(out, "webhook_event_pool_total{result=\"hit\"} %" PRIu64 "\n", now.pool.hits);
	buffer_printf(out, "webhook_event_pool_total{result=\"miss\"} %" PRIu64 "\n", now.pool.misses);
	write_value(out, "webhook_event_pool_growths_total", "counter", "Requests that needed more than events.arena.",
	            (double)now.pool.growths);
	write_value(out, "webhook_worker_restarts_total", "counter",
	            "Workers whose stage could store nothing and was created again.", (double)now.worker_restarts);
	head(out, "webhook_worker_utilization", "gauge",
	     "Utilization of a worker over the last 10 seconds, in percent.");
	for (size_t id = 0; id < now.workers; id++)
		buffer_printf(out, "webhook_worker_utilization{worker_id=\"%zu\"} %.2f\n", id,
		              stats_worker_utilization(service->stats, id));
}

static void write_info(struct service *service, struct buffer *out)
{
	struct buffer optimizations = {0};
	char generation[24];
	config_print_optimizations(service->config, ",", &optimizations);
	(void)snprintf(generation, sizeof(generation), "%" PRId64, service->generation);
	head(out, "webhook_pipeline_info", "gauge", "Running pipeline; always 1.");
	write_label(out, "webhook_pipeline_info{", "pipeline", service->config->name);
	write_label(out, ",", "generation", generation);
	write_label(out, ",", "optimizations", optimizations.data);
	write_label(out, ",", "sha256", service->config->sha256);
	buffer_add_text(out, "} 1\n");
	buffer_finish(&optimizations);
}

/* Gauges of one name stand together, whichever stages they are of. */
static void write_gauges_named(const struct observation *seen, size_t first, struct buffer *out)
{
	char name[128];
	(void)snprintf(name, sizeof(name), "webhook_%s", seen->gauges[first].name);
	head(out, name, "gauge", seen->gauges[first].help);
	for (size_t i = first; i < seen->gauge_count; i++) {
		const struct gauge *gauge = &seen->gauges[i];
		if (strcmp(gauge->name, seen->gauges[first].name) != 0)
			continue;
		buffer_add_text(out, name);
		if (gauge->label) {
			write_label(out, "{", gauge->label, gauge->label_value);
			buffer_add_text(out, "}");
		}
		buffer_printf(out, " %.15g\n", gauge->value);
	}
}

static bool is_first_of_its_name(const struct observation *seen, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (strcmp(seen->gauges[i].name, seen->gauges[place].name) == 0)
			return false;
	return true;
}

static void write_observation(struct service *service, struct buffer *out)
{
	struct observation seen;
	observation_take(&seen, service->pipeline);
	for (size_t i = 0; i < seen.gauge_count; i++)
		if (is_first_of_its_name(&seen, i))
			write_gauges_named(&seen, i, out);
	observation_finish(&seen);
}

static double count_open_files(void)
{
	double count = 0;
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		return 0;
	for (const struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	(void)closedir(directory);
	return count - 1; /* the directory itself */
}

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void write_process(struct service *service, struct buffer *out)
{
	struct rusage usage = {0};
	struct rlimit files = {0};
	unsigned long size = 0, resident = 0;
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	FILE *memory = fopen("/proc/self/statm", "re");
	if (memory) {
		if (fscanf(memory, "%lu %lu", &size, &resident) != 2)
			size = resident = 0;
		(void)fclose(memory);
	}
	double page = (double)sysconf(_SC_PAGESIZE);
	write_value(out, "process_cpu_seconds_total", "counter", "CPU time of the process, in seconds.",
	            seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
	write_value(out, "process_resident_memory_bytes", "gauge", "Resident memory, in bytes.",
	            (double)resident * page);
	write_value(out, "webhook_memory_limit_bytes", "gauge",
	            "Memory that the process may use: its control group's limit, or what the machine has, in bytes.",
	            (double)memory_limit());
	write_value(out, "process_virtual_memory_bytes", "gauge", "Virtual memory, in bytes.", (double)size * page);
	write_value(out, "process_open_fds", "gauge", "Open file descriptors.", count_open_files());
	write_value(out, "process_max_fds", "gauge", "Limit on open file descriptors.", (double)files.rlim_cur);
	write_value(out, "process_start_time_seconds", "gauge",
	            "Start time of the service, in seconds since the Unix epoch.",
	            (double)service->started_wall_ns / (double)NS_PER_S);
}

void metrics_write(struct service *service, struct buffer *out)
{
	write_stages(service, out);
	if (service->config->stages[SLUICE_KIND_PERSIST].present)
		write_database(service, out);
	write_pipeline(service, out);
	write_responses(service, out);
	write_refusals(&service->refusals, out);
	write_evictions(service, out);
	write_credentials(&service->credentials, out);
	write_observation(service, out);
	write_exports(service->exporter, out);
	if (atomic_load(&service->reloader))
		canary_write_metrics(service->canary, out);
	write_value(out, "webhook_log_lines_dropped_total", "counter",
	            "Log lines dropped because nobody read them or the disk was full.", (double)log_dropped());
	write_info(service, out);
	write_process(service, out);
}
