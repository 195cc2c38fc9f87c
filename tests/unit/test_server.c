/*
 * The public door, over real sockets. The pipeline behind it is a puppet: it answers at once, later from another
 * thread, or not before the test says so.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/reply.h"
#include "serve/request.h"
#include "serve/server.h"
#include "support/wire.h"

/* How the puppet ends an event. */
enum fate {
	AT_ONCE, /* before pipeline_submit() returns */
	LATER,   /* from another thread, as soon as it can */
	KEPT,    /* when the test calls release() */
};

struct pipeline {
	struct config config;
	struct recorder *recorder;
	struct arena_budget budget;
	atomic_int fate;
	atomic_size_t inside, submitted, discarded;
	struct event_answer answer; /* its outcome, status, detail and delay */
	const char *unhealthy;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct event_list waiting;
	bool leaving;
	pthread_t answerer;

	/* Of the last event submitted. */
	char body[1 << 20], traceparent[128], request_id[129], header[256];
	size_t body_size, header_count;
	int64_t deadline_in_ns;
};

static struct pipeline puppet;
static struct service service;
static struct server *server;
static int port;
static struct wire_answer answer;

struct event *pipeline_admit(struct pipeline *pipeline)
{
	if (atomic_fetch_add(&pipeline->inside, 1) >= (size_t)pipeline->config.events.max) {
		atomic_fetch_sub(&pipeline->inside, 1);
		return NULL;
	}
	struct event *event = must_calloc(1, sizeof(*event));
	event->pipeline = pipeline;
	arena_init(&event->arena, 1024, &pipeline->budget);
	return event;
}

static void free_event(struct event *event)
{
	arena_finish(&event->arena);
	atomic_fetch_sub(&event->pipeline->inside, 1);
	free(event);
}

void pipeline_discard(struct event *event)
{
	atomic_fetch_add(&event->pipeline->discarded, 1);
	free_event(event);
}

static void finish_event(struct event *event)
{
	struct event_answer said = event->pipeline->answer;
	event->pub.message_id = (struct sluice_bytes){"m-1", 3};
	event->times.stages[SLUICE_KIND_AUTH].ran = true;
	event->times.stages[SLUICE_KIND_AUTH].exit_ns = event->times.ack_ns = clock_now_ns();
	said.event = &event->pub;
	said.times = &event->times;
	event->answer(event->answer_context, &said);
	free_event(event);
}

static void remember(struct pipeline *pipeline, const struct event *event)
{
	(void)pthread_mutex_lock(&pipeline->lock);
	const struct sluice_event *pub = &event->pub;
	ck_assert_int_eq(pub->body.data[pub->body.size], '\0');
	memcpy(pipeline->body, pub->body.data, pub->body.size);
	pipeline->body_size = pub->body.size;
	pipeline->header_count = pub->header_count;
	(void)snprintf(pipeline->request_id, sizeof(pipeline->request_id), "%s", pub->request_id.data);
	(void)snprintf(pipeline->traceparent, sizeof(pipeline->traceparent), "%s",
	               pub->traceparent.data ? pub->traceparent.data : "");
	(void)snprintf(pipeline->header, sizeof(pipeline->header), "%s",
	               sluice_get_header(pub, "x-test").data ? sluice_get_header(pub, "X-TEST").data : "");
	pipeline->deadline_in_ns = pub->deadline_ns - clock_now_ns();
	(void)pthread_mutex_unlock(&pipeline->lock);
}

void pipeline_submit(struct event *event)
{
	struct pipeline *pipeline = event->pipeline;
	event->times.start_ns = clock_now_ns();
	event->times.wall_ns = event->pub.received_at_ns;
	remember(pipeline, event);
	atomic_fetch_add(&pipeline->submitted, 1);
	if (atomic_load(&pipeline->fate) == AT_ONCE) {
		finish_event(event);
		return;
	}
	(void)pthread_mutex_lock(&pipeline->lock);
	event_list_append(&pipeline->waiting, event);
	(void)pthread_cond_signal(&pipeline->changed);
	(void)pthread_mutex_unlock(&pipeline->lock);
}

