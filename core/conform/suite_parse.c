/*
 * What a parse stage promises: all accept the same JSON, and keep the exact bytes of the payload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "conform/check.h"
#include "conform/concurrent.h"
#include "conform/corpus.h"
#include "conform/request.h"
#include "conform/sample.h"
#include "conform/stated.h"
#include "yaml/option.h"

enum { THREADS = 4, ROUNDS = 300, RANDOM_BODIES = 20000, DEPTH = 64, FAR_TOO_DEEP = 100000, BAD_REQUEST = 400 };

#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}

static const char *const text_names[] = {"message id", "event type", "stream"};

/* Where every parse stage looks unless it is told otherwise. */
static const char *const defaults[] = {"message_id=/messageId", "event_type=/eventType", "payload=/payload",
                                       "stream=/stream", "sequence=/sequence"};

/* What is sent where the check does not care: the request of --request, or JSON. */
static struct request model;

static const char json_body[] =
	" {\"messageId\":\"m\\u00e9\\ud83d\\ude00\",\"eventType\":\"\\\"t\",\"stream\":\"s\",\"sequence\":-12,\"payload\":{\"a\":[1.5e-3,true,false,null,\"\\\\\"],\"gr\xc3\xbc\xc3\x9f\":\"\xe2\x82\xac\"}}";

/* For the checks of those that take JSON, which all do but those that are given a request in a format of their own. */
static struct bench *open_json(struct check *check)
{
	if (check_request(check))
		check_skip(check, "its format is that of the request given with --request");
	const char *extra[sizeof(defaults) / sizeof(defaults[0]) + 1] = {NULL};
	size_t count = 0;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(defaults[i], "="), defaults[i]);
		if (option_find(check_ops(check)->options, name))
			extra[count++] = defaults[i];
	}
	return check_open_with(check, extra);
}

static struct sluice_event *event_of(struct bench *bench, const void *body, size_t size)
{
	struct sluice_event *event = request_event(bench, &model);
	for (size_t i = 0; i < model.header_count; i++)
		bench_add_header(event, model.headers[i].name, model.headers[i].value);
	if (model.header_count == 0)
		bench_add_header(event, "Content-Type", "application/json");
	bench_set_body(event, body, size);
	event->payload = (struct sluice_bytes){NULL, 0};
	return event;
}

static enum sluice_verdict process(struct check *check, struct bench *bench, struct sluice_event *event)
{
	return sample_wait(check, event, bench_process(bench, event));
}

/* What is shown of a body in a sentence: its start, printable. */
struct excerpt {
	char text[80];
};

static struct excerpt excerpt_of(struct sluice_bytes body)
{
	struct excerpt excerpt;
	size_t used = 0;
	for (size_t i = 0; i < body.size && used + 8 < sizeof(excerpt.text); i++) {
		unsigned char c = (unsigned char)body.data[i];
		used += (size_t)snprintf(excerpt.text + used, sizeof(excerpt.text) - used,
		                         c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
	}
	excerpt.text[used] = '\0';
	return excerpt;
}

static bool lies_in(struct sluice_bytes part, struct sluice_bytes whole)
{
	return part.data >= whole.data && part.size <= whole.size &&
	       (size_t)(part.data - whole.data) <= whole.size - part.size;
}

static bool decodes(const struct check *check)
{
	return check_ops(check)->of.parse->flags & SLUICE_PARSE_DECODES;
}

/* What holds for whatever a sender sends. */
static void expect_sound(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict)
{
	const struct sluice_bytes texts[] = {event->message_id, event->event_type, event->stream};
	struct excerpt body = excerpt_of(event->body);
	if (bench_responds(event))
		return;
	if (verdict != SLUICE_PASS) {
		check_that(check, verdict == SLUICE_REJECT && bench_status(event) == BAD_REQUEST,
		           "%s: expected PASS, or REJECT with 400, got %s with status %d", body.text,
		           verdict_name(verdict), bench_status(event));
		return;
	}
	check_that(check, event->message_id.size > 0, "%s: passed without a message id", body.text);
	check_that(check, event->payload.data != NULL, "%s: passed without a payload", body.text);
	check_that(check, decodes(check) || lies_in(event->payload, event->body),
	           "%s: the payload is not a part of the body: a stage that decodes it declares SLUICE_PARSE_DECODES",
	           body.text);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		check_that(check, texts[i].size <= SLUICE_NAME_MAX, "%s: passed with a %s of %zu bytes", body.text,
		           text_names[i], texts[i].size);
		check_that(check, !texts[i].size || utf8_valid(texts[i].data, texts[i].size),
		           "%s: passed with a %s that is not UTF-8", body.text, text_names[i]);
	}
	check_that(check, !event->stream.data || event->stream.size > 0, "%s: passed with an empty stream", body.text);
}

