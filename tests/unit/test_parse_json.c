/*
 * parse/json: what counts as JSON, where the fields come from, and that the payload keeps its bytes.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "support/harness.h"
#include "support/unit.h"

/* Every test runs with all three stages, which agree in everything but forms. */
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

#define SLASHES_8 "////////"
#define WRAPPED(value) "{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":" value "}"

/* An event that was parsed; free it with harness_free(). */
static struct sluice_event *parse(struct harness *h, const void *body, size_t size, enum sluice_verdict *verdict_out)
{
	struct sluice_event *event = harness_event(h);
	harness_body(event, body, size);
	*verdict_out = harness_process(h, event);
	return event;
}

static void assert_bytes(struct sluice_bytes bytes, const char *expected)
{
	if (!expected) {
		ck_assert_ptr_null(bytes.data);
		return;
	}
	ck_assert_msg(bytes.size == strlen(expected) && memcmp(bytes.data, expected, bytes.size) == 0,
	              "expected \"%s\", got \"%.*s\"", expected, (int)bytes.size, bytes.data ? bytes.data : "");
}

static void assert_refused(struct harness *h, const char *body, const char *sentence)
{
	enum sluice_verdict verdict;
	struct sluice_event *event = parse(h, body, strlen(body), &verdict);
	ck_assert_msg(verdict == SLUICE_REJECT, "taken: %s", body);
	ck_assert_int_eq(harness_status(event), 400);
	ck_assert_str_eq(harness_detail(event), sentence);
	harness_free(event);
}

static struct harness *open_plain(void)
{
	return harness_open(SLUICE_KIND_PARSE, implementation, NULL);
}

START_TEST(test_fields_are_at_the_top_level_by_default)
{
	struct harness *h = open_plain();
	static const char body[] =
		" { \"payload\" : { \"a\" : [1, 2.50 ] } ,\n\"messageId\":\"id-1\", \"sequence\": -7,\"eventType\":\"order.paid\",\"stream\":\"s/1\" , \"more\":[{}]}\n";
	enum sluice_verdict verdict;
	struct sluice_event *event = parse(h, body, strlen(body), &verdict);
	ck_assert_msg(verdict == SLUICE_PASS, "%s", harness_detail(event));
	assert_bytes(event->message_id, "id-1");
	assert_bytes(event->event_type, "order.paid");
	assert_bytes(event->stream, "s/1");
	assert_bytes(event->payload, "{ \"a\" : [1, 2.50 ] }");
	ck_assert(event->has_sequence);
	ck_assert_int_eq(event->sequence, -7);
	harness_free(event);
	harness_close(h);
}
END_TEST