static void *answer_later(void *context)
{
	struct pipeline *pipeline = context;
	(void)pthread_mutex_lock(&pipeline->lock);
	while (!pipeline->leaving || pipeline->waiting.first) {
		const bool keeps = atomic_load(&pipeline->fate) == KEPT && !pipeline->leaving;
		struct event *event = keeps ? NULL : event_list_take(&pipeline->waiting);
		if (!event) {
			(void)pthread_cond_wait(&pipeline->changed, &pipeline->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&pipeline->lock);
		finish_event(event);
		(void)pthread_mutex_lock(&pipeline->lock);
	}
	(void)pthread_mutex_unlock(&pipeline->lock);
	return NULL;
}

static void release(void)
{
	(void)pthread_mutex_lock(&puppet.lock);
	atomic_store(&puppet.fate, LATER);
	(void)pthread_cond_broadcast(&puppet.changed);
	(void)pthread_mutex_unlock(&puppet.lock);
}

static void pause_briefly(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
}

static void wait_for(atomic_size_t *count, size_t value)
{
	const int64_t until_ns = clock_now_ns() + WIRE_PATIENCE_MS * NS_PER_MS;
	while (atomic_load(count) != value) {
		ck_assert_msg(clock_now_ns() < until_ns, "still %zu, expected %zu", atomic_load(count), value);
		pause_briefly();
	}
}

size_t pipeline_drain(struct pipeline *pipeline, int64_t until_ns)
{
	while (atomic_load(&pipeline->inside) > 0 && clock_now_ns() < until_ns)
		pause_briefly();
	return atomic_load(&pipeline->inside);
}

void pipeline_get_stats(const struct pipeline *pipeline, struct pipeline_stats *stats_out)
{
	*stats_out = (struct pipeline_stats){.in_flight = atomic_load(&pipeline->inside)};
}

double pipeline_worker_utilization(struct pipeline *pipeline, size_t id)
{
	(void)pipeline, (void)id;
	return 0;
}

void pipeline_observe(struct pipeline *pipeline, struct sluice_observer *observer)
{
	if (pipeline->unhealthy)
		observer->unhealthy(observer, pipeline->unhealthy);
}

const struct config *pipeline_config(const struct pipeline *pipeline)
{
	return &pipeline->config;
}

struct recorder *pipeline_recorder(struct pipeline *pipeline)
{
	return pipeline->recorder;
}

static void prepare(void)
{
	memset(&puppet, 0, sizeof(puppet));
	puppet.config = (struct config){
		.name = "puppet",
		.listen = {.address = "127.0.0.1",
	                   .threads = 2,
	                   .path = "/webhooks",
	                   .max_body = 256 * 1024,
	                   .max_header = 8192,
	                   .max_connections = 1000,
	                   .header_timeout = {5 * NS_PER_S},
	                   .body_timeout = {5 * NS_PER_S},
	                   .deadline = {20 * NS_PER_S},
	                   .keep_alive = {20 * NS_PER_S},
	                   .retry_after = {NS_PER_S},
	                   .compression_threshold = 20,
	                   .compression_level = 6},
		.events = {.max = 1000},
		.seeing = {.lineage_recent = 100, .lineage_slowest = 10},
	};
	puppet.answer = (struct event_answer){
		.outcome = OUTCOME_ACCEPTED, .status = 202, .detail = "", .stage = "persist"};
	puppet.recorder = recorder_create();
	log_setup(SLUICE_LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	(void)pthread_mutex_init(&puppet.lock, NULL);
	(void)pthread_cond_init(&puppet.changed, NULL);
	ck_assert_int_eq(pthread_create(&puppet.answerer, NULL, answer_later, &puppet), 0);
}

/* After a test has changed the config. */
static void open_door(void)
{
	struct sluice_error error = {0};
	char url[LISTENER_URL_SIZE];
	service_init(&service, &puppet, NULL);
	server = server_start(&service, &error);
	ck_assert_msg(server != NULL, "%s", error.text);
	server_get_url(server, url);
	port = wire_port(url);
}

static size_t stop_within(int64_t ns)
{
	size_t left = server_stop(server, clock_now_ns() + ns);
	return left;
}

static void close_door(void)
{
	if (server && !atomic_load(&service.draining))
		(void)stop_within(5 * NS_PER_S);
	(void)pthread_mutex_lock(&puppet.lock);
	puppet.leaving = true;
	(void)pthread_cond_broadcast(&puppet.changed);
	(void)pthread_mutex_unlock(&puppet.lock);
	(void)pthread_join(puppet.answerer, NULL);
	ck_assert_uint_eq(atomic_load(&puppet.inside), 0);
	ck_assert_uint_eq(atomic_load(&puppet.budget.used), 0);
	if (!server)
		return;
	server_free(server);
	service_finish(&service);
	recorder_destroy(puppet.recorder);
	server = NULL;
}

static void post(int fd, const char *fields, const char *body)
{
	wire_post(fd, "/webhooks", fields, body, strlen(body));
	wire_read(fd, &answer);
}

static json_t *problem(int status)
{
	char type[256];
	ck_assert_int_eq(answer.status, status);
	ck_assert_str_eq(wire_header(&answer, "Content-Type", type), "application/problem+json");
	json_t *document = json_loadb(answer.body, answer.body_size, 0, NULL);
	ck_assert_ptr_nonnull(document);
	ck_assert_int_eq(json_integer_value(json_object_get(document, "status")), status);
	ck_assert_str_eq(json_string_value(json_object_get(document, "type")), "about:blank");
	ck_assert_str_ne(json_string_value(json_object_get(document, "title")), "");
	ck_assert_str_ne(json_string_value(json_object_get(document, "request_id")), "");
	return document;
}

static void expect_problem(int status)
{
	json_decref(problem(status));
}

/* What is kept. */

START_TEST(test_accepted_event_gets_202)
{
	char type[256], id[256];
	open_door();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(wire_header(&answer, "Content-Type", type), "application/json");
	wire_header(&answer, "X-Request-Id", id);
	json_t *document = json_loadb(answer.body, answer.body_size, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(document, "status")), "accepted");
	ck_assert_str_eq(json_string_value(json_object_get(document, "message_id")), "m-1");
	ck_assert_str_eq(json_string_value(json_object_get(document, "request_id")), id);
	ck_assert_str_eq(json_string_value(json_object_get(document, "ack")), "stored");
	ck_assert_str_eq(puppet.request_id, id);
	ck_assert_uint_eq(strlen(id), 36);
	ck_assert_int_eq(id[14], '7'); /* UUIDv7 */
	json_decref(document);
	(void)close(fd);
}
END_TEST

START_TEST(test_outcomes_become_answers)
{
	static const struct {
		enum event_outcome outcome;
		int status;
		const char *word; /* NULL: a problem */
	} cases[] = {
		{OUTCOME_DUPLICATE, 200, "duplicate"}, {OUTCOME_CONFLICT, 422, NULL}, {OUTCOME_REJECTED, 400, NULL},
		{OUTCOME_REJECTED, 401, NULL},         {OUTCOME_FAILED, 500, NULL},   {OUTCOME_FAILED, 503, NULL},
	};
	char value[256];
	open_door();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		puppet.answer.outcome = cases[i].outcome;
		puppet.answer.status = cases[i].status;
		puppet.answer.detail = "a \"sentence\"";
		post(fd, "", "{}");
		ck_assert_int_eq(answer.status, cases[i].status);
		if (cases[i].word) {
			json_t *document = json_loadb(answer.body, answer.body_size, 0, NULL);
			ck_assert_str_eq(json_string_value(json_object_get(document, "status")), cases[i].word);
			json_decref(document);
		} else {
			json_t *document = problem(cases[i].status);
			ck_assert_str_eq(json_string_value(json_object_get(document, "detail")), "a \"sentence\"");
			json_decref(document);
		}
		ck_assert_str_eq(wire_header(&answer, "Retry-After", value), cases[i].status == 503 ? "1" : "");
		ck_assert_int_eq(wire_header(&answer, "WWW-Authenticate", value)[0] != '\0', cases[i].status == 401);
	}
	(void)close(fd);
}
END_TEST

