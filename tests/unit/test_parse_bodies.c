/*
 * Parse stages: bodies other than one object of JSON, and ids other than one member of it.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "conform/bench.h"
#include "mapping/form.h"
#include "support/harness.h"
#include "support/unit.h"

#define FORM "application/x-www-form-urlencoded"

/* What is sent, and what is to come of it; a refusal has a status, and a sentence in the place of the id. */
struct request {
	const char *type, *body;
	const char *headers[6]; /* name, value, … */
	int status;             /* 0: it passes */
	const char *id, *event_type, *payload;
};

static bool is_text(struct sluice_bytes bytes, const char *text)
{
	return text ? bytes.data && bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0
	            : !bytes.data;
}

static struct sluice_event *send(struct harness *h, const struct request *request, enum sluice_verdict *verdict_out)
{
	struct sluice_event *event = harness_event(h);
	if (request->type)
		harness_header(event, "Content-Type", request->type);
	for (size_t i = 0; request->headers[i]; i += 2)
		harness_header(event, request->headers[i], request->headers[i + 1]);
	harness_body(event, request->body, strlen(request->body));
	*verdict_out = harness_process(h, event);
	return event;
}

static void expect(struct harness *h, const struct request *request)
{
	enum sluice_verdict verdict;
	struct sluice_event *event = send(h, request, &verdict);
	if (request->status) {
		ck_assert_msg(verdict == SLUICE_REJECT, "taken: %s", request->body);
		ck_assert_int_eq(harness_status(event), request->status);
		ck_assert_str_eq(harness_detail(event), request->id);
	} else {
		ck_assert_msg(verdict == SLUICE_PASS, "%s: %s", request->body, harness_detail(event));
		ck_assert_msg(is_text(event->message_id, request->id), "%s: got the id %.*s", request->body,
		              (int)event->message_id.size, event->message_id.data);
		ck_assert_msg(is_text(event->event_type, request->event_type), "%s: got the type %.*s", request->body,
		              (int)event->event_type.size, event->event_type.data);
		ck_assert_msg(is_text(event->payload, request->payload), "%s: got the payload %.*s", request->body,
		              (int)event->payload.size, event->payload.data);
	}
	harness_free(event);
}

static void expect_all(const char *use, const char *const *options, const struct request *requests, size_t count)
{
	struct harness *h = harness_open(SLUICE_KIND_PARSE, use, options);
	for (size_t i = 0; i < count; i++)
		expect(h, &requests[i]);
	harness_close(h);
}

#define EXPECT(use, options, requests) expect_all(use, options, requests, sizeof(requests) / sizeof((requests)[0]))

START_TEST(test_a_field_of_a_form_is_json)
{
	static const char *const options[] = {"form_json=payload", "message_id=header:X-Id, /id",
	                                      "event_type=/type, form:kind", "payload=", NULL};
	static const struct request requests[] = {
		{FORM,
	         "payload=%7B%22id%22%3A%22a+b%2Bc%22%2C%22type%22%3A%22push%22%7D",
	         {NULL},
	         0,
	         "a b+c",
	         "push",
	         "{\"id\":\"a b+c\",\"type\":\"push\"}"},
		{FORM "; charset=utf-8",
	         "kind=x%20y&payload={\"id\":\"1\"}&more",
	         {NULL},
	         0,
	         "1",
	         "x y",
	         "{\"id\":\"1\"}"},
		{FORM, "p%61yload=%7B%7D&kind=t", {"X-Id", "h"}, 0, "h", "t", "{}"},
		{"application/json",
	         "{\"id\":\"1\",\"type\":\"t\"}",
	         {NULL},
	         0,
	         "1",
	         "t",
	         "{\"id\":\"1\",\"type\":\"t\"}"},
		{FORM, " {\"id\":\"1\",\"type\":\"t\"}", {NULL}, 0, "1", "t", " {\"id\":\"1\",\"type\":\"t\"}"},
		{FORM,
	         "other=1",
	         {NULL},
	         400,
	         "the field payload: expected it once in the form, got nothing",
	         NULL,
	         NULL},
		{FORM,
	         "payload={}&payload={}",
	         {NULL},
	         400,
	         "the field payload: expected it once in the form, got it again",
	         NULL,
	         NULL},
		{FORM,
	         "payload=%7B%22id%22",
	         {NULL},
	         400,
	         "the field payload: expected JSON, got an early end at byte 5",
	         NULL,
	         NULL},
		{FORM,
	         "payload={\"a\":1,\"a\":2}",
	         {NULL},
	         400,
	         "the field payload: expected each key once in the outermost object, got a duplicate",
	         NULL,
	         NULL},
		{FORM,
	         "payload={\"id\":\"1\"}&kind=%ff",
	         {NULL},
	         400,
	         "the field kind: expected UTF-8, got other bytes",
	         NULL,
	         NULL},
	};
	EXPECT("form", options, requests);
}
END_TEST

