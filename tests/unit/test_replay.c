/*
 * The sending loop against servers by script: what goes out, when, in which order, and what is written down about it.
 */
#include <time.h>

#include "lab/load/about.h"
#include "support/replay_bench.h"
#include "support/unit.h"

START_TEST(test_every_request_is_sent_once)
{
	enum { COUNT = 500 };
	static size_t seen[COUNT];
	serve_by(scripted_accept);
	add_many(COUNT);
	run();
	expect_statuses(202);
	ck_assert_uint_eq(servers[0].count, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		seen[line_of(&servers[0].requests[i])]++;
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_uint_eq(seen[i], 1);
		ck_assert_uint_eq(result.records[i].number, i);
		ck_assert_uint_eq(result.records[i].input, i);
		ck_assert_uint_eq(result.records[i].tries, 1);
	}
	ck_assert_uint_eq(result.retried, 0);
}
END_TEST

START_TEST(test_request_arrives_as_it_was_meant)
{
	static const struct input_header headers[] = {
		{"X-Of-The-Line", "a, b"}, {"content-type", "text/plain"}, {"Content-Length", "1"}, {"HOST", "else"}};
	char value[256], host[64];
	serve_by(scripted_accept);
	plan.targets[0].id_prefix = "fresh-";
	plan.request_first = 40;
	plan.block = 3;
	plan.targets[0].arm = 1;
	struct input_event *event = add(INPUT_NEW, "m-1", NULL);
	event->headers = headers;
	event->header_count = sizeof(headers) / sizeof(headers[0]);
	run();
	const struct scripted_request *request = &servers[0].requests[0];
	(void)snprintf(host, sizeof(host), "127.0.0.1:%d", servers[0].port);
	ck_assert_int_eq(strncmp(request->text, "POST /webhooks HTTP/1.1\r\n", 25), 0);
	ck_assert_str_eq(request->body, "{\"id\":\"fresh-m-1\"}");
	ck_assert_str_eq(scripted_header(request, "Host", value), host);
	ck_assert_str_eq(scripted_header(request, "X-Request-Id", value), "r-test-40");
	ck_assert_str_eq(scripted_header(request, "X-Of-The-Line", value), "a, b");
	ck_assert_str_eq(scripted_header(request, "Content-Type", value), "text/plain");
	ck_assert_str_eq(scripted_header(request, "Content-Length", value), "18");
	const struct trace_record *record = &result.records[0];
	ck_assert_uint_eq(record->request, trace_key("r-test-40", 9));
	ck_assert_uint_eq(record->message, trace_key("fresh-m-1", 9));
	ck_assert_uint_eq(record->number, 40);
	ck_assert_uint_eq(record->block, 3);
	ck_assert_uint_eq(record->arm, 1);
}
END_TEST

START_TEST(test_line_without_a_type_is_json_and_without_a_known_place_keeps_its_id)
{
	char value[256];
	serve_by(scripted_accept);
	plan.targets[0].id_prefix = "fresh-";
	add(INPUT_NEW, "m-1", NULL)->id_at = SIZE_MAX;
	run();
	ck_assert_str_eq(servers[0].requests[0].body, "{\"id\":\"m-1\"}");
	ck_assert_str_eq(scripted_header(&servers[0].requests[0], "Content-Type", value), "application/json");
	ck_assert_uint_eq(result.records[0].message, trace_key("m-1", 3));
}
END_TEST

START_TEST(test_long_message_id_is_known_whole)
{
	char id[1000], sent[1010];
	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	serve_by(scripted_accept);
	plan.targets[0].id_prefix = "fresh-";
	(void)add(INPUT_NEW, id, NULL);
	run();
	int size = snprintf(sent, sizeof(sent), "fresh-%s", id);
	ck_assert_uint_eq(result.records[0].message, trace_key(sent, (size_t)size));
}
END_TEST

