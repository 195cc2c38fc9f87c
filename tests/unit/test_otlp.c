/* Trace context, and the exporter with the module that carries it, against a collector by script. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "otlp/exporter.h"
#include "otlp/trace_context.h"
#include "support/scripted_server.h"
#include "support/unit.h"
#include "support/wait.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define MODULE TEST_BUILD_DIR "/plugins/export/otlp_http.so"

static struct sluice_bytes bytes_of(const char *text)
{
	return (struct sluice_bytes){text, strlen(text)};
}

/* https://www.w3.org/TR/trace-context/#traceparent-header-field-values */
static const struct {
	const char *text;
	bool is_good, is_sampled;
} fields[] = {
	{"00-" TRACE "-" PARENT "-01", true, true},
	{"00-" TRACE "-" PARENT "-00", true, false},
	{"00-" TRACE "-" PARENT "-ff", true, true},
	{"01-" TRACE "-" PARENT "-01", true, true},
	{"cc-" TRACE "-" PARENT "-01-what-comes", true, true},
	{"00-" TRACE "-" PARENT "-01-more", false, false},
	{"01-" TRACE "-" PARENT "-01more", false, false},
	{"ff-" TRACE "-" PARENT "-01", false, false},
	{"00-00000000000000000000000000000000-" PARENT "-01", false, false},
	{"00-" TRACE "-0000000000000000-01", false, false},
	{"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", false, false},
	{"00-" TRACE "-" PARENT "-0", false, false},
	{"00-" TRACE "-" PARENT "-0g", false, false},
	{"00_" TRACE "-" PARENT "-01", false, false},
	{"0-" TRACE "-" PARENT "-01", false, false},
	{"", false, false},
};

START_TEST(test_traceparent_is_read_as_the_recommendation_says)
{
	struct trace_context context;
	ck_assert_int_eq(trace_context_parse(bytes_of(fields[_i].text), &context), fields[_i].is_good);
	if (fields[_i].is_good)
		ck_assert_int_eq(context.is_sampled, fields[_i].is_sampled);
}
END_TEST

START_TEST(test_a_span_goes_on_with_the_trace_of_its_parent)
{
	const struct trace_sampling never = {.by_parent = true, .share = 0};
	struct trace_context context, again;
	char text[TRACEPARENT_SIZE], id[TRACE_ID_TEXT_SIZE];
	trace_context_begin(&context, bytes_of("00-" TRACE "-" PARENT "-01"), &never);
	trace_context_id(&context, id);
	ck_assert_str_eq(id, TRACE);
	ck_assert(context.is_sampled);
	trace_context_format(&context, text);
	ck_assert_uint_eq(strlen(text), TRACEPARENT_SIZE - 1);
	ck_assert(trace_context_parse(bytes_of(text), &again));
	ck_assert_mem_eq(again.trace_id, context.trace_id, TRACE_ID_SIZE);
	ck_assert_mem_eq(again.parent_id, context.span_id, SPAN_ID_SIZE);
	ck_assert_mem_ne(context.span_id, context.parent_id, SPAN_ID_SIZE);
}
END_TEST