static bool passes(struct check *check, struct bench *bench, const void *body, size_t size)
{
	struct sluice_event *event = event_of(bench, body, size);
	enum sluice_verdict verdict = process(check, bench, event);
	expect_sound(check, event, verdict);
	bench_settle(bench, event, verdict);
	return verdict == SLUICE_PASS;
}

/* For checks of any format: the request given, or the JSON above. */
static struct bench *open_model(struct check *check)
{
	if (!check_request(check)) {
		model.body = (struct sluice_bytes){json_body, strlen(json_body)};
		return open_json(check);
	}
	struct bench *bench = check_open(check);
	const struct stated *stated = stated_model(check);
	if (!stated)
		check_skip(check, "none of the requests given with --request is stated to pass");
	model = stated->request;
	check_that(check, model.body.size > 0, "the request given with --request: expected a body");
	check_that(check, passes(check, bench, model.body.data, model.body.size),
	           "the request given with --request: expected PASS, got REJECT");
	return bench;
}

static bool text_passes(struct check *check, struct bench *bench, const char *body)
{
	return passes(check, bench, body, strlen(body));
}

static void wrap(struct buffer *out, const void *value, size_t size)
{
	buffer_empty(out);
	buffer_add_text(out, "{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":");
	buffer_add(out, value, size);
	buffer_add_text(out, "}");
}

static void valid_json(struct check *check)
{
	struct bench *bench = open_json(check);
	struct buffer body = {0};
	for (const struct sluice_bytes *value = corpus_valid; value->data; value++) {
		wrap(&body, value->data, value->size);
		check_that(check, passes(check, bench, body.data, body.size),
		           "the payload %s: expected PASS, got REJECT", excerpt_of(*value).text);
	}
	static const char *const bodies[] = {
		" \t\r\n{ \"payload\" : 1 , \"eventType\" : \"t\" , \"messageId\" : \"m\" } \n",
		"{\"messageId\":\"m\",\"eventType\":\"\",\"payload\":{},\"other\":[{\"messageId\":1}]}",
		"{\"message\\u0049d\":\"m\",\"eventType\":\"t\",\"payload\":\"\"}",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		check_that(check, text_passes(check, bench, bodies[i]), "%s: expected PASS, got REJECT", bodies[i]);
	buffer_finish(&body);
}

static void invalid_json(struct check *check)
{
	struct bench *bench = open_json(check);
	struct buffer body = {0};
	for (const struct sluice_bytes *value = corpus_invalid; value->data; value++) {
		wrap(&body, value->data, value->size);
		check_that(check, !passes(check, bench, body.data, body.size),
		           "the payload %s: expected REJECT, got PASS", excerpt_of(*value).text);
	}
	wrap(&body, "1", 1);
	static const char *const behind[] = {"x", "{}", ",", "]", "\xc2\xa0", "\xff"};
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		wrap(&body, "1", 1);
		buffer_add_text(&body, behind[i]);
		check_that(check, !passes(check, bench, body.data, body.size),
		           "%s after the object: expected REJECT, got PASS",
		           excerpt_of((struct sluice_bytes){behind[i], strlen(behind[i])}).text);
	}
	wrap(&body, "1", 1);
	check_that(check, !passes(check, bench, body.data, body.size + 1),
	           "a NUL after the object: expected REJECT, got PASS");
	buffer_finish(&body);
}

static void duplicate_key(struct check *check)
{
	static const char *const bodies[] = {
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"messageId\":\"n\"}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"payload\":1}",
		"{\"a\":1,\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"a\":2}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"message\\u0049d\":\"n\"}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"a\\u0000\":1,\"a\\u0000\":2}",
	};
	static const char *const different[] = {
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":{\"a\":1,\"a\":2}}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"a\\u0000\":1,\"a\\ufdd0\":2}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"a\\u0000\":1,\"a\":2}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"a\\\\u0000\":1,\"a\\\\ufdd0\":2}",
	};
	struct bench *bench = open_json(check);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		check_that(check, !text_passes(check, bench, bodies[i]), "%s: expected REJECT, got PASS", bodies[i]);
	for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++)
		check_that(check, text_passes(check, bench, different[i]), "%s: expected PASS, got REJECT",
		           different[i]);
}

