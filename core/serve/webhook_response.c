/*
 * Responses of the webhook listener; see webhook_response.h.
 */
#include "serve/webhook_response.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "serve/health.h"
#include "serve/http_response.h"
#include "serve/request_reader.h"
#include "serve/service.h"

/* How the response begins for outcomes that mean "kept"; the others are problems. */
static const char *const kept_beginnings[OUTCOME_COUNT] = {
	[OUTCOME_ACCEPTED] = "{\"status\":\"accepted\",\"request_id\":",
	[OUTCOME_DUPLICATE] = "{\"status\":\"duplicate\",\"request_id\":",
};

static const char *const kept_endings[] = {
	[ACK_STORED] = ",\"ack\":\"stored\"}",
	[ACK_QUEUED] = ",\"ack\":\"queued\"}",
};

/* RFC 9110 wants a challenge beside 401, whatever the stage says; a signature has no registered scheme. */
static const char challenge[] = "Signature";

enum { TIMING_SIZE = 96 * (KIND_COUNT + 1) };

static void write_text(struct buffer *out, const char *data, size_t size)
{
	struct json_writer json = {.out = out};
	jsonw_bytes(&json, NULL, data, size);
}

/* Every event that is kept gets one of these, so only what differs is written as JSON. */
static void write_kept(struct exchange *exchange)
{
	const struct lineage_entry *entry = &exchange->entry;
	struct buffer *out = &exchange->response_body;
	buffer_add_text(out, kept_beginnings[entry->outcome]);
	write_text(out, entry->request_id, strlen(entry->request_id));
	if (entry->message_id_size) {
		buffer_add_text(out, ",\"message_id\":");
		write_text(out, entry->message_id, entry->message_id_size);
	}
	http_response_write_events(out, &exchange->events);
	buffer_add_text(out, kept_endings[exchange->ack]);
}

static double ms(int64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

/* https://www.w3.org/TR/server-timing/, with the total up to the ack point. */
static const char *write_timing(const struct event_times *times, char text[TIMING_SIZE])
{
	int size = 0;
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		const struct stage_times *stage = &times->stages[kind];
		if (!stage->ran)
			continue;
		size += snprintf(text + size, (size_t)(TIMING_SIZE - size), "%s;dur=%.3f", kind_names[kind],
		                 ms(stage->work_ns + stage->wait_ns + stage->parked_ns));
		if (stage->has_cpu)
			size += snprintf(text + size, (size_t)(TIMING_SIZE - size), ";desc=\"processor %.3f ms\"",
			                 ms(stage->cpu_ns));
		size += snprintf(text + size, (size_t)(TIMING_SIZE - size), ", ");
	}
	(void)snprintf(text + size, (size_t)(TIMING_SIZE - size), "total;dur=%.3f",
	               ms(times->ack_ns - times->start_ns));
	return text;
}

static void take_refusal(struct exchange *exchange, struct http_response *response)
{
	const struct refusal *refusal = exchange->refusal;
	exchange->entry.status = refusal->status;
	exchange->entry.outcome = refusal->status < 500 ? OUTCOME_REJECTED : OUTCOME_FAILED;
	http_response_header(response, MHD_HTTP_HEADER_ALLOW, refusal->allow);
	http_response_header(response, MHD_HTTP_HEADER_ACCEPT_ENCODING, refusal->accept_encoding);
	if (!exchange->detail[0])
		(void)snprintf(exchange->detail, sizeof(exchange->detail), "%s", refusal->detail);
}

static int write_health(struct exchange *exchange)
{
	struct service *service = exchange->service;
	(void)pthread_rwlock_rdlock(&service->lock);
	int status = health_write(service, HEALTH_FOR_ALL, &exchange->response_body);
	(void)pthread_rwlock_unlock(&service->lock);
	return status;
}

void webhook_response_count(struct exchange *exchange)
{
	struct service *service = exchange->service;
	const struct lineage_entry *entry = &exchange->entry;
	service_count(service, entry->status);
	if (exchange->asks_health || entry->status / 100 == 2)
		return;
	if (!exchange->refusal && !entry->timed_out) {
		refusals_count(&service->refusals, entry->status, entry->outcome);
		return;
	}
	const struct refused refused = {
		.reason = exchange->refusal ? exchange->refusal->reason : REFUSAL_DEADLINE,
		.status = entry->status,
		.detail = exchange->detail[0] ? exchange->detail : exchange->refusal->detail,
		.request_id = entry->request_id,
		.client = exchange->forwarded.has_client ? &exchange->forwarded.client : NULL,
		.target = exchange->connection->target.data,
		.served = service_listen(service)->path,
	};
	refusals_note(&service->refusals, &refused);
}

enum MHD_Result webhook_response_send(struct exchange *exchange)
{
	struct service *service = exchange->service;
	const struct listen_config *listen = service_listen(service);
	struct lineage_entry *entry = &exchange->entry;
	struct http_response response = {.content_type = HTTP_TYPE_PROBLEM,
	                                 .body = &exchange->response_body,
	                                 .more = &exchange->response_headers};
	char timing[TIMING_SIZE], seconds[RETRY_AFTER_SIZE], traced[TRACEPARENT_SIZE];
	if (exchange->refusal)
		take_refusal(exchange, &response);
	else if (exchange->asks_health)
		entry->status = write_health(exchange);
	if (exchange->asks_health) {
		response.content_type = HTTP_TYPE_JSON;
	} else if (exchange->is_own) {
		response.content_type = NULL;
		response.as_is = true;
	} else if (!exchange->refusal && kept_beginnings[entry->outcome]) {
		response.content_type = HTTP_TYPE_JSON;
		write_kept(exchange);
	} else {
		http_response_write_problem(&exchange->response_body, entry->status, exchange->detail,
		                            entry->request_id, &exchange->events);
	}
	response.status = entry->status;
	http_response_header(&response, "X-Request-Id", entry->request_id);
	if ((entry->status == MHD_HTTP_SERVICE_UNAVAILABLE || entry->status == MHD_HTTP_TOO_MANY_REQUESTS) &&
	    !http_response_has_more(&response, MHD_HTTP_HEADER_RETRY_AFTER))
		http_response_header(&response, MHD_HTTP_HEADER_RETRY_AFTER,
		                     http_response_retry_after(listen, exchange->delay_ns, seconds));
	if (entry->status == MHD_HTTP_UNAUTHORIZED &&
	    !http_response_has_more(&response, MHD_HTTP_HEADER_WWW_AUTHENTICATE))
		http_response_header(&response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, challenge);
	if (service->exporter) {
		trace_context_format(&entry->trace, traced);
		http_response_header(&response, "traceparent", traced);
		http_response_header(&response, "traceresponse", traced);
	}
	if (listen->server_timing && entry->times.ack_ns)
		http_response_header(&response, "Server-Timing", write_timing(&entry->times, timing));
	if (listen->keep_alive.ns == 0 || atomic_load_explicit(&service->draining, memory_order_relaxed))
		http_response_header(&response, MHD_HTTP_HEADER_CONNECTION, "close");
	exchange->responded = true;
	webhook_response_count(exchange);
	return http_response_queue(exchange->mhd, &response, listen);
}
