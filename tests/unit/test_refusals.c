/*
 * What the webhook listener refuses before the pipeline sees it, and what becomes of the connection.
 */
#include "serve/request.h"
#include "support/puppet.h"
#include "support/scratch.h"
#include "support/unit.h"

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
		"Host: y\r\nContent-Length: 0\r\n",
	};
	static const char *const methods[] = {"POST", "GET"};
	char request[512];
	start_listening();
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
	start_listening();
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
	start_listening();
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
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 262145\r\n\r\n");
	wire_read(fd, &answer);
	expect_problem(413);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
	ck_assert_uint_eq(atomic_load(&puppet.receiving), 0);
}
END_TEST

START_TEST(test_chunked_body_over_the_limit_is_413)
{
	char *body = make_body(256 * 1024 + 1);
	start_listening();
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
	wait_for(&puppet.receiving, 0);
}
END_TEST

START_TEST(test_large_headers_are_431)
{
	char *request = malloc(20000);
	start_listening();
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
	start_listening();
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
	start_listening();
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

/* The log goes to a file of its own from here on. */
static int divert_log(void)
{
	char name[SCRATCH_SIZE];
	int fd = scratch_file(name);
	ck_assert_int_ge(fd, 0);
	(void)unlink(name);
	log_setup(SLUICE_LOG_INFO, LOG_FORMAT_TEXT, fd);
	return fd;
}

static const char *read_log(int fd)
{
	static char text[64 * 1024];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(size, 0);
	text[size] = '\0';
	return text;
}

static uint64_t refusals_of(enum refusal_reason reason)
{
	return atomic_load(&service.refusals.reasons[reason].count);
}

#define POST(target, fields) "POST " target " HTTP/1.1\r\nHost: x\r\n" fields "\r\n"

static const struct {
	const char *request;
	int status;
	enum refusal_reason reason;
	const char *line; /* a part of it */
} refused_requests[] = {
	{POST("/Webhooks?token=s3cret", "Content-Length: 0\r\n"), 404, REFUSAL_PATH,
         "path=/Webhooks served=/webhooks status=404 kind=unknown_path"},
	{"GET /webhooks HTTP/1.1\r\nHost: x\r\n\r\n", 405, REFUSAL_METHOD,
         "kind=method_not_allowed reason=\"use POST\""},
	{POST("/webhooks", ""), 411, REFUSAL_LENGTH, "status=411 kind=length_required"},
	{POST("/webhooks", "Content-Length: 262145\r\n"), 413, REFUSAL_BODY_SIZE, "status=413 kind=body_too_large"},
	{POST("/webhooks", "Content-Encoding: gzip\r\nContent-Length: 0\r\n"), 415, REFUSAL_ENCODING,
         "status=415 kind=content_encoding"},
	{POST("/webhooks", "Content-Length: 1\r\nContent-Length: 2\r\n"), 400, REFUSAL_MALFORMED,
         "kind=malformed_request reason=\"expected one Content-Length, got several\""},
	{"POST /webhooks HTTP/3.0\r\n\r\n", 505, REFUSAL_MALFORMED, "path=- served=- status=505"},
};

START_TEST(test_each_refusal_is_counted_by_reason_and_logged)
{
	start_listening();
	int log = divert_log(), fd = wire_connect(port);
	wire_say(fd, refused_requests[_i].request);
	wire_read(fd, &answer);
	expect_problem(refused_requests[_i].status);
	(void)close(fd);
	ck_assert_uint_eq(refusals_of(refused_requests[_i].reason), 1);
	const char *text = read_log(log);
	ck_assert_msg(strstr(text, "request_refused request_id=") && strstr(text, "client=127.0.0.1") &&
	                      strstr(text, refused_requests[_i].line) && strstr(text, "suppressed=0"),
	              "%s", text);
	ck_assert_msg(!strstr(text, "s3cret"), "%s", text);
	(void)close(log);
}
END_TEST

START_TEST(test_a_flood_of_refusals_is_a_line_that_says_how_many)
{
	start_listening();
	int log = divert_log(), fd = wire_connect(port);
	for (int i = 0; i < 50; i++) {
		wire_say(fd, refused_requests[1].request);
		wire_read(fd, &answer);
	}
	ck_assert_uint_eq(refusals_of(REFUSAL_METHOD), 50);
	size_t lines = 0;
	for (const char *at = read_log(log); (at = strstr(at, "request_refused")); at++)
		lines++;
	ck_assert_uint_ge(lines, 1);
	ck_assert_uint_le(lines, 10); /* one a second, on a slow machine */
	(void)close(fd);
	(void)close(log);
}
END_TEST

/* What a stage refuses is logged by the pipeline, and counted here. */
START_TEST(test_refusals_by_stages_are_counted_by_what_they_mean)
{
	static const struct {
		int status;
		enum event_outcome outcome;
		enum refusal_reason reason;
	} answers[] = {
		{400, OUTCOME_REJECTED, REFUSAL_INVALID},      {401, OUTCOME_REJECTED, REFUSAL_UNAUTHORIZED},
		{403, OUTCOME_REJECTED, REFUSAL_UNAUTHORIZED}, {415, OUTCOME_REJECTED, REFUSAL_MEDIA_TYPE},
		{418, OUTCOME_REJECTED, REFUSAL_OTHER},        {422, OUTCOME_CONFLICT, REFUSAL_CONFLICT},
		{429, OUTCOME_REJECTED, REFUSAL_RATE},         {500, OUTCOME_FAILED, REFUSAL_INTERNAL},
		{503, OUTCOME_FAILED, REFUSAL_UNAVAILABLE},
	};
	start_listening();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		uint64_t before = refusals_of(answers[i].reason);
		puppet.answer.status = answers[i].status;
		puppet.answer.outcome = answers[i].outcome;
		post(fd, "", "{}");
		ck_assert_int_eq(answer.status, answers[i].status);
		ck_assert_uint_eq(refusals_of(answers[i].reason), before + 1);
	}
	(void)close(fd);
}
END_TEST