static struct sluice_bytes trimmed(struct sluice_bytes value)
{
	while (value.size && strchr(" \t\r\n", value.data[0]))
		value = (struct sluice_bytes){value.data + 1, value.size - 1};
	while (value.size && strchr(" \t\r\n", value.data[value.size - 1]))
		value.size--;
	return value;
}

static void payload_in_body(struct check *check)
{
	if (decodes(check))
		check_skip(check, "it declares that it decodes the payload");
	struct bench *bench = open_model(check);
	struct buffer body = {0};
	(void)passes(check, bench, model.body.data, model.body.size);
	for (const struct sluice_bytes *value = corpus_valid; !check_request(check) && value->data; value++) {
		wrap(&body, value->data, value->size);
		(void)passes(check, bench, body.data, body.size);
	}
	buffer_finish(&body);
}

static void exact_bytes(struct check *check)
{
	if (decodes(check))
		check_skip(check, "it declares that it decodes the payload");
	static const struct sluice_bytes more[] = {
		{"{ \"b\" : 1.50 ,\r\n\t\"a\":1e+02, \"a\":-0 }", 32},
		{"\"\\u0041\\/\\ud83d\\ude00\"", 22},
		{"12345678901234567890.10", 23},
		{NULL, 0},
	};
	const struct sluice_bytes *const lists[] = {corpus_valid, more};
	struct bench *bench = open_json(check);
	struct buffer body = {0};
	for (size_t i = 0; i < 2; i++) {
		for (const struct sluice_bytes *value = lists[i]; value->data; value++) {
			wrap(&body, value->data, value->size);
			struct sluice_event *event = event_of(bench, body.data, body.size);
			struct sluice_bytes expected = trimmed(*value);
			enum sluice_verdict verdict = process(check, bench, event);
			if (verdict == SLUICE_PASS)
				check_that(check, sluice_bytes_equal(event->payload, expected),
				           "the payload %s: expected these bytes, got %s", excerpt_of(expected).text,
				           excerpt_of(event->payload).text);
			bench_settle(bench, event, verdict);
		}
	}
	buffer_finish(&body);
}

static bool is_text(struct sluice_bytes bytes, const char *text)
{
	return text ? bytes.data && bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0
	            : bytes.size == 0;
}

