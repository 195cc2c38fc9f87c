/*
 * The webhook listener: what a sender gets, and what the pipeline gets of it.
 */
#include <zlib.h>

#include "serve/http_response.h"
#include "support/puppet.h"
#include "support/unit.h"

START_TEST(test_accepted_event_gets_202)
{
	char type[256], id[256];
	start_listening();
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
	start_listening();
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
	start_listening();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "3");
	(void)close(fd);
}
END_TEST

static struct response_header *add_header(struct response *response, const char *name, const char *value)
{
	struct response_header *header = must_alloc(sizeof(*header));
	*header = (struct response_header){{name, strlen(name)}, {value, strlen(value)}, response->headers};
	return response->headers = header;
}

static void free_headers(struct response *response)
{
	while (response->headers) {
		struct response_header *header = response->headers;
		response->headers = header->next;
		free(header);
	}
}

/* The header fields of a stage stand beside the server's own, or in the place of its defaults. */
START_TEST(test_stage_adds_header_fields_to_any_response)
{
	static const struct {
		enum event_outcome outcome;
		int status;
	} cases[] = {
		{OUTCOME_ACCEPTED, 202}, {OUTCOME_DUPLICATE, 200}, {OUTCOME_REJECTED, 401},
		{OUTCOME_REJECTED, 429}, {OUTCOME_FAILED, 503},
	};
	char value[256];
	struct response response = {0};
	(void)add_header(&response, "www-authenticate", "Bearer realm=\"x\"");
	(void)add_header(&response, "retry-after", "17");
	puppet.answer.response = &response;
	puppet.answer.delay_ns = 2 * NS_PER_S;
	start_listening();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		puppet.answer.outcome = cases[i].outcome;
		puppet.answer.status = cases[i].status;
		post(fd, "", "{}");
		ck_assert_int_eq(answer.status, cases[i].status);
		ck_assert_str_eq(wire_header(&answer, "WWW-Authenticate", value), "Bearer realm=\"x\"");
		ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "17");
		ck_assert_ptr_null(strstr(answer.text, "Signature"));
		ck_assert_ptr_null(strstr(answer.text, "Retry-After: 2"));
	}
	puppet.answer.response = NULL;
	post(fd, "", "{}"); /* nothing of it is left on the connection */
	ck_assert_str_eq(wire_header(&answer, "WWW-Authenticate", value), "");
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "2");
	free_headers(&response);
	(void)close(fd);
}
END_TEST

START_TEST(test_response_of_a_stage_goes_out_as_it_is)
{
	static const struct {
		enum event_outcome outcome;
		int status;
		const char *type, *body;
	} cases[] = {
		{OUTCOME_ANSWERED, 200, "text/plain", "challenge-4711"},
		{OUTCOME_ANSWERED, 201, "application/xml", "<a/>"},
		{OUTCOME_ANSWERED, 200, "text/plain", ""},
		{OUTCOME_REJECTED, 403, "application/json", "{\"verified\":false}"},
	};
	char value[256], id[256];
	struct response response = {0};
	(void)add_header(&response, "X-Challenge", "yes");
	puppet.answer.response = &response;
	start_listening();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		response.status = puppet.answer.status = cases[i].status;
		response.type = (struct sluice_bytes){cases[i].type, strlen(cases[i].type)};
		response.body = (struct sluice_bytes){cases[i].body, strlen(cases[i].body)};
		puppet.answer.outcome = cases[i].outcome;
		post(fd, "X-Request-Id: mine\r\n", "{}");
		ck_assert_int_eq(answer.status, cases[i].status);
		ck_assert_str_eq(wire_header(&answer, "Content-Type", value), cases[i].type);
		ck_assert_str_eq(wire_header(&answer, "X-Request-Id", id), "mine");
		ck_assert_str_eq(wire_header(&answer, "X-Challenge", value), "yes");
		ck_assert_uint_eq(answer.body_size, strlen(cases[i].body));
		ck_assert_str_eq(answer.body, cases[i].body);
	}
	puppet.answer.response = NULL;
	puppet.answer.outcome = OUTCOME_ACCEPTED;
	puppet.answer.status = 202;
	post(fd, "", "{}");
	ck_assert_ptr_nonnull(strstr(answer.body, "\"accepted\""));
	free_headers(&response);
	(void)close(fd);
}
END_TEST

