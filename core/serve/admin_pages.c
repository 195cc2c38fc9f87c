/*
 * The pages of the admin listener; see admin_pages.h.
 */
#include "serve/admin_pages.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "serve/canary.h"
#include "serve/health.h"
#include "serve/metrics.h"
#include "serve/open_metrics.h"
#include "yaml/option.h"
#include "yaml/quantity.h"

void admin_refuse(struct admin_request *request, int status, const char *detail)
{
	request->response.status = status;
	request->response.content_type = HTTP_TYPE_PROBLEM;
	http_response_write_problem(&request->body, status, detail, request->request_id, NULL);
}

static void get_metrics(struct admin_request *request)
{
	struct buffer text = {0};
	const char *accept = MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	request->response.content_type = METRICS_CONTENT_TYPE;
	if (!open_metrics_is_accepted(accept)) {
		metrics_write(request->service, &request->body);
		return;
	}
	request->response.content_type = OPEN_METRICS_CONTENT_TYPE;
	metrics_write(request->service, &text);
	open_metrics_convert(&text, &request->service->exemplars, &request->body);
	buffer_finish(&text);
}

static void get_health(struct admin_request *request)
{
	request->response.status = health_write(request->service, HEALTH_FOR_OPERATORS, &request->body);
}

static double seconds_since(int64_t ns)
{
	return (double)(clock_now_ns() - ns) / (double)NS_PER_S;
}

static void write_counts(struct service *service, struct json_writer *json)
{
	struct pipeline_stats now;
	pipeline_get_stats(service->pipeline, &now);
	jsonw_object(json, "requests");
	for (int status = 0; status < SERVICE_STATUS_MAX; status++) {
		char name[16];
		uint64_t count = atomic_load_explicit(&service->statuses[status], memory_order_relaxed);
		(void)snprintf(name, sizeof(name), "%d", status);
		if (count > 0)
			jsonw_int(json, name, (int64_t)count);
	}
	jsonw_end_object(json);
	jsonw_object(json, "events");
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		jsonw_int(json, event_outcome_names[i], (int64_t)now.outcomes[i]);
	jsonw_end_object(json);
	jsonw_int(json, "retries", (int64_t)now.retries);
	jsonw_int(json, "dead_letters", (int64_t)now.dead_letters);
	jsonw_int(json, "queue_depth", (int64_t)now.queue_depth);
	jsonw_int(json, "in_flight", (int64_t)now.in_flight);
	jsonw_int(json, "in_flight_bytes", (int64_t)now.in_flight_bytes);
	jsonw_array(json, "worker_utilization");
	for (size_t id = 0; id < now.workers; id++)
		jsonw_real(json, NULL, stats_worker_utilization(service->stats, id), 2);
	jsonw_end_array(json);
}

static void write_throughput(struct service *service, struct json_writer *json)
{
	struct histogram total;
	size_t count;
	(void)stats_series(service->stats, &count);
	double recent_s = stats_get_recent(service->stats, count - 1, &total);
	jsonw_object(json, "throughput");
	jsonw_real(json, "last_10s", recent_s > 0 ? (double)total.count / recent_s : 0, 1);
	stats_get(service->stats, count - 1, &total);
	jsonw_real(json, "since_start", (double)total.count / seconds_since(service->started_ns), 1);
	jsonw_end_object(json);
}

/* What runs, as stats and pipeline begin. */
static void write_identity(const struct service *service, struct json_writer *json)
{
	jsonw_text(json, "pipeline", service->config->name);
	jsonw_text(json, "version", SLUICE_VERSION);
	jsonw_int(json, "generation", service->generation);
	jsonw_array(json, "optimizations");
	for (const char *const *name = service->config->optimizations; name && *name; name++)
		jsonw_text(json, NULL, *name);
	jsonw_end_array(json);
	if (service->is_rolled_back) {
		jsonw_object(json, "rolled_back");
		jsonw_int(json, "left", service->rolled_back.left);
		jsonw_int(json, "at_ms", service->rolled_back.at_ms);
		jsonw_text(json, "reason", service->rolled_back.reason);
		jsonw_text(json, "lift", "sluice rollback --lift");
		jsonw_end_object(json);
	}
}

