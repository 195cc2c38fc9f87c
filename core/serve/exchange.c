/*
 * Exchanges; see exchange.h.
 */
#include "serve/exchange.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_writer.h"
#include "serve/service.h"
#include "serve/wakeup.h"

enum { RESPONSE_ROOM_KEPT = 16 * 1024 };

struct exchange_pool {
	pthread_mutex_t lock;
	struct exchange *resting;
	struct service *service;
};

struct exchange_pool *exchange_pool_create(struct service *service)
{
	struct exchange_pool *pool = must_calloc(1, sizeof(*pool));
	(void)pthread_mutex_init(&pool->lock, NULL);
	pool->service = service;
	return pool;
}

void exchange_pool_destroy(struct exchange_pool *pool)
{
	while (pool->resting) {
		struct exchange *exchange = pool->resting;
		pool->resting = exchange->next;
		buffer_finish(&exchange->response_headers);
		buffer_finish(&exchange->events);
		buffer_finish(&exchange->response_body);
		free(exchange);
	}
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* A large response leaves no large buffer behind. */
static void empty(struct buffer *buffer)
{
	if (buffer->room > RESPONSE_ROOM_KEPT)
		buffer_finish(buffer);
	buffer_empty(buffer);
}

void exchange_reset(struct exchange *exchange)
{
	exchange->event = NULL;
	exchange->body = NULL;
	exchange->body_size = exchange->body_room = 0;
	exchange->discarded = 0;
	exchange->refusal = NULL;
	exchange->asks_health = exchange->submitted = exchange->responded = false;
	atomic_store_explicit(&exchange->claimed, false, memory_order_relaxed);
	atomic_store_explicit(&exchange->state, EXCHANGE_RUNNING, memory_order_relaxed);
	exchange->entry.message_id_size = 0;
	exchange->entry.credential[0] = '\0';
	exchange->entry.timed_out = false;
	exchange->entry.part = exchange->entry.parts = 0;
	exchange->entry.arm = NULL;
	exchange->entry.times = (struct event_times){0};
	exchange->entry.trace = (struct trace_context){.is_sampled = false};
	exchange->delay_ns = 0;
	exchange->detail[0] = '\0';
	exchange->is_own = false;
	buffer_empty(&exchange->response_headers);
	empty(&exchange->events);
	empty(&exchange->response_body);
}

struct exchange *exchange_take(struct exchange_pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	struct exchange *exchange = pool->resting;
	if (exchange)
		pool->resting = exchange->next;
	(void)pthread_mutex_unlock(&pool->lock);
	if (!exchange) {
		exchange = must_calloc(1, sizeof(*exchange));
		exchange->pool = pool;
		exchange->service = pool->service;
	}
	atomic_store_explicit(&exchange->references, 1, memory_order_relaxed);
	exchange_reset(exchange);
	return exchange;
}

void exchange_release(struct exchange *exchange)
{
	struct exchange_pool *pool = exchange->pool;
	if (atomic_fetch_sub(&exchange->references, 1) != 1)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	exchange->next = pool->resting;
	pool->resting = exchange;
	(void)pthread_mutex_unlock(&pool->lock);
}

bool exchange_is_mine(const struct exchange *exchange)
{
	return atomic_load(&exchange->references) == 1;
}

static bool claim(struct exchange *exchange)
{
	return !atomic_exchange(&exchange->claimed, true);
}

static void complete(struct exchange *exchange)
{
	struct MHD_Connection *mhd = exchange->mhd;
	if (atomic_exchange(&exchange->state, EXCHANGE_COMPLETE) == EXCHANGE_SUSPENDED)
		wakeup_resume(mhd);
}

static void copy_answer(struct lineage_entry *entry, const struct event_answer *answer)
{
	struct sluice_bytes id = answer->event->message_id;
	entry->status = answer->status;
	entry->outcome = answer->outcome;
	entry->times = *answer->times;
	memcpy(entry->spans, answer->spans, sizeof(entry->spans));
	entry->part = answer->event->part;
	entry->parts = answer->part_count ? (uint32_t)answer->part_count : answer->event->parts;
	entry->arm = answer->arm;
	if (answer->event->credential.data)
		credential_label(answer->event->credential, entry->credential);
	entry->message_id_size = (uint16_t)(id.size <= sizeof(entry->message_id) ? id.size : 0);
	if (entry->message_id_size)
		memcpy(entry->message_id, id.data, entry->message_id_size);
}

static void copy_header(struct exchange *exchange, const char *name, const char *value)
{
	buffer_add(&exchange->response_headers, name, strlen(name) + 1);
	buffer_add(&exchange->response_headers, value, strlen(value) + 1);
}

/* The event may be gone when the response goes out. */
static void copy_response(struct exchange *exchange, const struct response *response)
{
	for (const struct response_header *header = response->headers; header; header = header->next)
		copy_header(exchange, header->name.data, header->value.data);
	exchange->is_own = response->status != 0;
	if (!exchange->is_own)
		return;
	copy_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, response->type.data);
	buffer_add(&exchange->response_body, response->body.data, response->body.size);
}

