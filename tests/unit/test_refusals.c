/*
 * What the webhook listener refuses before the pipeline sees it, and what becomes of the connection.
 */
#include "serve/request.h"
#include "support/puppet.h"
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
	};
	return puppet_suite("refusals", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_refusals, suite)