START_TEST(test_sampling_follows_the_parent_or_takes_a_share)
{
	static const struct {
		const char *traceparent;
		struct trace_sampling sampling;
		int least, most; /* of 1000 */
	} cases[] = {
		{"", {true, 1}, 1000, 1000},
		{"", {true, 0}, 0, 0},
		{"", {false, 0.25}, 150, 350},
		{"garbage", {true, 0.5}, 400, 600},
		{"00-" TRACE "-" PARENT "-01", {true, 0}, 1000, 1000},
		{"00-" TRACE "-" PARENT "-00", {true, 1}, 0, 0},
		{"00-" TRACE "-" PARENT "-01", {false, 0}, 0, 0},
		{"00-" TRACE "-" PARENT "-00", {false, 1}, 1000, 1000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int sampled = 0;
		for (int j = 0; j < 1000; j++) {
			struct trace_context context;
			trace_context_begin(&context, bytes_of(cases[i].traceparent), &cases[i].sampling);
			sampled += context.is_sampled;
		}
		ck_assert_int_ge(sampled, cases[i].least);
		ck_assert_int_le(sampled, cases[i].most);
	}
}
END_TEST

/* One item is one span that is called by its number. */
static size_t write_item(void *context, const void *item, struct json_writer *json)
{
	static const uint8_t none[SPAN_ID_SIZE];
	const struct trace_context trace = {.trace_id = {1}, .span_id = {2}};
	char name[16];
	(void)context;
	(void)snprintf(name, sizeof(name), "item %d", *(const int *)item);
	span_write(json, &(struct span){.trace = &trace,
	                                .span_id = trace.span_id,
	                                .parent_id = none,
	                                .kind = SPAN_SERVER,
	                                .name = name,
	                                .start_ns = 1,
	                                .end_ns = 2});
	return 1;
}

static struct scripted_server *collector;
static char url[64];
static const char *headers[] = {"Authorization: Bearer s3cret"};
static struct exporter_setup setup;

static void start_collector(scripted_answer_fn answer)
{
	collector = calloc(1, sizeof(*collector));
	collector->answer = answer;
	scripted_start(collector);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/traces", collector->port);
	setup = (struct exporter_setup){
		.module = MODULE,
		.target = {.url = url, .headers = {.items = headers, .count = 1}, .timeout_ns = 5 * NS_PER_S},
		.resource = {.service = "test", .version = "1", .instance = "i"},
		.item_size = sizeof(int),
		.queue = 8,
		.batch = 4,
		.every_ns = 10 * NS_PER_MS,
		.write = write_item,
	};
}

static void stop_collector(void)
{
	scripted_stop(collector);
	scripted_free(collector);
	free(collector);
}

static struct exporter *open_exporter(void)
{
	struct sluice_error error = {0};
	struct exporter *exporter = exporter_create(&setup, &error);
	ck_assert_msg(exporter != NULL, "%s", error.text);
	return exporter;
}

static struct exporter_counts counts_of(const struct exporter *exporter)
{
	struct exporter_counts counts;
	exporter_get_counts(exporter, &counts);
	return counts;
}

static bool say(int fd, const char *text)
{
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool take(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server, (void)request;
	return say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

START_TEST(test_what_is_added_reaches_the_collector_as_otlp)
{
	char value[256];
	start_collector(take);
	struct exporter *exporter = open_exporter();
	for (int i = 0; i < 3; i++)
		exporter_add(exporter, &i);
	WAIT_WITHIN(20, counts_of(exporter).exported == 3);
	exporter_destroy(exporter, NS_PER_S);
	const struct scripted_request *request = &collector->requests[0];
	ck_assert(strncmp(request->text, "POST /v1/traces HTTP/1.1\r\n", 26) == 0);
	ck_assert_str_eq(scripted_header(request, "Content-Type", value), "application/json");
	ck_assert_str_eq(scripted_header(request, "Authorization", value), "Bearer s3cret");
	json_t *message = json_loadb(request->body, request->body_size, 0, NULL);
	ck_assert_ptr_nonnull(message);
	json_t *span = json_array_get(
		json_object_get(
			json_array_get(json_object_get(json_array_get(json_object_get(message, "resourceSpans"), 0),
	                                               "scopeSpans"),
	                               0),
			"spans"),
		0);
	ck_assert_str_eq(json_string_value(json_object_get(span, "name")), "item 0");
	ck_assert_str_eq(json_string_value(json_object_get(span, "traceId")), "01000000000000000000000000000000");
	ck_assert_str_eq(json_string_value(json_object_get(span, "startTimeUnixNano")), "1");
	ck_assert_int_eq(json_integer_value(json_object_get(span, "kind")), 2);
	json_decref(message);
	stop_collector();
}
END_TEST

/* An answer, and whether the batch is sent again. */
static const struct {
	const char *answer;
	bool again;
} answers[] = {
	{"HTTP/1.1 503 x\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", true},
	{"HTTP/1.1 429 x\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", true},
	{"HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n", true},
	{"HTTP/1.1 504 x\r\nContent-Length: 0\r\n\r\n", true},
	{"", true}, /* the connection ends */
	{"HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n", false},
	{"HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n", false},
	{"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", false},
	{"HTTP/1.1 307 x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", false},
};

static bool answer_once(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	const char *first = server->context;
	if (request->number > 0)
		return take(server, request, fd);
	return say(fd, first) && *first;
}

START_TEST(test_a_batch_is_sent_again_only_where_the_protocol_says_so)
{
	int item = 1;
	start_collector(answer_once);
	collector->context = (void *)(uintptr_t)answers[_i].answer;
	struct exporter *exporter = open_exporter();
	exporter_add(exporter, &item);
	WAIT_WITHIN(30, counts_of(exporter).exported + counts_of(exporter).failed == 1);
	ck_assert_uint_eq(counts_of(exporter).exported, answers[_i].again);
	exporter_destroy(exporter, NS_PER_S);
	scripted_stop(collector);
	ck_assert_uint_eq(collector->count, answers[_i].again ? 2 : 1);
	if (strstr(answers[_i].answer, "Retry-After"))
		ck_assert_int_ge(collector->requests[1].at_ns - collector->requests[0].at_ns,
		                 NS_PER_S - 50 * NS_PER_MS);
	scripted_free(collector);
	free(collector);
}
END_TEST

static bool take_partly(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server, (void)request;
	return say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 54\r\n\r\n"
	               "{\"partialSuccess\": {\"rejectedSpans\": \"1\", \"x\": \"\" }}  ");
}

START_TEST(test_spans_that_the_collector_rejects_are_counted_and_not_sent_again)
{
	start_collector(take_partly);
	struct exporter *exporter = open_exporter();
	for (int i = 0; i < 4; i++)
		exporter_add(exporter, &i);
	WAIT_WITHIN(20, counts_of(exporter).exported + counts_of(exporter).failed == 4);
	exporter_destroy(exporter, NS_PER_S);
	scripted_stop(collector);
	ck_assert_uint_ge(collector->count, 1);
	scripted_free(collector);
	free(collector);
}
END_TEST

static bool keep_silent(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server, (void)request, (void)fd;
	return true;
}

START_TEST(test_a_silent_collector_costs_a_bounded_queue_and_no_long_exit)
{
	start_collector(keep_silent);
	setup.target.timeout_ns = 600 * NS_PER_S;
	struct exporter *exporter = open_exporter();
	int item = 0;
	exporter_add(exporter, &item);
	ck_assert(scripted_wait(collector, 1));
	for (; item < 100; item++)
		exporter_add(exporter, &item);
	ck_assert_uint_eq(counts_of(exporter).dropped, 100 - setup.queue);
	int64_t began_ns = clock_now_ns();
	exporter_destroy(exporter, 300 * NS_PER_MS);
	ck_assert_int_lt(clock_now_ns() - began_ns, 10 * NS_PER_S);
	stop_collector();
}
END_TEST

START_TEST(test_what_waits_at_the_end_is_sent)
{
	start_collector(take);
	setup.every_ns = 3600 * NS_PER_S;
	struct exporter *exporter = open_exporter();
	for (int i = 0; i < 3; i++)
		exporter_add(exporter, &i);
	exporter_destroy(exporter, 10 * NS_PER_S);
	scripted_stop(collector);
	ck_assert_uint_eq(collector->count, 1);
	ck_assert_ptr_nonnull(strstr(collector->requests[0].body, "item 2"));
	scripted_free(collector);
	free(collector);
}
END_TEST

START_TEST(test_a_module_that_is_none_is_refused)
{
	struct sluice_error error = {0};
	start_collector(take);
	setup.module = TEST_BUILD_DIR "/stages/auth/none.so";
	ck_assert_ptr_null(exporter_create(&setup, &error));
	ck_assert_msg(strstr(error.text, "sluice_exporter_1"), "%s", error.text);
	error.text[0] = '\0';
	setup.module = "/nowhere/x.so";
	ck_assert_ptr_null(exporter_create(&setup, &error));
	ck_assert_msg(strstr(error.text, "/nowhere/x.so"), "%s", error.text);
	stop_collector();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("otlp");
	TCase *context = tcase_create("context");
	tcase_add_loop_test(context, test_traceparent_is_read_as_the_recommendation_says, 0,
	                    sizeof(fields) / sizeof(fields[0]));
	tcase_add_test(context, test_a_span_goes_on_with_the_trace_of_its_parent);
	tcase_add_test(context, test_sampling_follows_the_parent_or_takes_a_share);
	suite_add_tcase(s, context);
	TCase *exporter = tcase_create("exporter");
	tcase_set_timeout(exporter, 120);
	tcase_add_test(exporter, test_what_is_added_reaches_the_collector_as_otlp);
	tcase_add_loop_test(exporter, test_a_batch_is_sent_again_only_where_the_protocol_says_so, 0,
	                    sizeof(answers) / sizeof(answers[0]));
	tcase_add_test(exporter, test_spans_that_the_collector_rejects_are_counted_and_not_sent_again);
	tcase_add_test(exporter, test_a_silent_collector_costs_a_bounded_queue_and_no_long_exit);
	tcase_add_test(exporter, test_what_waits_at_the_end_is_sent);
	tcase_add_test(exporter, test_a_module_that_is_none_is_refused);
	suite_add_tcase(s, exporter);
	return s;
}

UNIT_SUITE(test_otlp, suite)