static const struct fields {
	const char *body, *message_id, *event_type, *stream, *payload;
	int64_t sequence;
	bool has_sequence;
} fields_cases[] = {
	{"{\"messageId\":\"m1\",\"eventType\":\"order.paid\",\"payload\":{\"a\":1}}", "m1", "order.paid", NULL,
         "{\"a\":1}", 0, false},
	{"{\"messageId\":\"\\u00e9\\ud83d\\ude00\\n\",\"eventType\":\"\\\"\\\\\\/\",\"payload\":[]}", "é😀\n", "\"\\/",
         NULL, "[]", 0, false},
	{"{\"messageId\":\"m\",\"eventType\":\"\",\"stream\":\"s\\u0031\",\"sequence\":42,\"payload\":\"x\"}", "m", "",
         "s1", "\"x\"", 42, true},
	{"{\"messageId\":\"m\",\"eventType\":\"t\",\"sequence\":-9223372036854775808,\"payload\":0}", "m", "t", NULL,
         "0", INT64_MIN, true},
	{"{\"messageId\":\"m\",\"eventType\":\"t\",\"sequence\":9223372036854775807,\"payload\":0}", "m", "t", NULL,
         "0", INT64_MAX, true},
	{"{\"payload\":{\"messageId\":\"inner\"},\"eventType\":\"t\",\"messageId\":\"outer\"}", "outer", "t", NULL,
         "{\"messageId\":\"inner\"}", 0, false},
	{"{\"messageId\":\"\\ufdd0\",\"eventType\":\"\",\"payload\":\"\\u0000\"}", "\xef\xb7\x90", "", NULL,
         "\"\\u0000\"", 0, false},
};

static void expect_fields(struct check *check, const struct fields *expected, const struct sluice_event *event)
{
	const char *body = expected->body;
	check_that(check, is_text(event->message_id, expected->message_id), "%s: the message id is %s", body,
	           excerpt_of(event->message_id).text);
	check_that(check, is_text(event->event_type, expected->event_type), "%s: the event type is %s", body,
	           excerpt_of(event->event_type).text);
	check_that(check, is_text(event->payload, expected->payload), "%s: the payload is %s", body,
	           excerpt_of(event->payload).text);
	check_that(check, is_text(event->stream, expected->stream), "%s: the stream is %s", body,
	           excerpt_of(event->stream).text);
	check_that(check,
	           event->has_sequence == expected->has_sequence &&
	                   (!expected->has_sequence || event->sequence == expected->sequence),
	           "%s: the sequence is %s%lld", body, event->has_sequence ? "" : "absent, ",
	           (long long)event->sequence);
}

static void fields(struct check *check)
{
	struct bench *bench = open_json(check);
	for (size_t i = 0; i < sizeof(fields_cases) / sizeof(fields_cases[0]); i++) {
		const struct fields *expected = &fields_cases[i];
		struct sluice_event *event = event_of(bench, expected->body, strlen(expected->body));
		enum sluice_verdict verdict = process(check, bench, event);
		check_that(check, verdict == SLUICE_PASS, "%s: expected PASS, got %s: %s", expected->body,
		           verdict_name(verdict), bench_detail(event));
		expect_fields(check, expected, event);
		bench_settle(bench, event, verdict);
	}
}

static void wrong_fields(struct check *check)
{
	static const char *const bodies[] = {
		"{\"eventType\":\"t\",\"payload\":1}",
		"{\"messageId\":\"m\",\"payload\":1}",
		"{\"messageId\":\"m\",\"eventType\":\"t\"}",
		"{\"messageId\":\"\",\"eventType\":\"t\",\"payload\":1}",
		"{\"messageId\":null,\"eventType\":\"t\",\"payload\":1}",
		"{\"messageId\":[\"m\"],\"eventType\":\"t\",\"payload\":1}",
		"{\"messageId\":true,\"eventType\":\"t\",\"payload\":1}",
		"{\"messageId\":\"m\",\"eventType\":{},\"payload\":1}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"stream\":[]}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"sequence\":1.5}",
		"{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1,\"sequence\":9223372036854775808}",
		"[{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1}]",
		"\"messageId\"",
		"",
		" ",
	};
	struct bench *bench = open_json(check);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		check_that(check, !text_passes(check, bench, bodies[i]), "'%s': expected REJECT, got PASS", bodies[i]);
}

/* A body with one text of `size` bytes. */
static void make_long(struct buffer *out, const char *key, size_t size)
{
	buffer_empty(out);
	buffer_printf(out, "{\"payload\":1,\"%s\":\"", key);
	for (size_t i = 0; i < size; i++)
		buffer_add_text(out, i % 2 ? "b" : "a");
	buffer_printf(out, "\",%s%s}", strcmp(key, "messageId") == 0 ? "" : "\"messageId\":\"m\"",
	              strcmp(key, "eventType") == 0   ? ""
	              : strcmp(key, "messageId") == 0 ? "\"eventType\":\"t\""
	                                              : ",\"eventType\":\"t\"");
}

