/*
 * Reading requests; see request_reader.h.
 */
#include "serve/request_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/methods.h"
#include "serve/request.h"
#include "serve/service.h"

enum {
	DISCARD_MAX = 64 * 1024,     /* bytes of a refused body that are read for the sake of the connection */
	BODY_FIRST_ROOM = 16 * 1024, /* more comes as the body does: who announces a lot reserves nothing */
};

#define LENGTH_UNKNOWN UINT64_MAX
#define HEALTH_PATH "/api/health"
#define DEFAULT_PATH "/webhooks"

static const struct refusal not_found = {REFUSAL_PATH, MHD_HTTP_NOT_FOUND, "no such path", NULL, NULL, false};
/* By the methods besides POST that the auth stage answers. */
#define NOT_ALLOWED(methods, allow)                                                                                    \
	[methods] = {REFUSAL_METHOD, MHD_HTTP_METHOD_NOT_ALLOWED, "use POST", allow, NULL, false}
static const struct refusal not_allowed[METHODS_BESIDES] = {
	NOT_ALLOWED(0, "POST"),
	NOT_ALLOWED(METHOD_GET, "POST, GET"),
	NOT_ALLOWED(METHOD_HEAD, "POST, HEAD"),
	NOT_ALLOWED(METHOD_GET | METHOD_HEAD, "POST, GET, HEAD"),
	NOT_ALLOWED(METHOD_OPTIONS, "POST, OPTIONS"),
	NOT_ALLOWED(METHOD_OPTIONS | METHOD_GET, "POST, OPTIONS, GET"),
	NOT_ALLOWED(METHOD_OPTIONS | METHOD_HEAD, "POST, OPTIONS, HEAD"),
	NOT_ALLOWED(METHOD_OPTIONS | METHOD_GET | METHOD_HEAD, "POST, OPTIONS, GET, HEAD"),
};
#undef NOT_ALLOWED

static const struct refusal not_get = {REFUSAL_METHOD, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET", "GET, HEAD", NULL,
                                       false};
static const struct refusal no_length = {REFUSAL_LENGTH,
                                         MHD_HTTP_LENGTH_REQUIRED,
                                         "Content-Length or Transfer-Encoding: chunked is required",
                                         NULL,
                                         NULL,
                                         false};