START_TEST(test_fields_of_a_form_are_sources)
{
	static const char *const options[] = {"message_id=form:trigger_id, form:id",
	                                      "event_type=form:command",
	                                      "payload=",
	                                      "stream=form:team id",
	                                      "sequence=form:n",
	                                      NULL};
	static const struct request requests[] = {
		{FORM,
	         "command=%2Fweather&trigger_id=1.2&text=94070",
	         {NULL},
	         0,
	         "1.2",
	         "/weather",
	         "command=%2Fweather&trigger_id=1.2&text=94070"},
		{FORM, "command=c&id=%zz%4", {NULL}, 0, "%zz%4", "c", "command=c&id=%zz%4"},
		{FORM, "command=&id=1", {NULL}, 400, "the field command: expected a string, got nothing", NULL, NULL},
		{FORM, "command=c&&=&id=1", {NULL}, 0, "1", "c", "command=c&&=&id=1"},
		{FORM,
	         "command=c",
	         {NULL},
	         400,
	         "message_id: expected a non-empty string in one of the field trigger_id, the field id, got nothing",
	         NULL,
	         NULL},
		{FORM,
	         "command=c&id=1&id=1",
	         {NULL},
	         400,
	         "the field id: expected it once in the form, got it again",
	         NULL,
	         NULL},
		{FORM,
	         "command=c&id=1&n=x",
	         {NULL},
	         400,
	         "the field n: expected a 64-bit integer, got something else",
	         NULL,
	         NULL},
		{FORM,
	         "",
	         {NULL},
	         400,
	         "message_id: expected a non-empty string in one of the field trigger_id, the field id, got nothing",
	         NULL,
	         NULL},
	};
	EXPECT("form", options, requests);
	struct harness *h = harness_open(SLUICE_KIND_PARSE, "form", options);
	enum sluice_verdict verdict;
	const struct request ordered = {FORM, "command=c&id=1&team+id=T%201&n=-7", {NULL}, 0, NULL, NULL, NULL};
	struct sluice_event *event = send(h, &ordered, &verdict);
	ck_assert_int_eq(verdict, SLUICE_PASS);
	ck_assert(is_text(event->stream, "T 1"));
	ck_assert(event->has_sequence);
	ck_assert_int_eq(event->sequence, -7);
	harness_free(event);
	harness_close(h);
}
END_TEST

START_TEST(test_a_form_elsewhere_names_the_stage_that_takes_it)
{
	static const char *const none[] = {NULL};
	static const struct request requests[] = {
		{FORM,
	         "payload=%7B%7D",
	         {NULL},
	         415,
	         "Content-Type: expected application/json, got a form (" FORM
	         "): let the sender send JSON, or take forms with parse: form",
	         NULL,
	         NULL},
		{"text/plain; a=b",
	         "{}",
	         {NULL},
	         415,
	         "Content-Type: expected application/json or a type ending in +json, got text/plain: let the sender send "
	         "that, or set parse.media_types",
	         NULL,
	         NULL},
	};
	EXPECT("json", none, requests);
	EXPECT("scan", none, requests);
	struct harness *h = harness_open(SLUICE_KIND_PARSE, "json", none);
	enum sluice_verdict verdict;
	struct sluice_event *event = send(h, &requests[1], &verdict);
	ck_assert_str_eq(bench_response_header(event, "Accept"), "application/json");
	harness_free(event);
	harness_close(h);
}
END_TEST

#define EVENT "{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1}"