START_TEST(test_delay_of_stage_becomes_retry_after_in_whole_seconds)
{
	char value[256];
	puppet.answer = (struct event_answer){
		.outcome = OUTCOME_FAILED, .status = 503, .detail = "", .delay_ns = 2500 * NS_PER_MS};
	open_door();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "3");
	(void)close(fd);
}
END_TEST

START_TEST(test_request_id_of_sender_is_kept_if_printable)
{
	char field[512], long_id[200], id[256];
	open_door();
	int fd = wire_connect(port);
	post(fd, "X-Request-Id: mine-1 \"x\"\r\n", "{}");
	ck_assert_str_eq(wire_header(&answer, "X-Request-Id", id), "mine-1 \"x\"");
	ck_assert_str_eq(puppet.request_id, "mine-1 \"x\"");
	memset(long_id, 'a', 129);
	long_id[129] = '\0';
	(void)snprintf(field, sizeof(field), "X-Request-Id: %s\r\n", long_id);
	post(fd, field, "{}");
	ck_assert_uint_eq(strlen(wire_header(&answer, "X-Request-Id", id)), 36);
	(void)snprintf(field, sizeof(field), "X-Request-Id: %s\r\n", long_id + 1);
	post(fd, field, "{}");
	ck_assert_str_eq(wire_header(&answer, "X-Request-Id", id), long_id + 1);
	post(fd, "X-Request-Id: caf\xc3\xa9\r\n", "{}");
	ck_assert_uint_eq(strlen(wire_header(&answer, "X-Request-Id", id)), 36);
	(void)close(fd);
}
END_TEST

START_TEST(test_event_carries_headers_and_trace_context)
{
	static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	open_door();
	int fd = wire_connect(port);
	post(fd,
	     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX-Test:  a b \r\nX-Empty:\r\n",
	     "{}");
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(puppet.traceparent, trace);
	ck_assert_str_eq(puppet.header, "a b");
	ck_assert_uint_eq(puppet.header_count, 6);
	ck_assert_int_gt(puppet.deadline_in_ns, 19 * NS_PER_S);
	ck_assert_int_le(puppet.deadline_in_ns, 20 * NS_PER_S);
	(void)close(fd);
}
END_TEST

static char *make_body(size_t size)
{
	char *body = malloc(size);
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 31 + i / 251);
	return body;
}