START_TEST(test_request_is_signed_and_spoilt_where_that_is_meant)
{
	char values[2][256];
	struct signer *signer = signer_create("github:It's a Secret to Everybody", NULL, &failure);
	plan.signer = signer;
	plan.connections = 1;
	serve_by(scripted_accept);
	add(INPUT_NEW, "m-0", NULL)->body = copy("Hello, World!");
	add(INPUT_BAD_SIGNATURE, "m-1", NULL)->body = copy("Hello, World!");
	input.events[0].id_at = input.events[1].id_at = SIZE_MAX;
	run();
	for (size_t i = 0; i < 2; i++)
		(void)scripted_header(&servers[0].requests[i], "X-Hub-Signature-256", values[i]);
	/* The vector that GitHub has published. */
	ck_assert_str_eq(values[0], "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	ck_assert_uint_eq(strlen(values[1]), strlen(values[0]));
	ck_assert_str_ne(values[1], values[0]);
	signer_free(signer);
}
END_TEST

START_TEST(test_only_the_planned_part_of_the_input_is_sent)
{
	serve_by(scripted_accept);
	add_many(10);
	plan.first = 4;
	plan.count = 3;
	plan.connections = 1;
	ck_assert(replay_run(&plan, NULL, NULL, &result, &failure));
	scripted_stop(&servers[0]);
	ck_assert_uint_eq(result.count, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(line_of(&servers[0].requests[i]), 4 + i);
		ck_assert_uint_eq(result.records[i].input, 4 + i);
	}
}
END_TEST

enum { SLOW_MS = 60 };

static bool slow_at_first(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	if (request->number == 0)
		scripted_take_ms(SLOW_MS);
	return scripted_accept(server, request, fd);
}

START_TEST(test_due_request_waits_for_a_connection_and_the_server_is_charged_for_it)
{
	enum { COUNT = 40 };
	serve_by(slow_at_first);
	add_many(COUNT);
	plan.connections = 1;
	run();
	expect_statuses(202);
	ck_assert_uint_eq(servers[0].count, COUNT);
	const struct trace_record *records = result.records;
	for (size_t i = 1; i < COUNT; i++) {
		int64_t waited_ns = records[i].ready_ns - records[i].intended_ns;
		ck_assert_int_eq(records[i].intended_ns - records[0].intended_ns, (int64_t)i * NS_PER_MS);
		ck_assert_int_ge(waited_ns + replay_lag_ns(&records[i]), (SLOW_MS - (int64_t)i) * NS_PER_MS);
		ck_assert_int_ge(records[i].sent_ns, records[i].ready_ns);
		ck_assert_int_ge(records[i].sent_ns, records[i - 1].answered_ns);
		ck_assert_int_eq(run_corrected_ns(&records[i]),
		                 run_raw_ns(&records[i]) + waited_ns + replay_lag_ns(&records[i]));
	}
	ck_assert_int_ge(records[1].ready_ns - records[1].intended_ns + replay_lag_ns(&records[0]),
	                 (SLOW_MS - 1) * NS_PER_MS);
}
END_TEST

START_TEST(test_closed_loop_intends_a_request_when_its_connection_is_free)
{
	enum { COUNT = 50 };
	serve_by(scripted_accept);
	add_many(COUNT);
	plan.rate = 0;
	plan.connections = 1;
	run();
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_uint_eq(line_of(&servers[0].requests[i]), i);
		ck_assert_int_eq(result.records[i].intended_ns, result.records[i].ready_ns);
	}
}
END_TEST

START_TEST(test_all_connections_are_used_in_turn)
{
	enum { COUNT = 40 };
	size_t requests[SCRIPTED_CONNECTIONS_MAX] = {0}, used = 0;
	serve_by(scripted_accept);
	add_many(COUNT);
	plan.rate = 200;
	run();
	for (size_t i = 0; i < COUNT; i++)
		requests[servers[0].requests[i].connection]++;
	for (size_t i = 0; i < SCRIPTED_CONNECTIONS_MAX; i++)
		used += requests[i] >= COUNT / plan.connections / 2;
	ck_assert_uint_eq(used, plan.connections);
	ck_assert_uint_eq(servers[0].connection_count, plan.connections + 1); /* and the one that tried the address */
}
END_TEST

static int64_t spent_ns(void)
{
	struct timespec spent;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return spent.tv_sec * NS_PER_S + spent.tv_nsec;
}

/* Once: where that takes longer than reports are apart, the next would be due at once, and again. */
static bool burn_time(void *context, const struct replay_progress *progress)
{
	bool *has_burnt = context;
	(void)progress;
	if (*has_burnt)
		return true;
	*has_burnt = true;
	for (const int64_t until_ns = spent_ns() + 400 * NS_PER_MS; spent_ns() < until_ns;)
		;
	return true;
}

static json_t *describe_generator(void)
{
	return about_generator(result.records, result.count,
	                       about_cpu_share(result.cpu_ns, result.end_ns - result.start_ns), about_processors());
}

static bool gives_reason(const json_t *generator, const char *words)
{
	size_t i;
	json_t *reason;
	json_array_foreach (json_object_get(generator, "reasons"), i, reason) {
		if (strstr(json_string_value(reason), words))
			return true;
	}
	return false;
}

/* Where others want the processors, too, some are late; those that are not show what the generator itself takes. */
START_TEST(test_generator_is_in_time_when_nothing_holds_it_up)
{
	size_t in_time = 0;
	serve_by(scripted_accept);
	add_many(600);
	run();
	for (size_t i = 0; i < result.count; i++)
		in_time += replay_lag_ns(&result.records[i]) < NS_PER_MS / 2;
	ck_assert_uint_gt(in_time, result.count / 50);
}
END_TEST

