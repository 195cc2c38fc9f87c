/*
 * What a running pipeline does for its stages beside the flow: responses they add to, ticks, the identity of the store.
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/pipeline.h"
#include "support/unit.h"

static process_fn act;            /* what the auth stage under test does */
static struct sluice_stage *auth; /* it, while the pipeline runs */
static struct sluice_stage *persist;

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	auth = stage;
	return act ? act(stage, event) : SLUICE_PASS;
}

static void store(struct sluice_stage *stage, struct sluice_batch *batch)
{
	persist = stage;
	for (size_t i = 0; i < batch->count; i++)
		batch->verdicts[i] = SLUICE_PASS;
}

static const struct sluice_auth_ops auth_ops = {.process = process};
static const struct sluice_persist_ops persist_ops = {.store = store};

static struct config config;
static struct plugin plugins[KIND_COUNT];

static struct pipeline *start(int64_t (*tick)(struct sluice_stage *stage))
{
	config.events = (struct events_config){.max = 8, .max_bytes = 1 << 20, .arena = 4096, .pool_count = 512};
	plugins[SLUICE_KIND_AUTH].ops = (struct sluice_stage_ops){
		.kind = SLUICE_KIND_AUTH, .of.auth = &auth_ops, .name = "scripted", .tick = tick};
	plugins[SLUICE_KIND_PERSIST].ops = (struct sluice_stage_ops){
		.kind = SLUICE_KIND_PERSIST, .of.persist = &persist_ops, .name = "scripted"};
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		if (plugins[kind].ops.name)
			config.stages[kind] = (struct stage_config){.present = true, .plugin = &plugins[kind]};
	struct sluice_error error = {0};
	struct pipeline *pipeline = pipeline_create(&config, &error);
	ck_assert_msg(pipeline != NULL, "%s", error.text);
	return pipeline;
}

/* How an event ended; texts are copied, as the event is gone by then. */
static struct ending {
	int status, own_status;
	enum event_outcome outcome;
	char detail[SLUICE_DETAIL_MAX], headers[256], type[64], body[64];
} ending;

static void note(char *out, size_t size, struct sluice_bytes bytes)
{
	(void)snprintf(out, size, "%.*s", (int)bytes.size, bytes.data ? bytes.data : "");
}

static void take_answer(void *context, const struct event_answer *answer)
{
	(void)context;
	ending = (struct ending){
		.status = answer->status, .own_status = answer->response->status, .outcome = answer->outcome};
	(void)snprintf(ending.detail, sizeof(ending.detail), "%s", answer->detail);
	for (const struct response_header *header = answer->response->headers; header; header = header->next) {
		size_t used = strlen(ending.headers);
		(void)snprintf(ending.headers + used, sizeof(ending.headers) - used, "%s: %s\n", header->name.data,
		               header->value.data);
	}
	note(ending.type, sizeof(ending.type), answer->response->type);
	note(ending.body, sizeof(ending.body), answer->response->body);
}

/* Sends one event through a pipeline whose auth stage does this. */
static void send(process_fn what)
{
	struct pipeline *pipeline = start(NULL);
	act = what;
	struct event *event = pipeline_receive(pipeline);
	ck_assert(pipeline_admit(event));
	event->answer = take_answer;
	pipeline_submit(event);
	pipeline_destroy(pipeline);
}

static enum sluice_verdict limit_rate(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	ck_assert(sluice_set_header(event, "retry-after", "1"));
	ck_assert(sluice_set_header(event, "Retry-After", "30"));
	ck_assert(sluice_set_header(event, "X-Limit", "7"));
	return sluice_reject(event, 429, "too many from %s", "here");
}

START_TEST(test_a_stage_sets_headers_of_its_response)
{
	send(limit_rate);
	ck_assert_int_eq(ending.status, 429);
	ck_assert_int_eq(ending.outcome, OUTCOME_REJECTED);
	ck_assert_str_eq(ending.detail, "too many from here");
	ck_assert_str_eq(ending.headers, "X-Limit: 7\nretry-after: 30\n");
}
END_TEST

static enum sluice_verdict challenge(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_unauthorized(event, "Basic realm=\"a\"", "no");
}