static void limits(struct check *check)
{
	static const char *const keys[] = {"messageId", "eventType", "stream"};
	struct bench *bench = open_json(check);
	struct buffer body = {0};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		make_long(&body, keys[i], SLUICE_NAME_MAX);
		check_that(check, passes(check, bench, body.data, body.size),
		           "a %s of %d bytes: expected PASS, got REJECT", keys[i], SLUICE_NAME_MAX);
		make_long(&body, keys[i], SLUICE_NAME_MAX + 1);
		check_that(check, !passes(check, bench, body.data, body.size),
		           "a %s of %d bytes: expected REJECT, got PASS", keys[i], SLUICE_NAME_MAX + 1);
		make_long(&body, keys[i], 70000);
		check_that(check, !passes(check, bench, body.data, body.size),
		           "a %s of 70000 bytes: expected REJECT, got PASS", keys[i]);
	}
	buffer_finish(&body);
}

static void make_deep(struct buffer *out, const char *open, const char *inside, const char *close, size_t levels)
{
	struct buffer value = {0};
	for (size_t i = 0; i < levels; i++)
		buffer_add_text(&value, open);
	buffer_add_text(&value, inside);
	for (size_t i = 0; i < levels; i++)
		buffer_add_text(&value, close);
	wrap(out, value.data, value.size);
	buffer_finish(&value);
}

static void depth(struct check *check)
{
	static const struct nesting {
		const char *open, *inside, *close;
	} nestings[] = {{"[", "", "]"}, {"{\"a\":", "1", "}"}, {"[{\"a\":", "1", "}]"}};
	struct bench *bench = open_json(check);
	struct buffer body = {0};
	for (size_t i = 0; i < sizeof(nestings) / sizeof(nestings[0]); i++) {
		const struct nesting *nesting = &nestings[i];
		make_deep(&body, nesting->open, nesting->inside, nesting->close, FAR_TOO_DEEP);
		check_that(check, !passes(check, bench, body.data, body.size), "%d levels: expected REJECT, got PASS",
		           FAR_TOO_DEEP);
		make_deep(&body, nesting->open, "", "", FAR_TOO_DEEP);
		check_that(check, !passes(check, bench, body.data, body.size),
		           "%d unclosed levels: expected REJECT, got PASS", FAR_TOO_DEEP);
	}
	if (!check_option(check, "max_depth")) {
		make_deep(&body, "[", "", "]", DEPTH - 1);
		check_that(check, passes(check, bench, body.data, body.size), "%d levels: expected PASS, got REJECT",
		           DEPTH);
		make_deep(&body, "[", "", "]", DEPTH);
		check_that(check, !passes(check, bench, body.data, body.size), "%d levels: expected REJECT, got PASS",
		           DEPTH + 1);
	}
	buffer_finish(&body);
}

static void cut_body(struct check *check)
{
	struct bench *bench = open_model(check);
	size_t size = model.body.size;
	check_that(check, passes(check, bench, model.body.data, size), "%s: expected PASS, got REJECT",
	           excerpt_of(model.body).text);
	for (size_t i = 0; i < size; i++) {
		bool passed = passes(check, bench, model.body.data, i);
		/* Another format may have no end of its own. */
		check_that(check, !passed || check_request(check),
		           "the first %zu bytes of %s: expected REJECT, got PASS", i, json_body);
	}
}