static void get_stats(struct admin_request *request)
{
	struct service *service = request->service;
	struct json_writer json = {.out = &request->body};
	jsonw_object(&json, NULL);
	write_identity(service, &json);
	jsonw_real(&json, "uptime_s", seconds_since(service->started_ns), 3);
	jsonw_object(&json, "health");
	(void)health_write_members(service, &json);
	jsonw_end_object(&json);
	write_throughput(service, &json);
	write_counts(service, &json);
	stats_write_stages(service->stats, &json, "stages");
	jsonw_end_object(&json);
	buffer_add_text(&request->body, "\n");
}

static void write_options(struct json_writer *json, const struct stage_config *stage)
{
	jsonw_object(json, "options");
	for (const struct sluice_option *option = stage->plugin->ops.options; option->type != SLUICE_TYPE_END;
	     option++) {
		struct buffer text = {0};
		option_print(option, stage->options, &text);
		jsonw_text(json, option->name, text.data ? text.data : "");
		buffer_finish(&text);
	}
	jsonw_end_object(json);
}

static void write_spans(struct json_writer *json, const char *const *spans)
{
	jsonw_array(json, "spans");
	for (size_t i = 0; spans && i < SLUICE_SPANS_MAX && spans[i]; i++)
		jsonw_text(json, NULL, spans[i]);
	jsonw_end_array(json);
}

static void write_stage(struct json_writer *json, const char *kind, const struct stage_config *stage)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "kind", kind);
	jsonw_text(json, "name", stage->plugin->ops.name);
	jsonw_text(json, "use", stage->use);
	jsonw_text(json, "version", stage->plugin->ops.version);
	jsonw_text(json, "sha256", stage->plugin->sha256);
	write_spans(json, stage->plugin->ops.spans);
	write_options(json, stage);
	jsonw_end_object(json);
}

static void get_pipeline(struct admin_request *request)
{
	const struct config *config = request->service->config;
	struct buffer effective = {0};
	config_print(config, &effective);
	struct json_writer json = {.out = &request->body};
	jsonw_object(&json, NULL);
	write_identity(request->service, &json);
	jsonw_text(&json, "file", config->file);
	jsonw_text(&json, "sha256", config->sha256);
	jsonw_text(&json, "ack", config->ack == ACK_STORED ? "stored" : "queued");
	jsonw_array(&json, "stages");
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		if (config->stages[kind].present)
			write_stage(&json, kind_names[kind], &config->stages[kind]);
	jsonw_end_array(&json);
	jsonw_text(&json, "effective", effective.data ? effective.data : "");
	jsonw_end_object(&json);
	buffer_add_text(&request->body, "\n");
	buffer_finish(&effective);
}

static bool wants_text(struct admin_request *request)
{
	const char *format = MHD_lookup_connection_value(request->mhd, MHD_GET_ARGUMENT_KIND, "format");
	if (format)
		return strcmp(format, "text") == 0;
	const char *accept = MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	return accept && strncasecmp(accept, "text/plain", strlen("text/plain")) == 0;
}

static void get_lineage(struct admin_request *request)
{
	struct lineage_entry entry;
	if (!lineage_find(request->service->lineage, request->rest, strlen(request->rest), &entry)) {
		admin_refuse(request, MHD_HTTP_NOT_FOUND, "no recent request or message has this id");
		return;
	}
	if (wants_text(request)) {
		request->response.content_type = HTTP_TYPE_TEXT;
		lineage_write_text(&entry, &request->body);
	} else {
		lineage_write_json(&entry, &request->body);
	}
}

static void post_not_implemented(struct admin_request *request)
{
	admin_refuse(request, MHD_HTTP_NOT_IMPLEMENTED, "not implemented");
}

