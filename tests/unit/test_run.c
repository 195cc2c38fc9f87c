/* A run directory: what was written is opened, and what is missing or damaged is named. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/run/run.h"
#include "support/scratch.h"
#include "support/unit.h"

static char folder[SCRATCH_SIZE];

static void set_up(void)
{
	scratch_folder(folder);
}

static void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void write_text(const char *name, const char *text)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

/* Records 0 to count - 1; of each the request's key is its number, and all times. */
static void write_trace(const char *name, enum trace_source source, const struct trace_names *names, uint64_t first,
                        uint64_t count)
{
	char *path = run_file(folder, name);
	struct trace_writer *writer = trace_create(path, source, names, NULL);
	ck_assert_ptr_nonnull(writer);
	for (uint64_t key = first; key < first + count; key++) {
		struct trace_record record;
		trace_record_init(&record);
		record.request = key;
		record.intended_ns = (int64_t)(100 * key);
		record.sent_ns = record.intended_ns + 1;
		record.answered_ns = record.intended_ns + 50;
		if (source == TRACE_OF_SERVER) {
			record.attempts = 2;
			record.batch_size = (uint32_t)key;
			record.respond_ns = 7;
			record.stages[SLUICE_KIND_PERSIST].work_ns = 9;
		}
		trace_write(writer, &record);
	}
	ck_assert(trace_close(writer, NULL));
	free(path);
}

static void assert_refused(const char *path, const char *sentence)
{
	struct sluice_error error = {0};
	char expected[256];
	(void)snprintf(expected, sizeof(expected), "%s%s", folder, sentence);
	ck_assert_ptr_null(run_open(path, &error));
	ck_assert_msg(strncmp(error.text, expected, strlen(expected)) == 0, "%s\nis not\n%s", error.text, expected);
}

START_TEST(test_a_directory_opens_with_its_records_and_run_json)
{
	write_text(RUN_ABOUT, "{\"format\":1,\"command\":\"replay\"}");
	write_trace(RUN_REQUESTS, TRACE_OF_SENDER, NULL, 0, 3000);
	struct sluice_error error = {0};
	struct run *run = run_open(folder, &error);
	ck_assert_msg(run != NULL, "%s", error.text);
	ck_assert_str_eq(json_string_value(json_object_get(run->about, "command")), "replay");
	ck_assert_uint_eq(run->header.source, TRACE_OF_SENDER);
	ck_assert_uint_eq(run->count, 3000);
	for (size_t i = 0; i < run->count; i++)
		ck_assert_uint_eq(run->records[i].request, i);
	ck_assert_int_eq(run_corrected_ns(&run->records[1]), 50);
	ck_assert_int_eq(run_raw_ns(&run->records[1]), 49);
	run->records[1].answered_ns = -1;
	ck_assert_int_eq(run_corrected_ns(&run->records[1]), -1);
	ck_assert_int_eq(run_raw_ns(&run->records[1]), -1);
	run_close(run);
}
END_TEST

START_TEST(test_a_trace_opens_by_itself)
{
	write_trace("server.trace", TRACE_OF_SERVER, NULL, 5, 2);
	char *path = run_file(folder, "server.trace");
	struct run *run = run_open(path, NULL);
	ck_assert_ptr_nonnull(run);
	ck_assert_ptr_null(run->about);
	ck_assert_uint_eq(run->count, 2);
	ck_assert_uint_eq(run->records[1].request, 6);
	run_close(run);
	free(path);
}
END_TEST

START_TEST(test_what_is_missing_or_damaged_is_named)
{
	assert_refused(folder, "/run.json: cannot be read: No such file or directory");
	write_text(RUN_ABOUT, "{\n\"format\":");
	assert_refused(folder, "/run.json:2:9: expected JSON: ");
	write_text(RUN_ABOUT, "{\"format\":2}");
	assert_refused(folder, "/run.json: format: expected 1..1");
	write_text(RUN_ABOUT, "{\"format\":1}");
	assert_refused(folder, "/requests.bin: cannot be read: No such file or directory");
	write_text(RUN_REQUESTS, "SLUICE");
	assert_refused(folder, "/requests.bin: not a trace");
}
END_TEST

START_TEST(test_a_document_comes_back_as_written)
{
	json_t *document = json_pack("{s:f, s:[i], s:s}", "share", 0.1, "list", 1, "text", "\xc3\xbc");
	ck_assert(run_write_json(folder, RUN_VERIFY, document, NULL));
	ck_assert(run_write_json(folder, RUN_VERIFY, document, NULL));
	json_t *again = run_read_json(folder, RUN_VERIFY, NULL);
	ck_assert(json_equal(document, again));
	json_decref(document);
	json_decref(again);
	char *left = run_file(folder, RUN_VERIFY ".new");
	ck_assert_int_ne(access(left, F_OK), 0);
	free(left);
}
END_TEST

