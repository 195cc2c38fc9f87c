/*
 * What a parse stage promises of JSON: all accept the same, and keep the exact bytes of the payload.
 */
#include "conform/suite_parse.h"

#include <string.h>

#include "conform/corpus.h"

enum { DEPTH = 64, FAR_TOO_DEEP = 100000 };

void parse_json_wrap(struct buffer *out, const void *value, size_t size)
{
	buffer_empty(out);
	buffer_add_text(out, "{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":");
	buffer_add(out, value, size);
	buffer_add_text(out, "}");
}

void parse_json_valid(struct check *check)
{
	struct bench *bench = parse_open_json(check);
	struct buffer body = {0};
	for (const struct sluice_bytes *value = corpus_valid; value->data; value++) {
		parse_json_wrap(&body, value->data, value->size);
		check_that(check, parse_passes(check, bench, body.data, body.size),
		           "the payload %s: expected PASS, got REJECT", parse_excerpt(*value).text);
	}
	static const char *const bodies[] = {
		" \t\r\n{ \"payload\" : 1 , \"eventType\" : \"t\" , \"messageId\" : \"m\" } \n",
		"{\"messageId\":\"m\",\"eventType\":\"\",\"payload\":{},\"other\":[{\"messageId\":1}]}",
		"{\"message\\u0049d\":\"m\",\"eventType\":\"t\",\"payload\":\"\"}",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		check_that(check, parse_text_passes(check, bench, bodies[i]), "%s: expected PASS, got REJECT",
		           bodies[i]);
	buffer_finish(&body);
}

void parse_json_invalid(struct check *check)
{
	struct bench *bench = parse_open_json(check);
	struct buffer body = {0};
	for (const struct sluice_bytes *value = corpus_invalid; value->data; value++) {
		parse_json_wrap(&body, value->data, value->size);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
		           "the payload %s: expected REJECT, got PASS", parse_excerpt(*value).text);
	}
	parse_json_wrap(&body, "1", 1);
	static const char *const behind[] = {"x", "{}", ",", "]", "\xc2\xa0", "\xff"};
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		parse_json_wrap(&body, "1", 1);
		buffer_add_text(&body, behind[i]);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
		           "%s after the object: expected REJECT, got PASS",
		           parse_excerpt((struct sluice_bytes){behind[i], strlen(behind[i])}).text);
	}
	parse_json_wrap(&body, "1", 1);
	check_that(check, !parse_passes(check, bench, body.data, body.size + 1),
	           "a NUL after the object: expected REJECT, got PASS");
	buffer_finish(&body);
}

void parse_json_duplicate_key(struct check *check)
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
	struct bench *bench = parse_open_json(check);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		check_that(check, !parse_text_passes(check, bench, bodies[i]), "%s: expected REJECT, got PASS",
		           bodies[i]);
	for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++)
		check_that(check, parse_text_passes(check, bench, different[i]), "%s: expected PASS, got REJECT",
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

void parse_json_exact_bytes(struct check *check)
{
	if (parse_decodes(check))
		check_skip(check, "it declares that it decodes the payload");
	static const struct sluice_bytes more[] = {
		{"{ \"b\" : 1.50 ,\r\n\t\"a\":1e+02, \"a\":-0 }", 32},
		{"\"\\u0041\\/\\ud83d\\ude00\"", 22},
		{"12345678901234567890.10", 23},
		{NULL, 0},
	};
	const struct sluice_bytes *const lists[] = {corpus_valid, more};
	struct bench *bench = parse_open_json(check);
	struct buffer body = {0};
	for (size_t i = 0; i < 2; i++) {
		for (const struct sluice_bytes *value = lists[i]; value->data; value++) {
			parse_json_wrap(&body, value->data, value->size);
			struct sluice_event *event = parse_event(bench, body.data, body.size);
			struct sluice_bytes expected = trimmed(*value);
			enum sluice_verdict verdict = parse_process(check, bench, event);
			if (verdict == SLUICE_PASS)
				check_that(check, sluice_bytes_equal(event->payload, expected),
				           "the payload %s: expected these bytes, got %s", parse_excerpt(expected).text,
				           parse_excerpt(event->payload).text);
			bench_settle(bench, event, verdict);
		}
	}
	buffer_finish(&body);
}

static const struct parse_fields fields_cases[] = {
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

void parse_json_fields(struct check *check)
{
	struct bench *bench = parse_open_json(check);
	for (size_t i = 0; i < sizeof(fields_cases) / sizeof(fields_cases[0]); i++) {
		const struct parse_fields *expected = &fields_cases[i];
		struct sluice_event *event = parse_event(bench, expected->body, strlen(expected->body));
		enum sluice_verdict verdict = parse_process(check, bench, event);
		check_that(check, verdict == SLUICE_PASS, "%s: expected PASS, got %s: %s", expected->body,
		           verdict_name(verdict), bench_detail(event));
		parse_expect_fields(check, expected, event);
		bench_settle(bench, event, verdict);
	}
}

void parse_json_wrong_fields(struct check *check)
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
	struct bench *bench = parse_open_json(check);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		check_that(check, !parse_text_passes(check, bench, bodies[i]), "'%s': expected REJECT, got PASS",
		           bodies[i]);
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

void parse_json_limits(struct check *check)
{
	static const char *const keys[] = {"messageId", "eventType", "stream"};
	struct bench *bench = parse_open_json(check);
	struct buffer body = {0};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		make_long(&body, keys[i], SLUICE_NAME_MAX);
		check_that(check, parse_passes(check, bench, body.data, body.size),
		           "a %s of %d bytes: expected PASS, got REJECT", keys[i], SLUICE_NAME_MAX);
		make_long(&body, keys[i], SLUICE_NAME_MAX + 1);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
		           "a %s of %d bytes: expected REJECT, got PASS", keys[i], SLUICE_NAME_MAX + 1);
		make_long(&body, keys[i], 70000);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
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
	parse_json_wrap(out, value.data, value.size);
	buffer_finish(&value);
}

void parse_json_depth(struct check *check)
{
	static const struct nesting {
		const char *open, *inside, *close;
	} nestings[] = {{"[", "", "]"}, {"{\"a\":", "1", "}"}, {"[{\"a\":", "1", "}]"}};
	struct bench *bench = parse_open_json(check);
	struct buffer body = {0};
	for (size_t i = 0; i < sizeof(nestings) / sizeof(nestings[0]); i++) {
		const struct nesting *nesting = &nestings[i];
		make_deep(&body, nesting->open, nesting->inside, nesting->close, FAR_TOO_DEEP);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
		           "%d levels: expected REJECT, got PASS", FAR_TOO_DEEP);
		make_deep(&body, nesting->open, "", "", FAR_TOO_DEEP);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
		           "%d unclosed levels: expected REJECT, got PASS", FAR_TOO_DEEP);
	}
	if (!check_option(check, "max_depth")) {
		make_deep(&body, "[", "", "]", DEPTH - 1);
		check_that(check, parse_passes(check, bench, body.data, body.size),
		           "%d levels: expected PASS, got REJECT", DEPTH);
		make_deep(&body, "[", "", "]", DEPTH);
		check_that(check, !parse_passes(check, bench, body.data, body.size),
		           "%d levels: expected REJECT, got PASS", DEPTH + 1);
	}
	buffer_finish(&body);
}