/* xorshift: the same bodies each time, so that what is found is found again. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void random_bodies(struct check *check)
{
	static const char tokens[] = "{}[]\",:\\u0d8f 1-+.eE\ntruefalsn\x80\xff\xc3";
	struct bench *bench = open_model(check);
	char *body = must_calloc(1, model.body.size);
	uint64_t state = 88172645463325252u;
	size_t bodies = check_effort(check, RANDOM_BODIES / 8, RANDOM_BODIES, 20 * RANDOM_BODIES);
	for (size_t n = 0; n < bodies; n++) {
		size_t size = model.body.size, changes = 1 + next_random(&state) % 4;
		memcpy(body, model.body.data, size);
		for (size_t j = 0; j < changes; j++)
			body[next_random(&state) % size] = tokens[next_random(&state) % (sizeof(tokens) - 1)];
		if (next_random(&state) % 4 == 0)
			size = next_random(&state) % size;
		(void)passes(check, bench, body, size);
	}
	free(body);
}

/* The text stands somewhere in the request's body as it is: what comes in its place, and how. */
static void replace(struct check *check, struct bench *bench, struct sluice_bytes text, struct sluice_bytes by)
{
	struct buffer body = {0};
	const char *at = text.size ? memmem(model.body.data, model.body.size, text.data, text.size) : NULL;
	if (!at)
		return;
	buffer_add(&body, model.body.data, (size_t)(at - model.body.data));
	buffer_add(&body, by.data, by.size);
	buffer_add(&body, at + text.size, model.body.size - text.size - (size_t)(at - model.body.data));
	(void)passes(check, bench, body.data, body.size);
	buffer_finish(&body);
}

static void hostile_names(struct check *check)
{
	static char too_long[70000];
	memset(too_long, 'a', sizeof(too_long));
	const struct sluice_bytes hostile[] = {
		{too_long, SLUICE_NAME_MAX},
		{too_long, SLUICE_NAME_MAX + 1},
		{too_long, 300},
		{too_long, sizeof(too_long)},
		TEXT(""),
		TEXT("\xff"),
		TEXT("a\xc3"),
		TEXT("\xed\xa0\x80"),
		TEXT("\xc0\xaf"),
		TEXT("a%FF"),
		TEXT("%C3"),
		TEXT("%ed%a0%80"),
		TEXT("%c0%af"),
		TEXT("\\xff"),
		TEXT("=FF"),
		TEXT("a\0b"),
		TEXT("%00"),
		TEXT("%"),
		TEXT("%4"),
		TEXT("%zz"),
		TEXT("+"),
	};
	struct bench *bench = open_model(check);
	const struct stated *stated = check_request(check) ? stated_model(check) : NULL;
	const struct sluice_bytes texts[] = {
		stated ? stated->message_id : (struct sluice_bytes)TEXT("m\\u00e9\\ud83d\\ude00"),
		stated ? stated->event_type : (struct sluice_bytes)TEXT("\\\"t"),
		stated ? stated->stream : (struct sluice_bytes){NULL, 0},
	};
	if (!texts[0].data)
		check_skip(check, "the message id of the request is not stated: see --expect");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t j = 0; j < sizeof(hostile) / sizeof(hostile[0]); j++)
			replace(check, bench, texts[i], hostile[j]);
	}
}

static void untouched(struct check *check)
{
	struct bench *bench = open_model(check);
	const struct sluice_bytes bodies[] = {
		model.body,
		TEXT("{\"messageId\":\"m\\u0031\",\"eventType\":\"t\",\"payload\":\"\\u0000\"}"),
		TEXT("{\"messageId\":"),
		TEXT("[]"),
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct sluice_event *event = event_of(bench, bodies[i].data, bodies[i].size);
		struct sluice_bytes body = event->body, request_id = event->request_id;
		const struct sluice_header *headers = event->headers;
		int64_t deadline_ns = event->deadline_ns, received_at_ns = event->received_at_ns;
		(void)process(check, bench, event);
		check_that(check, memcmp(event->body.data, bodies[i].data, bodies[i].size) == 0,
		           "%s: it changed the bytes of the body", excerpt_of(bodies[i]).text);
		check_that(check,
		           event->body.data == body.data && event->body.size == body.size &&
		                   event->request_id.data == request_id.data && event->headers == headers &&
		                   event->deadline_ns == deadline_ns && event->received_at_ns == received_at_ns &&
		                   event->attempt == 1 && !event->acknowledged,
		           "%s: it changed a field of the event that is not its own", excerpt_of(bodies[i]).text);
		bench_free(event);
	}
}

