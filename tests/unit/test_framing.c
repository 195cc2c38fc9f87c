/*
 * Framing: the rows of tests/http/framings.txt, read at once, byte by byte, and in two pieces cut at every place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "serve/framing.h"
#include "support/unit.h"

#define TABLE TEST_SOURCE_DIR "/tests/http/framings.txt"

static const char webhook[] = "{\"messageId\":\"m\",\"eventType\":\"t\",\"payload\":1}";

struct row {
	char name[128];
	unsigned accepted; /* requests before the fault */
	int status;        /* of the fault; 0: none */
	struct buffer text;
};

/* <webhook>, <length>, <size>, <x*9>; returns what stands behind it. */
static const char *add_word(struct buffer *out, const char *at)
{
	const char *end = strchr(at, '>');
	ck_assert_ptr_nonnull(end);
	if (strncmp(at, "<webhook>", 9) == 0)
		buffer_add_text(out, webhook);
	else if (strncmp(at, "<length>", 8) == 0)
		buffer_printf(out, "%zu", strlen(webhook));
	else if (strncmp(at, "<size>", 6) == 0)
		buffer_printf(out, "%zx", strlen(webhook));
	else
		for (long count = strtol(at + 3, NULL, 10); count > 0; count--)
			buffer_add(out, at + 1, 1);
	return end + 1;
}

static const char *add_escaped(struct buffer *out, const char *at)
{
	static const char letters[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	char c;
	if (at[1] == 'x') {
		const char digits[] = {at[2], at[3], '\0'};
		c = (char)strtol(digits, NULL, 16);
		at += 4;
	} else {
		c = bytes[strchr(letters, at[1]) - letters];
		at += 2;
	}
	buffer_add(out, &c, 1);
	return at;
}

static void add_text(struct buffer *out, const char *line)
{
	while (*line) {
		if (*line == '<')
			line = add_word(out, line);
		else if (*line == '\\')
			line = add_escaped(out, line);
		else
			buffer_add(out, line++, 1);
	}
}

static void read_statuses(struct row *row, const char *line)
{
	char *end;
	for (long status; (status = strtol(line, &end, 10)); line = end) {
		ck_assert_int_eq(row->status, 0);
		if (status / 100 == 2)
			row->accepted++;
		else
			row->status = (int)status;
	}
}

static bool read_row(FILE *file, struct row *row)
{
	char line[1024];
	bool has_statuses = false;
	row->name[0] = '\0';
	row->accepted = 0;
	row->status = 0;
	buffer_empty(&row->text);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '[' && !row->name[0])
			(void)snprintf(row->name, sizeof(row->name), "%.*s", (int)strlen(line) - 2, line + 1);
		else if (!row->name[0])
			continue;
		else if (!line[0])
			break;
		else if (!has_statuses && (has_statuses = true))
			read_statuses(row, line);
		else
			add_text(&row->text, line);
	}
	return row->name[0];
}

/* What is handed on at `data` is less than what came only behind a fault, or by white space. */
static size_t read_piece(struct framing *framing, const char *data, size_t size)
{
	char *copy = malloc(size + 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, size);
	size_t kept = framing_read(framing, copy, size);
	ck_assert_uint_le(kept, size);
	free(copy);
	return kept;
}

static void assert_row(const struct row *row, const struct framing *framing, const char *how)
{
	const int status = framing->fault ? framing->fault->status : 0;
	ck_assert_msg(framing->requests == row->accepted && status == row->status,
	              "%s, %s: expected %u requests and %d, got %llu and %d (%s)", row->name, how, row->accepted,
	              row->status, (unsigned long long)framing->requests, status,
	              framing->fault ? framing->fault->detail : "");
	ck_assert_msg(framing->fault || !framing_is_inside(framing), "%s, %s: still inside", row->name, how);
	ck_assert_uint_ge(framing->heads, framing->requests);
}

static void assert_each(void (*check)(const struct row *row))
{
	FILE *file = fopen(TABLE, "re");
	struct row row = {0};
	int count = 0;
	ck_assert_ptr_nonnull(file);
	for (; read_row(file, &row); count++)
		check(&row);
	(void)fclose(file);
	buffer_finish(&row.text);
	ck_assert_int_gt(count, 100);
}

static void read_at_once(const struct row *row)
{
	struct framing framing = {0};
	(void)read_piece(&framing, row->text.data, row->text.size);
	assert_row(row, &framing, "at once");
}

static void read_bytes(const struct row *row)
{
	struct framing framing = {0};
	for (size_t i = 0; i < row->text.size; i++)
		(void)read_piece(&framing, row->text.data + i, 1);
	assert_row(row, &framing, "byte by byte");
}

static void read_halves(const struct row *row)
{
	for (size_t cut = 1; cut < row->text.size && row->text.size < 4096; cut++) {
		struct framing framing = {0};
		(void)read_piece(&framing, row->text.data, cut);
		(void)read_piece(&framing, row->text.data + cut, row->text.size - cut);
		assert_row(row, &framing, "in two pieces");
	}
}

START_TEST(test_each_framing_is_accepted_or_refused_as_the_table_says)
{
	assert_each(read_at_once);
	assert_each(read_bytes);
	assert_each(read_halves);
}
END_TEST

