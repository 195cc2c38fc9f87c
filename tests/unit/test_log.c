/*
 * The log when nobody reads it, and what it never shows a terminal.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_writer.h"
#include "base/printable.h"
#include "support/unit.h"

enum { LINE_SIZE = 1024, LINES = 3 * LOG_WRITER_ROOM / LINE_SIZE };

static void note(uint64_t dropped, struct buffer *line)
{
	buffer_printf(line, "dropped %d\n", (int)dropped);
}

/* Lines of one size with their number. */
static void add_lines(struct log_writer *writer, int count)
{
	char line[LINE_SIZE + 1];
	for (int i = 0; i < count; i++) {
		(void)snprintf(line, sizeof(line), "%0*d\n", LINE_SIZE - 1, i);
		log_writer_add(writer, line, LINE_SIZE);
	}
}

/* Reads to the end of the file: how many lines were written and how many a note says were dropped. */
static void read_lines(int fd, int *written_out, int *dropped_out)
{
	FILE *file = fdopen(fd, "r");
	char line[LINE_SIZE + 16];
	int dropped, written = 0, told = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "dropped %d", &dropped) == 1) {
			told += dropped;
			continue;
		}
		ck_assert_uint_eq(strlen(line), LINE_SIZE);
		written++;
	}
	(void)fclose(file);
	*written_out = written;
	*dropped_out = told;
}

static void *stop(void *writer)
{
	return log_writer_destroy(writer, 60 * NS_PER_S) ? writer : NULL;
}

START_TEST(test_a_reader_that_stops_holds_nobody_up_and_drops_are_said)
{
	int ends[2], written, told;
	ck_assert_int_eq(pipe(ends), 0);
	struct log_writer *writer = log_writer_create(ends[1], note);
	ck_assert_ptr_nonnull(writer);
	add_lines(writer, LINES); /* more than all buffers hold: with a log that waits it would not return */
	uint64_t dropped = log_writer_dropped(writer);
	ck_assert_uint_gt(dropped, 0);
	ck_assert_uint_lt(dropped, LINES);
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, stop, writer), 0);
	char part[LINE_SIZE];
	FILE *kept = tmpfile();
	void *stopped = NULL;
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	while (pthread_tryjoin_np(thread, &stopped) != 0) {
		ssize_t size = read(ends[0], part, sizeof(part));
		if (size > 0)
			ck_assert_uint_eq(fwrite(part, 1, (size_t)size, kept), (size_t)size);
		else
			(void)sched_yield();
	}
	ck_assert_ptr_nonnull(stopped);
	for (ssize_t size; (size = read(ends[0], part, sizeof(part))) > 0;)
		ck_assert_uint_eq(fwrite(part, 1, (size_t)size, kept), (size_t)size);
	(void)fflush(kept);
	ck_assert_int_eq(lseek(fileno(kept), 0, SEEK_SET), 0);
	read_lines(dup(fileno(kept)), &written, &told);
	ck_assert_int_eq(told, (int)dropped);
	ck_assert_int_eq(written + told, LINES);
	(void)fclose(kept);
}
END_TEST

START_TEST(test_what_was_logged_is_written_before_it_ends)
{
	int ends[2], written, told;
	ck_assert_int_eq(pipe(ends), 0);
	struct log_writer *writer = log_writer_create(ends[1], note);
	add_lines(writer, 20);
	ck_assert(log_writer_destroy(writer, 60 * NS_PER_S));
	(void)close(ends[1]);
	read_lines(ends[0], &written, &told);
	ck_assert_int_eq(written, 20);
	ck_assert_int_eq(told, 0);
}
END_TEST

START_TEST(test_a_stuck_reader_does_not_hold_up_the_end)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	struct log_writer *writer = log_writer_create(ends[1], note);
	add_lines(writer, 200); /* more than a pipe holds */
	ck_assert(!log_writer_destroy(writer, NS_PER_MS));
	uint64_t dropped = log_writer_dropped(writer);
	add_lines(writer, 1);
	ck_assert_uint_eq(log_writer_dropped(writer), dropped + 1);
}
END_TEST

