/*
 * What a parse stage promises, whatever the format: fields that are sound, from whatever a sender sends. What it promises of
 * JSON is in suite_parse_json.c.
 */
#include "conform/suite_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "conform/concurrent.h"
#include "conform/corpus.h"
#include "conform/sample.h"
#include "conform/stated.h"
#include "yaml/option.h"

enum { THREADS = 4, ROUNDS = 300, RANDOM_BODIES = 20000, BAD_REQUEST = 400 };

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

struct bench *parse_open_json(struct check *check)
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

struct sluice_event *parse_event(struct bench *bench, const void *body, size_t size)
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

enum sluice_verdict parse_process(struct check *check, struct bench *bench, struct sluice_event *event)
{
	return sample_wait(check, event, bench_process(bench, event));
}

struct parse_excerpt parse_excerpt(struct sluice_bytes body)
{
	struct parse_excerpt excerpt;
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

bool parse_decodes(const struct check *check)
{
	return check_ops(check)->of.parse->flags & SLUICE_PARSE_DECODES;
}

/* What holds for whatever a sender sends. */
static void expect_sound(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict)
{
	const struct sluice_bytes texts[] = {event->message_id, event->event_type, event->stream};
	struct parse_excerpt body = parse_excerpt(event->body);
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
	check_that(check, parse_decodes(check) || lies_in(event->payload, event->body),
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

bool parse_passes(struct check *check, struct bench *bench, const void *body, size_t size)
{
	struct sluice_event *event = parse_event(bench, body, size);
	enum sluice_verdict verdict = parse_process(check, bench, event);
	expect_sound(check, event, verdict);
	bench_settle(bench, event, verdict);
	return verdict == SLUICE_PASS;
}

struct bench *parse_open_model(struct check *check)
{
	if (!check_request(check)) {
		model.body = (struct sluice_bytes){json_body, strlen(json_body)};
		return parse_open_json(check);
	}
	struct bench *bench = check_open(check);
	const struct stated *stated = stated_model(check);
	if (!stated)
		check_skip(check, "none of the requests given with --request is stated to pass");
	model = stated->request;
	check_that(check, model.body.size > 0, "the request given with --request: expected a body");
	check_that(check, parse_passes(check, bench, model.body.data, model.body.size),
	           "the request given with --request: expected PASS, got REJECT");
	return bench;
}

bool parse_text_passes(struct check *check, struct bench *bench, const char *body)
{
	return parse_passes(check, bench, body, strlen(body));
}

static void payload_in_body(struct check *check)
{
	if (parse_decodes(check))
		check_skip(check, "it declares that it decodes the payload");
	struct bench *bench = parse_open_model(check);
	struct buffer body = {0};
	(void)parse_passes(check, bench, model.body.data, model.body.size);
	for (const struct sluice_bytes *value = corpus_valid; !check_request(check) && value->data; value++) {
		parse_json_wrap(&body, value->data, value->size);
		(void)parse_passes(check, bench, body.data, body.size);
	}
	buffer_finish(&body);
}

static bool is_text(struct sluice_bytes bytes, const char *text)
{
	return text ? bytes.data && bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0
	            : bytes.size == 0;
}

void parse_expect_fields(struct check *check, const struct parse_fields *expected, const struct sluice_event *event)
{
	const char *body = expected->body;
	check_that(check, is_text(event->message_id, expected->message_id), "%s: the message id is %s", body,
	           parse_excerpt(event->message_id).text);
	check_that(check, is_text(event->event_type, expected->event_type), "%s: the event type is %s", body,
	           parse_excerpt(event->event_type).text);
	check_that(check, is_text(event->payload, expected->payload), "%s: the payload is %s", body,
	           parse_excerpt(event->payload).text);
	check_that(check, is_text(event->stream, expected->stream), "%s: the stream is %s", body,
	           parse_excerpt(event->stream).text);
	check_that(check,
	           event->has_sequence == expected->has_sequence &&
	                   (!expected->has_sequence || event->sequence == expected->sequence),
	           "%s: the sequence is %s%lld", body, event->has_sequence ? "" : "absent, ",
	           (long long)event->sequence);
}

static void cut_body(struct check *check)
{
	struct bench *bench = parse_open_model(check);
	size_t size = model.body.size;
	check_that(check, parse_passes(check, bench, model.body.data, size), "%s: expected PASS, got REJECT",
	           parse_excerpt(model.body).text);
	for (size_t i = 0; i < size; i++) {
		bool passed = parse_passes(check, bench, model.body.data, i);
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
	struct bench *bench = parse_open_model(check);
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
		(void)parse_passes(check, bench, body, size);
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
	(void)parse_passes(check, bench, body.data, body.size);
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
	struct bench *bench = parse_open_model(check);
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

static bool is_form(void)
{
	static const char type[] = "application/x-www-form-urlencoded";
	for (size_t i = 0; i < model.header_count; i++) {
		if (strcasecmp(model.headers[i].name, "Content-Type") == 0 &&
		    strncasecmp(model.headers[i].value, type, strlen(type)) == 0)
			return true;
	}
	return false;
}

/* Sends the form with another id, as it is written there. It is read so, or not at all. */
static bool reads_id(struct check *check, struct bench *bench, struct sluice_bytes id, const char *written,
                     const char *meant)
{
	const char *at = memmem(model.body.data, model.body.size, id.data, id.size);
	struct buffer body = {0};
	check_that(check, at, "the message id that is stated is not in the body of the request as it is");
	buffer_add(&body, model.body.data, (size_t)(at - model.body.data));
	buffer_add_text(&body, written);
	buffer_add(&body, at + id.size, model.body.size - id.size - (size_t)(at - model.body.data));
	struct sluice_event *event = parse_event(bench, body.data, body.size);
	enum sluice_verdict verdict = parse_process(check, bench, event);
	check_that(check,
	           verdict == SLUICE_REJECT ||
	                   sluice_bytes_equal(event->message_id, (struct sluice_bytes){meant, strlen(meant)}),
	           "an id written as %s: expected %s, got %s", written, meant, parse_excerpt(event->message_id).text);
	bench_settle(bench, event, verdict);
	buffer_finish(&body);
	return verdict == SLUICE_PASS;
}

/* Every character may be written as its bytes in hexadecimal (WHATWG URL, section 5.1). */
static void form_text(struct check *check)
{
	static const char *const texts[][2] = {
		{"a%C3%A9b", "a\xc3\xa9"
	                     "b"},
		{"%f0%9f%98%80", "\xf0\x9f\x98\x80"},
		{"a+b", "a b"},
		{"%61%62%2D%31", "ab-1"},
	};
	const struct stated *stated = check_request(check) ? stated_model(check) : NULL;
	struct bench *bench = parse_open_model(check);
	if (!stated || !is_form())
		check_skip(check, "its format is no form");
	if (!stated->message_id.size)
		check_skip(check, "the message id of the request is not stated: see --expect");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		(void)reads_id(check, bench, stated->message_id, texts[i][0], texts[i][1]);
	for (int c = 0x20; c < 0x7f; c++) {
		const char *const forms[] = {"a%%%02Xb", "a%%%02xb"};
		for (size_t i = 0; i < 2; i++) {
			char written[8];
			const char meant[] = {'a', (char)c, 'b', '\0'};
			(void)snprintf(written, sizeof(written), forms[i], (unsigned)c);
			bool passed = reads_id(check, bench, stated->message_id, written, meant);
			check_that(check, passed || !isalnum(c), "an id written as %s: expected PASS, got REJECT",
			           written);
		}
	}
}

static void untouched(struct check *check)
{
	struct bench *bench = parse_open_model(check);
	const struct sluice_bytes bodies[] = {
		model.body,
		TEXT("{\"messageId\":\"m\\u0031\",\"eventType\":\"t\",\"payload\":\"\\u0000\"}"),
		TEXT("{\"messageId\":"),
		TEXT("[]"),
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct sluice_event *event = parse_event(bench, bodies[i].data, bodies[i].size);
		struct sluice_bytes body = event->body, request_id = event->request_id;
		const struct sluice_header *headers = event->headers;
		int64_t deadline_ns = event->deadline_ns, received_at_ns = event->received_at_ns;
		(void)parse_process(check, bench, event);
		check_that(check, memcmp(event->body.data, bodies[i].data, bodies[i].size) == 0,
		           "%s: it changed the bytes of the body", parse_excerpt(bodies[i]).text);
		check_that(check,
		           event->body.data == body.data && event->body.size == body.size &&
		                   event->request_id.data == request_id.data && event->headers == headers &&
		                   event->deadline_ns == deadline_ns && event->received_at_ns == received_at_ns &&
		                   event->attempt == 1 && !event->acknowledged,
		           "%s: it changed a field of the event that is not its own", parse_excerpt(bodies[i]).text);
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
		struct sluice_event *event = parse_event(readers->bench, model.body.data, model.body.size);
		enum sluice_verdict verdict = parse_process(readers->check, readers->bench, event);
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
		struct parse_fields expected = {body, id, "t", stream, payload, 0, false};
		struct sluice_event *event = parse_event(readers->bench, body, strlen(body));
		enum sluice_verdict verdict = parse_process(readers->check, readers->bench, event);
		check_that(readers->check, verdict == SLUICE_PASS, "on %d threads at once: expected PASS, got %s",
		           THREADS, verdict_name(verdict));
		parse_expect_fields(readers->check, &expected, event);
		bench_settle(readers->bench, event, verdict);
	}
}

static void many_threads(struct check *check)
{
	struct readers readers = {check, parse_open_model(check), NULL};
	readers.alone = parse_event(readers.bench, model.body.data, model.body.size);
	check_that(check, parse_process(check, readers.bench, readers.alone) == SLUICE_PASS, "%s: expected PASS",
	           parse_excerpt(model.body).text);
	concurrent_collide(check, THREADS, check_request(check) ? read_the_same : read_many, &readers);
}

const struct check_entry suite_parse[] = {
	{"valid-json", "valid JSON is accepted", parse_json_valid, 0},
	{"invalid-json", "invalid JSON is rejected with 400", parse_json_invalid, 0},
	{"duplicate-key", "a key given twice in the outermost object is rejected", parse_json_duplicate_key, 0},
	{"payload-in-body", "the payload is a part of the body, unless the stage declares that it decodes",
         payload_in_body, 0},
	{"exact-bytes", "the payload has exactly the bytes that were sent", parse_json_exact_bytes, 0},
	{"fields", "each field has the characters that the JSON stands for", parse_json_fields, 0},
	{"wrong-fields", "missing fields and fields of a wrong type are rejected", parse_json_wrong_fields, 0},
	{"limits", "ids, types and streams of up to 255 bytes are accepted", parse_json_limits, 0},
	{"depth", "64 levels are accepted, 65 are rejected, and 100,000 do no harm", parse_json_depth, 0},
	{"cut-body", "a truncated body is rejected, and nothing after it is read", cut_body, 0},
	{"random-bodies", "any body gets a valid verdict with valid fields", random_bodies, 0},
	{"stated", "every request that was given comes out as its author states", stated_holds, 0},
	{"hostile-names", "with an id, a type or a stream too long or not UTF-8, what was given does not pass so",
         hostile_names, 0},
	{"form-text", "in a form, each character may be written as its bytes in hexadecimal", form_text, 0},
	{"untouched", "it changes neither the body nor the core's fields", untouched, 0},
	{"many-threads", "several threads at once each get their own fields", many_threads, 0},
	{NULL, NULL, NULL, 0},
};
