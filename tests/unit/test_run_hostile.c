/*
 * Run directories that came from somebody else: what cannot be is refused where the file is opened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/judge/analyze.h"
#include "lab/judge/verdict.h"
#include "lab/report/evidence.h"
#include "lab/report/manifest.h"
#include "support/paired.h"
#include "support/scratch.h"
#include "support/unit.h"

static char folder[SCRATCH_SIZE];

static void set_up(void)
{
	struct paired paired;
	scratch_folder(folder);
	paired_init(&paired, 2, 10);
	paired_save(&paired, folder);
	paired_finish(&paired);
}

static void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void write_at(const char *name, long at, const void *data, size_t size)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "r+b");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

/* `expected`: a part of the sentence. */
static void assert_refused(const char *expected)
{
	struct sluice_error error = {0};
	struct run *run = run_open(folder, &error);
	ck_assert_msg(!run, "opened: %s", expected);
	ck_assert_msg(strstr(error.text, expected) != NULL, "%s\nis not about\n%s", error.text, expected);
}

#define IN_RECORD(member) offsetof(struct trace_record, member)

/* A field of the second record, and what it may not be. */
static const struct {
	size_t at, size;
	int64_t value;
	const char *expected;
} fields[] = {
	{IN_RECORD(intended_ns), 8, INT64_MAX, "the times or the status of record 2"},
	{IN_RECORD(intended_ns), 8, INT64_MIN, "the times or the status of record 2"},
	{IN_RECORD(sent_ns), 8, TRACE_TIME_MAX_NS + 1, "the times or the status of record 2"},
	{IN_RECORD(answered_ns), 8, INT64_MAX, "the times or the status of record 2"},
	{IN_RECORD(answered_ns), 8, -TRACE_TIME_MAX_NS - 1, "the times or the status of record 2"},
	{IN_RECORD(respond_ns), 8, INT64_MAX, "the times or the status of record 2"},
	{IN_RECORD(stages[2].wait_ns), 8, INT64_MAX, "the times or the status of record 2"},
	{IN_RECORD(stages[4].spans_ns[SLUICE_SPANS_MAX - 1]), 8, INT64_MIN, "the times or the status of record 2"},
	{IN_RECORD(ready_ns), 8, INT64_MIN, "the times or the status of record 2"},
	{IN_RECORD(replied_ns), 8, INT64_MAX, "the times or the status of record 2"},
	{IN_RECORD(status), 2, 1000, "the times or the status of record 2"},
	{IN_RECORD(arm), 1, 2, "record 2 is of arm 2, block"},
	{IN_RECORD(arm), 1, 255, "record 2 is of arm 255, block"},
	{IN_RECORD(block), 4, 1024, "record 2 is of arm"},
	{IN_RECORD(block), 4, UINT32_MAX, "record 2 is of arm"},
};

START_TEST(test_record_that_cannot_be_is_refused)
{
	long record = sizeof(struct trace_header) + sizeof(struct trace_record);
	write_at(RUN_REQUESTS, record + (long)fields[_i].at, &fields[_i].value, fields[_i].size);
	assert_refused(fields[_i].expected);
}
END_TEST

START_TEST(test_times_at_the_bound_are_added_up_without_overflow)
{
	long record = sizeof(struct trace_header);
	int64_t most = TRACE_TIME_MAX_NS, least = -TRACE_TIME_MAX_NS;
	for (size_t at = 0; at + 8 <= IN_RECORD(ready_ns); at += 8) {
		bool is_time = at <= IN_RECORD(answered_ns) || at >= IN_RECORD(respond_ns);
		if (is_time)
			write_at(RUN_REQUESTS, record + (long)at, at == 0 ? &least : &most, 8);
	}
	struct sluice_error error = {0};
	struct run *run = run_open(folder, &error);
	ck_assert_msg(run != NULL, "%s", error.text);
	struct analyze_result result;
	analyze_records(run->records, run->count, run->header.names, &result);
	ck_assert_uint_eq(result.requests, run->count);
	run_close(run);
}
END_TEST

START_TEST(test_header_with_impossible_clocks_is_refused)
{
	static const int64_t values[] = {-1, INT64_MIN, INT64_MAX, INT64_C(4000000000000000001)};
	static const size_t places[] = {offsetof(struct trace_header, start_ns),
	                                offsetof(struct trace_header, wall_ns)};
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 2; j++) {
			int64_t before = 1;
			write_at(RUN_REQUESTS, (long)places[j], &values[i], 8);
			assert_refused("its header has a time that cannot be");
			write_at(RUN_REQUESTS, (long)places[j], &before, 8);
		}
	}
}
END_TEST