START_TEST(test_further_media_types_are_json)
{
	static const char *const options[] = {"media_types.json=text/plain, application/csp-report, text/x-*", NULL};
	static const struct request requests[] = {
		{"text/plain; charset=UTF-8", EVENT, {NULL}, 0, "m", "t", "1"},
		{"TEXT/PLAIN", EVENT, {NULL}, 0, "m", "t", "1"},
		{"application/csp-report", EVENT, {NULL}, 0, "m", "t", "1"},
		{"text/x-json", EVENT, {NULL}, 0, "m", "t", "1"},
		{"application/reports+json", EVENT, {NULL}, 0, "m", "t", "1"},
		{"text/plain", "no", {NULL}, 400, "the body: expected JSON, got a syntax error at byte 1", NULL, NULL},
		{"text/plainer",
	         EVENT,
	         {NULL},
	         415,
	         "Content-Type: expected application/json or a type ending in +json, got text/plainer: let the sender send "
	         "that, or set parse.media_types",
	         NULL,
	         NULL},
	};
	EXPECT("json", options, requests);
	EXPECT("scan", options, requests);
	EXPECT("form", options, requests);
}
END_TEST

START_TEST(test_opaque_bodies_are_not_looked_into)
{
	static const char *const options[] = {"media_types.opaque=text/*, application/xml",
	                                      "message_id=header:X-Id, digest:", "event_type=header:X-Type, /eventType",
	                                      "payload=", NULL};
	static const struct request requests[] = {
		{"text/xml", "<a/>", {"X-Id", "1", "X-Type", "t"}, 0, "1", "t", "<a/>"},
		{"text/plain", "\x80 not UTF-8", {"X-Id", "1", "X-Type", "t"}, 0, "1", "t", "\x80 not UTF-8"},
		/* printf abc | sha256sum */
		{"text/plain",
	         "abc",
	         {"X-Type", "t"},
	         0,
	         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	         "t",
	         "abc"},
		{"text/plain",
	         "{\"eventType\":\"t\"}",
	         {"X-Id", "1"},
	         400,
	         "event_type: expected a string in one of the header X-Type, eventType, got nothing",
	         NULL,
	         NULL},
		{"application/json", "{\"eventType\":\"t\"}", {"X-Id", "1"}, 0, "1", "t", "{\"eventType\":\"t\"}"},
		{"application/json",
	         "",
	         {"X-Id", "1", "X-Type", "t"},
	         400,
	         "the body: expected JSON, got an early end at byte 0",
	         NULL,
	         NULL},
	};
	EXPECT("json", options, requests);
	static const char *const any[] = {"media_types.opaque=*", "message_id=header:X-Id", "event_type=header:X-Type",
	                                  "payload=", NULL};
	static const struct request anything[] = {
		{"image/png", "\x89PNG", {"X-Id", "1", "X-Type", "t"}, 0, "1", "t", "\x89PNG"},
		{"application/json", "", {"X-Id", "1", "X-Type", "t"}, 0, "1", "t", ""},
		{NULL, "", {"X-Id", "1", "X-Type", "t"}, 0, "1", "t", ""},
		{"application/json",
	         "{",
	         {"X-Id", "1", "X-Type", "t"},
	         400,
	         "the body: expected JSON, got an early end at byte 1",
	         NULL,
	         NULL},
	};
	EXPECT("json", any, anything);
}
END_TEST