START_TEST(test_stream_and_sequence_may_be_missing_or_null)
{
	struct harness *h = open_plain();
	static const char *const bodies[] = {
		WRAPPED("1"),
		"{\"messageId\":\"m\",\"eventType\":\"\",\"payload\":1,\"stream\":null,\"sequence\":null}",
	};
	for (size_t i = 0; i < 2; i++) {
		enum sluice_verdict verdict;
		struct sluice_event *event = parse(h, bodies[i], strlen(bodies[i]), &verdict);
		ck_assert_msg(verdict == SLUICE_PASS, "%s", harness_detail(event));
		assert_bytes(event->stream, NULL);
		ck_assert(!event->has_sequence);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

/* Every payload comes out as the bytes that went in. */
START_TEST(test_payload_keeps_its_bytes)
{
	static const char *const values[] = {
		"{}",
		"[]",
		"\"\"",
		"0",
		"-0",
		"1E300",
		"1.10",
		"true",
		"false",
		"{\"b\":1,\"a\":2,\"b\":3}",
		"[ 1 ,\t2 ]",
		"\"a\\u00e9\\/\\\\\"",
		"\"\\\\\\\"\"",
		"\"}\"",
		"\"]\\\"\"",
		"{\"}\":\"{\"}",
		"[[[\"]\"]],{\"x\":[]}]",
		"12345678901234567890123",
		"\"\\u0000\"",
		"{\"\\u0000\":1}",
		"\"é\"",
		"{\n}",
		"[\"\\\\\",\"\\\"\"]",
	};
	struct harness *h = open_plain();
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buffer body = {0};
		buffer_printf(&body, "{\"x\":\"payload\",\"payload\":%s,\"messageId\":\"m\",\"eventType\":\"t\"}",
		              values[i]);
		enum sluice_verdict verdict;
		struct sluice_event *event = parse(h, body.data, body.size, &verdict);
		ck_assert_msg(verdict == SLUICE_PASS, "%s: %s", values[i], harness_detail(event));
		assert_bytes(event->payload, values[i]);
		harness_free(event);
		buffer_finish(&body);
	}
	harness_close(h);
}
END_TEST

static struct harness *open_mapped(void)
{
	static const char *const options[] = {"message_id=header:X-GitHub-Delivery, /data/id",
	                                      "event_type=header:X-GitHub-Event, /type",
	                                      "payload=",
	                                      "stream=/data/customer/id, /data/a~1b, /data/m~0n, /items/1/0",
	                                      "sequence=header:X-Sequence, /n",
	                                      NULL};
	return harness_open(SLUICE_KIND_PARSE, implementation, options);
}

START_TEST(test_sources_are_tried_in_order)
{
	static const struct {
		const char *delivery, *sequence, *body, *message_id, *stream;
		int64_t number;
	} cases[] = {
		{"d-1", "5", "{\"data\":{\"id\":\"x\"},\"type\":\"t\",\"n\":6}", "d-1", NULL, 5},
		{NULL, NULL, "{\"data\":{\"id\":\"x\"},\"type\":\"t\",\"n\":6}", "x", NULL, 6},
		{"", "", "{\"data\":{\"id\":\"x\"},\"type\":\"t\",\"n\":6}", "x", NULL, 6},
		{"d", NULL, "{\"data\":{\"customer\":{\"id\":\"c\"},\"a/b\":\"s\"},\"type\":\"t\",\"n\":6}", "d", "c",
	         6},
		{"d", NULL, "{\"data\":{\"customer\":{\"id\":null},\"a/b\":\"s\"},\"type\":\"t\",\"n\":6}", "d", "s",
	         6},
		{"d", NULL, "{\"data\":{\"customer\":7,\"m~n\":\"s\"},\"type\":\"t\",\"n\":6}", "d", "s", 6},
		{"d", NULL, "{\"type\":\"t\",\"n\":6,\"items\":[[1],[\"x\",2],3]}", "d", "x", 6},
		{"d", NULL, "{\"type\":\"t\",\"n\":6,\"items\":[[1]]}", "d", NULL, 6},
		{"d", NULL, "{\"type\":\"t\",\"n\":6,\"items\":{\"1\":{\"0\":\"y\"}}}", "d", "y", 6},
		{"d", NULL, "{\"type\":\"t\",\"n\":6,\"data\":{\"a/b\":1,\"a/b\":\"last\"}}", "d", "last", 6},
		{"d", NULL, "{\"type\":\"t\",\"n\":6,\"data\":{\"\\u0061\\/b\":\"e\"}}", "d", "e", 6},
	};
	struct harness *h = open_mapped();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = harness_event(h);
		if (cases[i].delivery)
			harness_header(event, "x-github-delivery", cases[i].delivery);
		if (cases[i].sequence)
			harness_header(event, "x-sequence", cases[i].sequence);
		harness_body(event, cases[i].body, strlen(cases[i].body));
		enum sluice_verdict verdict = harness_process(h, event);
		ck_assert_msg(verdict == SLUICE_PASS, "%s: %s", cases[i].body, harness_detail(event));
		assert_bytes(event->message_id, cases[i].message_id);
		assert_bytes(event->stream, cases[i].stream);
		assert_bytes(event->payload, cases[i].body);
		ck_assert_int_eq(event->sequence, cases[i].number);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_signed_id_comes_from_the_auth_stage_alone)
{
	static const char *const ids[] = {"msg_1", NULL};
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation,
	                                 (const char *[]){"message_id=auth:id", "event_type=/t", "payload=", NULL});
	for (size_t i = 0; i < 2; i++) {
		struct sluice_event *event = harness_event(h);
		harness_header(event, "auth", "forged");
		harness_header(event, "webhook-id", "forged");
		static const char body[] = "{\"t\":\"t\",\"auth:id\":\"forged\"}";
		harness_body(event, body, sizeof(body) - 1);
		if (ids[i])
			event->authenticated_id = (struct sluice_bytes){ids[i], strlen(ids[i])};
		enum sluice_verdict verdict = harness_process(h, event);
		ck_assert_int_eq(verdict, ids[i] ? SLUICE_PASS : SLUICE_REJECT);
		if (ids[i])
			assert_bytes(event->message_id, ids[i]);
		else
			ck_assert_str_eq(harness_detail(event),
			                 "the signed id: expected a non-empty string, got nothing");
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_missing_field_names_all_its_sources)
{
	struct harness *h = open_mapped();
	assert_refused(
		h, "{\"type\":\"t\"}",
		"message_id: expected a non-empty string in one of the header X-GitHub-Delivery, /data/id, got nothing");
	harness_close(h);
}
END_TEST

START_TEST(test_array_is_a_body_like_any_other)
{
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation,
	                                 (const char *[]){"message_id=/0/id", "event_type=/1", "payload=/0", NULL});
	static const char body[] = "[{\"id\":\"m\"}, \"t\"]";
	enum sluice_verdict verdict;
	struct sluice_event *event = parse(h, body, strlen(body), &verdict);
	ck_assert_msg(verdict == SLUICE_PASS, "%s", harness_detail(event));
	assert_bytes(event->message_id, "m");
	assert_bytes(event->event_type, "t");
	assert_bytes(event->payload, "{\"id\":\"m\"}");
	harness_free(event);
	harness_close(h);
}
END_TEST