struct readers {
	struct check *check;
	struct bench *bench;
	struct sluice_event *alone; /* the model, read before there were several threads */
};

static void read_the_same(void *context, unsigned number)
{
	const struct readers *readers = context;
	const struct sluice_event *alone = readers->alone;
	(void)number;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sluice_event *event = event_of(readers->bench, model.body.data, model.body.size);
		enum sluice_verdict verdict = process(readers->check, readers->bench, event);
		check_that(readers->check,
		           verdict == SLUICE_PASS && bench_same_bytes(event->message_id, alone->message_id) &&
		                   bench_same_bytes(event->event_type, alone->event_type) &&
		                   bench_same_bytes(event->stream, alone->stream) &&
		                   bench_same_bytes(event->payload, alone->payload),
		           "on %d threads at once a request got other fields than on one", THREADS);
		bench_settle(readers->bench, event, verdict);
	}
}

static void read_many(void *context, unsigned number)
{
	const struct readers *readers = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char body[160], id[32], stream[32], payload[32];
		(void)snprintf(id, sizeof(id), "m\"%u-%u", number, i);
		(void)snprintf(stream, sizeof(stream), "s%u", number);
		(void)snprintf(payload, sizeof(payload), "[%u]", i);
		(void)snprintf(body, sizeof(body),
		               "{\"messageId\":\"m\\\"%u-%u\",\"eventType\":\"t\",\"stream\":\"%s\",\"payload\":%s}",
		               number, i, stream, payload);
		struct fields expected = {body, id, "t", stream, payload, 0, false};
		struct sluice_event *event = event_of(readers->bench, body, strlen(body));
		enum sluice_verdict verdict = process(readers->check, readers->bench, event);
		check_that(readers->check, verdict == SLUICE_PASS, "on %d threads at once: expected PASS, got %s",
		           THREADS, verdict_name(verdict));
		expect_fields(readers->check, &expected, event);
		bench_settle(readers->bench, event, verdict);
	}
}

static void many_threads(struct check *check)
{
	struct readers readers = {check, open_model(check), NULL};
	readers.alone = event_of(readers.bench, model.body.data, model.body.size);
	check_that(check, process(check, readers.bench, readers.alone) == SLUICE_PASS, "%s: expected PASS",
	           excerpt_of(model.body).text);
	concurrent_collide(check, THREADS, check_request(check) ? read_the_same : read_many, &readers);
}

const struct check_entry suite_parse[] = {
	{"valid-json", "valid JSON is accepted", valid_json, 0},
	{"invalid-json", "invalid JSON is rejected with 400", invalid_json, 0},
	{"duplicate-key", "a key given twice in the outermost object is rejected", duplicate_key, 0},
	{"payload-in-body", "the payload is a part of the body, unless the stage declares that it decodes",
         payload_in_body, 0},
	{"exact-bytes", "the payload has exactly the bytes that were sent", exact_bytes, 0},
	{"fields", "each field has the characters that the JSON stands for", fields, 0},
	{"wrong-fields", "missing fields and fields of a wrong type are rejected", wrong_fields, 0},
	{"limits", "ids, types and streams of up to 255 bytes are accepted", limits, 0},
	{"depth", "64 levels are accepted, 65 are rejected, and 100,000 do no harm", depth, 0},
	{"cut-body", "a truncated body is rejected, and nothing after it is read", cut_body, 0},
	{"random-bodies", "any body gets a valid verdict with valid fields", random_bodies, 0},
	{"stated", "every request that was given comes out as its author states", stated_holds, 0},
	{"hostile-names", "with an id, a type or a stream too long or not UTF-8, what was given does not pass so",
         hostile_names, 0},
	{"untouched", "it changes neither the body nor the core's fields", untouched, 0},
	{"many-threads", "several threads at once each get their own fields", many_threads, 0},
	{NULL, NULL, NULL, 0},
};
