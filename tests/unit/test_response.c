/*
 * Responses as their bytes come: each case whole, byte by byte, and cut in two at every place.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/response.h"
#include "support/unit.h"

#define OK "HTTP/1.1 202 Accepted\r\n"

static struct http_response response;

static const struct good {
	const char *text;
	int status;
	bool closes;
	const char *beyond; /* bytes that are not the response's any more */
} goods[] = {
	{OK "Content-Length: 5\r\n\r\nhello", 202, false, ""},
	{OK "content-length:5 \t\r\nX: y\r\n\r\nhello", 202, false, ""},
	{OK "Content-Length: 0\r\n\r\n", 202, false, ""},
	{OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 202, false, ""},
	{OK "Content-Length: 2\r\n\r\nab", 202, false, "HTTP/1.1 200 OK\r\n"},
	{OK "Content-Length: 0\r\n\r\n", 202, false, "x"},
	{"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, false, ""},
	{"HTTP/1.1 204 No Content\r\n\r\n", 204, false, "x"},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, false, ""},
	{"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 1\r\n\r\n!", 503, true, ""},
	{"HTTP/1.1 503 Busy\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n!", 503, true, ""},
	{OK "Connection: closed, not-close\r\nContent-Length: 0\r\n\r\n", 202, false, ""},
	{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, true, ""},
	{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", 200, false, ""},
	{OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 202, false, "more"},
	{OK "Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", 202, false,
         ""},
	{OK "Transfer-Encoding: chunked\r\n\r\n3;name=\"v\";x\r\nabc\r\n2 \r\n\r\n\r\n000;last\r\n\r\n", 202, false,
         ""},
	{OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nExpires: never\r\nX: y\r\n\r\n", 202, false, ""},
	{"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", 202, false, ""},
	{"HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: close\r\n\r\nHTTP/1.1 100 x\r\n\r\n" OK
         "Content-Length: 0\r\n\r\n",
         202, false, ""},
};

/* Until the end of the connection: the text is all of it. */
static const struct good until_eof[] = {
	{"HTTP/1.1 200 OK\r\n\r\n", 200, true, ""},
	{"HTTP/1.1 200 OK\r\n\r\nall that comes\r\n\r\n", 200, true, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nabc", 200, true, ""},
	{"HTTP/1.0 500 No\r\nConnection: keep-alive\r\n\r\nx", 500, true, ""},
};

static const char *const broken[] = {
	"\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"HTTP/2 200 OK\r\n\r\n",
	"HTTP/1.x 200 OK\r\n\r\n",
	"HTTP/1.1 20 OK\r\n\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n",
	"HTTP/1.1 2x0 OK\r\n\r\n",
	"HTTP/1.1 +20 OK\r\n\r\n",
	"HTTP/1.1 020 OK\r\n\r\n",
	"HTTP/1.1  200 OK\r\n\r\n",
	"HTTP/1.1 200OK\r\n\r\n",
	OK "no colon here\r\n\r\n",
	OK "Content-Length: -1\r\n\r\n",
	OK "Content-Length: +1\r\n\r\n",
	OK "Content-Length: 1x\r\n\r\n",
	OK "Content-Length: 0x1\r\n\r\n",
	OK "Content-Length:\r\n\r\n",
	OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
	OK "Content-Length: 99999999999999999999999\r\n\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\n\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\n0x1\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\ng\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	OK "Transfer-Encoding: chunked\r\n\r\n1\r\na0\r\n",
};

/* Takes the bytes in pieces that end at `cut`, or each by itself (cut 0); returns how many were the response's. */
static size_t feed(const char *text, size_t size, size_t cut)
{
	size_t at = 0;
	http_response_begin(&response);
	while (at < size && response.state < RESPONSE_DONE) {
		size_t piece = cut == 0 ? 1 : at < cut ? cut - at : size - at;
		size_t taken = http_response_take(&response, text + at, piece);
		at += taken;
		if (taken < piece)
			break;
	}
	return at;
}

static void expect(const struct good *good, size_t cut)
{
	ck_assert_msg(response.state == RESPONSE_DONE, "%s (cut at %zu): state %d", good->text, cut, response.state);
	ck_assert_int_eq(response.status, good->status);
	ck_assert_msg(response.closes == good->closes, "%s: closes: %d", good->text, response.closes);
}

START_TEST(test_response_ends_where_it_ends_however_it_is_cut)
{
	const struct good *good = &goods[_i];
	char all[1024];
	size_t size = strlen(good->text), room = size + strlen(good->beyond);
	(void)stpcpy(stpcpy(all, good->text), good->beyond);
	for (size_t cut = 0; cut <= room; cut++) {
		ck_assert_uint_eq(feed(all, room, cut), size);
		expect(good, cut);
	}
}
END_TEST

START_TEST(test_response_without_a_length_lasts_as_long_as_the_connection)
{
	const struct good *good = &until_eof[_i];
	size_t size = strlen(good->text);
	for (size_t cut = 0; cut <= size; cut++) {
		ck_assert_uint_eq(feed(good->text, size, cut), size);
		ck_assert_int_eq(response.state, RESPONSE_UNTIL_EOF);
		http_response_end(&response);
		expect(good, cut);
	}
}
END_TEST

START_TEST(test_what_is_no_response_is_broken)
{
	for (size_t cut = 0; cut <= strlen(broken[_i]); cut++) {
		(void)feed(broken[_i], strlen(broken[_i]), cut);
		ck_assert_msg(response.state == RESPONSE_BROKEN, "%s (cut at %zu): state %d", broken[_i], cut,
		              response.state);
	}
}
END_TEST

/* Each response that says where it ends, cut off before. */
START_TEST(test_connection_that_ends_within_a_response_breaks_it)
{
	for (size_t size = 0; size < strlen(goods[_i].text); size++) {
		ck_assert_uint_eq(feed(goods[_i].text, size, size), size);
		http_response_end(&response);
		ck_assert_msg(response.state == RESPONSE_BROKEN, "%.*s", (int)size, goods[_i].text);
	}
}
END_TEST

START_TEST(test_body_is_added_where_it_is_wanted)
{
	static const char *const texts[] = {
		OK "Content-Length: 5\r\n\r\nhello",
		OK "Transfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" OK "\r\nhello",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buffer body = {0};
		response.body = &body;
		buffer_add_text(&body, "> ");
		(void)feed(texts[i], strlen(texts[i]), 0);
		ck_assert_str_eq(body.data, "> hello");
		response.body = NULL;
		buffer_finish(&body);
	}
}
END_TEST

START_TEST(test_nul_in_a_head_or_a_chunk_size_is_broken_and_in_a_body_is_not)
{
	static const char in_head[] = OK "X: a\0b\r\n\r\n",
			  in_size[] = OK "Transfer-Encoding: chunked\r\n\r\n1\0\r\na\r\n",
			  in_body[] = OK "Content-Length: 3\r\n\r\na\0b";
	(void)feed(in_head, sizeof(in_head) - 1, sizeof(in_head));
	ck_assert_int_eq(response.state, RESPONSE_BROKEN);
	(void)feed(in_size, sizeof(in_size) - 1, sizeof(in_size));
	ck_assert_int_eq(response.state, RESPONSE_BROKEN);
	ck_assert_uint_eq(feed(in_body, sizeof(in_body) - 1, 0), sizeof(in_body) - 1);
	ck_assert_int_eq(response.state, RESPONSE_DONE);
}
END_TEST

START_TEST(test_head_over_its_bound_is_broken)
{
	static char head[2 * RESPONSE_HEAD_MAX] = OK "X: ";
	memset(head + strlen(head), 'x', sizeof(head) - strlen(head) - 1);
	ck_assert_uint_lt(feed(head, sizeof(head) - 1, sizeof(head)), RESPONSE_HEAD_MAX);
	ck_assert_int_eq(response.state, RESPONSE_BROKEN);
}
END_TEST

START_TEST(test_body_of_any_size_needs_no_room)
{
	static const char head[] = OK "Content-Length: 10000000000\r\n\r\n";
	static char piece[1000000];
	ck_assert_uint_eq(feed(head, strlen(head), strlen(head)), strlen(head));
	for (size_t i = 0; i < 9999; i++)
		ck_assert_uint_eq(http_response_take(&response, piece, sizeof(piece)), sizeof(piece));
	ck_assert_int_eq(response.state, RESPONSE_BODY);
	ck_assert_uint_eq(http_response_take(&response, piece, sizeof(piece)), sizeof(piece));
	ck_assert_int_eq(response.state, RESPONSE_DONE);
}
END_TEST

static const struct {
	const char *value;
	int64_t seconds;
} retry_afters[] = {
	{"0", 0},
	{"120", 120},
	{"120 ", 120},
	{"", -1},
	{"-1", -1},
	{"1.5", -1},
	{"Wed, 25 Nov 2026 22:00:00 GMT", -1},
	{"18446744073709551615", RESPONSE_RETRY_AFTER_MAX_S},
	{"99999999999999999999", -1},
};

START_TEST(test_retry_after_is_read_in_seconds)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "HTTP/1.1 503 x\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
	               retry_afters[_i].value);
	(void)feed(text, strlen(text), strlen(text));
	ck_assert_int_eq(response.state, RESPONSE_DONE);
	ck_assert_int_eq(response.retry_after_s, retry_afters[_i].seconds);
}
END_TEST

#define COUNT_OF(table) ((int)(sizeof(table) / sizeof((table)[0])))

static Suite *suite(void)
{
	Suite *s = suite_create("response");
	TCase *tc = tcase_create("core");
	tcase_add_loop_test(tc, test_response_ends_where_it_ends_however_it_is_cut, 0, COUNT_OF(goods));
	tcase_add_loop_test(tc, test_response_without_a_length_lasts_as_long_as_the_connection, 0, COUNT_OF(until_eof));
	tcase_add_loop_test(tc, test_what_is_no_response_is_broken, 0, COUNT_OF(broken));
	tcase_add_loop_test(tc, test_connection_that_ends_within_a_response_breaks_it, 0, COUNT_OF(goods));
	tcase_add_test(tc, test_body_is_added_where_it_is_wanted);
	tcase_add_test(tc, test_nul_in_a_head_or_a_chunk_size_is_broken_and_in_a_body_is_not);
	tcase_add_test(tc, test_head_over_its_bound_is_broken);
	tcase_add_test(tc, test_body_of_any_size_needs_no_room);
	tcase_add_loop_test(tc, test_retry_after_is_read_in_seconds, 0, COUNT_OF(retry_afters));
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_response, suite)