START_TEST(test_body_arrives_byte_for_byte)
{
	static const size_t sizes[] = {0, 1, 100, 16 * 1024, 16 * 1024 + 1, 100000, 256 * 1024};
	open_door();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *body = make_body(sizes[i]);
		wire_post(fd, "/webhooks", "", body, sizes[i]);
		wire_read(fd, &answer);
		ck_assert_int_eq(answer.status, 202);
		ck_assert_uint_eq(puppet.body_size, sizes[i]);
		ck_assert_int_eq(memcmp(puppet.body, body, sizes[i]), 0);
		free(body);
	}
	(void)close(fd);
}
END_TEST

START_TEST(test_chunked_body_arrives_byte_for_byte)
{
	char *body = make_body(200000);
	char size[32];
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0; at < 200000;) {
		size_t part = at % 7919 + 1;
		part = part > 200000 - at ? 200000 - at : part;
		(void)snprintf(size, sizeof(size), "%zx\r\n", part);
		wire_say(fd, size);
		wire_send(fd, body + at, part);
		wire_say(fd, "\r\n");
		at += part;
	}
	wire_say(fd, "0\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	ck_assert_uint_eq(puppet.body_size, 200000);
	ck_assert_int_eq(memcmp(puppet.body, body, 200000), 0);
	free(body);
	(void)close(fd);
}
END_TEST

START_TEST(test_pipelined_requests_are_answered_in_order)
{
	atomic_store(&puppet.fate, LATER);
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\nContent-Length: 2\r\n\r\n{}"
	             "POST /webhooks HTTP/1.1\r\nHost: x\r\nX-Request-Id: two\r\nContent-Length: 2\r\n\r\n{}");
	size_t size = 0;
	while (!strstr(answer.text, "two\r\n") || answer.text[size - 1] != '}') {
		size += wire_receive(fd, answer.text + size, sizeof(answer.text) - size - 1);
		answer.text[size] = '\0';
	}
	ck_assert(strstr(answer.text, "X-Request-Id: one") < strstr(answer.text, "X-Request-Id: two"));
	(void)close(fd);
}
END_TEST

START_TEST(test_expectation_is_met)
{
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	char go_on[64] = "";
	ck_assert_uint_gt(wire_receive(fd, go_on, sizeof(go_on) - 1), 0);
	ck_assert_ptr_nonnull(strstr(go_on, "100 Continue"));
	wire_say(fd, "{}");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);
}
END_TEST

/* What is refused at the door. */

START_TEST(test_conflicting_framing_is_refused_and_the_connection_closed)
{
	static const char *const heads[] = {
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
		"Content-Length: 2\r\nContent-Length: 2\r\n",
		"Content-Length: 2\r\nContent-Length: 3\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked, chunked\r\n",
		"Transfer-Encoding: identity\r\n",
		"Content-Length : 2\r\n",
	};
	static const char *const methods[] = {"POST", "GET"};
	char request[512];
	open_door();
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		for (size_t j = 0; j < 2; j++) {
			int fd = wire_connect(port);
			(void)snprintf(request, sizeof(request), "%s /webhooks HTTP/1.1\r\nHost: x\r\n%s\r\n",
			               methods[j], heads[i]);
			wire_say(fd, request);
			wire_read(fd, &answer);
			expect_problem(400);
			ck_assert_msg(wire_is_closed(fd), "still open after %s", heads[i]);
			(void)close(fd);
		}
	}
	ck_assert_uint_eq(atomic_load(&puppet.submitted), 0);
}
END_TEST

START_TEST(test_transfer_encoding_in_http_1_0_is_refused)
{
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
	wire_read(fd, &answer);
	expect_problem(400);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_small_refused_request_keeps_its_connection)
{
	static const struct {
		const char *head;
		int status;
		const char *allow;
	} cases[] = {
		{"POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 404, ""},
		{"GET /webhooks HTTP/1.1\r\nHost: x\r\n\r\n", 405, "POST"},
		{"PUT /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 405, "POST"},
		{"POST /webhooks HTTP/1.1\r\nHost: x\r\n\r\n", 411, ""},
		{"POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 415,
	         ""},
		{"POST /elsewhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	         404, ""},
		{"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n", 404, ""},
	};
	char allow[256];
	open_door();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wire_say(fd, cases[i].head);
		wire_read(fd, &answer);
		expect_problem(cases[i].status);
		ck_assert_str_eq(wire_header(&answer, "Allow", allow), cases[i].allow);
	}
	post(fd, "Content-Encoding: identity\r\n", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);
}
END_TEST

START_TEST(test_large_body_is_413_and_the_connection_closed)
{
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 262145\r\n\r\n");
	wire_read(fd, &answer);
	expect_problem(413);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
	ck_assert_uint_eq(atomic_load(&puppet.inside), 0);
}
END_TEST

START_TEST(test_chunked_body_over_the_limit_is_413)
{
	char *body = make_body(256 * 1024 + 1);
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n");
	wire_send(fd, body, 256 * 1024 + 1);
	wire_say(fd, "\r\n0\r\n\r\n");
	wire_read(fd, &answer);
	expect_problem(413); /* a little over: read, and the connection kept */
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);

	fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		wire_say(fd, "40000\r\n");
		wire_send(fd, body, 256 * 1024);
		wire_say(fd, "\r\n");
	}
	wire_read(fd, &answer);
	expect_problem(413); /* without end: told, and closed */
	(void)close(fd);
	free(body);
	wait_for(&puppet.inside, 0);
}
END_TEST

