/*
 * What there is to analyze: run directories with one arm and with two, traces, and a server's trace joined with them.
 */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/run/samples.h"
#include "support/scratch.h"
#include "support/unit.h"

#define MS INT64_C(1000000)

enum { REQUESTS = 10 };

static char folder[SCRATCH_SIZE], trace_path[128];
static struct samples samples;
static struct sluice_error failure;

static void make_folder(void)
{
	scratch_folder(folder);
	(void)snprintf(trace_path, sizeof(trace_path), "%s/server.trace", folder);
	failure = (struct sluice_error){0};
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *at)
{
	(void)about;
	(void)type;
	(void)at;
	return remove(path);
}

static void remove_folder(void)
{
	samples_finish(&samples);
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct trace_record make_record(uint32_t i, unsigned arms)
{
	char id[16];
	struct trace_record record;
	trace_record_init(&record);
	record.input = i;
	record.arm = (uint8_t)(i % arms);
	record.status = 202;
	record.intended_ns = (int64_t)i * MS;
	record.sent_ns = record.intended_ns + MS;
	record.answered_ns = record.sent_ns + 5 * MS;
	(void)snprintf(id, sizeof(id), "r-%u", i);
	record.request = trace_key(id, strlen(id));
	return record;
}

static void write_requests(const char *path, unsigned arms)
{
	struct trace_writer *writer = trace_create(path, TRACE_OF_SENDER, NULL, &failure);
	ck_assert_msg(writer != NULL, "%s", failure.text);
	for (uint32_t i = 0; i < REQUESTS; i++) {
		struct trace_record record = make_record(i, arms);
		trace_write(writer, &record);
	}
	ck_assert(trace_close(writer, &failure));
}

static void write_run(unsigned arms)
{
	json_t *list = json_array();
	for (unsigned arm = 0; arm < arms; arm++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:[s], s:[{s:s, s:s, s:[s, s]}]}", "label", arm ? "tuned" : "none",
		                        "optimizations", arm ? "pool-tuning" : "workers", "stages", "kind", "persist",
		                        "name", arm ? "sqlite" : "postgres", "spans", "execute", "commit"));
	json_t *about = json_pack("{s:i, s:o}", "format", 1, "arms", list);
	char *requests = run_file(folder, RUN_REQUESTS);
	ck_assert_msg(run_write_json(folder, RUN_ABOUT, about, &failure), "%s", failure.text);
	write_requests(requests, arms);
	free(requests);
	json_decref(about);
}

/* The server saw all requests but the last, each for 2 ms of persist. */
static void write_server_trace(const char *prefix)
{
	const struct trace_names names[SLUICE_KIND_SLOTS] = {
		[SLUICE_KIND_PERSIST] = {.use = "sqlite", .spans = {"execute"}}};
	struct trace_writer *writer = trace_create(trace_path, TRACE_OF_SERVER, names, &failure);
	ck_assert_msg(writer != NULL, "%s", failure.text);
	for (uint32_t i = 0; i + 1 < REQUESTS; i++) {
		char id[16];
		struct trace_record record;
		trace_record_init(&record);
		record.intended_ns = record.sent_ns = (int64_t)i * MS + 2 * MS;
		record.answered_ns = record.sent_ns + 2 * MS;
		record.stages[SLUICE_KIND_PERSIST].work_ns = 2 * MS;
		(void)snprintf(id, sizeof(id), "%s%u", prefix, i);
		record.request = trace_key(id, strlen(id));
		trace_write(writer, &record);
	}
	ck_assert(trace_close(writer, &failure));
}

static void open_samples(const char *path, const char *server_trace)
{
	ck_assert_msg(samples_open(path, server_trace, &samples, &failure), "%s", failure.text);
}

START_TEST(test_arms_are_apart_with_labels_and_names_of_their_own)
{
	write_run(2);
	open_samples(folder, NULL);
	ck_assert(samples.timed);
	ck_assert_uint_eq(samples.arm_count, 2);
	const struct sample_arm *a = samples_get_arm(&samples, 'a', &failure);
	const struct sample_arm *b = samples_get_arm(&samples, 'b', &failure);
	ck_assert_uint_eq(a->count, REQUESTS / 2);
	ck_assert_uint_eq(b->count, REQUESTS / 2);
	for (size_t i = 0; i < b->count; i++)
		ck_assert_uint_eq(b->records[i].input, 2 * i + 1);
	ck_assert_str_eq(b->label, "tuned");
	ck_assert_str_eq(a->names[SLUICE_KIND_PERSIST].use, "postgres");
	ck_assert_str_eq(b->names[SLUICE_KIND_PERSIST].use, "sqlite");
	ck_assert_str_eq(b->names[SLUICE_KIND_PERSIST].spans[1], "commit");
	ck_assert_str_eq(json_string_value(json_array_get(b->optimizations, 0)), "pool-tuning");
}
END_TEST

START_TEST(test_run_of_one_server_has_no_arms)
{
	write_run(1);
	open_samples(folder, NULL);
	ck_assert_uint_eq(samples.arm_count, 1);
	ck_assert_int_eq(samples.arms[0].arm, -1);
	ck_assert_uint_eq(samples.arms[0].count, REQUESTS);
}
END_TEST

START_TEST(test_trace_alone_is_read_and_joined)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/requests.bin", folder);
	write_requests(path, 1);
	write_server_trace("r-");
	open_samples(path, trace_path);
	ck_assert_uint_eq(samples.joined, REQUESTS - 1);
	ck_assert_int_eq(samples.arms[0].records[3].stages[SLUICE_KIND_PERSIST].work_ns, 2 * MS);
	ck_assert_int_eq(samples.arms[0].records[REQUESTS - 1].stages[SLUICE_KIND_PERSIST].work_ns, -1);
	ck_assert_str_eq(samples.arms[0].names[SLUICE_KIND_PERSIST].spans[0], "execute");
}
END_TEST

START_TEST(test_trace_of_another_run_is_refused)
{
	write_run(1);
	write_server_trace("other-");
	ck_assert(!samples_open(folder, trace_path, &samples, &failure));
	ck_assert_ptr_eq(strstr(failure.text, trace_path), failure.text);
	failure = (struct sluice_error){0};
	ck_assert(!samples_open(trace_path, trace_path, &samples, &failure));
	ck_assert_ptr_nonnull(strstr(failure.text, "sender's records"));
	failure = (struct sluice_error){0};
	ck_assert(!samples_open(folder, "/nowhere/trace", &samples, &failure));
	ck_assert_ptr_nonnull(strstr(failure.text, "/nowhere/trace"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("samples");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_add_test(tc, test_arms_are_apart_with_labels_and_names_of_their_own);
	tcase_add_test(tc, test_run_of_one_server_has_no_arms);
	tcase_add_test(tc, test_trace_alone_is_read_and_joined);
	tcase_add_test(tc, test_trace_of_another_run_is_refused);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_samples, suite)
