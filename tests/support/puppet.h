/*
 * The webhook listener on a free port with a puppet for a pipeline behind it, which ends its events at once, later from
 * another thread, or not before the test says so. Included by one file of a test program: it defines the pipeline's
 * functions.
 */
#ifndef TESTS_PUPPET_H
#define TESTS_PUPPET_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/generation.h"
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
	_Atomic int64_t limited_ns; /* how long senders are told to wait; 0: they may send */
	atomic_size_t inside, receiving, submitted, discarded, excess;
	struct event_answer answer; /* its outcome, status, detail, delay and response */
	const char *unhealthy;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct event_list waiting;
	bool leaving;
	pthread_t answerer;

	/* Of the last event submitted. */
	char body[1 << 20], traceparent[128], request_id[129], header[256];
	char facts[1024];  /* "POST https://AUTHORITY/PATH?QUERY CLIENT PUBLIC_URL"; "-": absent */
	char fields[8192]; /* "NAME=VALUE;" for each header field */
	size_t body_size, header_count;
	int64_t deadline_in_ns;
};

static struct pipeline puppet;
static struct service service;
static struct server *server;
static int port;
static struct wire_answer answer;

struct event *pipeline_receive(struct pipeline *pipeline)
{
	struct event *event = must_calloc(1, sizeof(*event));
	event->pipeline = pipeline;
	atomic_fetch_add(&pipeline->receiving, 1);
	arena_init(&event->arena, 1024, &pipeline->budget);
	return event;
}

bool pipeline_admit(struct event *event)
{
	struct pipeline *pipeline = event->pipeline;
	event->admitted = atomic_fetch_add(&pipeline->inside, 1) < (size_t)pipeline->config.events.max;
	atomic_fetch_sub(event->admitted ? &pipeline->receiving : &pipeline->inside, 1);
	return event->admitted;
}

/* The puppet stands for all of its generations. */
struct generations *pipeline_generations(struct pipeline *pipeline)
{
	return (struct generations *)pipeline;
}

struct event *generations_receive(struct generations *generations)
{
	return pipeline_receive((struct pipeline *)generations);
}

bool generations_admit(struct generations *generations, struct event *event)
{
	(void)generations;
	return pipeline_admit(event);
}

size_t generations_excess(const struct generations *generations)
{
	return atomic_load(&((const struct pipeline *)generations)->excess);
}

int64_t generations_limit(struct generations *generations, const struct listen_config *listen, enum rate_by by,
                          struct sluice_bytes key)
{
	(void)listen, (void)by, (void)key;
	return atomic_load(&((const struct pipeline *)generations)->limited_ns);
}

static inline void free_event(struct event *event)
{
	arena_finish(&event->arena);
	atomic_fetch_sub(event->admitted ? &event->pipeline->inside : &event->pipeline->receiving, 1);
	free(event);
}

void pipeline_discard(struct event *event)
{
	atomic_fetch_add(&event->pipeline->discarded, 1);
	free_event(event);
}

static inline void finish_event(struct event *event)
{
	struct event_answer said = event->pipeline->answer;
	event->pub.message_id = (struct sluice_bytes){"m-1", 3};
	event->times.stages[SLUICE_KIND_AUTH].ran = true;
	event->times.stages[SLUICE_KIND_AUTH].exit_ns = event->times.ack_ns = clock_now_ns();
	said.event = &event->pub;
	said.times = &event->times;
	said.response = said.response ? said.response : &event->response;
	event->answer(event->answer_context, &said);
	free_event(event);
}

static inline void append(char *text, size_t room, struct sluice_bytes bytes, const char *before)
{
	size_t size = strlen(text);
	if (bytes.data)
		ck_assert_int_eq(bytes.data[bytes.size], '\0');
	(void)snprintf(text + size, room - size, "%s%s", before, bytes.data ? bytes.data : "-");
}

static inline void remember_facts(struct pipeline *pipeline, const struct sluice_event *pub)
{
	const struct {
		const char *before;
		struct sluice_bytes bytes;
	} facts[] = {
		{"", pub->method}, {" ", pub->scheme},         {"://", pub->authority}, {"", pub->path},
		{"?", pub->query}, {" ", pub->client_address}, {" ", pub->public_url},
	};
	pipeline->facts[0] = pipeline->fields[0] = '\0';
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		append(pipeline->facts, sizeof(pipeline->facts), facts[i].bytes, facts[i].before);
	for (size_t i = 0; i < pub->header_count; i++) {
		append(pipeline->fields, sizeof(pipeline->fields), pub->headers[i].name, i ? ";" : "");
		append(pipeline->fields, sizeof(pipeline->fields), pub->headers[i].value, "=");
	}
}

static inline void remember(struct pipeline *pipeline, const struct event *event)
{
	(void)pthread_mutex_lock(&pipeline->lock);
	const struct sluice_event *pub = &event->pub;
	ck_assert_int_eq(pub->body.data[pub->body.size], '\0');
	memcpy(pipeline->body, pub->body.data, pub->body.size);
	pipeline->body_size = pub->body.size;
	pipeline->header_count = pub->header_count;
	remember_facts(pipeline, pub);
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

static inline void *answer_later(void *context)
{
	struct pipeline *pipeline = context;
	(void)pthread_mutex_lock(&pipeline->lock);
	while (!pipeline->leaving || pipeline->waiting.first) {
		bool keeps = atomic_load(&pipeline->fate) == KEPT && !pipeline->leaving;
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

static inline void release(void)
{
	(void)pthread_mutex_lock(&puppet.lock);
	atomic_store(&puppet.fate, LATER);
	(void)pthread_cond_broadcast(&puppet.changed);
	(void)pthread_mutex_unlock(&puppet.lock);
}

static inline void pause_briefly(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
}

static inline void wait_for(atomic_size_t *count, size_t value)
{
	int64_t until_ns = clock_now_ns() + WIRE_PATIENCE_MS * NS_PER_MS;
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

static inline void prepare(void)
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
		.observability = {.lineage_recent = 100, .lineage_slowest = 10},
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
static inline void start_listening(void)
{
	struct sluice_error error = {0};
	char url[LISTENER_URL_SIZE];
	service_init(&service, &puppet, NULL);
	server = server_start(&service, &error);
	ck_assert_msg(server != NULL, "%s", error.text);
	server_get_url(server, url);
	port = wire_port(url);
}

static inline size_t stop_within(int64_t ns)
{
	size_t left = server_stop(server, clock_now_ns() + ns);
	return left;
}

static inline void stop_listening(void)
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

static inline void post(int fd, const char *fields, const char *body)
{
	wire_post(fd, "/webhooks", fields, body, strlen(body));
	wire_read(fd, &answer);
}

static inline json_t *problem(int status)
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

static inline void expect_problem(int status)
{
	json_decref(problem(status));
}

static inline char *make_body(size_t size)
{
	char *body = malloc(size);
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 31 + i / 251);
	return body;
}

struct sender {
	pthread_t thread;
	int requests;
	int statuses[600];
	atomic_bool *stop, connected;
};

/* Sends until told to stop or until the server closes; counts what it was answered. */
static inline void *send_many(void *context)
{
	struct sender *sender = context;
	struct wire_answer *got = malloc(sizeof(*got));
	int fd = wire_connect(port);
	atomic_store(&sender->connected, true);
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

/* A suite of one case, each test with a puppet of its own. */
static inline Suite *puppet_suite(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *all = tcase_create("listener");
	tcase_add_checked_fixture(all, prepare, stop_listening);
	tcase_set_timeout(all, 120);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(all, tests[i]);
	suite_add_tcase(suite, all);
	return suite;
}

#endif