START_TEST(test_large_headers_are_431)
{
	char *request = malloc(20000);
	open_door();
	int fd = wire_connect(port);
	int size = snprintf(request, 20000,
	                    "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nX-Large: %09000d\r\n\r\n", 0);
	wire_send(fd, request, (size_t)size);
	wire_read(fd, &answer);
	expect_problem(431);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);

	fd = wire_connect(port);
	size = snprintf(request, 20000, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n");
	for (int i = 0; i < REQUEST_HEADERS_MAX; i++)
		size += snprintf(request + size, (size_t)(20000 - size), "X-%d: y\r\n", i);
	(void)snprintf(request + size, (size_t)(20000 - size), "\r\n");
	wire_say(fd, request);
	wire_read(fd, &answer);
	expect_problem(431);
	(void)close(fd);
	free(request);
}
END_TEST

START_TEST(test_bound_on_events_is_503_with_retry_after)
{
	char value[256];
	puppet.config.events.max = 1;
	puppet.config.listen.retry_after.ns = 7 * NS_PER_S;
	atomic_store(&puppet.fate, KEPT);
	open_door();
	int first = wire_connect(port), second = wire_connect(port);
	wire_post(first, "/webhooks", "", "{}", 2);
	wait_for(&puppet.submitted, 1);
	post(second, "", "{}");
	expect_problem(503);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "7");
	release();
	wire_read(first, &answer);
	ck_assert_int_eq(answer.status, 202);
	wait_for(&puppet.inside, 0);
	post(second, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(first);
	(void)close(second);
}
END_TEST

START_TEST(test_bound_on_bytes_is_503)
{
	char *body = make_body(200 * 1024);
	puppet.budget.limit = 100 * 1024;
	open_door();
	int fd = wire_connect(port);
	wire_post(fd, "/webhooks", "", body, 200 * 1024);
	wire_read(fd, &answer);
	expect_problem(503);
	(void)close(fd);
	fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);
	free(body);
}
END_TEST

START_TEST(test_connection_above_the_limit_is_told_so)
{
	puppet.config.listen.max_connections = 2;
	open_door();
	int first = wire_connect(port), second = wire_connect(port);
	post(first, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	post(second, "", "{}");
	int third = wire_connect(port);
	wire_read(third, &answer);
	expect_problem(503);
	ck_assert(wire_is_closed(third));
	(void)close(second);
	(void)close(third);
	for (answer.status = 503; answer.status == 503;) { /* until the server has noticed */
		third = wire_connect(port);
		wire_post(third, "/webhooks", "", "{}", 2);
		wire_read(third, &answer);
		(void)close(third);
	}
	ck_assert_int_eq(answer.status, 202);
	(void)close(first);
}
END_TEST

/* Time. */

START_TEST(test_slow_headers_end_with_408)
{
	puppet.config.listen.header_timeout.ns = 200 * NS_PER_MS;
	open_door();
	static const char *const beginnings[] = {"POST /web", "POST /webhooks HTTP/1.1\r\nHost: x\r\n"};
	for (size_t i = 0; i < 2; i++) {
		const int64_t start_ns = clock_now_ns();
		int fd = wire_connect(port);
		wire_say(fd, beginnings[i]);
		while (wire_has_nothing(fd, 20))
			wire_say(fd, "x"); /* never idle, never done */
		wire_read(fd, &answer);
		expect_problem(408);
		ck_assert_int_ge(clock_now_ns() - start_ns, 200 * NS_PER_MS);
		ck_assert(wire_is_closed(fd));
		(void)close(fd);
	}
}
END_TEST

START_TEST(test_slow_body_ends_with_408)
{
	puppet.config.listen.body_timeout.ns = 200 * NS_PER_MS;
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
	while (wire_has_nothing(fd, 20))
		wire_say(fd, "x");
	wire_read(fd, &answer);
	expect_problem(408);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
	wait_for(&puppet.discarded, 1);
}
END_TEST

START_TEST(test_untouched_connection_is_closed_without_a_word)
{
	puppet.config.listen.header_timeout.ns = 100 * NS_PER_MS;
	open_door();
	int fd = wire_connect(port);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_idle_connection_is_kept_for_keep_alive)
{
	puppet.config.listen.header_timeout.ns = 50 * NS_PER_MS;
	puppet.config.listen.keep_alive.ns = 300 * NS_PER_MS;
	open_door();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	const int64_t idle_ns = clock_now_ns();
	ck_assert(wire_is_closed(fd));
	ck_assert_int_ge(clock_now_ns() - idle_ns, 290 * NS_PER_MS);
	(void)close(fd);
}
END_TEST

START_TEST(test_keep_alive_of_zero_closes_after_each_answer)
{
	char value[256];
	puppet.config.listen.keep_alive.ns = 0;
	open_door();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(wire_header(&answer, "Connection", value), "close");
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_deadline_answers_503_while_the_event_goes_on)
{
	struct lineage_entry entry;
	char value[256];
	puppet.config.listen.deadline.ns = 150 * NS_PER_MS;
	atomic_store(&puppet.fate, KEPT);
	open_door();
	int fd = wire_connect(port);
	const int64_t start_ns = clock_now_ns();
	post(fd, "X-Request-Id: late\r\n", "{}");
	expect_problem(503);
	ck_assert_int_ge(clock_now_ns() - start_ns, 150 * NS_PER_MS);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "1");
	ck_assert_uint_eq(atomic_load(&puppet.inside), 1);
	release();
	wait_for(&puppet.inside, 0);
	post(fd, "", "{}"); /* the connection lives on, and nobody answers it twice */
	ck_assert_int_eq(answer.status, 202);
	ck_assert(lineage_find(service.lineage, "late", 4, &entry));
	ck_assert(entry.timed_out);
	ck_assert(entry.times.stages[SLUICE_KIND_AUTH].ran); /* where the time went is known after all */
	(void)close(fd);
}
END_TEST