START_TEST(test_a_challenge_goes_out_with_a_401)
{
	send(challenge);
	ck_assert_int_eq(ending.status, 401);
	ck_assert_str_eq(ending.headers, "WWW-Authenticate: Basic realm=\"a\"\n");
}
END_TEST

static enum sluice_verdict set_forbidden(struct sluice_stage *stage, struct sluice_event *event)
{
	static const char *const pairs[][2] = {
		{"Content-Length", "3"},
		{"transfer-encoding", "chunked"},
		{"Connection", "close"},
		{"Date", "x"},
		{"X-Request-Id", "x"},
		{"Content-Type", "text/plain"},
		{"Server-Timing", "x"},
		{"", "x"},
		{"Content-Encoding", "gzip"},
		{"Upgrade", "x"},
		{"Keep-Alive", "x"},
		{"Trailer", "x"},
		{"A B", "x"},
		{"A:", "x"},
		{"A", "x\r\nB: y"},
		{"A", "\x7f"},
		{"A", ""},
	};
	(void)stage;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		ck_assert_msg(!sluice_set_header(event, pairs[i][0], pairs[i][1]), "%s: %s", pairs[i][0], pairs[i][1]);
	ck_assert(sluice_set_header(event, "A", "a tab\tand h\xc3\xa9"));
	return SLUICE_PASS;
}

START_TEST(test_headers_of_the_server_and_broken_ones_are_refused)
{
	send(set_forbidden);
	ck_assert_int_eq(ending.status, 202);
	ck_assert_str_eq(ending.headers, "A: a tab\tand h\xc3\xa9\n");
}
END_TEST

static enum sluice_verdict shake_hands(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 200, "text/plain", "challenge", 9);
}

static enum sluice_verdict refuse_hand(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 403, "text/html", "<p>", 3);
}

START_TEST(test_a_stage_responds_itself_and_nothing_is_stored)
{
	send(shake_hands);
	ck_assert_int_eq(ending.status, 200);
	ck_assert_int_eq(ending.outcome, OUTCOME_ANSWERED);
	ck_assert_str_eq(ending.type, "text/plain");
	ck_assert_str_eq(ending.body, "challenge");
	ck_assert_ptr_null(persist);
	send(refuse_hand);
	ck_assert_int_eq(ending.status, 403);
	ck_assert_int_eq(ending.outcome, OUTCOME_REJECTED);
	ck_assert_str_eq(ending.body, "<p>");
	ck_assert_ptr_null(persist);
}
END_TEST

static enum sluice_verdict redirect(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 302, "text/plain", "there", 5);
}

static enum sluice_verdict respond_and_reject(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)shake_hands(stage, event);
	return sluice_reject(event, 403, "no");
}

static enum sluice_verdict respond_and_retry(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)shake_hands(stage, event);
	return sluice_retry(event, 0, "later");
}

static enum sluice_verdict respond_and_pass(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)shake_hands(stage, event);
	return SLUICE_PASS;
}

/* A success of the stage's own would say of an event that is refused or not yet stored that all is well. */
START_TEST(test_a_response_goes_out_only_with_its_verdict)
{
	static const struct {
		process_fn what;
		int status;
		enum event_outcome outcome;
	} cases[] = {
		{redirect, 500, OUTCOME_FAILED},
		{respond_and_reject, 403, OUTCOME_REJECTED},
		{respond_and_retry, 503, OUTCOME_FAILED},
		{respond_and_pass, 202, OUTCOME_ACCEPTED},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send(cases[i].what);
		ck_assert_int_eq(ending.status, cases[i].status);
		ck_assert_int_eq(ending.outcome, cases[i].outcome);
		ck_assert_int_eq(ending.own_status, 0);
	}
}
END_TEST