static void assert_handed_on(const char *text, const char *expected)
{
	struct framing framing = {0};
	char data[512];
	(void)strcpy(data, text);
	size_t kept = framing_read(&framing, data, strlen(text));
	data[kept] = '\0';
	ck_assert_str_eq(data, expected);
}

#define HEAD "POST / HTTP/1.1\r\nHost: s \r\n"

START_TEST(test_only_white_space_behind_length_and_coding_and_what_is_expected_are_left_out)
{
	assert_handed_on(HEAD "Content-Length: 2 \t \r\nX: y \r\n\r\n{}", HEAD "Content-Length: 2\r\nX: y \r\n\r\n{}");
	assert_handed_on(HEAD "Transfer-Encoding: chunked \r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	                 HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
	assert_handed_on(HEAD "expect: 100-continue\r\nExpected: y\r\n\r\n", HEAD "expect: \r\nExpected: y\r\n\r\n");
}
END_TEST

START_TEST(test_100_continue_is_awaited_until_the_body_begins)
{
	static const struct {
		const char *head;
		bool awaits;
	} cases[] = {
		{HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", true},
		{HEAD "Content-Length: 2\r\nEXPECT:100-CONTINUE \r\n\r\n", true},
		{HEAD "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", true},
		{HEAD "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", false},
		{HEAD "Expect: 100-continue\r\n\r\n", false},
		{HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n", false},
		{HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{", false},
		{HEAD "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n2", false},
		{HEAD "Expect: 100-continue2\r\nContent-Length: 2\r\n\r\n", false},
		{HEAD "Expect: 100\r\nContent-Length: 2\r\n\r\n", false},
		{HEAD "Content-Length: 2\r\n\r\n", false},
		{"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", false},
	};
	struct framing framing = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct framing one = {0};
		(void)read_piece(&one, cases[i].head, strlen(cases[i].head));
		ck_assert_msg(framing_awaits_continue(&one) == cases[i].awaits, "case %zu", i);
	}
	(void)read_piece(&framing, cases[0].head, strlen(cases[0].head));
	(void)read_piece(&framing, "{}", 2);
	ck_assert(!framing_awaits_continue(&framing));
	(void)read_piece(&framing, HEAD "Content-Length: 2\r\n\r\n", sizeof(HEAD "Content-Length: 2\r\n\r\n") - 1);
	ck_assert(!framing_awaits_continue(&framing));
}
END_TEST

START_TEST(test_fault_hands_on_the_complete_requests_before_it)
{
	static const char good[] = HEAD "Content-Length: 2\r\n\r\n{}";
	char before[256], text[512];
	(void)snprintf(before, sizeof(before), "%s%s", good, good);
	(void)snprintf(text, sizeof(text), "%s" HEAD "Content-Length: x\r\n\r\n", before);
	assert_handed_on(text, before);
	assert_handed_on(HEAD "Content-Length: 2, 2\r\n\r\n{}", "");
}
END_TEST

/* Small chunks with a word each are no attack: a client may send every line as a chunk of its own. */
START_TEST(test_many_small_chunks_are_accepted_and_long_lines_are_not)
{
	struct framing framing = {0};
	struct buffer text = {0};
	buffer_add_text(&text, HEAD "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 20000; i++)
		buffer_add_text(&text, "1;part=one\r\nx\r\n");
	(void)framing_read(&framing, text.data, text.size);
	ck_assert_ptr_null(framing.fault);
	buffer_empty(&text);
	for (int i = 0; i < 20000; i++)
		buffer_add_text(&text, "1;a-much-longer-extension-than-the-data\r\nx\r\n");
	(void)framing_read(&framing, text.data, text.size);
	ck_assert_ptr_nonnull(framing.fault);
	ck_assert_str_eq(framing.fault->detail, "the chunk extensions are too long");
	buffer_finish(&text);
}
END_TEST

START_TEST(test_a_body_is_inside_until_its_last_byte)
{
	struct framing framing = {0};
	char text[] = HEAD "Content-Length: 3\r\n\r\nabc";
	(void)framing_read(&framing, text, sizeof(text) - 2);
	ck_assert(framing_is_inside(&framing));
	ck_assert_uint_eq(framing.heads, 1);
	ck_assert_uint_eq(framing.requests, 0);
	(void)framing_read(&framing, text, 1);
	ck_assert(!framing_is_inside(&framing));
	ck_assert_uint_eq(framing.requests, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("framing");
	TCase *tests = tcase_create("framing");
	tcase_add_test(tests, test_each_framing_is_accepted_or_refused_as_the_table_says);
	tcase_add_test(tests, test_only_white_space_behind_length_and_coding_and_what_is_expected_are_left_out);
	tcase_add_test(tests, test_100_continue_is_awaited_until_the_body_begins);
	tcase_add_test(tests, test_fault_hands_on_the_complete_requests_before_it);
	tcase_add_test(tests, test_many_small_chunks_are_accepted_and_long_lines_are_not);
	tcase_add_test(tests, test_a_body_is_inside_until_its_last_byte);
	suite_add_tcase(suite, tests);
	return suite;
}

UNIT_SUITE(test_framing, suite)