START_TEST(test_sender_that_hung_up_changes_nothing)
{
	atomic_store(&puppet.fate, KEPT);
	open_door();
	int fd = wire_connect(port);
	wire_post(fd, "/webhooks", "", "{}", 2);
	wait_for(&puppet.submitted, 1);
	const struct linger reset = {.l_onoff = 1};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(fd);
	release();
	wait_for(&puppet.inside, 0);
	fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);
}
END_TEST

START_TEST(test_sender_that_leaves_in_the_body_gives_its_event_back)
{
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
	wait_for(&puppet.inside, 1);
	(void)close(fd);
	wait_for(&puppet.inside, 0);
	ck_assert_uint_eq(atomic_load(&puppet.discarded), 1);
}
END_TEST

START_TEST(test_many_idle_and_slow_senders_do_not_stop_service)
{
	enum { IDLE = 400, SLOW = 100 };
	int idle[IDLE], slow[SLOW];
	open_door();
	for (int i = 0; i < IDLE; i++)
		idle[i] = wire_connect(port);
	for (int i = 0; i < SLOW; i++) {
		slow[i] = wire_connect(port);
		wire_say(slow[i],
		         i % 2 ? "POST /w" : "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n");
	}
	int fd = wire_connect(port);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < SLOW; i++)
			wire_say(slow[i], "x");
		post(fd, "", "{}");
		ck_assert_int_eq(answer.status, 202);
	}
	for (int i = 0; i < IDLE; i++)
		(void)close(idle[i]);
	for (int i = 0; i < SLOW; i++)
		(void)close(slow[i]);
	(void)close(fd);
}
END_TEST

/* Both sides at once. */

struct sender {
	pthread_t thread;
	int requests;
	int statuses[600];
	atomic_bool *stop;
};

/* Sends until told to stop or until the server closes; counts what it was answered. */
static void *send_many(void *context)
{
	struct sender *sender = context;
	struct wire_answer *got = malloc(sizeof(*got));
	int fd = wire_connect(port);
	for (int i = 0; i < sender->requests && !(sender->stop && atomic_load(sender->stop)); i++) {
		wire_post(fd, "/webhooks", "", "{}", 2);
		wire_read(fd, got);
		sender->statuses[got->status]++;
		if (got->status == 0)
			break;
	}
	(void)close(fd);
	free(got);
	return NULL;
}

START_TEST(test_answers_meet_their_requests_from_any_thread)
{
	enum { SENDERS = 8, REQUESTS = 500 };
	struct sender senders[SENDERS];
	atomic_store(&puppet.fate, LATER); /* races the suspend every time */
	open_door();
	memset(senders, 0, sizeof(senders));
	for (int i = 0; i < SENDERS; i++) {
		senders[i].requests = REQUESTS;
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
	}
	for (int i = 0; i < SENDERS; i++) {
		(void)pthread_join(senders[i].thread, NULL);
		ck_assert_int_eq(senders[i].statuses[202], REQUESTS);
	}
	ck_assert_uint_eq(atomic_load(&service.statuses[202]), SENDERS * REQUESTS);
}
END_TEST