START_TEST(test_generator_that_was_slowed_on_purpose_says_that_it_is_invalid)
{
	serve_by(scripted_accept);
	add_many(1400);
	bool has_burnt = false;
	run_with(burn_time, &has_burnt);
	ck_assert_int_ge(result.late_p95_ns, 100 * NS_PER_MS);
	ck_assert_int_ge(result.cpu_ns, 400 * NS_PER_MS);
	json_t *generator = describe_generator();
	ck_assert(json_is_false(json_object_get(generator, "valid")));
	ck_assert(gives_reason(generator, "the generator was late"));
	json_decref(generator);
}
END_TEST

static _Atomic bool first_is_answered, second_came_early;

/* m-0 is answered when three more have come, all but m-1: that one waits for it. */
static bool hold_the_first(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	size_t line = line_of(request);
	if (line == 0) {
		if (!scripted_wait(server, 4))
			return false;
		atomic_store(&first_is_answered, true);
	}
	if (line == 1 && !atomic_load(&first_is_answered))
		atomic_store(&second_came_early, true);
	return scripted_accept(server, request, fd);
}

START_TEST(test_events_of_a_stream_go_one_after_the_other_and_duplicates_overlap)
{
	serve_by(hold_the_first);
	(void)add(INPUT_NEW, "m-0", "s");
	(void)add(INPUT_NEW, "m-1", "s");
	(void)add(INPUT_DUPLICATE, "m-0", "s");
	(void)add(INPUT_NEW, "m-3", "other");
	(void)add(INPUT_NEW, "m-4", NULL);
	run();
	expect_statuses(202);
	ck_assert(!atomic_load(&second_came_early));
	ck_assert_uint_eq(line_of(&servers[0].requests[4]), 1);
	const struct trace_record *held = &result.records[0], *waited = &result.records[1];
	ck_assert_int_ge(waited->sent_ns, held->answered_ns);
	ck_assert_int_ge(waited->ready_ns, held->answered_ns - replay_lag_ns(held) - NS_PER_MS);
}
END_TEST

static bool answer_unevenly(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	scripted_take_ms((int)(request->number * 7 % 4));
	return scripted_accept(server, request, fd);
}

START_TEST(test_order_within_a_stream_is_that_of_the_input)
{
	enum { COUNT = 300, STREAMS = 5 };
	size_t last[STREAMS] = {0};
	serve_by(answer_unevenly);
	add_many(COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		char name[8];
		(void)snprintf(name, sizeof(name), "s-%zu", i % STREAMS);
		input.events[i].stream = copy(name);
	}
	plan.rate = 0;
	plan.connections = 10;
	run();
	for (size_t i = 0; i < COUNT; i++) {
		size_t line = line_of(&servers[0].requests[i]);
		ck_assert_msg(line < STREAMS || line == last[line % STREAMS] + STREAMS, "line %zu came as number %zu",
		              line, i);
		last[line % STREAMS] = line;
	}
}
END_TEST

START_TEST(test_duet_sends_all_of_one_id_to_the_same_arm)
{
	enum { COUNT = 200 };
	size_t at[SERVERS][COUNT] = {{0}};
	serve_by(scripted_accept);
	serve_by(scripted_accept);
	plan.target_count = 2;
	plan.rate = 2000;
	add_many(COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "m-%zu", i);
		(void)add(INPUT_DUPLICATE, id, NULL);
	}
	run();
	expect_statuses(202);
	for (size_t s = 0; s < SERVERS; s++)
		for (size_t i = 0; i < servers[s].count; i++)
			at[s][line_of(&servers[s].requests[i])]++;
	for (size_t i = 0; i < COUNT; i++) {
		uint8_t arm = result.records[i].arm;
		ck_assert_uint_eq(at[arm][i], 2);
		ck_assert_uint_eq(result.records[COUNT + i].arm, arm);
	}
	ck_assert_uint_gt(servers[0].count, COUNT / 2);
	ck_assert_uint_gt(servers[1].count, COUNT / 2);
}
END_TEST

static Suite *suite(void)
{
	const struct replay_test tests[] = {
		{test_every_request_is_sent_once, 1},
		{test_request_arrives_as_it_was_meant, 1},
		{test_line_without_a_type_is_json_and_without_a_known_place_keeps_its_id, 1},
		{test_long_message_id_is_known_whole, 1},
		{test_request_is_signed_and_spoilt_where_that_is_meant, 1},
		{test_only_the_planned_part_of_the_input_is_sent, 1},
		{test_due_request_waits_for_a_connection_and_the_server_is_charged_for_it, 1},
		{test_closed_loop_intends_a_request_when_its_connection_is_free, 1},
		{test_all_connections_are_used_in_turn, 1},
		{test_generator_is_in_time_when_nothing_holds_it_up, 1},
		{test_generator_that_was_slowed_on_purpose_says_that_it_is_invalid, 1},
		{test_events_of_a_stream_go_one_after_the_other_and_duplicates_overlap, 1},
		{test_order_within_a_stream_is_that_of_the_input, 1},
		{test_duet_sends_all_of_one_id_to_the_same_arm, 1},
	};
	return replay_suite("replay", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_replay, suite)