START_TEST(test_request_id_of_sender_is_kept_if_printable)
{
	char field[512], long_id[200], id[256];
	start_listening();
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
	start_listening();
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

START_TEST(test_event_has_every_header_field_in_order)
{
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nX-Sig: one\r\nA: 1\r\nx-sig: two, three\r\nX-Sig:\r\n"
	             "Content-Length: 0\r\nX-SIG: \t one \t\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(puppet.fields, "Host=x;X-Sig=one;A=1;x-sig=two, three;X-Sig=;Content-Length=0;X-SIG=one");
	(void)close(fd);
}
END_TEST

/* Trusts 127.0.0.0/8, from where the tests send. */
static void trust_loopback(void)
{
	static struct network loopback;
	struct sluice_error error = {0};
	ck_assert(network_parse("127.0.0.0/8", &loopback, &error));
	puppet.config.listen.proxies = (struct network_list){&loopback, 1};
}

static void assert_facts(int fd, const char *target, const char *fields, const char *facts)
{
	wire_post(fd, target, fields, "{}", 2);
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(puppet.facts, facts);
}

START_TEST(test_event_has_the_target_as_sent)
{
	static const struct {
		const char *target, *facts;
	} cases[] = {
		{"/webhooks", "POST http://test/webhooks?- 127.0.0.1 -"},
		{"/webhooks?", "POST http://test/webhooks? 127.0.0.1 -"},
		{"/webhooks?a=%2F+b&a=?c%00", "POST http://test/webhooks?a=%2F+b&a=?c%00 127.0.0.1 -"},
		{"/%77ebhook%73?x", "POST http://test/%77ebhook%73?x 127.0.0.1 -"},
	};
	start_listening();
	int fd = wire_connect(port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_facts(fd, cases[i].target, "", cases[i].facts);
	wire_post(fd, "%2Fwebhooks", "", "{}", 2);
	wire_read(fd, &answer);
	expect_problem(404);
	(void)close(fd);
	fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(puppet.facts, "POST http://-/webhooks?- 127.0.0.1 -");
	(void)close(fd);
}
END_TEST

#define FORWARDED_BY_PROXY                                                                                             \
	"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: hooks.example.com\r\n"

START_TEST(test_peer_that_is_no_trusted_proxy_is_not_believed)
{
	start_listening();
	int fd = wire_connect(port);
	assert_facts(fd, "/webhooks", FORWARDED_BY_PROXY, "POST http://test/webhooks?- 127.0.0.1 -");
	(void)close(fd);
}
END_TEST

START_TEST(test_trusted_proxy_says_who_the_sender_is)
{
	trust_loopback();
	start_listening();
	int fd = wire_connect(port);
	assert_facts(fd, "/webhooks", FORWARDED_BY_PROXY, "POST https://hooks.example.com/webhooks?- 203.0.113.7 -");
	assert_facts(fd, "/webhooks", "Forwarded: for=\"[2001:db8::7]:99\";proto=https\r\n",
	             "POST https://test/webhooks?- 2001:db8::7 -");
	assert_facts(fd, "/webhooks", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: unknown\r\n",
	             "POST http://test/webhooks?- - -");
	assert_facts(fd, "/webhooks", "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=1.2.3.4\r\n",
	             "POST http://test/webhooks?- - -");
	(void)close(fd);
}
END_TEST

START_TEST(test_public_url_goes_before_what_a_proxy_says)
{
	trust_loopback();
	puppet.config.listen.public_url = "https://hooks.example.com:8443/in";
	puppet.config.listen.origin = (struct url){"https", "hooks.example.com:8443", "/in"};
	start_listening();
	int fd = wire_connect(port);
	assert_facts(fd, "/webhooks?q", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: other.example\r\n",
	             "POST https://hooks.example.com:8443/webhooks?q 203.0.113.7 https://hooks.example.com:8443/in");
	(void)close(fd);
}
END_TEST

START_TEST(test_body_arrives_byte_for_byte)
{
	static const size_t sizes[] = {0, 1, 100, 16 * 1024, 16 * 1024 + 1, 100000, 256 * 1024};
	start_listening();
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
	start_listening();
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
	start_listening();
	int fd = wire_connect(port);
	wire_say(
		fd,
		"POST /webhooks HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\nContent-Length: 2\r\n\r\n{}POST /webhooks HTTP/1.1\r\nHost: x\r\nX-Request-Id: two\r\nContent-Length: 2\r\n\r\n{}");
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
	start_listening();
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

START_TEST(test_answers_meet_their_requests_from_any_thread)
{
	enum { SENDERS = 8, REQUESTS = 500 };
	struct sender senders[SENDERS];
	atomic_store(&puppet.fate, LATER); /* races the suspend every time */
	start_listening();
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

START_TEST(test_health_on_the_webhook_listener)
{
	puppet.config.listen.health = true;
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "{\"status\":\"ok\"}"));
	puppet.unhealthy = "the store is away";
	wire_say(fd, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 503);
	ck_assert_ptr_nonnull(strstr(answer.body, "{\"status\":\"unavailable\"}")); /* the reason is for operators */
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
	start_listening();
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
	start_listening();
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

/* The size of a compressed response would tell what a stage has put beside the sender's own words. */
START_TEST(test_response_of_a_stage_is_never_compressed)
{
	char value[256];
	struct response response = {.status = 200, .type = {"text/plain", 10}, .body = {"secret=4711 secret=4711", 23}};
	puppet.config.listen.compression = true;
	puppet.answer.response = &response;
	puppet.answer.outcome = OUTCOME_ANSWERED;
	puppet.answer.status = 200;
	start_listening();
	int fd = wire_connect(port);
	post(fd, "Accept-Encoding: gzip\r\n", "{}");
	ck_assert_str_eq(wire_header(&answer, "Content-Encoding", value), "");
	ck_assert_str_eq(wire_header(&answer, "Vary", value), "");
	ck_assert_str_eq(answer.body, "secret=4711 secret=4711");
	puppet.answer.response = NULL;
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
		ck_assert_msg(http_response_accepts_gzip(cases[i].field) == cases[i].accepts, "%s",
		              cases[i].field ? cases[i].field : "-");
}
END_TEST

START_TEST(test_occupied_port_is_named)
{
	struct sluice_error error = {0};
	start_listening();
	puppet.config.listen.port = port;
	service_follow(&service, &puppet);
	ck_assert_ptr_null(server_start(&service, &error));
	ck_assert_msg(strstr(error.text, "127.0.0.1 port") && strstr(error.text, "another program uses it"), "%s",
	              error.text);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		test_accepted_event_gets_202,
		test_outcomes_become_answers,
		test_delay_of_stage_becomes_retry_after_in_whole_seconds,
		test_stage_adds_header_fields_to_any_response,
		test_response_of_a_stage_goes_out_as_it_is,
		test_request_id_of_sender_is_kept_if_printable,
		test_event_carries_headers_and_trace_context,
		test_event_has_every_header_field_in_order,
		test_event_has_the_target_as_sent,
		test_peer_that_is_no_trusted_proxy_is_not_believed,
		test_trusted_proxy_says_who_the_sender_is,
		test_public_url_goes_before_what_a_proxy_says,
		test_body_arrives_byte_for_byte,
		test_chunked_body_arrives_byte_for_byte,
		test_pipelined_requests_are_answered_in_order,
		test_expectation_is_met,
		test_answers_meet_their_requests_from_any_thread,
		test_health_on_the_webhook_listener,
		test_server_timing_tells_the_stages,
		test_answers_are_compressed_where_accepted,
		test_response_of_a_stage_is_never_compressed,
		test_accept_encoding_is_understood,
		test_occupied_port_is_named,
	};
	return puppet_suite("server", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_server, suite)