/* The response comes when it is done. */
static void begin_change(struct admin_request *request, struct reload_job job)
{
	if (atomic_load(&request->service->reloader))
		request->job = job;
	else
		post_not_implemented(request);
}

struct argument {
	const char *name, *value; /* the only one that is allowed, "" if it has no value; NULL if it is not there */
	bool is_alone;
};

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct argument *argument = context;
	(void)kind;
	argument->is_alone = argument->is_alone && !argument->value && strcmp(name, argument->name) == 0;
	argument->value = value ? value : "";
	return MHD_YES;
}

/* False, and the request is refused: whoever misspells the name or forgets the value means something else than the page does
 * without it. */
static bool read_argument(struct admin_request *request, const char *name, const char **value_out)
{
	struct argument argument = {.name = name, .is_alone = true};
	(void)MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, take_argument, &argument);
	*value_out = argument.value;
	if (!argument.is_alone || (argument.value && !*argument.value)) {
		struct sluice_error error;
		(void)sluice_error_set(&error, "expected %s=VALUE, once, or nothing", name);
		admin_refuse(request, MHD_HTTP_BAD_REQUEST, error.text);
		return false;
	}
	return true;
}

/* ?guard=60s */
static void post_reload(struct admin_request *request)
{
	const char *guard;
	struct reload_job job = {.kind = RELOAD_FILE};
	if (!read_argument(request, "guard", &guard))
		return;
	if (!guard || quantity_parse_duration(guard, &job.guard_ns))
		begin_change(request, job);
	else
		admin_refuse(request, MHD_HTTP_BAD_REQUEST, "guard: expected a duration, such as 60s");
}

/* ?to=NUMBER, baseline (no overlays) or file (the rollback is lifted); without it: the generation before. */
static void post_rollback(struct admin_request *request)
{
	static const struct {
		const char *name;
		enum reload_kind kind;
	} targets[] = {{"baseline", RELOAD_BASELINE}, {"file", RELOAD_LIFT}};
	const char *to;
	struct reload_job job = {.kind = RELOAD_BACK};
	char *end = NULL;
	if (!read_argument(request, "to", &to))
		return;
	for (size_t i = 0; to && i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strcmp(to, targets[i].name) == 0)
			job.kind = targets[i].kind;
	if (to && job.kind == RELOAD_BACK) {
		job.number = strtoll(to, &end, 10);
		if (job.number < 1 || *end) {
			admin_refuse(request, MHD_HTTP_BAD_REQUEST,
			             "to: expected the number of a generation, baseline or file");
			return;
		}
	}
	begin_change(request, job);
}

static void get_canary(struct admin_request *request)
{
	if (!atomic_load(&request->service->reloader)) {
		post_not_implemented(request);
		return;
	}
	struct json_writer json = {.out = &request->body};
	jsonw_object(&json, NULL);
	canary_write(request->service->canary, &json);
	jsonw_end_object(&json);
	buffer_add_text(&request->body, "\n");
}

struct canary_arguments {
	struct admin_request *request;
	const char *weight, *action;
	bool is_unknown;
};

static enum MHD_Result take_canary_argument(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct canary_arguments *arguments = context;
	struct canary_request *canary = &arguments->request->canary;
	(void)kind;
	const struct {
		const char *name, **place;
	} known[] = {{"do", &arguments->action},
	             {"weight", &arguments->weight},
	             {"file", &canary->file},
	             {"enable", &canary->enable},
	             {"disable", &canary->disable}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i].name) != 0)
			continue;
		arguments->is_unknown |= *known[i].place || !value || !*value;
		*known[i].place = value;
		return MHD_YES;
	}
	arguments->is_unknown = true;
	return MHD_YES;
}

