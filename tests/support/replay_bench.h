/*
 * A replay under test: an input made line by line, one or two servers by script, and what came of the run.
 */
#ifndef TESTS_REPLAY_BENCH_H
#define TESTS_REPLAY_BENCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "lab/load/replay.h"
#include "lab/run/run.h"
#include "support/scripted_server.h"

enum { SERVERS = 2 };

static struct scripted_server servers[SERVERS];
static size_t server_count;
static struct input input;
static struct replay_plan plan;
static struct replay_result result;
static struct sluice_error failure;

static inline void set_up(void)
{
	input_init(&input);
	plan = (struct replay_plan){.input = &input,
	                            .target_count = 1,
	                            .connections = 4,
	                            .rate = 1000,
	                            .seed = 1,
	                            .request_prefix = "r-test-",
	                            .timeout_ns = 20 * NS_PER_S,
	                            .origin_ns = clock_now_ns()};
}

static inline void serve_by(scripted_answer_fn answer)
{
	char url[64];
	struct scripted_server *server = &servers[server_count];
	struct replay_target *target = &plan.targets[server_count];
	server->answer = answer;
	scripted_start(server);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", server->port);
	ck_assert(replay_target_from_url(url, target, &failure));
	target->arm = (uint8_t)server_count++;
}

static inline void tear_down(void)
{
	replay_free(&result);
	input_finish(&input);
	for (size_t i = 0; i < server_count; i++)
		scripted_free(&servers[i]);
}

static inline struct sluice_bytes copy(const char *text)
{
	return (struct sluice_bytes){arena_strdup(&input.arena, text), strlen(text)};
}

/* A line whose body is {"id":"ID"}. */
static inline struct input_event *add(enum input_kind kind, const char *id, const char *stream)
{
	char body[1024];
	struct input_event *event = input_add(&input);
	(void)snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
	event->kind = kind;
	event->message_id = copy(id);
	event->id_at = strlen("{\"id\":\"");
	event->body = copy(body);
	event->payload_size = event->body.size;
	if (stream)
		event->stream = copy(stream);
	return event;
}

static inline void add_many(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "m-%zu", i);
		(void)add(INPUT_NEW, id, NULL);
	}
}

static inline void run_with(replay_each_fn each, void *context)
{
	plan.count = input.count;
	ck_assert_msg(replay_run(&plan, each, context, &result, &failure), "%s", failure.text);
	for (size_t i = 0; i < server_count; i++)
		scripted_stop(&servers[i]);
}

static inline void run(void)
{
	run_with(NULL, NULL);
	ck_assert(!result.interrupted);
	ck_assert_uint_eq(result.count, input.count);
}

static inline void expect_statuses(int status)
{
	for (size_t i = 0; i < result.count; i++)
		ck_assert_int_eq(result.records[i].status, status);
}

/* The number of the line that the request is about: of "{"id":"m-7"}" it is 7. */
static inline size_t line_of(const struct scripted_request *request)
{
	return strtoul(strstr(request->body, "m-") + 2, NULL, 10);
}

struct replay_test {
	const TTest *test;
	int cases;
};

/* A suite of the tests, each with set_up() and tear_down(). */
static inline Suite *replay_suite(const char *suite, const struct replay_test *tests, size_t count)
{
	Suite *s = suite_create(suite);
	TCase *tc = tcase_create("core");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	for (size_t i = 0; i < count; i++)
		tcase_add_loop_test(tc, tests[i].test, 0, tests[i].cases);
	suite_add_tcase(s, tc);
	return s;
}

#endif