static enum sluice_verdict set_many(struct sluice_stage *stage, struct sluice_event *event)
{
	char large[1501], larger[2049];
	(void)stage;
	memset(large, 'a', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	memset(larger, 'b', sizeof(larger));
	larger[sizeof(larger) - 1] = '\0';
	ck_assert(!sluice_set_header(event, "A", larger));
	ck_assert(sluice_set_header(event, "A", large));
	ck_assert(sluice_set_header(event, "A", large));
	ck_assert(!sluice_set_header(event, "B", large));
	ck_assert(sluice_set_header(event, "A", "short"));
	ck_assert(!sluice_set_header(event, "B", larger + 10));
	ck_assert(sluice_set_header(event, "B", "short, too"));
	return SLUICE_PASS;
}

START_TEST(test_header_fields_of_a_response_are_bounded)
{
	send(set_many);
	ck_assert_int_eq(ending.status, 202);
	ck_assert_str_eq(ending.headers, "B: short, too\nA: short\n");
}
END_TEST

static enum sluice_verdict conflict(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_conflict(event, "another content");
}

static enum sluice_verdict reject_422(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_reject(event, 422, "makes no sense");
}

static enum sluice_verdict say_done(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage, (void)event;
	return SLUICE_DONE;
}

static enum sluice_verdict respond_500(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 500, "text/plain", "x", 1);
}

static enum sluice_verdict respond_0(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 0, "text/plain", "x", 1);
}

static enum sluice_verdict respond_without_type(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 200, "text/plain\r\nX: y", "x", 1);
}

static enum sluice_verdict respond_no_content(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_respond(event, 204, "text/plain", "x", 1);
}

static enum sluice_verdict respond_at_length(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	static const char body[RESPONSE_BODY_MAX + 1];
	return sluice_respond(event, 200, "text/plain", body, sizeof(body));
}

/* A 2xx would say that the event is stored. */
START_TEST(test_done_without_a_valid_response_is_a_500)
{
	static const process_fn broken[] = {say_done,           respond_500,      respond_0, respond_without_type,
	                                    respond_no_content, respond_at_length};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		send(broken[i]);
		ck_assert_msg(ending.status == 500 && ending.outcome == OUTCOME_FAILED, "case %zu: %d", i,
		              ending.status);
		ck_assert_str_eq(ending.body, "");
		ck_assert_ptr_null(persist);
	}
}
END_TEST

START_TEST(test_only_what_is_called_a_conflict_counts_as_one)
{
	send(conflict);
	ck_assert_int_eq(ending.status, 422);
	ck_assert_int_eq(ending.outcome, OUTCOME_CONFLICT);
	send(reject_422);
	ck_assert_int_eq(ending.status, 422);
	ck_assert_int_eq(ending.outcome, OUTCOME_REJECTED);
}
END_TEST

static enum sluice_verdict reject_at_length(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	return sluice_reject(event, 400, "%0*d", 5000, 7);
}

START_TEST(test_a_long_sentence_is_cut)
{
	send(reject_at_length);
	ck_assert_uint_eq(strlen(ending.detail), SLUICE_DETAIL_MAX - 1);
}
END_TEST

static atomic_int ticks;
static int64_t pause_ns;

static int64_t tick(struct sluice_stage *stage)
{
	ck_assert_ptr_nonnull(stage);
	(void)atomic_fetch_add(&ticks, 1);
	return pause_ns;
}