/* A reader that has gone, and a disk that is full. */
START_TEST(test_lines_that_cannot_be_written_are_counted)
{
	int ends[2];
	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(ends), 0);
	(void)close(ends[0]);
	const int fds[] = {ends[1], open("/dev/full", O_WRONLY)};
	for (size_t i = 0; i < 2; i++) {
		struct log_writer *writer = log_writer_create(fds[i], note);
		add_lines(writer, 5);
		int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
		while (log_writer_dropped(writer) < 5 && clock_now_ns() < until_ns)
			(void)sched_yield();
		ck_assert_uint_eq(log_writer_dropped(writer), 5);
		ck_assert(log_writer_destroy(writer, 60 * NS_PER_S));
	}
}
END_TEST

/* The text as a value of a line, in both formats. */
static void assert_escaped(const char *text, const char *expected)
{
	static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};
	for (size_t i = 0; i < 2; i++) {
		int ends[2];
		char line[512] = "";
		ck_assert_int_eq(pipe(ends), 0);
		log_setup(SLUICE_LOG_INFO, formats[i], ends[1]);
		log_event(SLUICE_LOG_INFO, NULL, "named", sluice_text("name", text));
		log_setup(SLUICE_LOG_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
		(void)close(ends[1]);
		ck_assert_int_gt(read(ends[0], line, sizeof(line) - 1), 0);
		(void)close(ends[0]);
		ck_assert_msg(strstr(line, expected) != NULL, "expected %s, got %s", expected, line);
	}
}

START_TEST(test_nothing_in_a_line_commands_a_terminal)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"a\x1b[31m", "\"a\\u001b[31m\""},
		{"a\nb level=error", "\"a\\u000ab level=error\""},
		{"\x7f", "\"\\u007f\""},
		{"\xc2\x9b"
	         "31m",
	         "\"\\u009b31m\""},
		{"\xc2\x85", "\"\\u0085\""},
		{"\xe2\x80\xae"
	         "RTL",
	         "\"\\u202eRTL\""},
		{"\xe2\x81\xa6", "\"\\u2066\""},
		{"\xe2\x80\x8f", "\"\\u200f\""},
		{"\xd8\x9c", "\"\\u061c\""},
		{"\xe2\x80\xa8", "\"\\u2028\""},
		{"\xff", "\"\xef\xbf\xbd\""},
		{"\xc3\xa9\xe2\x82\xac", "\"\xc3\xa9\xe2\x82\xac\""},
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_escaped(cases[i].text, cases[i].expected);
}
END_TEST

START_TEST(test_printable_text_keeps_its_lines_and_nothing_that_commands)
{
	static const struct {
		const char *text, *as_text, *as_line;
	} cases[] = {
		{"plain \xc3\xa9", "plain \xc3\xa9", "plain \xc3\xa9"},
		{"a\n\tb", "a\n\tb", "a\\u000a\\u0009b"},
		{"\x1b]0;title\x07", "\\u001b]0;title\\u0007", "\\u001b]0;title\\u0007"},
		{"\r\x08\x7f", "\\u000d\\u0008\\u007f", "\\u000d\\u0008\\u007f"},
		{"\xc2\x9b"
	         "2J",
	         "\\u009b2J", "\\u009b2J"},
		{"\xe2\x80\xae\xe2\x81\xa9", "\\u202e\\u2069", "\\u202e\\u2069"},
		{"\xff\xc2", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int form = PRINTABLE_TEXT; form <= PRINTABLE_LINE; form++) {
			char *got = NULL;
			size_t size;
			FILE *file = open_memstream(&got, &size);
			printable_write(file, (enum printable_form)form, cases[i].text, strlen(cases[i].text));
			(void)fclose(file);
			ck_assert_str_eq(got, form == PRINTABLE_TEXT ? cases[i].as_text : cases[i].as_line);
			free(got);
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("log");
	TCase *readers = tcase_create("readers");
	tcase_set_timeout(readers, 60);
	tcase_add_test(readers, test_a_reader_that_stops_holds_nobody_up_and_drops_are_said);
	tcase_add_test(readers, test_what_was_logged_is_written_before_it_ends);
	tcase_add_test(readers, test_a_stuck_reader_does_not_hold_up_the_end);
	tcase_add_test(readers, test_lines_that_cannot_be_written_are_counted);
	suite_add_tcase(suite, readers);
	TCase *texts = tcase_create("texts");
	tcase_add_test(texts, test_nothing_in_a_line_commands_a_terminal);
	tcase_add_test(texts, test_printable_text_keeps_its_lines_and_nothing_that_commands);
	suite_add_tcase(suite, texts);
	return suite;
}

UNIT_SUITE(test_log, suite)