START_TEST(test_index_is_written_in_one_way_only)
{
	static const char *const sources[] = {"/01", "/-", "/-1", "/ 1", "/+1", "/2", "/0x1", "/9999999999999999999999",
	                                      "/"};
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		char option[60], sentence[100];
		(void)snprintf(option, sizeof(option), "message_id=%s", sources[i]);
		(void)snprintf(sentence, sizeof(sentence), "%s: expected a non-empty string, got nothing",
		               sources[i] + 1);
		struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, (const char *[]){option, NULL});
		assert_refused(h, "[\"a\",\"b\"]", sentence);
		harness_close(h);
	}
}
END_TEST

/* `value` as the message id, and the text it becomes. */
START_TEST(test_text_is_what_the_string_means)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{"\"a b\"", "a b"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "Aé€😀"},
		{"\"é€😀\"", "é€😀"},
		{"17", "17"},
		{"-0", "-0"},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
	};
	struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation,
	                                 (const char *[]){"integer_texts=true", NULL});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer body = {0};
		buffer_printf(&body, "{\"messageId\":%s,\"eventType\":\"t\",\"payload\":1}", cases[i].value);
		enum sluice_verdict verdict;
		struct sluice_event *event = parse(h, body.data, body.size, &verdict);
		ck_assert_msg(verdict == SLUICE_PASS, "%s: %s", cases[i].value, harness_detail(event));
		assert_bytes(event->message_id, cases[i].text);
		harness_free(event);
		buffer_finish(&body);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_wrong_field_is_named_with_what_was_expected)
{
	static const struct {
		const char *body, *sentence;
	} cases[] = {
		{"{}", "messageId: expected a non-empty string, got nothing"},
		{"[]", "messageId: expected a non-empty string, got nothing"},
		{"{\"messageId\":null,\"eventType\":\"t\",\"payload\":1}",
	         "messageId: expected a non-empty string, got nothing"},
		{"{\"messageId\":17}", "messageId: expected a non-empty string, got a number"},
		{"{\"messageId\":1.5}", "messageId: expected a non-empty string, got a number"},
		{"{\"messageId\":1e2}", "messageId: expected a non-empty string, got a number"},
		{"{\"messageId\":true}", "messageId: expected a non-empty string, got a boolean"},
		{"{\"messageId\":[]}", "messageId: expected a non-empty string, got an array"},
		{"{\"messageId\":{}}", "messageId: expected a non-empty string, got an object"},
		{"{\"messageId\":\"\"}", "messageId: expected a non-empty string, got an empty one"},
		{"{\"messageId\":\"a\\u0000b\"}",
	         "messageId: expected a non-empty string without U+0000, got one with it"},
		{"{\"messageId\":\"m\",\"payload\":1}", "eventType: expected a string, got nothing"},
		{"{\"messageId\":\"m\",\"eventType\":{},\"payload\":1}", "eventType: expected a string, got an object"},
		{"{\"messageId\":\"m\",\"eventType\":\"t\"}", "payload: expected a value, got nothing"},
		{WRAPPED("null"), "payload: expected a value, got nothing"},
		{WRAPPED("1,\"stream\":\"\""), "stream: expected a non-empty string, got an empty one"},
		{WRAPPED("1,\"stream\":false"), "stream: expected a non-empty string, got a boolean"},
		{WRAPPED("1,\"sequence\":\"1\""), "sequence: expected a 64-bit integer, got a string"},
		{WRAPPED("1,\"sequence\":1.0"), "sequence: expected a 64-bit integer, got a number"},
		{WRAPPED("1,\"sequence\":9223372036854775808"),
	         "sequence: expected a 64-bit integer, got something else"},
		{WRAPPED("1,\"sequence\":-9223372036854775809"),
	         "sequence: expected a 64-bit integer, got something else"},
		{WRAPPED("1,\"payload\":2"),
	         "the body: expected each key once in the outermost object, got a duplicate"},
		{WRAPPED("1,\"x\":2,\"\\u0078\":3"),
	         "the body: expected each key once in the outermost object, got a duplicate"},
		{WRAPPED("1,\"\":2,\"\":3"),
	         "the body: expected each key once in the outermost object, got a duplicate"},
	};
	struct harness *h = open_plain();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(h, cases[i].body, cases[i].sentence);
	harness_close(h);
}
END_TEST