static const struct refusal too_large = {
	REFUSAL_BODY_SIZE, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large", NULL, NULL, false};
static const struct refusal encoded = {REFUSAL_ENCODING,
                                       MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                       "Content-Encoding: expected none (listen.inflate is never)",
                                       NULL,
                                       "identity",
                                       false};
static const struct refusal coding_unknown = {REFUSAL_ENCODING,
                                              MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                              "Content-Encoding: expected gzip, deflate or none",
                                              NULL,
                                              "gzip, deflate",
                                              false};
static const struct refusal large_headers = {
	REFUSAL_HEADERS, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "the header fields are too large", NULL, NULL, true};
static const struct refusal full = {
	REFUSAL_FULL, MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests in flight: try again later", NULL, NULL, false};
static const struct refusal too_many = {
	REFUSAL_RATE, MHD_HTTP_TOO_MANY_REQUESTS, "too many requests from this client: try again later", NULL, NULL,
	false};
static const struct refusal leaving = {REFUSAL_LEAVING,
                                       MHD_HTTP_SERVICE_UNAVAILABLE,
                                       "the server is shutting down: try again later",
                                       NULL,
                                       NULL,
                                       false};
static const struct refusal not_checked = {REFUSAL_INTERNAL,
                                           MHD_HTTP_INTERNAL_SERVER_ERROR,
                                           "this libmicrohttpd cannot be used: it bypasses the check of the framing",
                                           NULL,
                                           NULL,
                                           true};

static struct sluice_bytes bytes_of(const char *data, size_t size)
{
	return (struct sluice_bytes){data ? data : "", size};
}

static struct sluice_bytes bytes_of_text(const char *text)
{
	return (struct sluice_bytes){text, text ? strlen(text) : 0};
}

static enum MHD_Result add_header(void *head, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size)
{
	(void)kind;
	request_add_header(head, bytes_of(name, name_size), bytes_of(value, value_size));
	return MHD_YES;
}

static void choose_request_id(struct exchange *exchange, struct sluice_bytes sent)
{
	char *id = exchange->entry.request_id;
	if (request_id_is_usable(sent)) {
		memcpy(id, sent.data, sent.size);
		id[sent.size] = '\0';
	} else {
		digest_uuid7(clock_wall_ns(), id);
	}
}

/* A path may be kept secret, so it is told only to who has all but hit it, unless it is the one in the manual. */
static const struct refusal *refuse_path(struct exchange *exchange, struct sluice_bytes path)
{
	const char *served = service_listen(exchange->service)->path;
	if (strcmp(served, DEFAULT_PATH) == 0 || request_path_resembles(path, served))
		(void)snprintf(exchange->detail, sizeof(exchange->detail), "no such path: webhooks go to %s", served);
	return &not_found;
}

static bool may_send(struct exchange *exchange)
{
	struct sluice_bytes key = {NULL, 0};
	const struct ip_address network = ip_address_network(&exchange->forwarded.client);
	if (exchange->forwarded.has_client)
		key = bytes_of((const char *)network.bytes, sizeof(network.bytes));
	exchange->delay_ns = generations_limit(exchange->service->generations, service_listen(exchange->service),
	                                       RATE_BY_CLIENT, key);
	return exchange->delay_ns == 0;
}

/* The trace that the request belongs to. */
static void begin_trace(struct exchange *exchange, const struct request_head *head, const char *method)
{
	struct lineage_entry *entry = &exchange->entry;
	if (!exchange->service->exporter)
		return;
	trace_context_begin(&entry->trace, head->traceparent, &exchange->service->sampling);
	(void)snprintf(entry->method, sizeof(entry->method), "%s", method);
	entry->begun_ns = clock_now_ns();
	entry->begun_wall_ns = clock_wall_ns();
}

/* What is refused by the head alone, in the order of what would be read first. */
static const struct refusal *screen(struct exchange *exchange, const struct request_head *head,
                                    struct request_facts *facts, const char *method)
{
	const struct listen_config *listen = service_listen(exchange->service);
	if (head->header_count > REQUEST_HEADERS_MAX || head->header_bytes > listen->max_header)
		return &large_headers;
	if (!request_split_target(exchange->connection->target.data, facts))
		return &not_found;
	if (listen->health && request_path_is(facts->path, HEALTH_PATH)) {
		exchange->asks_health = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
		return exchange->asks_health ? NULL : &not_get;
	}
	if (!request_path_is(facts->path, listen->path))
		return refuse_path(exchange, facts->path);
	const unsigned methods = atomic_load_explicit(&exchange->service->methods, memory_order_relaxed);
	const bool is_post = strcmp(method, "POST") == 0;
	if (!is_post && !methods_have(methods, method))
		return &not_allowed[methods % METHODS_BESIDES];
	if (!may_send(exchange))
		return &too_many;
	if (is_post && !(methods & METHOD_POST) && !head->has_length && !head->chunked)
		return &no_length;
	if (head->has_length && head->length > listen->max_body)
		return &too_large;
	exchange->coding = request_coding(head);
	if (exchange->coding == CODING_IDENTITY)
		return NULL;
	if (listen->inflate == INFLATE_NEVER)
		return &encoded;
	return exchange->coding == CODING_UNKNOWN ? &coding_unknown : NULL;
}

static bool make_room(struct exchange *exchange, size_t room)
{
	size_t had = exchange->body ? exchange->body_room + 1 : 0;
	char *body = arena_grow(&exchange->event->arena, exchange->body, had, room + 1);
	if (!body)
		return false;
	exchange->body = body;
	exchange->body_room = room;
	atomic_store_explicit(&exchange->connection->held, exchange->event->arena.charged, memory_order_relaxed);
	return true;
}

static void refuse(struct exchange *exchange, const struct refusal *refusal)
{
	request_reader_abandon(exchange);
	exchange->refusal = refusal;
}

/* The address that the sender used and its own, then all of the request but its body. */
static bool describe(struct exchange *exchange, const struct request_head *head, struct request_facts *facts)
{
	const struct listen_config *listen = service_listen(exchange->service);
	struct sluice_event *event = &exchange->event->pub;
	const struct forwarded forwarded = exchange->forwarded;
	char client[IP_ADDRESS_TEXT_SIZE];
	if (forwarded.has_client) {
		ip_address_format(&forwarded.client, client);
		facts->client_address = bytes_of_text(client);
	}
	if (forwarded.authority.data)
		facts->authority = forwarded.authority;
	else if (!facts->authority.data && head->host.size)
		facts->authority = head->host;
	event->scheme = bytes_of_text(forwarded.scheme ? forwarded.scheme : "http");
	if (listen->public_url) {
		event->public_url = bytes_of_text(listen->public_url);
		event->scheme = bytes_of_text(listen->origin.scheme);
		facts->authority = bytes_of_text(listen->origin.authority);
	}
	return request_copy(head, facts, exchange->event);
}

static void receive_event(struct exchange *exchange, const struct request_head *head, struct request_facts *facts)
{
	exchange->event = generations_receive(exchange->service->generations);
	size_t room = BODY_FIRST_ROOM;
	if (head->has_length && head->length < room)
		room = (size_t)head->length;
	if (!describe(exchange, head, facts) || !make_room(exchange, room))
		refuse(exchange, &full);
}

bool request_reader_begin(struct exchange *exchange, const char *method)
{
	struct request_head head;
	request_head_init(&head);
	(void)MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, add_header, &head);
	choose_request_id(exchange, head.request_id);
	begin_trace(exchange, &head, method);
	struct request_facts facts = {
		.request_id = bytes_of_text(exchange->entry.request_id),
		.method = bytes_of_text(method),
	};
	exchange->forwarded = forwarded_read(
		head.headers, head.header_count < REQUEST_HEADERS_MAX ? head.header_count : REQUEST_HEADERS_MAX,
		&exchange->connection->peer, &service_listen(exchange->service)->proxies);
	exchange->body_length = head.has_length ? head.length : head.chunked ? LENGTH_UNKNOWN : 0;
	exchange->refusal = intercept_passed(&exchange->connection->intercept) ? screen(exchange, &head, &facts, method)
	                                                                       : &not_checked;
	if (!exchange->refusal && !exchange->asks_health)
		receive_event(exchange, &head, &facts);
	const struct refusal *refusal = exchange->refusal;
	return !refusal || (!refusal->closes && (head.chunked || exchange->body_length <= DISCARD_MAX));
}

static bool discard(struct exchange *exchange, size_t size)
{
	exchange->discarded += size;
	if (exchange->discarded <= DISCARD_MAX)
		return true;
	if (!exchange->refusal)
		exchange->refusal = &too_large;
	return false;
}

bool request_reader_receive(struct exchange *exchange, const char *data, size_t size)
{
	if (!exchange->event)
		return discard(exchange, size);
	uint64_t limit = exchange->body_length == LENGTH_UNKNOWN ? service_listen(exchange->service)->max_body
	                                                         : exchange->body_length;
	size_t need = exchange->body_size + size;
	if (need > limit) {
		refuse(exchange, &too_large);
		return discard(exchange, size);
	}
	if (need > exchange->body_room) {
		size_t room = exchange->body_room * 2;
		room = room < need ? need : room;
		if (!make_room(exchange, room > limit ? (size_t)limit : room)) {
			refuse(exchange, &full);
			return discard(exchange, size);
		}
	}
	memcpy(exchange->body + exchange->body_size, data, size);
	exchange->body_size = need;
	return true;
}

bool request_reader_finish(struct exchange *exchange)
{
	struct event *event = exchange->event;
	if (!event)
		return false;
	if (atomic_load(&exchange->service->refusing)) {
		refuse(exchange, &leaving);
		return false;
	}
	if (!generations_admit(exchange->service->generations, event)) {
		refuse(exchange, &full);
		return false;
	}
	exchange->body[exchange->body_size] = '\0';
	event->pub.body = bytes_of(exchange->body, exchange->body_size);
	event->pub.received_at_ns = clock_wall_ns();
	event->coding = exchange->coding;
	event->inflates_first = service_listen(exchange->service)->inflate == INFLATE_BEFORE_AUTH;
	event->inflated_max = (size_t)service_listen(exchange->service)->max_body;
	return true;
}

void request_reader_abandon(struct exchange *exchange)
{
	if (exchange->event)
		pipeline_discard(exchange->event);
	exchange->event = NULL;
}