/* The event may be gone when the response goes out, and so may those that it carried. */
static void copy_events(struct buffer *out, const struct event_answer *answer)
{
	struct json_writer json = {.out = out};
	if (!answer->part_count)
		return;
	jsonw_array(&json, NULL);
	for (size_t i = 0; i < answer->part_count; i++) {
		const struct event_answer *part = &answer->parts[i];
		struct sluice_bytes id = part->event->message_id;
		jsonw_object(&json, NULL);
		jsonw_text(&json, "status", event_outcome_names[part->outcome]);
		if (id.size)
			jsonw_bytes(&json, "message_id", id.data, id.size);
		if (part->detail[0])
			jsonw_text(&json, "detail", part->detail);
		jsonw_end_object(&json);
	}
	jsonw_end_array(&json);
}

/* One request, several events: each is found by its message id. */
static void record_events(struct service *service, const struct event_answer *answer)
{
	struct sluice_bytes request_id = answer->event->request_id;
	for (size_t i = 0; service->keeps_lineage && i < answer->part_count; i++) {
		const struct event_answer *part = &answer->parts[i];
		struct lineage_entry entry = {.sent_ns = part->times->ack_ns};
		copy_answer(&entry, part);
		memcpy(entry.request_id, request_id.data,
		       request_id.size < sizeof(entry.request_id) ? request_id.size : 0);
		lineage_add(service->lineage, &entry);
	}
}

/* The sender has gone with a 503, but where the time went is worth knowing. */
static void record_late(struct exchange *exchange, const struct event_answer *answer)
{
	struct service *service = exchange->service;
	struct sluice_bytes id = answer->event->request_id;
	struct lineage_entry entry = {.timed_out = true, .sent_ns = answer->times->ack_ns};
	copy_answer(&entry, answer);
	memcpy(entry.request_id, id.data, id.size < sizeof(entry.request_id) ? id.size : 0);
	if (service->keeps_lineage)
		lineage_add(service->lineage, &entry);
}

static void take_answer(void *context, const struct event_answer *answer)
{
	struct exchange *exchange = context;
	if (answer->event->credential.data)
		credentials_add(&exchange->service->credentials, answer->event->credential);
	record_events(exchange->service, answer);
	if (claim(exchange)) {
		copy_answer(&exchange->entry, answer);
		exchange->ack = answer->ack;
		exchange->delay_ns = answer->delay_ns;
		size_t size = strnlen(answer->detail, sizeof(exchange->detail) - 1);
		memcpy(exchange->detail, answer->detail, size);
		exchange->detail[size] = '\0';
		copy_response(exchange, answer->response);
		copy_events(&exchange->events, answer);
		complete(exchange);
	} else {
		record_late(exchange, answer);
	}
	exchange_release(exchange);
}

bool exchange_submit(struct exchange *exchange)
{
	struct event *event = exchange->event;
	exchange->event = NULL;
	event->answer = take_answer;
	event->answer_context = exchange;
	(void)atomic_fetch_add_explicit(&exchange->references, 1, memory_order_relaxed);
	pipeline_submit(event);
	if (exchange_is_complete(exchange))
		return true;
	MHD_suspend_connection(exchange->mhd);
	intercept_suspended(&exchange->connection->intercept);
	int state = EXCHANGE_RUNNING;
	if (!atomic_compare_exchange_strong(&exchange->state, &state, EXCHANGE_SUSPENDED))
		MHD_resume_connection(exchange->mhd);
	return false;
}

bool exchange_is_complete(const struct exchange *exchange)
{
	return atomic_load(&exchange->state) == EXCHANGE_COMPLETE;
}

bool exchange_time_out(struct exchange *exchange)
{
	if (!exchange->submitted || !claim(exchange))
		return false;
	exchange->entry.status = MHD_HTTP_SERVICE_UNAVAILABLE;
	exchange->entry.outcome = OUTCOME_FAILED;
	exchange->entry.timed_out = true;
	(void)strcpy(exchange->detail, "timed out; the event may still be stored: send it again");
	complete(exchange);
	return true;
}