START_TEST(test_ids_are_joined_from_several_sources)
{
	static const char *const options[] = {"message_id={header:ce-source} {header:ce-id}, {/source} {/id}",
	                                      "event_type=v:{/kind}", "payload=", NULL};
	static const struct request requests[] = {
		{NULL, "{\"kind\":\"k\"}", {"ce-source", "/a", "ce-id", "1"}, 0, "/a 1", "v:k", "{\"kind\":\"k\"}"},
		{NULL,
	         "{\"kind\":\"k\",\"source\":\"/b\",\"id\":\"2\"}",
	         {"ce-id", "1"},
	         0,
	         "/b 2",
	         "v:k",
	         "{\"kind\":\"k\",\"source\":\"/b\",\"id\":\"2\"}"},
		{NULL,
	         "{\"kind\":\"%k\"}",
	         {"ce-source", "a%20b", "ce-id", "c d"},
	         0,
	         "a%2520b c%20d",
	         "v:%k",
	         "{\"kind\":\"%k\"}"},
		{NULL,
	         "{\"kind\":\"k\",\"source\":\"a b\",\"id\":\"\\u00e9\"}",
	         {NULL},
	         0,
	         "a%20b \xc3\xa9",
	         "v:k",
	         "{\"kind\":\"k\",\"source\":\"a b\",\"id\":\"\\u00e9\"}"},
		{NULL,
	         "{\"kind\":\"k\",\"source\":\"s\",\"id\":null}",
	         {NULL},
	         400,
	         "message_id: expected a non-empty string in one of {header:ce-source} {header:ce-id}, {/source} {/id}, got "
	         "nothing",
	         NULL,
	         NULL},
		{NULL,
	         "{\"kind\":\"k\",\"source\":\"s\",\"id\":7}",
	         {NULL},
	         400,
	         "id: expected a non-empty string, got a number",
	         NULL,
	         NULL},
		{NULL,
	         "{\"kind\":[],\"source\":\"s\",\"id\":\"1\"}",
	         {NULL},
	         400,
	         "kind: expected a string, got an array",
	         NULL,
	         NULL},
	};
	EXPECT("json", options, requests);
	EXPECT("scan", options, requests);
	static const char *const numbers[] = {"message_id={/source}/{/id}", "event_type=/t",
	                                      "payload=", "integer_texts=true", NULL};
	static const struct request numbered[] = {
		{NULL,
	         "{\"source\":12,\"id\":-3,\"t\":\"\"}",
	         {NULL},
	         0,
	         "12/-3",
	         "",
	         "{\"source\":12,\"id\":-3,\"t\":\"\"}"},
		{NULL,
	         "{\"source\":\"1/2\",\"id\":3,\"t\":\"\"}",
	         {NULL},
	         0,
	         "1%2F2/3",
	         "",
	         "{\"source\":\"1/2\",\"id\":3,\"t\":\"\"}"},
		{NULL,
	         "{\"source\":1.5,\"id\":3,\"t\":\"\"}",
	         {NULL},
	         400,
	         "source: expected a non-empty string, got a number",
	         NULL,
	         NULL},
	};
	EXPECT("json", numbers, numbered);
}
END_TEST

/* Whatever two pairs are joined, the same text means the same pair. */
START_TEST(test_different_values_never_join_to_one_text)
{
	static const char *const values[] = {"",    "a",  " ",    "a ",  " a",    "a a", "%",
	                                     "%20", "% ", "a%20", "%25", "%2520", "20"};
	enum { VALUES = sizeof(values) / sizeof(values[0]) };
	struct harness *h = harness_open(SLUICE_KIND_PARSE, "json",
	                                 (const char *[]){"message_id={/a} {/b}", "payload=", NULL});
	static char ids[VALUES * VALUES][64];
	size_t count = 0;
	for (size_t i = 0; i < VALUES; i++) {
		for (size_t j = 0; j < VALUES; j++) {
			char body[100];
			(void)snprintf(body, sizeof(body), "{\"a\":\"%s\",\"b\":\"%s\",\"eventType\":\"\"}", values[i],
			               values[j]);
			const struct request request = {NULL, body, {NULL}, 0, NULL, NULL, NULL};
			enum sluice_verdict verdict;
			struct sluice_event *event = send(h, &request, &verdict);
			ck_assert_int_eq(verdict, SLUICE_PASS);
			(void)snprintf(ids[count], sizeof(ids[count]), "%.*s", (int)event->message_id.size,
			               event->message_id.data);
			for (size_t k = 0; k < count; k++)
				ck_assert_str_ne(ids[k], ids[count]);
			count++;
			harness_free(event);
		}
	}
	harness_close(h);
}
END_TEST

START_TEST(test_an_id_may_be_a_digest)
{
	static const char *const options[] = {
		"message_id=/id, digest:{/a} {/b}, digest:/data, digest:", "event_type=/t", "payload=", NULL};
	static const struct request requests[] = {
		{NULL,
	         "{\"t\":\"\",\"id\":\"1\",\"data\":2}",
	         {NULL},
	         0,
	         "1",
	         "",
	         "{\"t\":\"\",\"id\":\"1\",\"data\":2}"},
		/* printf 'x {"n":1}' | sha256sum */
		{NULL,
	         "{\"t\":\"\",\"a\":\"x\",\"b\":{\"n\":1}}",
	         {NULL},
	         0,
	         "f9e1c067f1f23e3ed0a19fa2122387cf21ed2d6a65a963ec69199ba801676387",
	         "",
	         "{\"t\":\"\",\"a\":\"x\",\"b\":{\"n\":1}}"},
		/* printf abc | sha256sum: of a string its characters count, however they are written … */
		{NULL,
	         "{\"t\":\"\",\"data\":\"abc\"}",
	         {NULL},
	         0,
	         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	         "",
	         "{\"t\":\"\",\"data\":\"abc\"}"},
		{NULL,
	         "{\"t\":\"\",\"data\":\"\\u0061bc\"}",
	         {NULL},
	         0,
	         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	         "",
	         "{\"t\":\"\",\"data\":\"\\u0061bc\"}"},
		/* printf '[1, 2]' | sha256sum: … and of anything else the bytes as they were sent */
		{NULL,
	         "{\"t\":\"\",\"data\":[1, 2]}",
	         {NULL},
	         0,
	         "3a316d6d3226f84c1e46e4447fa8d5fd800bff4a1bc6498152523cd4a602b69b",
	         "",
	         "{\"t\":\"\",\"data\":[1, 2]}"},
		/* printf '{"t":""}' | sha256sum */
		{NULL,
	         "{\"t\":\"\"}",
	         {NULL},
	         0,
	         "2a2a6105198815abb3f68d14cf57efd5496f8db37f22c8767c81b17c1602440f",
	         "",
	         "{\"t\":\"\"}"},
	};
	EXPECT("json", options, requests);
	EXPECT("scan", options, requests);
}
END_TEST

