/* The input of a run: what is written comes back, and what is wrong is named by file, line and member. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "lab/load/input.h"
#include "support/scratch.h"
#include "support/unit.h"

static char path[SCRATCH_SIZE];
static struct input input;

static void set_up(void)
{
	int fd = scratch_file(path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	input_init(&input);
}

static void tear_down(void)
{
	input_finish(&input);
	(void)unlink(path);
}

static void write_file(const char *data, size_t size)
{
	FILE *file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static bool read_text(const char *text, struct sluice_error *error)
{
	write_file(text, strlen(text));
	return input_read(&input, path, error);
}

static struct sluice_bytes bytes(const char *text)
{
	return (struct sluice_bytes){text, strlen(text)};
}

static void assert_bytes(struct sluice_bytes got, const char *expected)
{
	ck_assert_uint_eq(got.size, strlen(expected));
	ck_assert_mem_eq(got.data, expected, got.size);
}

START_TEST(test_an_event_comes_back_as_written)
{
	static const char body[] = "{\"messageId\":\"m\",\"payload\":{\"a\":\"\xc3\xbc\"}}";
	static const struct input_header headers[] = {{"X-A", "b \"c\""}, {"X-B", ""}};
	struct input_event event = {.kind = INPUT_CONFLICT,
	                            .has_sequence = true,
	                            .message_id = bytes("m"),
	                            .event_type = bytes(""),
	                            .stream = bytes("s\n"),
	                            .sequence = -3,
	                            .body = {body, sizeof(body) - 1},
	                            .payload_at = 27,
	                            .payload_size = 10,
	                            .id_at = 14,
	                            .headers = headers,
	                            .header_count = 2};
	struct buffer out = {0};
	struct sluice_error error = {0};
	input_write(&event, &out);
	write_file(out.data, out.size);
	ck_assert_msg(input_read(&input, path, &error), "%s", error.text);
	ck_assert_uint_eq(input.count, 1);
	const struct input_event *got = &input.events[0];
	ck_assert_int_eq(got->kind, INPUT_CONFLICT);
	assert_bytes(got->message_id, "m");
	assert_bytes(got->event_type, "");
	assert_bytes(got->stream, "s\n");
	ck_assert(got->has_sequence && got->sequence == -3);
	assert_bytes(got->body, body);
	ck_assert(got->payload_at == 27 && got->payload_size == 10 && got->id_at == 14);
	ck_assert_uint_eq(got->header_count, 2);
	ck_assert_str_eq(got->headers[0].name, "X-A");
	ck_assert_str_eq(got->headers[0].value, "b \"c\"");
	ck_assert_str_eq(got->headers[1].value, "");

	struct buffer again = {0};
	input_write(got, &again);
	ck_assert_str_eq(again.data, out.data);
	buffer_finish(&again);
	buffer_finish(&out);
}
END_TEST

START_TEST(test_any_bytes_can_be_a_body)
{
	static const char *const texts[] = {"", "\xff\xfe", "a\0b", "\xc3", "\r\n\x7f"};
	static const size_t sizes[] = {0, 2, 3, 1, 3};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buffer out = {0};
		struct input_event event = {.body = {texts[i], sizes[i]}, .payload_size = sizes[i], .id_at = SIZE_MAX};
		struct sluice_error error = {0};
		input_write(&event, &out);
		write_file(out.data, out.size);
		input_empty(&input);
		ck_assert_msg(input_read(&input, path, &error), "%s", error.text);
		ck_assert_uint_eq(input.events[0].body.size, sizes[i]);
		ck_assert_mem_eq(input.events[0].body.data, texts[i], sizes[i]);
		buffer_finish(&out);
	}
}
END_TEST

START_TEST(test_a_body_alone_is_a_new_event_that_nobody_knows)
{
	ck_assert(read_text("\n{\"body\":\"xyz\"}\n  \n", NULL));
	ck_assert_uint_eq(input.count, 1);
	const struct input_event *event = &input.events[0];
	ck_assert_int_eq(event->kind, INPUT_NEW);
	ck_assert_ptr_null(event->message_id.data);
	ck_assert_ptr_null(event->stream.data);
	ck_assert(event->payload_at == 0 && event->payload_size == 3 && event->id_at == SIZE_MAX);
}
END_TEST

START_TEST(test_a_byte_order_mark_is_passed_over)
{
	ck_assert(read_text("\xef\xbb\xbf{\"body\":\"xyz\"}\r\n\r\n{\"body\":\"abc\"}", NULL));
	ck_assert_uint_eq(input.count, 2);
	assert_bytes(input.events[0].body, "xyz");
	struct sluice_error error = {0};
	ck_assert(!read_text("{\"body\":\"xyz\"}\n\xef\xbb\xbf{}", &error));
}
END_TEST

START_TEST(test_the_hash_is_that_of_the_file)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char expected[DIGEST_HEX_SIZE];
	ck_assert(read_text("\n{\"body\":\"xyz\"}", NULL));
	ck_assert(digest_file(path, digest, NULL));
	digest_hex(digest, expected);
	ck_assert_str_eq(input.sha256, expected);
}
END_TEST

static const struct {
	const char *line, *sentence;
} faults[] = {
	{"{", "expected a JSON object: "},
	{"[]", "expected a JSON object"},
	{"{}", "body: expected it, or body_base64 in its place"},
	{"{\"body\":\"\",\"body_base64\":\"\"}", "body: expected it, or body_base64 in its place"},
	{"{\"body\":1}", "body: expected a text"},
	{"{\"body_base64\":\"a\"}", "body_base64: expected base64, padded"},
	{"{\"body_base64\":\"Zm-_\"}", "body_base64: expected base64, padded"},
	{"{\"body_base64\":\"Zg\"}", "body_base64: expected base64, padded"},
	{"{\"body\":\"\",\"kind\":\"old\"}", "kind: expected new, duplicate, conflict, bad_signature or malformed"},
	{"{\"body\":\"\",\"message_id\":1}", "message_id: expected a text"},
	{"{\"body\":\"\",\"sequence\":1.5}", "sequence: expected a whole number"},
	{"{\"body\":\"\",\"id_at\":-1}", "id_at: expected a number of bytes, 0 or more"},
	{"{\"body\":\"\",\"id_at\":0}", "id_at: expected a message_id with it"},
	{"{\"body\":\"abc\",\"message_id\":\"bc\",\"id_at\":2}",
         "id_at: expected where the message_id stands in the body, got 2"},
	{"{\"body\":\"abc\",\"message_id\":\"bc\",\"id_at\":0}",
         "id_at: expected where the message_id stands in the body, got 0"},
	{"{\"body\":\"abc\",\"payload_at\":4}", "payload_at: expected 0..3 (the size of the body), got 4"},
	{"{\"body\":\"abc\",\"payload_at\":1,\"payload_size\":3}",
         "payload_size: expected 0..2 (what is left of the body), got 3"},
	{"{\"body\":\"\",\"headers\":[]}", "headers: expected an object of names and texts"},
	{"{\"body\":\"\",\"headers\":{\"A:\":\"\"}}", "headers: A:: expected a header's name and its value as text"},
	{"{\"body\":\"\",\"headers\":{\"A\":\"x\\r\\nB: y\"}}",
         "headers: A: expected a header's name and its value as text"},
	{"{\"body\":\"\",\"mesage_id\":\"\"}", "mesage_id: there is no such member; did you mean message_id"},
	{"{\"body\":\"\",\"body\":\"\"}", "expected a JSON object: "},
};

START_TEST(test_a_fault_is_named_by_file_line_and_member)
{
	char text[256], expected[256];
	struct sluice_error error = {0};
	(void)snprintf(text, sizeof(text), "{\"body\":\"good\"}\n\n%s\n", faults[_i].line);
	(void)snprintf(expected, sizeof(expected), "%s:3: %s", path, faults[_i].sentence);
	ck_assert(!read_text(text, &error));
	ck_assert_msg(strncmp(error.text, expected, strlen(expected)) == 0, "%s\nis not\n%s", error.text, expected);
}
END_TEST

START_TEST(test_a_file_that_is_not_there_is_named)
{
	struct sluice_error error = {0};
	ck_assert(!input_read(&input, "/nowhere/x.jsonl", &error));
	ck_assert_str_eq(error.text, "/nowhere/x.jsonl: cannot be read: No such file or directory");
}
END_TEST

START_TEST(test_a_prefix_moves_the_payload_behind_it)
{
	static const struct {
		const char *body, *id;
		size_t id_at, payload_at;
		const char *prefix, *expected;
		size_t expected_at;
	} cases[] = {
		{"<id|payload>", "id", 1, 4, "a-", "<a-id|payload>", 6},
		{"<payload|id>", "id", 9, 1, "a-", "<payload|a-id>", 1},
		{"<id|payload>", "id", 1, 4, "", "<id|payload>", 4},
		{"<id|payload>", "id", SIZE_MAX, 4, "a-", "<id|payload>", 4},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct input_event event = {.message_id = bytes(cases[i].id),
		                            .body = bytes(cases[i].body),
		                            .id_at = cases[i].id_at,
		                            .payload_at = cases[i].payload_at,
		                            .payload_size = 7};
		struct buffer out = {0};
		size_t at;
		input_write_body(&event, cases[i].prefix, &out, &at);
		ck_assert_str_eq(out.data, cases[i].expected);
		ck_assert_uint_eq(at, cases[i].expected_at);
		ck_assert(strncmp(out.data + at, "payload", 7) == 0);
		buffer_finish(&out);
	}
}
END_TEST

static Suite *make_suite(void)
{
	TCase *cases = tcase_create("input");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, test_an_event_comes_back_as_written);
	tcase_add_test(cases, test_any_bytes_can_be_a_body);
	tcase_add_test(cases, test_a_body_alone_is_a_new_event_that_nobody_knows);
	tcase_add_test(cases, test_a_byte_order_mark_is_passed_over);
	tcase_add_test(cases, test_the_hash_is_that_of_the_file);
	tcase_add_loop_test(cases, test_a_fault_is_named_by_file_line_and_member, 0,
	                    (int)(sizeof(faults) / sizeof(faults[0])));
	tcase_add_test(cases, test_a_file_that_is_not_there_is_named);
	tcase_add_test(cases, test_a_prefix_moves_the_payload_behind_it);
	Suite *suite = suite_create("input");
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_input, make_suite)