START_TEST(test_sequence_takes_all_64_bits)
{
	static const struct {
		const char *body;
		int64_t sequence;
	} cases[] = {
		{WRAPPED("1,\"sequence\":9223372036854775807"), INT64_MAX},
		{WRAPPED("1,\"sequence\":-9223372036854775808"), INT64_MIN},
		{WRAPPED("1,\"sequence\":-0"), 0},
	};
	struct harness *h = open_plain();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum sluice_verdict verdict;
		struct sluice_event *event = parse(h, cases[i].body, strlen(cases[i].body), &verdict);
		ck_assert_msg(verdict == SLUICE_PASS && event->has_sequence, "%s", harness_detail(event));
		ck_assert_int_eq(event->sequence, cases[i].sequence);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_name_may_have_255_bytes)
{
	struct harness *h = open_plain();
	for (size_t size = 254; size <= 256; size++) {
		struct buffer body = {0};
		buffer_add_text(&body, "{\"messageId\":\"");
		for (size_t i = 1; i < size; i++)
			buffer_add_text(&body, "x");
		buffer_add_text(&body, "\\n\",\"eventType\":\"t\",\"payload\":1}");
		if (size <= 255) {
			enum sluice_verdict verdict;
			struct sluice_event *event = parse(h, body.data, body.size, &verdict);
			ck_assert_int_eq(verdict, SLUICE_PASS);
			ck_assert_uint_eq(event->message_id.size, size);
			harness_free(event);
		} else {
			assert_refused(h, body.data, "messageId: expected at most 255 bytes, got 256");
		}
		buffer_finish(&body);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_header_that_is_no_utf8_is_refused)
{
	struct harness *h = open_mapped();
	struct sluice_event *event = harness_event(h);
	harness_header(event, "X-GitHub-Delivery", "a\xff");
	harness_body(event, "{}", 2);
	ck_assert_int_eq(harness_process(h, event), SLUICE_REJECT);
	ck_assert_str_eq(harness_detail(event), "the header X-GitHub-Delivery: expected UTF-8, got other bytes");
	harness_free(event);
	harness_close(h);
}
END_TEST

START_TEST(test_content_type_must_be_json)
{
	static const struct {
		const char *type;
		bool taken;
	} cases[] = {
		{"application/json", true},
		{"APPLICATION/JSON; charset=utf-8", true},
		{"application/json ;charset=utf-8", true},
		{"application/cloudevents+json", true},
		{"application/vnd.x+JSON; a=b", true},
		{"", true},
		{"text/plain", false},
		{"application/jsonp", false},
		{"+json", false},
		{"text/plain; x=+json", false},
	};
	struct harness *h = open_plain();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = harness_event(h);
		harness_header(event, "Content-Type", cases[i].type);
		harness_body(event, WRAPPED("1"), strlen(WRAPPED("1")));
		bool taken = harness_process(h, event) == SLUICE_PASS;
		ck_assert_msg(taken == cases[i].taken, "%s", cases[i].type);
		if (!taken)
			ck_assert_int_eq(harness_status(event), 415);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_what_curl_calls_a_form_is_taken_if_it_is_an_object)
{
	static const struct {
		const char *body;
		bool taken;
	} cases[] = {{" \n" WRAPPED("1"), true}, {"payload=%7B%7D", false}, {"[1]", false}, {"", false}};
	struct harness *h = open_plain();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = harness_event(h);
		harness_header(event, "Content-Type", "application/x-www-form-urlencoded");
		harness_body(event, cases[i].body, strlen(cases[i].body));
		bool taken = harness_process(h, event) == SLUICE_PASS;
		ck_assert_msg(taken == cases[i].taken, "%s", cases[i].body);
		if (!taken)
			ck_assert_int_eq(harness_status(event), 415);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

/* `depth` levels in all, as the payload. */
static void nest(struct buffer *body, size_t depth)
{
	buffer_add_text(body, "{\"messageId\":\"[[[[\",\"eventType\":\"t\",\"payload\":");
	for (size_t i = 1; i < depth; i++)
		buffer_add_text(body, i % 2 ? "[" : "{\"a\":");
	buffer_add_text(body, "1");
	for (size_t i = depth - 1; i > 0; i--)
		buffer_add_text(body, i % 2 ? "]" : "}");
	buffer_add_text(body, "}");
}

START_TEST(test_depth_is_bounded)
{
	static const struct {
		const char *options[2];
		size_t depth;
	} cases[] = {
		{{NULL}, 64}, {{"max_depth=1", NULL}, 1}, {{"max_depth=2", NULL}, 2}, {{"max_depth=1000", NULL}, 1000}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct harness *h = harness_open(SLUICE_KIND_PARSE, implementation, cases[i].options);
		struct buffer body = {0};
		nest(&body, cases[i].depth);
		enum sluice_verdict verdict;
		struct sluice_event *event = parse(h, body.data, body.size, &verdict);
		ck_assert_msg(verdict == SLUICE_PASS, "%zu: %s", cases[i].depth, harness_detail(event));
		harness_free(event);
		buffer_empty(&body);
		nest(&body, cases[i].depth + 1);
		char sentence[100];
		(void)snprintf(sentence, sizeof(sentence),
		               "the body: expected at most %zu levels of arrays and objects, got more", cases[i].depth);
		assert_refused(h, body.data, sentence);
		buffer_finish(&body);
		harness_close(h);
	}
}
END_TEST

START_TEST(test_a_million_brackets_are_refused_without_recursion)
{
	struct harness *h = open_plain();
	size_t count = 1000000;
	char *body = malloc(count + 1);
	ck_assert_ptr_nonnull(body);
	memset(body, '[', count);
	body[count] = '\0';
	assert_refused(h, body, "the body: expected at most 64 levels of arrays and objects, got more");
	for (size_t i = 0; i < count; i++)
		body[i] = "{\"\":"[i % 4];
	assert_refused(h, body, "the body: expected at most 64 levels of arrays and objects, got more");
	free(body);
	harness_close(h);
}
END_TEST

START_TEST(test_nul_is_refused_even_behind_a_number)
{
	struct harness *h = open_plain();
	static const char body[] = "{\"messageId\":1\0,\"eventType\":\"t\",\"payload\":1}";
	enum sluice_verdict verdict;
	struct sluice_event *event = parse(h, body, sizeof(body) - 1, &verdict);
	ck_assert_int_eq(verdict, SLUICE_REJECT);
	ck_assert_str_eq(harness_detail(event), "the body: expected JSON, got a NUL at byte 14");
	harness_free(event);
	harness_close(h);
}
END_TEST

START_TEST(test_error_in_the_body_says_what_and_where)
{
	static const struct {
		const char *body, *sentence;
	} cases[] = {
		{"", "the body: expected JSON, got an early end at byte 0"},
		{"{\"a\":1", "the body: expected JSON, got an early end at byte 6"},
		{"{\"a\":tru}", "the body: expected JSON, got a syntax error at byte 8"},
		{"{\"a\":\"\xff\"}", "the body: expected JSON, got bytes that are not UTF-8 at byte 6"},
		{"{\"a\":1e999}", "the body: expected JSON, got a number beyond the range of a double at byte 10"},
		{"{} {}", "the body: expected JSON, got more after its end at byte 3"},
		{"\xef\xbb\xbf{}", "the body: expected JSON without a byte order mark, got one"},
	};
	struct harness *h = open_plain();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(h, cases[i].body, cases[i].sentence);
	harness_close(h);
}
END_TEST

static void read_all(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s is missing", path);
	char part[4096];
	for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
		buffer_add(out, part, size);
	(void)fclose(file);
}

/* tests/golden/json has files called as in JSONTestSuite: y_ is JSON, n_ is none; where RFC 8259 leaves it open, the
 * contract decides. */
START_TEST(test_what_is_json_is_agreed_on)
{
	struct harness *h = harness_open(
		SLUICE_KIND_PARSE, implementation,
		(const char *[]){"message_id=header:Id", "event_type=header:Id", "payload=", NULL});
	glob_t files;
	ck_assert_int_eq(glob(TEST_SOURCE_DIR "/tests/golden/json/*.json", 0, NULL, &files), 0);
	ck_assert_uint_gt(files.gl_pathc, 300);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *name = strrchr(files.gl_pathv[i], '/') + 1;
		struct buffer text = {0};
		read_all(files.gl_pathv[i], &text);
		struct sluice_event *event = harness_event(h);
		harness_header(event, "Id", "m");
		harness_body(event, text.data, text.size);
		bool taken = harness_process(h, event) == SLUICE_PASS;
		ck_assert_msg(taken == (name[0] == 'y'), "%s: %s", name, harness_detail(event));
		if (taken)
			ck_assert(sluice_bytes_equal(event->payload, event->body));
		else
			ck_assert_int_eq(harness_status(event), 400);
		harness_free(event);
		buffer_finish(&text);
	}
	globfree(&files);
	harness_close(h);
}
END_TEST

START_TEST(test_source_that_is_none_is_refused)
{
	static const struct {
		const char *option, *sentence;
	} cases[] = {
		{"message_id=messageId",
	         "message_id: expected a JSON Pointer such as /messageId, header:NAME or auth:id, got \"messageId\""},
		{"event_type=/a~2b", "event_type: expected 0 or 1 after each ~ of a JSON Pointer, got \"/a~2b\""},
		{"event_type=/a~", "event_type: expected 0 or 1 after each ~ of a JSON Pointer, got \"/a~\""},
		{"stream=/a, header:", "stream: expected the name of a header after \"header:\", got \"header:\""},
		{"stream=header:A B", "stream: expected the name of a header after \"header:\", got \"header:A B\""},
		{"payload=header:X", "payload: expected a JSON Pointer, got \"header:X\""},
		{"stream=" SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8 "/",
	         "stream: expected a JSON Pointer of at most 64 keys, got \"" SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8
	                 SLASHES_8 SLASHES_8 SLASHES_8 SLASHES_8 "/\""},
		{"max_depth=0", "max_depth: expected 1..1000 levels, got 0"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(harness_try(SLUICE_KIND_PARSE, implementation,
		                               (const char *[]){cases[i].option, NULL}, &error));
		ck_assert_str_eq(error.text, cases[i].sentence);
	}
}
END_TEST

static void add_cases(Suite *suite, void (*use)(void))
{
	TCase *fields = tcase_create("fields");
	tcase_add_checked_fixture(fields, use, NULL);
	tcase_add_test(fields, test_fields_are_at_the_top_level_by_default);
	tcase_add_test(fields, test_stream_and_sequence_may_be_missing_or_null);
	tcase_add_test(fields, test_payload_keeps_its_bytes);
	tcase_add_test(fields, test_sources_are_tried_in_order);
	tcase_add_test(fields, test_signed_id_comes_from_the_auth_stage_alone);
	tcase_add_test(fields, test_missing_field_names_all_its_sources);
	tcase_add_test(fields, test_array_is_a_body_like_any_other);
	tcase_add_test(fields, test_index_is_written_in_one_way_only);
	tcase_add_test(fields, test_text_is_what_the_string_means);
	tcase_add_test(fields, test_wrong_field_is_named_with_what_was_expected);
	tcase_add_test(fields, test_sequence_takes_all_64_bits);
	tcase_add_test(fields, test_name_may_have_255_bytes);
	tcase_add_test(fields, test_header_that_is_no_utf8_is_refused);
	tcase_add_test(fields, test_source_that_is_none_is_refused);
	suite_add_tcase(suite, fields);
	TCase *bodies = tcase_create("bodies");
	tcase_add_checked_fixture(bodies, use, NULL);
	tcase_add_test(bodies, test_content_type_must_be_json);
	if (use != use_form)
		tcase_add_test(bodies, test_what_curl_calls_a_form_is_taken_if_it_is_an_object);
	tcase_add_test(bodies, test_depth_is_bounded);
	tcase_add_test(bodies, test_a_million_brackets_are_refused_without_recursion);
	tcase_add_test(bodies, test_nul_is_refused_even_behind_a_number);
	tcase_add_test(bodies, test_error_in_the_body_says_what_and_where);
	tcase_add_test(bodies, test_what_is_json_is_agreed_on);
	suite_add_tcase(suite, bodies);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("parse/json, parse/scan, parse/form");
	add_cases(suite, use_json);
	add_cases(suite, use_scan);
	add_cases(suite, use_form);
	return suite;
}

UNIT_SUITE(test_parse_json, suite)