START_TEST(test_recipes_that_are_none_are_refused)
{
	static const struct {
		const char *option, *sentence;
	} cases[] = {
		{"message_id={/a}{/b}",
	         "message_id: expected a space or a punctuation mark other than % behind each } that "
	         "another { follows, got \"{/a}{/b}\""},
		{"message_id={/a}%{/b}",
	         "message_id: expected a space or a punctuation mark other than % behind each } that "
	         "another { follows, got \"{/a}%{/b}\""},
		{"message_id={/a}x{/b}",
	         "message_id: expected a space or a punctuation mark other than % behind each } that "
	         "another { follows, got \"{/a}x{/b}\""},
		{"message_id={/a", "message_id: expected each source between { and }, got \"{/a\""},
		{"message_id={/a} }", "message_id: expected each source between { and }, got \"{/a} }\""},
		{"message_id={id}",
	         "message_id: expected a JSON Pointer such as /id, header:NAME or auth:id, got \"id\""},
		{"message_id=part",
	         "message_id: expected the number of an event together with others, as in \"{header:X-Id} "
	         "{part}\", got \"part\""},
		{"message_id=form:a", "message_id: \"form:a\" is a field of a form, which parse: form takes"},
		{"payload=digest:", "payload: expected a JSON Pointer, got \"digest:\""},
		{"payload={/a} {/b}", "payload: expected a JSON Pointer, got \"{/a} {/b}\""},
		{"batch=header:X", "batch: expected a JSON Pointer, got \"header:X\""},
		{"media_types.json=json", "media_types.json: expected a media type such as text/plain, got \"json\""},
		{"sameness=first-wins, /a",
	         "sameness: expected a JSON Pointer such as /first-wins, header:NAME or auth:id, got "
	         "\"first-wins\""},
		{"sameness=header:A", "sameness: expected JSON Pointers into the payload, got \"header:A\""},
		{"message_id={/a} {/a} {/a} {/a} {/a} {/a} {/a} {/a} {/a}",
	         "message_id: expected at most 8 sources joined, got \"{/a} {/a} {/a} {/a} {/a} {/a} {/a} {/a} {/a}\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(
			harness_try(SLUICE_KIND_PARSE, "json", (const char *[]){cases[i].option, NULL}, &error));
		ck_assert_str_eq(error.text, cases[i].sentence);
	}
}
END_TEST

static const char *implementation;

static void use_json(void)
{
	implementation = "json";
}

static void use_scan(void)
{
	implementation = "scan";
}

static void use_form(void)
{
	implementation = "form";
}

/* The parts of a batch that was split, by "id type payload;" each, or their refusals. */
static void describe_parts(struct harness *h, struct sluice_event *event, char *text, size_t room)
{
	text[0] = '\0';
	for (size_t i = 0; i < bench_parts(event); i++) {
		struct sluice_event *part = bench_part(event, i);
		ck_assert_uint_eq(part->part, i);
		ck_assert_uint_eq(part->parts, bench_parts(event));
		size_t used = strlen(text);
		if (harness_process(h, part) == SLUICE_PASS)
			(void)snprintf(text + used, room - used, "%.*s %.*s %.*s;", (int)part->message_id.size,
			               part->message_id.data, (int)part->event_type.size, part->event_type.data,
			               (int)part->payload.size, part->payload.data);
		else
			(void)snprintf(text + used, room - used, "%d %s;", harness_status(part), harness_detail(part));
		harness_free(part);
	}
}