START_TEST(test_names_in_a_header_end_and_command_no_terminal)
{
	char names[sizeof(struct trace_names)];
	memset(names, '\x1b', sizeof(names));
	write_at(RUN_REQUESTS, offsetof(struct trace_header, names), names, sizeof(names));
	struct sluice_error error = {0};
	struct run *run = run_open(folder, &error);
	ck_assert_msg(run != NULL, "%s", error.text);
	ck_assert_str_eq(run->header.names[0].use, "???????????????????????????????");
	ck_assert_uint_eq(strlen(run->header.names[0].spans[0]), sizeof(run->header.names[0].spans[0]) - 1);
	run_close(run);
}
END_TEST

static void replace(const char *name, void (*make)(const char *path))
{
	char *path = run_file(folder, name);
	ck_assert_int_eq(unlink(path), 0);
	make(path);
	free(path);
}

static void make_pipe(const char *path)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_endless(const char *path)
{
	ck_assert_int_eq(symlink("/dev/zero", path), 0);
}

static void make_huge(const char *path)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(ftruncate(fileno(file), INT64_C(1) << 40), 0);
	(void)fclose(file);
}

START_TEST(test_what_is_no_regular_file_is_not_waited_for)
{
	static const char *const names[] = {RUN_ABOUT, RUN_REQUESTS};
	for (size_t i = 0; i < 2; i++) {
		tear_down();
		set_up();
		replace(names[i], make_pipe);
		assert_refused("cannot be read: not a regular file");
		replace(names[i], make_endless);
		assert_refused("cannot be read: not a regular file");
	}
}
END_TEST

static void count_fault(void *context, const char *file, const char *what)
{
	(void)file, (void)what;
	++*(size_t *)context;
}

START_TEST(test_a_bundle_with_a_pipe_or_a_device_is_judged_at_once)
{
	static void (*const makers[])(const char *path) = {make_pipe, make_endless};
	static const char *const names[] = {RUN_INPUT, RUN_COMPARE, RUN_VERIFY, RUN_REQUESTS};
	struct sluice_error error = {0};
	size_t faults, told = 0;
	for (size_t i = 0; i < 8; i++) {
		tear_down();
		set_up();
		ck_assert_msg(manifest_write(folder, &error), "%s", error.text);
		replace(names[i % 4], makers[i / 4]);
		ck_assert_msg(evidence_verify(folder, NULL, count_fault, &told, &faults, &error), "%s", error.text);
		ck_assert_uint_ge(faults, 2); /* its hash, and what it should have said */
	}
}
END_TEST

START_TEST(test_a_document_of_a_terabyte_is_refused)
{
	replace(RUN_ABOUT, make_huge);
	assert_refused("expected at most 16 MiB");
}
END_TEST

START_TEST(test_a_line_of_a_terabyte_is_refused)
{
	struct sluice_error error = {0};
	struct input input;
	char *path = run_file(folder, RUN_INPUT);
	replace(RUN_INPUT, make_huge);
	input_init(&input);
	ck_assert(!input_read(&input, path, &error));
	ck_assert_msg(strstr(error.text, ":1: expected a line of at most 64 MiB") != NULL, "%s", error.text);
	input_finish(&input);
	free(path);
}
END_TEST

/* Numbers in run.json that would not fit where they are counted. */
START_TEST(test_terms_that_cannot_be_are_refused)
{
	static const struct {
		const char *member;
		double value;
	} cases[] = {{"timeout_ms", 1e300}, {"timeout_ms", -1}, {"timeout_ms", 1e12}, {"alpha", 0},
	             {"alpha", 1},          {"alpha", -1e308},  {"alpha", 1e-308},    {"margin", -0.1}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		struct input input = {0};
		struct run *run = run_open(folder, &error);
		ck_assert_msg(run != NULL, "%s", error.text);
		(void)json_object_set_new(json_object_get(run->about, "comparison"), cases[i].member,
		                          json_real(cases[i].value));
		ck_assert_ptr_null(verdict_compute(run, &input, NULL, &error));
		ck_assert_msg(strstr(error.text, "expected alpha, margin and timeout_ms") != NULL, "%s", error.text);
		run_close(run);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("hostile run directories");
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_set_timeout(files, 30);
	tcase_add_loop_test(files, test_record_that_cannot_be_is_refused, 0, sizeof(fields) / sizeof(fields[0]));
	tcase_add_test(files, test_times_at_the_bound_are_added_up_without_overflow);
	tcase_add_test(files, test_header_with_impossible_clocks_is_refused);
	tcase_add_test(files, test_names_in_a_header_end_and_command_no_terminal);
	tcase_add_test(files, test_what_is_no_regular_file_is_not_waited_for);
	tcase_add_test(files, test_a_bundle_with_a_pipe_or_a_device_is_judged_at_once);
	tcase_add_test(files, test_a_document_of_a_terabyte_is_refused);
	tcase_add_test(files, test_a_line_of_a_terabyte_is_refused);
	tcase_add_test(files, test_terms_that_cannot_be_are_refused);
	suite_add_tcase(suite, files);
	return suite;
}

UNIT_SUITE(test_run_hostile, suite)