START_TEST(test_a_document_that_cannot_be_written_leaves_the_old_one)
{
	struct sluice_error error = {0};
	json_t *document = json_object();
	ck_assert(!run_write_json("/nowhere", RUN_VERIFY, document, &error));
	ck_assert_str_eq(error.text, "/nowhere/verify.json: cannot be written: No such file or directory");
	json_decref(document);
	error = (struct sluice_error){0};
	write_text(RUN_VERIFY, "{}");
	ck_assert(!run_write_json(folder, RUN_VERIFY, NULL, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "verify.json: cannot be written"));
	json_t *old = run_read_json(folder, RUN_VERIFY, NULL);
	ck_assert_ptr_nonnull(old);
	json_decref(old);
}
END_TEST

static size_t join(struct run *run, struct trace_names *names)
{
	struct sluice_error error = {0};
	char *path = run_file(folder, "server.trace");
	size_t found = run_join(run->records, run->count, &run->header, path, names, &error);
	ck_assert_msg(found > 0, "%s", error.text);
	free(path);
	return found;
}

START_TEST(test_the_servers_view_is_joined_on_the_senders_clock)
{
	struct trace_names names[SLUICE_KIND_SLOTS] = {[SLUICE_KIND_PERSIST] = {"sqlite", {"commit"}}};
	struct trace_names got[SLUICE_KIND_SLOTS];
	write_trace("requests", TRACE_OF_SENDER, NULL, 0, 4);
	write_trace("server.trace", TRACE_OF_SERVER, names, 2, 100);
	char *path = run_file(folder, "requests");
	struct run *run = run_open(path, NULL);
	char *server_path = run_file(folder, "server.trace");
	struct run *server = run_open(server_path, NULL);
	ck_assert_uint_eq(join(run, got), 2);
	ck_assert_mem_eq(got, names, sizeof(names));
	const struct trace_record *record = &run->records[3];
	ck_assert(record->attempts == 2 && record->batch_size == 3 && record->respond_ns == 7);
	ck_assert_int_eq(record->stages[SLUICE_KIND_PERSIST].work_ns, 9);
	int64_t shift_ns = server->header.start_ns - run->header.start_ns;
	ck_assert_int_gt(shift_ns, 0);
	ck_assert_int_eq(record->received_ns, 300 + shift_ns);
	ck_assert_int_eq(record->replied_ns, 350 + shift_ns);
	ck_assert(run->records[1].received_ns == -1 && run->records[1].respond_ns == -1);

	/* Of another machine, whose clock started at another time, the wall clocks count. */
	run->header.start_ns += 1000 * NS_PER_S;
	ck_assert_uint_eq(join(run, got), 2);
	ck_assert_int_eq(record->received_ns, 300 + server->header.wall_ns - run->header.wall_ns);
	run_close(server);
	run_close(run);
	free(server_path);
	free(path);
}
END_TEST

START_TEST(test_of_a_request_tried_again_the_last_time_counts)
{
	char *path = run_file(folder, "server.trace");
	struct trace_writer *writer = trace_create(path, TRACE_OF_SERVER, NULL, NULL);
	struct trace_names names[SLUICE_KIND_SLOTS];
	struct trace_record record;
	trace_record_init(&record);
	record.request = 1;
	record.batch_size = 10;
	trace_write(writer, &record);
	record.batch_size = 20;
	trace_write(writer, &record);
	ck_assert(trace_close(writer, NULL));
	struct trace_header header = {.start_ns = clock_now_ns(), .wall_ns = clock_wall_ns()};
	trace_record_init(&record);
	record.request = 1;
	ck_assert_uint_eq(run_join(&record, 1, &header, path, names, NULL), 1);
	ck_assert_uint_eq(record.batch_size, 20);
	ck_assert_int_eq(record.replied_ns, -1);
	free(path);
}
END_TEST

static Suite *make_suite(void)
{
	TCase *cases = tcase_create("run");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, test_a_directory_opens_with_its_records_and_run_json);
	tcase_add_test(cases, test_a_trace_opens_by_itself);
	tcase_add_test(cases, test_what_is_missing_or_damaged_is_named);
	tcase_add_test(cases, test_a_document_comes_back_as_written);
	tcase_add_test(cases, test_a_document_that_cannot_be_written_leaves_the_old_one);
	tcase_add_test(cases, test_the_servers_view_is_joined_on_the_senders_clock);
	tcase_add_test(cases, test_of_a_request_tried_again_the_last_time_counts);
	Suite *suite = suite_create("run");
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_run, make_suite)