static void expect_parts(const char *const *options, const struct request *requests, size_t count)
{
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, options);
	for (size_t i = 0; i < count; i++) {
		char text[2000];
		enum sluice_verdict verdict;
		struct sluice_event *event = send(h, &requests[i], &verdict);
		ck_assert_msg(verdict == SLUICE_PASS, "%s: %s", requests[i].body, harness_detail(event));
		describe_parts(h, event, text, sizeof(text));
		ck_assert_str_eq(text, requests[i].id);
		harness_free(event);
	}
	harness_close(h);
}

#define EXPECT_PARTS(options, requests) expect_parts(options, requests, sizeof(requests) / sizeof((requests)[0]))

START_TEST(test_each_element_of_an_array_is_an_event)
{
	static const char *const options[] = {"batch=", "message_id=/id", "event_type=/t", "payload=", NULL};
	static const struct request requests[] = {
		{NULL,
	         " [ {\"id\":\"1\",\"t\":\"a\"} ,\n{\"id\":\"2\",\"t\":\"[,]\\\"}\"}]",
	         {NULL},
	         0,
	         "1 a {\"id\":\"1\",\"t\":\"a\"};2 [,]\"} {\"id\":\"2\",\"t\":\"[,]\\\"}\"};",
	         NULL,
	         NULL},
		{"application/cloudevents-batch+json",
	         "[{\"id\":\"1\",\"t\":\"a\"}]",
	         {NULL},
	         0,
	         "1 a {\"id\":\"1\",\"t\":\"a\"};",
	         NULL,
	         NULL},
		{NULL,
	         "[{\"id\":\"1\",\"t\":\"a\"},2,[{\"id\":\"3\"}],{\"id\":\"4\",\"t\":\"d\"},\"5\",null,true,-1.5e3]",
	         {NULL},
	         0,
	         "1 a {\"id\":\"1\",\"t\":\"a\"};400 id: expected a non-empty string, got nothing;400 id: expected a "
	         "non-empty string, got nothing;4 d {\"id\":\"4\",\"t\":\"d\"};400 id: expected a non-empty string, got "
	         "nothing;400 id: expected a non-empty string, got nothing;400 id: expected a non-empty string, got "
	         "nothing;400 id: expected a non-empty string, got nothing;",
	         NULL,
	         NULL},
		{NULL,
	         "[{\"id\":\"1\",\"t\":\"a\",\"t\":\"b\"}]",
	         {NULL},
	         0,
	         "400 the event: expected each key once in the outermost object, got a duplicate;",
	         NULL,
	         NULL},
	};
	EXPECT_PARTS(options, requests);
}
END_TEST

START_TEST(test_the_array_may_be_a_member)
{
	static const char *const options[] = {"batch=/value", "message_id=/id", "event_type=/t", "payload=/p", NULL};
	static const struct request requests[] = {
		{NULL,
	         "{\"more\":[1],\"value\":[{\"id\":\"1\",\"t\":\"a\",\"p\":[7]},{\"id\":\"2\",\"t\":\"b\",\"p\":{}}]}",
	         {NULL},
	         0,
	         "1 a [7];2 b {};",
	         NULL,
	         NULL},
	};
	EXPECT_PARTS(options, requests);
	static const struct request alone[] = {
		{NULL, "{\"id\":\"1\",\"t\":\"a\",\"p\":[7]}", {NULL}, 0, "1", "a", "[7]"},
		{NULL, "{\"id\":\"1\",\"t\":\"a\",\"p\":[7],\"value\":{}}", {NULL}, 0, "1", "a", "[7]"},
	};
	EXPECT(implementation, options, alone);
}
END_TEST