/* Whoever misspells an argument means something else than the page does without it. */
static const char *refuse_canary(const struct canary_arguments *arguments, struct reload_job *job)
{
	static const struct {
		const char *name;
		enum reload_kind kind;
		bool has_weight, has_file;
	} actions[] = {{"start", RELOAD_CANARY_START, true, true},
	               {"step", RELOAD_CANARY_STEP, true, false},
	               {"promote", RELOAD_CANARY_PROMOTE, false, false},
	               {"abort", RELOAD_CANARY_ABORT, false, false}};
	const struct canary_request *canary = &arguments->request->canary;
	const bool has_file = canary->file || canary->enable || canary->disable;
	if (arguments->is_unknown)
		return "expected do, weight, file, enable and disable, each with a value and once";
	if (arguments->weight &&
	    (!quantity_parse_percent(arguments->weight, &job->weight) || job->weight <= 0 || job->weight >= 1))
		return "weight: expected a share of the traffic between 0% and 100%, such as 5%";
	for (size_t i = 0; arguments->action && i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(arguments->action, actions[i].name) != 0)
			continue;
		job->kind = actions[i].kind;
		return (arguments->weight && !actions[i].has_weight) || (has_file && !actions[i].has_file)
		               ? "do: this takes no weight, file, enable or disable"
		               : NULL;
	}
	return "do: expected start, step, promote or abort";
}

/* ?do=start&weight=5%&enable=NAME, and so on. */
static void post_canary(struct admin_request *request)
{
	struct canary_arguments arguments = {.request = request};
	struct reload_job job = {.canary = &request->canary};
	(void)MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, take_canary_argument, &arguments);
	const char *refusal = refuse_canary(&arguments, &job);
	if (refusal)
		admin_refuse(request, MHD_HTTP_BAD_REQUEST, refusal);
	else
		begin_change(request, job);
}

/* A path that ends in a slash stands for all that begin with it. */
static const struct route {
	const char *method, *path;
	void (*serve)(struct admin_request *request);
} routes[] = {
	{"GET", "/metrics", get_metrics},         {"GET", "/api/health", get_health},
	{"GET", "/api/stats", get_stats},         {"GET", "/api/pipeline", get_pipeline},
	{"GET", "/api/lineage/", get_lineage},    {"POST", "/api/reload", post_reload},
	{"GET", "/api/canary", get_canary},       {"POST", "/api/canary", post_canary},
	{"POST", "/api/rollback", post_rollback},
};

static bool method_fits(const char *method, const char *wanted)
{
	return strcmp(method, wanted) == 0 || (strcmp(wanted, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static bool path_fits(const char *path, const char *wanted)
{
	const size_t length = strlen(wanted);
	const bool is_prefix = wanted[length - 1] == '/';
	return strncmp(path, wanted, length) == 0 && (is_prefix ? path[length] : !path[length]);
}

/* Of those with that path one with that method, if there is one. */
static const struct route *find_route(const char *path, const char *method)
{
	const struct route *found = NULL;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (path_fits(path, routes[i].path) && (!found || method_fits(method, routes[i].method)))
			found = &routes[i];
	return found;
}

static void allow_methods(struct admin_request *request, const char *path)
{
	static const char *const methods[][2] = {{"POST", "POST"}, {"GET", "GET, HEAD"}};
	const char *allowed = "";
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct route *route = find_route(path, methods[i][0]);
		if (method_fits(methods[i][0], route->method))
			allowed = allowed[0] ? "GET, HEAD, POST" : methods[i][1];
	}
	http_response_header(&request->response, MHD_HTTP_HEADER_ALLOW, allowed);
}

void admin_serve(struct admin_request *request, const char *path, const char *method)
{
	const struct route *route = find_route(path, method);
	if (!route) {
		admin_refuse(request, MHD_HTTP_NOT_FOUND, "no such path");
	} else if (!method_fits(method, route->method)) {
		allow_methods(request, path);
		admin_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
	} else {
		request->rest = path + strlen(route->path);
		(void)pthread_rwlock_rdlock(&request->service->lock);
		route->serve(request);
		(void)pthread_rwlock_unlock(&request->service->lock);
	}
}