START_TEST(test_a_sender_over_its_rate_gets_429_and_retry_after)
{
	char value[256];
	start_listening();
	atomic_store(&puppet.limited_ns, 2500 * NS_PER_MS);
	int fd = wire_connect(port);
	post(fd, "", "{}");
	expect_problem(429);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "3");
	ck_assert_uint_eq(atomic_load(&puppet.submitted), 0);
	ck_assert_uint_eq(refusals_of(REFUSAL_RATE), 1);
	atomic_store(&puppet.limited_ns, 0);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);
}
END_TEST

/* A path that is kept secret is told only to who knows it but for its letters and slashes. */
START_TEST(test_404_names_the_path_to_who_has_all_but_hit_it)
{
	static const struct {
		const char *served, *asked;
		bool is_named;
	} cases[] = {
		{"/webhooks", "/", true},
		{"/webhooks", "/hooks", true},
		{"/in/k3Yx", "/in/K3yX", true},
		{"/in/k3Yx", "//in///k3Yx//", true},
		{"/in/k3Yx", "/in/%4B3yx", true},
		{"/in/k3Yx", "/in", false},
		{"/in/k3Yx", "/in/k3Y", false},
		{"/in/k3Yx", "/ink3Yx", false},
		{"/in/k3Yx", "/in/k3Yx/more", false},
		{"/in/k3Yx", "/", false},
	};
	char request[256];
	puppet.config.listen.path = cases[_i].served;
	start_listening();
	int fd = wire_connect(port);
	(void)snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	               cases[_i].asked);
	wire_say(fd, request);
	wire_read(fd, &answer);
	expect_problem(404);
	ck_assert_msg((strstr(answer.body, cases[_i].served) != NULL) == cases[_i].is_named, "%s asked for %s: %s",
	              cases[_i].served, cases[_i].asked, answer.body);
	(void)close(fd);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		test_conflicting_framing_is_refused_and_the_connection_closed,
		test_transfer_encoding_in_http_1_0_is_refused,
		test_small_refused_request_keeps_its_connection,
		test_large_body_is_413_and_the_connection_closed,
		test_chunked_body_over_the_limit_is_413,
		test_large_headers_are_431,
		test_bound_on_events_is_503_with_retry_after,
		test_bound_on_bytes_is_503,
		test_a_flood_of_refusals_is_a_line_that_says_how_many,
		test_refusals_by_stages_are_counted_by_what_they_mean,
		test_a_sender_over_its_rate_gets_429_and_retry_after,
	};
	Suite *s = puppet_suite("refusals", tests, sizeof(tests) / sizeof(tests[0]));
	TCase *each = tcase_create("each");
	tcase_add_checked_fixture(each, prepare, stop_listening);
	tcase_add_loop_test(each, test_each_refusal_is_counted_by_reason_and_logged, 0,
	                    sizeof(refused_requests) / sizeof(refused_requests[0]));
	tcase_add_loop_test(each, test_404_names_the_path_to_who_has_all_but_hit_it, 0, 10);
	suite_add_tcase(s, each);
	return s;
}

UNIT_SUITE(test_refusals, suite)