START_TEST(test_deadlines_and_answers_race_without_harm)
{
	enum { SENDERS = 8, REQUESTS = 60 };
	struct sender senders[SENDERS];
	puppet.config.listen.deadline.ns = 1;
	open_door();
	memset(senders, 0, sizeof(senders));
	for (int i = 0; i < SENDERS; i++) {
		senders[i].requests = REQUESTS;
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
	}
	for (int i = 0; i < 40; i++) { /* each sweep meets answers that are just being given */
		atomic_store(&puppet.fate, KEPT);
		(void)nanosleep(&(struct timespec){.tv_nsec = 49 * NS_PER_MS}, NULL);
		release();
		(void)nanosleep(&(struct timespec){.tv_nsec = 3 * NS_PER_MS}, NULL);
	}
	for (int i = 0; i < SENDERS; i++) {
		(void)pthread_join(senders[i].thread, NULL);
		ck_assert_int_eq(senders[i].statuses[202] + senders[i].statuses[503], REQUESTS);
	}
}
END_TEST

/* Going. */

static void *release_on_thread(void *unused)
{
	(void)unused;
	release();
	return NULL;
}

static void *stop_on_thread(void *unused)
{
	(void)unused;
	(void)stop_within(5 * NS_PER_S);
	return NULL;
}

START_TEST(test_stop_answers_what_is_in_flight)
{
	enum { COUNT = 20 };
	int fds[COUNT];
	atomic_store(&puppet.fate, KEPT);
	open_door();
	for (int i = 0; i < COUNT; i++) {
		fds[i] = wire_connect(port);
		wire_post(fds[i], "/webhooks", "", "{}", 2);
	}
	wait_for(&puppet.submitted, COUNT);
	pthread_t releaser;
	ck_assert_int_eq(pthread_create(&releaser, NULL, release_on_thread, NULL), 0);
	ck_assert_uint_eq(stop_within(5 * NS_PER_S), 0);
	(void)pthread_join(releaser, NULL);
	for (int i = 0; i < COUNT; i++) {
		wire_read(fds[i], &answer);
		ck_assert_int_eq(answer.status, 202);
		ck_assert(wire_is_closed(fds[i]));
		(void)close(fds[i]);
	}
}
END_TEST

START_TEST(test_stop_at_its_deadline_settles_with_503)
{
	enum { COUNT = 20 };
	int fds[COUNT];
	atomic_store(&puppet.fate, KEPT);
	open_door();
	for (int i = 0; i < COUNT; i++) {
		fds[i] = wire_connect(port);
		wire_post(fds[i], "/webhooks", "", "{}", 2);
	}
	wait_for(&puppet.submitted, COUNT);
	ck_assert_uint_eq(stop_within(300 * NS_PER_MS), COUNT);
	for (int i = 0; i < COUNT; i++) {
		wire_read(fds[i], &answer);
		expect_problem(503);
		(void)close(fds[i]);
	}
}
END_TEST

START_TEST(test_stop_gives_up_half_a_body)
{
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
	wait_for(&puppet.inside, 1);
	ck_assert_uint_eq(stop_within(400 * NS_PER_MS), 0);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_stop_lets_a_body_arrive)
{
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{");
	wait_for(&puppet.inside, 1);
	pthread_t stopper;
	ck_assert_int_eq(
		pthread_create(&stopper, NULL, stop_on_thread, NULL), 0);
	while (!atomic_load(&service.draining))
		pause_briefly();
	wire_say(fd, "}");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	ck_assert(wire_is_closed(fd));
	(void)pthread_join(stopper, NULL);
	(void)close(fd);
}
END_TEST

START_TEST(test_stop_under_load_answers_or_closes)
{
	enum { SENDERS = 8 };
	struct sender senders[SENDERS];
	atomic_store(&puppet.fate, _i % 2 ? LATER : AT_ONCE);
	open_door();
	memset(senders, 0, sizeof(senders));
	for (int i = 0; i < SENDERS; i++) {
		senders[i].requests = 1000000;
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
	}
	while (atomic_load(&puppet.submitted) < 200)
		pause_briefly();
	ck_assert_uint_eq(stop_within(5 * NS_PER_S), 0);
	int answered = 0;
	for (int i = 0; i < SENDERS; i++) {
		(void)pthread_join(senders[i].thread, NULL);
		answered += senders[i].statuses[202];
	}
	ck_assert_uint_le((size_t)answered, atomic_load(&puppet.submitted));
	ck_assert_int_ge(answered, 200 - SENDERS);
}
END_TEST

/* Settings. */

START_TEST(test_health_on_the_public_door)
{
	puppet.config.listen.health = true;
	open_door();
	int fd = wire_connect(port);
	wire_say(fd, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "{\"status\":\"ok\"}"));
	puppet.unhealthy = "the store is away";
	wire_say(fd, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 503);
	ck_assert_ptr_nonnull(strstr(answer.body, "the store is away"));
	wire_say(fd, "DELETE /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_read(fd, &answer);
	expect_problem(405);
	(void)close(fd);
}
END_TEST

START_TEST(test_server_timing_tells_the_stages)
{
	char value[256];
	puppet.config.listen.server_timing = true;
	open_door();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	double auth, total;
	ck_assert_int_eq(
		sscanf(wire_header(&answer, "Server-Timing", value), "auth;dur=%lf, total;dur=%lf", &auth, &total), 2);
	(void)close(fd);
}
END_TEST

START_TEST(test_answers_are_compressed_where_accepted)
{
	char value[256], plain[4096];
	puppet.config.listen.compression = true;
	open_door();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_str_eq(wire_header(&answer, "Content-Encoding", value), "");
	ck_assert_str_eq(wire_header(&answer, "Vary", value), "Accept-Encoding");
	post(fd, "Accept-Encoding: br, gzip;q=0.8\r\n", "{}");
	ck_assert_str_eq(wire_header(&answer, "Content-Encoding", value), "gzip");
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)answer.body,
	                   .avail_in = (uInt)answer.body_size,
	                   .next_out = (Bytef *)plain,
	                   .avail_out = sizeof(plain)};
	ck_assert_int_eq(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
	ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
	json_t *document = json_loadb(plain, stream.total_out, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(document, "status")), "accepted");
	json_decref(document);
	(void)inflateEnd(&stream);
	(void)close(fd);
}
END_TEST