static void wait_for_ticks(int count)
{
	int64_t until_ns = clock_now_ns() + 30 * NS_PER_S;
	while (atomic_load(&ticks) < count) {
		ck_assert_msg(clock_now_ns() < until_ns, "%d ticks of %d", atomic_load(&ticks), count);
		(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
	}
}

START_TEST(test_a_stage_is_ticked_while_no_event_comes)
{
	pause_ns = 0;
	int64_t start_ns = clock_now_ns();
	struct pipeline *pipeline = start(tick);
	wait_for_ticks(5);
	ck_assert_int_ge(clock_now_ns() - start_ns, 40 * NS_PER_MS); /* four pauses of at least 10 ms */
	pipeline_destroy(pipeline);
	int last = atomic_load(&ticks);
	(void)nanosleep(&(struct timespec){.tv_nsec = 30 * NS_PER_MS}, NULL);
	ck_assert_int_eq(atomic_load(&ticks), last);
}
END_TEST

START_TEST(test_a_stage_that_asks_for_rest_does_not_hold_up_the_end)
{
	pause_ns = INT64_MAX;
	struct pipeline *pipeline = start(tick);
	wait_for_ticks(1);
	pipeline_destroy(pipeline);
	ck_assert_int_eq(atomic_load(&ticks), 1);
}
END_TEST

START_TEST(test_the_epoch_of_a_store_grows_with_every_doubt_and_every_other_store)
{
	static const struct {
		const char *identity;
		uint64_t epoch;
	} steps[] = {{"a", 1}, {"a", 1}, {"b", 2}, {NULL, 3}, {"b", 4}, {"b", 4}, {NULL, 5}, {NULL, 6}, {"a", 7}};
	struct pipeline *pipeline = start(NULL);
	struct event *event = pipeline_receive(pipeline);
	ck_assert(pipeline_admit(event));
	pipeline_submit(event);
	ck_assert_uint_eq(sluice_store_epoch(auth), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		sluice_announce_store(persist, steps[i].identity);
		ck_assert_uint_eq(sluice_store_epoch(auth), steps[i].epoch);
	}
	pipeline_destroy(pipeline);
}
END_TEST

static enum sluice_verdict count_values(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	static const struct sluice_header headers[] = {
		{{"A", 1}, {"1", 1}}, {{"b", 1}, {"2", 1}}, {{"a", 1}, {"3", 1}}, {{"A", 1}, {"", 0}}};
	event->headers = headers;
	event->header_count = 4;
	size_t at = 0;
	ck_assert_str_eq(sluice_next_header(event, "a", &at).data, "1");
	ck_assert_str_eq(sluice_next_header(event, "a", &at).data, "3");
	ck_assert_uint_eq(sluice_next_header(event, "a", &at).size, 0);
	ck_assert_ptr_null(sluice_next_header(event, "a", &at).data);
	ck_assert_str_eq(sluice_get_header(event, "B").data, "2");
	ck_assert_ptr_null(sluice_get_header(event, "c").data);
	ck_assert_uint_eq(event->part, 0);
	ck_assert_uint_eq(event->parts, 1);
	return SLUICE_PASS;
}

START_TEST(test_every_value_of_a_repeated_header_is_found_in_order)
{
	send(count_values);
	ck_assert_int_eq(ending.status, 202);
}
END_TEST

static atomic_bool released;

/* Not before somebody said that it delays the exit. */
static int64_t tick_slowly(struct sluice_stage *stage)
{
	int64_t until_ns = clock_now_ns() + 30 * NS_PER_S;
	(void)tick(stage);
	while (!atomic_load(&released) && clock_now_ns() < until_ns)
		(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
	return INT64_MAX;
}

static void *destroy(void *pipeline)
{
	pipeline_destroy(pipeline);
	return NULL;
}

START_TEST(test_a_tick_that_delays_the_exit_is_told)
{
	int ends[2];
	char line[512];
	pthread_t thread;
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	FILE *log = fdopen(ends[0], "r");
	struct pipeline *pipeline = start(tick_slowly);
	wait_for_ticks(1);
	ck_assert_int_eq(pthread_create(&thread, NULL, destroy, pipeline), 0);
	do
		ck_assert_ptr_nonnull(fgets(line, sizeof(line), log));
	while (!strstr(line, "tick_delays_exit"));
	ck_assert_ptr_nonnull(strstr(line, "auth/scripted"));
	atomic_store(&released, true);
	(void)pthread_join(thread, NULL);
	(void)fclose(log);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("stage_host");
	TCase *all = tcase_create("all");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, test_a_stage_sets_headers_of_its_response);
	tcase_add_test(all, test_a_challenge_goes_out_with_a_401);
	tcase_add_test(all, test_headers_of_the_server_and_broken_ones_are_refused);
	tcase_add_test(all, test_a_stage_responds_itself_and_nothing_is_stored);
	tcase_add_test(all, test_a_response_goes_out_only_with_its_verdict);
	tcase_add_test(all, test_header_fields_of_a_response_are_bounded);
	tcase_add_test(all, test_done_without_a_valid_response_is_a_500);
	tcase_add_test(all, test_only_what_is_called_a_conflict_counts_as_one);
	tcase_add_test(all, test_a_long_sentence_is_cut);
	tcase_add_test(all, test_a_stage_is_ticked_while_no_event_comes);
	tcase_add_test(all, test_a_tick_that_delays_the_exit_is_told);
	tcase_add_test(all, test_a_stage_that_asks_for_rest_does_not_hold_up_the_end);
	tcase_add_test(all, test_the_epoch_of_a_store_grows_with_every_doubt_and_every_other_store);
	tcase_add_test(all, test_every_value_of_a_repeated_header_is_found_in_order);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_stage_host, suite)
