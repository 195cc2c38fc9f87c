/*
 * The profile log: what is in it is read, by itself or within other lines; what is broken is passed over and counted.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/run/profile_log.h"
#include "lab/run/samples.h"
#include "support/scratch.h"
#include "support/unit.h"

static char path[SCRATCH_SIZE];
static struct profile_log log_read;

static void make_path(void)
{
	int fd = scratch_file(path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
}

static void remove_path(void)
{
	profile_log_finish(&log_read);
	(void)unlink(path);
}

static void write_log(const char *text)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

#define PROFILE(total)                                                                                                 \
	"LATENCY_PROFILE: {\"requestId\":\"r\",\"messageId\":null,\"stages\":{\"auth\":1.5,\"persist\":2.25},"         \
	"\"total\":" total "}"

static const char *const good_lines[] = {
	PROFILE("3.75"),
	"2026-11-25T20:00:00Z info something " PROFILE("3.75") " and more",
	"\x1b[32m" PROFILE("3.75") "\x1b[0m",
	PROFILE("3.75") "\r",
	"{\"time\":\"now\",\"message\":\"LATENCY_PROFILE: {\\\"requestId\\\":\\\"r\\\",\\\"stages\\\":{\\\"auth\\\":1.5,\\\"db\\\":2.25},\\\"total\\\":3.75}\"}",
	"LATENCY_PROFILE: {\"requestId\":\"r\",\"stages\":{\"auth\":1.5,\"db_batch\":2.25},\"total\":3.75}",
};

START_TEST(test_profile_is_read_wherever_it_stands_in_a_line)
{
	write_log(good_lines[_i]);
	struct sluice_error error = {0};
	ck_assert_msg(profile_log_read(path, &log_read, &error), "%s", error.text);
	ck_assert_uint_eq(log_read.count, 1);
	ck_assert_uint_eq(log_read.broken, 0);
	const struct trace_record *record = &log_read.records[0];
	ck_assert_int_eq(record->answered_ns, 3750000);
	ck_assert_int_eq(record->stages[SLUICE_KIND_AUTH].work_ns, 1500000);
	ck_assert_int_eq(record->stages[SLUICE_KIND_PERSIST].work_ns, 2250000);
	ck_assert_int_eq(record->stages[SLUICE_KIND_PARSE].work_ns, -1);
	ck_assert_uint_eq(record->request, trace_key("r", 1));
	ck_assert_uint_eq(record->status, 0);
}
END_TEST

START_TEST(test_time_in_the_queue_is_waiting_and_response_is_respond)
{
	write_log("LATENCY_PROFILE: {\"stages\":{\"queue\":5,\"response\":0.5,\"lunch\":4},\"total\":10}\n");
	ck_assert(profile_log_read(path, &log_read, NULL));
	const struct trace_record *record = &log_read.records[0];
	ck_assert_int_eq(record->stages[SLUICE_KIND_QUEUE].work_ns, 0);
	ck_assert_int_eq(record->stages[SLUICE_KIND_QUEUE].wait_ns, 5000000);
	ck_assert_int_eq(record->respond_ns, 500000);
	ck_assert_int_eq(record->answered_ns, 10000000);
}
END_TEST

START_TEST(test_processor_time_of_the_stages_is_read_where_it_is_there)
{
	write_log(
		"LATENCY_PROFILE: {\"stages\":{\"auth\":5},\"processor\":{\"auth\":0.25,\"persist\":2},\"total\":10}\n" PROFILE(
			"3.75"));
	ck_assert(profile_log_read(path, &log_read, NULL));
	ck_assert_int_eq(log_read.records[0].cpu_ns[SLUICE_KIND_AUTH], 250000);
	ck_assert_int_eq(log_read.records[0].cpu_ns[SLUICE_KIND_PERSIST], 2000000);
	ck_assert_int_eq(log_read.records[0].cpu_ns[SLUICE_KIND_PARSE], -1);
	ck_assert_int_eq(log_read.records[1].cpu_ns[SLUICE_KIND_AUTH], -1);
}
END_TEST

START_TEST(test_rounding_leaves_nothing_unaccounted_for)
{
	write_log("LATENCY_PROFILE: {\"stages\":{\"auth\":0.001,\"parse\":0.001},\"total\":0.003}\n"
	          "LATENCY_PROFILE: {\"stages\":{\"auth\":0.001,\"parse\":0.001},\"total\":0.013}\n");
	ck_assert(profile_log_read(path, &log_read, NULL));
	ck_assert_int_eq(log_read.records[0].answered_ns, 2000);
	ck_assert_int_eq(log_read.records[1].answered_ns, 13000);
}
END_TEST

static const struct {
	const char *line, *fault;
} broken_lines[] = {
	{"LATENCY_PROFILE:", "expected JSON"},
	{"LATENCY_PROFILE: {\"requestId\":\"r\",\"stages\":{\"auth\":1.5", "expected JSON"},
	{"LATENCY_PROFILE: [1,2]", "total: expected milliseconds"},
	{"LATENCY_PROFILE: {\"stages\":{}}", "total: expected milliseconds"},
	{"LATENCY_PROFILE: {\"total\":1}", "stages: expected an object"},
	{"LATENCY_PROFILE: {\"stages\":{\"auth\":\"fast\"},\"total\":1}", "stages.auth: expected milliseconds"},
	{"LATENCY_PROFILE: {\"stages\":{\"auth\":-1},\"total\":1}", "stages.auth: expected milliseconds"},
	{"LATENCY_PROFILE: {\"stages\":{\"auth\":1e300},\"total\":1}", "stages.auth: expected milliseconds"},
	{"LATENCY_PROFILE: {\"stages\":{},\"total\":null}", "total: expected milliseconds"},
};

START_TEST(test_broken_line_is_passed_over_counted_and_named)
{
	char text[1024], place[128];
	(void)snprintf(text, sizeof(text), "worker_started\n%s\n%s\n%s\n", good_lines[0], broken_lines[_i].line,
	               good_lines[0]);
	write_log(text);
	ck_assert(profile_log_read(path, &log_read, NULL));
	ck_assert_uint_eq(log_read.count, 2);
	ck_assert_uint_eq(log_read.broken, 1);
	(void)snprintf(place, sizeof(place), "%s:3: %s", path, broken_lines[_i].fault);
	ck_assert_msg(strstr(log_read.first.text, place) == log_read.first.text, "%s", log_read.first.text);
}
END_TEST

START_TEST(test_log_of_broken_lines_alone_is_refused_with_its_line)
{
	char text[1024], place[128];
	struct sluice_error error = {0};
	(void)snprintf(text, sizeof(text), "started\n%s\n", broken_lines[_i].line);
	write_log(text);
	ck_assert(!profile_log_read(path, &log_read, &error));
	(void)snprintf(place, sizeof(place), "%s:2: %s", path, broken_lines[_i].fault);
	ck_assert_msg(strstr(error.text, place) == error.text, "%s", error.text);
}
END_TEST

START_TEST(test_what_is_no_log_is_refused_by_name)
{
	static const char *const texts[] = {"", "hello\nworld\n"};
	for (size_t i = 0; i < 2; i++) {
		struct sluice_error error = {0};
		write_log(texts[i]);
		ck_assert(!profile_log_read(path, &log_read, &error));
		ck_assert_ptr_eq(strstr(error.text, path), error.text);
		ck_assert_ptr_nonnull(strstr(error.text, "ENABLE_LATENCY_PROFILING"));
	}
	struct sluice_error error = {0};
	ck_assert(!profile_log_read("/nowhere/x.log", &log_read, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/x.log"));
	ck_assert(!profile_log_read("/tmp", &log_read, NULL));
}
END_TEST

START_TEST(test_samples_of_a_log_have_no_times_and_no_second_arm)
{
	struct samples samples;
	struct sluice_error error = {0};
	write_log(good_lines[0]);
	ck_assert_msg(samples_open(path, NULL, &samples, &error), "%s", error.text);
	ck_assert(!samples.timed);
	ck_assert_uint_eq(samples.arm_count, 1);
	ck_assert_ptr_nonnull(samples_get_arm(&samples, 'a', &error));
	ck_assert_ptr_null(samples_get_arm(&samples, 'b', &error));
	ck_assert_ptr_nonnull(strstr(error.text, "no arm b"));
	samples_finish(&samples);
	ck_assert(!samples_open(path, "x.trace", &samples, NULL));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("profile_log");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, make_path, remove_path);
	tcase_add_loop_test(tc, test_profile_is_read_wherever_it_stands_in_a_line, 0,
	                    sizeof(good_lines) / sizeof(good_lines[0]));
	tcase_add_test(tc, test_time_in_the_queue_is_waiting_and_response_is_respond);
	tcase_add_test(tc, test_processor_time_of_the_stages_is_read_where_it_is_there);
	tcase_add_test(tc, test_rounding_leaves_nothing_unaccounted_for);
	tcase_add_loop_test(tc, test_broken_line_is_passed_over_counted_and_named, 0,
	                    sizeof(broken_lines) / sizeof(broken_lines[0]));
	tcase_add_loop_test(tc, test_log_of_broken_lines_alone_is_refused_with_its_line, 0,
	                    sizeof(broken_lines) / sizeof(broken_lines[0]));
	tcase_add_test(tc, test_what_is_no_log_is_refused_by_name);
	tcase_add_test(tc, test_samples_of_a_log_have_no_times_and_no_second_arm);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_profile_log, suite)