START_TEST(test_accept_encoding_is_understood)
{
	static const struct {
		const char *field;
		bool accepts;
	} cases[] = {
		{NULL, false},
		{"", false},
		{"gzip", true},
		{"GZIP", true},
		{"deflate", false},
		{"deflate, gzip", true},
		{"gzip;q=0", false},
		{"gzip;q=0.0", false},
		{"gzip; q=0.5", true},
		{"*", true},
		{"*;q=0", false},
		{"gzip;q=0, *", false},
		{"identity, *;q=0.1", true},
		{"x-gzip", false},
		{",,gzip", true},
		{"br;q=1, gzip;q=0", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(reply_accepts_gzip(cases[i].field) == cases[i].accepts, "%s",
		              cases[i].field ? cases[i].field : "-");
}
END_TEST

START_TEST(test_occupied_port_is_named)
{
	struct sluice_error error = {0};
	open_door();
	puppet.config.listen.port = port;
	ck_assert_ptr_null(server_start(&service, &error));
	ck_assert_msg(strstr(error.text, "127.0.0.1 port") && strstr(error.text, "another program has it"), "%s",
	              error.text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_accepted_event_gets_202,
		test_outcomes_become_answers,
		test_delay_of_stage_becomes_retry_after_in_whole_seconds,
		test_request_id_of_sender_is_kept_if_printable,
		test_event_carries_headers_and_trace_context,
		test_body_arrives_byte_for_byte,
		test_chunked_body_arrives_byte_for_byte,
		test_pipelined_requests_are_answered_in_order,
		test_expectation_is_met,
		test_conflicting_framing_is_refused_and_the_connection_closed,
		test_transfer_encoding_in_http_1_0_is_refused,
		test_small_refused_request_keeps_its_connection,
		test_large_body_is_413_and_the_connection_closed,
		test_chunked_body_over_the_limit_is_413,
		test_large_headers_are_431,
		test_bound_on_events_is_503_with_retry_after,
		test_bound_on_bytes_is_503,
		test_connection_above_the_limit_is_told_so,
		test_slow_headers_end_with_408,
		test_slow_body_ends_with_408,
		test_untouched_connection_is_closed_without_a_word,
		test_idle_connection_is_kept_for_keep_alive,
		test_keep_alive_of_zero_closes_after_each_answer,
		test_deadline_answers_503_while_the_event_goes_on,
		test_sender_that_hung_up_changes_nothing,
		test_sender_that_leaves_in_the_body_gives_its_event_back,
		test_many_idle_and_slow_senders_do_not_stop_service,
		test_answers_meet_their_requests_from_any_thread,
		test_deadlines_and_answers_race_without_harm,
		test_stop_answers_what_is_in_flight,
		test_stop_at_its_deadline_settles_with_503,
		test_stop_gives_up_half_a_body,
		test_stop_lets_a_body_arrive,
		test_health_on_the_public_door,
		test_server_timing_tells_the_stages,
		test_answers_are_compressed_where_accepted,
		test_accept_encoding_is_understood,
		test_occupied_port_is_named,
	};
	Suite *suite = suite_create("server");
	TCase *door = tcase_create("door");
	tcase_add_checked_fixture(door, prepare, close_door);
	tcase_set_timeout(door, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(door, tests[i]);
	tcase_add_loop_test(door, test_stop_under_load_answers_or_closes, 0, 6);
	suite_add_tcase(suite, door);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