START_TEST(test_events_of_a_request_do_not_share_an_id)
{
	static const char *const options[] = {"batch=", "message_id=header:X-Id, /id, {header:X-Id}#{part}",
	                                      "event_type=header:X-Type", "payload=", NULL};
	static const struct request requests[] = {
		{NULL,
	         "[{\"id\":\"1\"},{}]",
	         {"X-Id", "h", "X-Type", "t"},
	         0,
	         "1 t {\"id\":\"1\"};h#1 t {};",
	         NULL,
	         NULL},
		{NULL, "[{}]", {"X-Id", "h", "X-Type", "t"}, 0, "h#0 t {};", NULL, NULL},
	};
	EXPECT_PARTS(options, requests);
	static const char *const header[] = {"batch=", "message_id=header:X-Id", "event_type=header:X-Type",
	                                     "payload=", NULL};
	static const struct request refused[] = {
		{NULL,
	         "[{},{}]",
	         {"X-Id", "h", "X-Type", "t"},
	         0,
	         "400 the header X-Id: expected a non-empty string, got nothing;400 the header X-Id: expected a non-empty "
	         "string, got nothing;",
	         NULL,
	         NULL},
	};
	EXPECT_PARTS(header, refused);
}
END_TEST

START_TEST(test_batches_have_a_bound_and_may_be_empty)
{
	static const char *const options[] = {"batch=", "batch_max=2", "message_id=/id",
	                                      "media_types.batch=application/json", NULL};
	static const struct request requests[] = {
		{"application/json", "[1,2,3]", {NULL}, 413, "the body: expected at most 2 events, got 3", NULL, NULL},
		{"application/json",
	         "[1,2,",
	         {NULL},
	         400,
	         "the body: expected JSON, got an early end at byte 5",
	         NULL,
	         NULL},
		{"application/x+json", "[1]", {NULL}, 400, "id: expected a non-empty string, got nothing", NULL, NULL},
	};
	EXPECT(implementation, options, requests);
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, options);
	static const char *const empty[] = {"[]", " [ \n] "};
	for (size_t i = 0; i < 2; i++) {
		enum sluice_verdict verdict;
		struct sluice_event *event = send(
			h, &(struct request){"application/json", empty[i], {NULL}, 0, NULL, NULL, NULL}, &verdict);
		ck_assert_int_eq(verdict, SLUICE_DONE);
		ck_assert(bench_responds(event));
		ck_assert_int_eq(harness_status(event), 200);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_a_field_of_a_form_may_be_a_batch)
{
	static const char *const options[] = {
		"batch=", "form_json=mandrill_events", "message_id=/_id", "event_type=/event", "payload=", NULL};
	static const struct request requests[] = {
		{FORM,
	         "mandrill_events=%5B%7B%22_id%22%3A%221%22%2C%22event%22%3A%22open%22%7D%2C%7B%22_id%22%3A%222%22%2C%22event%22%3A%22click%22%7D%5D",
	         {NULL},
	         0,
	         "1 open {\"_id\":\"1\",\"event\":\"open\"};2 click {\"_id\":\"2\",\"event\":\"click\"};",
	         NULL,
	         NULL},
	};
	implementation = "form";
	EXPECT_PARTS(options, requests);
}
END_TEST

static void add_batches(Suite *suite, void (*use)(void))
{
	TCase *batches = tcase_create("batches");
	tcase_add_checked_fixture(batches, use, NULL);
	tcase_add_test(batches, test_each_element_of_an_array_is_an_event);
	tcase_add_test(batches, test_the_array_may_be_a_member);
	tcase_add_test(batches, test_events_of_a_request_do_not_share_an_id);
	tcase_add_test(batches, test_batches_have_a_bound_and_may_be_empty);
	suite_add_tcase(suite, batches);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("bodies and ids");
	TCase *bodies = tcase_create("bodies");
	tcase_add_test(bodies, test_a_field_of_a_form_is_json);
	tcase_add_test(bodies, test_fields_of_a_form_are_sources);
	tcase_add_test(bodies, test_a_form_elsewhere_names_the_stage_that_takes_it);
	tcase_add_test(bodies, test_further_media_types_are_json);
	tcase_add_test(bodies, test_opaque_bodies_are_not_looked_into);
	tcase_add_test(bodies, test_a_field_of_a_form_may_be_a_batch);
	suite_add_tcase(suite, bodies);
	TCase *ids = tcase_create("ids");
	tcase_add_test(ids, test_ids_are_joined_from_several_sources);
	tcase_add_test(ids, test_different_values_never_join_to_one_text);
	tcase_add_test(ids, test_an_id_may_be_a_digest);
	tcase_add_test(ids, test_recipes_that_are_none_are_refused);
	suite_add_tcase(suite, ids);
	add_batches(suite, use_json);
	add_batches(suite, use_scan);
	add_batches(suite, use_form);
	return suite;
}

UNIT_SUITE(test_parse_bodies, suite)
