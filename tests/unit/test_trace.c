/*
 * Trace files: what is written is read, by this version and the next.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/scratch.h"
#include "support/unit.h"
#include "trace/trace.h"

static char path[SCRATCH_SIZE];

static void make_path(void)
{
	int fd = scratch_file(path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
}

static void remove_path(void)
{
	(void)unlink(path);
}

static struct trace_record sample(uint32_t input)
{
	struct trace_record record;
	trace_record_init(&record);
	record.intended_ns = 1000 * (int64_t)input;
	record.sent_ns = record.intended_ns + 1;
	record.answered_ns = record.intended_ns + 2;
	record.input = input;
	record.status = 202;
	record.stages[SLUICE_KIND_PERSIST] = (struct trace_stage){1, 2, 3, {4, 5, 6, 7}};
	record.cpu_ns[SLUICE_KIND_PERSIST] = 9;
	return record;
}

static void write_samples(uint32_t count)
{
	struct sluice_error error = {0};
	struct trace_writer *writer = trace_create(path, TRACE_OF_SENDER, NULL, &error);
	ck_assert_msg(writer != NULL, "%s", error.text);
	for (uint32_t i = 0; i < count; i++) {
		struct trace_record record = sample(i);
		trace_write(writer, &record);
	}
	ck_assert(trace_close(writer, &error));
}

START_TEST(test_records_come_back_as_written)
{
	struct trace_record record;
	int64_t before_ns = clock_now_ns();
	write_samples(3);
	struct trace_reader *reader = trace_open(path, NULL);
	ck_assert_ptr_nonnull(reader);
	const struct trace_header *header = trace_get_header(reader);
	ck_assert_uint_eq(header->source, TRACE_OF_SENDER);
	ck_assert_int_ge(header->start_ns, before_ns);
	ck_assert_int_le(header->start_ns, clock_now_ns());
	for (uint32_t i = 0; i < 3; i++) {
		struct trace_record expected = sample(i);
		ck_assert(trace_read(reader, &record, NULL));
		ck_assert_mem_eq(&record, &expected, sizeof(record));
	}
	ck_assert(!trace_read(reader, &record, NULL));
	trace_free(reader);
}
END_TEST

START_TEST(test_layout_is_the_documented_one)
{
	enum { HEADER = 1088, RECORD = 584 };
	unsigned char bytes[HEADER + RECORD];
	write_samples(1);
	FILE *file = fopen(path, "rb");
	ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
	ck_assert_int_eq(fgetc(file), EOF);
	(void)fclose(file);
	ck_assert_mem_eq(bytes, "SLUICETR\1\0\0\0\x40\4\0\0\x48\2\0\0\2\0\0\0", 24);
	ck_assert_uint_eq(bytes[HEADER + 8], 1);                /* sent_ns */
	ck_assert_uint_eq(bytes[HEADER + 48], 202);             /* status */
	ck_assert_uint_eq(bytes[HEADER + 64], 0xff);            /* stages[0].work_ns: did not run */
	ck_assert_uint_eq(bytes[HEADER + 64 + 4 * 56 + 24], 4); /* stages[4].spans_ns[0] */
	ck_assert_uint_eq(bytes[HEADER + 544], 0xff);           /* cpu_ns[0]: not measured */
	ck_assert_uint_eq(bytes[HEADER + 544 + 4 * 8], 9);      /* cpu_ns[4] */
}
END_TEST

START_TEST(test_cut_record_is_not_read)
{
	struct trace_record record;
	write_samples(2);
	ck_assert_int_eq(truncate(path, (off_t)(sizeof(struct trace_header) + 2 * sizeof(struct trace_record) - 1)), 0);
	struct trace_reader *reader = trace_open(path, NULL);
	ck_assert(trace_read(reader, &record, NULL));
	ck_assert(!trace_read(reader, &record, NULL));
	trace_free(reader);
}
END_TEST

static void write_file(uint32_t version, uint32_t header_size, uint32_t record_size, size_t records)
{
	struct trace_header header = {.version = version, .header_size = header_size, .record_size = record_size};
	memcpy(header.magic, TRACE_MAGIC, sizeof(header.magic));
	unsigned char *padding = calloc(1, 4096);
	struct trace_record record = sample(7);
	FILE *file = fopen(path, "wb");
	(void)fwrite(&header, header_size < sizeof(header) ? header_size : sizeof(header), 1, file);
	if (header_size > sizeof(header))
		(void)fwrite(padding, header_size - sizeof(header), 1, file);
	for (size_t i = 0; i < records; i++) {
		size_t known = record_size < sizeof(record) ? record_size : sizeof(record);
		(void)fwrite(&record, known, 1, file);
		(void)fwrite(padding, record_size - known, record_size > known, file);
	}
	(void)fclose(file);
	free(padding);
}

START_TEST(test_longer_header_and_records_of_a_later_writer_are_read)
{
	struct trace_record record;
	struct trace_record expected = sample(7);
	write_file(TRACE_VERSION, sizeof(struct trace_header) + 64, sizeof(struct trace_record) + 96, 2);
	struct trace_reader *reader = trace_open(path, NULL);
	ck_assert(trace_read(reader, &record, NULL));
	ck_assert(trace_read(reader, &record, NULL));
	ck_assert_mem_eq(&record, &expected, sizeof(record));
	ck_assert(!trace_read(reader, &record, NULL));
	trace_free(reader);
}
END_TEST

START_TEST(test_what_an_earlier_writer_did_not_know_is_unknown)
{
	struct trace_record record;
	write_file(TRACE_VERSION, 64, 64, 1);
	struct trace_reader *reader = trace_open(path, NULL);
	ck_assert(trace_read(reader, &record, NULL));
	ck_assert_uint_eq(record.input, 7);
	ck_assert_int_eq(record.stages[SLUICE_KIND_PERSIST].work_ns, -1);
	ck_assert_int_eq(record.received_ns, -1);
	ck_assert_str_eq(trace_get_header(reader)->names[SLUICE_KIND_PERSIST].use, "");
	trace_free(reader);
}
END_TEST

START_TEST(test_processor_time_that_an_earlier_writer_did_not_measure_is_unknown)
{
	struct trace_record record;
	write_file(TRACE_VERSION, sizeof(struct trace_header), 544, 1);
	struct trace_reader *reader = trace_open(path, NULL);
	ck_assert(trace_read(reader, &record, NULL));
	ck_assert_int_eq(record.stages[SLUICE_KIND_PERSIST].work_ns, 1);
	ck_assert_int_eq(record.cpu_ns[SLUICE_KIND_PERSIST], -1);
	trace_free(reader);
}
END_TEST

START_TEST(test_a_trace_names_its_stages_and_spans)
{
	struct trace_names names[SLUICE_KIND_SLOTS] = {
		[SLUICE_KIND_PERSIST] = {.use = "postgres", .spans = {"pool_wait", "execute"}}};
	ck_assert(trace_close(trace_create(path, TRACE_OF_SERVER, names, NULL), NULL));
	struct trace_reader *reader = trace_open(path, NULL);
	ck_assert_mem_eq(trace_get_header(reader)->names, names, sizeof(names));
	trace_free(reader);
}
END_TEST

START_TEST(test_other_files_are_refused_with_a_sentence)
{
	static const struct {
		uint32_t version, header_size, record_size;
		const char *says;
	} cases[] = {
		{TRACE_VERSION + 1, 64, 512, "use a newer one"},
		{TRACE_VERSION, 8, 512, "damaged"},
		{TRACE_VERSION, 64, 0, "damaged"},
		{TRACE_VERSION, 64, UINT32_MAX, "damaged"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		write_file(cases[i].version, cases[i].header_size, cases[i].record_size, 0);
		ck_assert_ptr_null(trace_open(path, &error));
		ck_assert_msg(strstr(error.text, cases[i].says) != NULL, "%s", error.text);
		ck_assert_ptr_nonnull(strstr(error.text, path));
	}
	struct sluice_error error = {0};
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_ptr_null(trace_open(path, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "not a trace"));
	error.text[0] = '\0';
	(void)unlink(path);
	ck_assert_ptr_null(trace_open(path, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
}
END_TEST

START_TEST(test_full_disk_shows_at_close)
{
	struct sluice_error error = {0};
	struct trace_writer *writer = trace_create("/dev/full", TRACE_OF_SERVER, NULL, &error);
	ck_assert_ptr_nonnull(writer);
	ck_assert(!trace_close(writer, &error));
	ck_assert_msg(strstr(error.text, "No space left") != NULL, "%s", error.text);
}
END_TEST

static void *write_thousand(void *writer)
{
	for (uint32_t i = 0; i < 1000; i++) {
		struct trace_record record = sample(i);
		trace_write(writer, &record);
	}
	return NULL;
}

START_TEST(test_records_of_many_threads_stay_whole)
{
	pthread_t threads[4];
	size_t count = 0;
	struct trace_record record;
	struct trace_writer *writer = trace_create(path, TRACE_OF_SERVER, NULL, NULL);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_thousand, writer), 0);
	for (size_t i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	ck_assert(trace_close(writer, NULL));
	struct trace_reader *reader = trace_open(path, NULL);
	for (; trace_read(reader, &record, NULL); count++) {
		struct trace_record expected = sample(record.input);
		ck_assert_mem_eq(&record, &expected, sizeof(record));
	}
	ck_assert_uint_eq(count, 4000);
	trace_free(reader);
}
END_TEST

START_TEST(test_key_is_fnv_1a)
{
	ck_assert_uint_eq(trace_key("", 0), UINT64_C(0xcbf29ce484222325));
	ck_assert_uint_eq(trace_key("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	ck_assert_uint_eq(trace_key("foobar", 6), UINT64_C(0x85944171f73967e8));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("trace");
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, make_path, remove_path);
	tcase_add_test(files, test_records_come_back_as_written);
	tcase_add_test(files, test_layout_is_the_documented_one);
	tcase_add_test(files, test_cut_record_is_not_read);
	tcase_add_test(files, test_longer_header_and_records_of_a_later_writer_are_read);
	tcase_add_test(files, test_what_an_earlier_writer_did_not_know_is_unknown);
	tcase_add_test(files, test_processor_time_that_an_earlier_writer_did_not_measure_is_unknown);
	tcase_add_test(files, test_a_trace_names_its_stages_and_spans);
	tcase_add_test(files, test_other_files_are_refused_with_a_sentence);
	tcase_add_test(files, test_full_disk_shows_at_close);
	tcase_add_test(files, test_records_of_many_threads_stay_whole);
	tcase_add_test(files, test_key_is_fnv_1a);
	suite_add_tcase(suite, files);
	return suite;
}

UNIT_SUITE(test_trace, make_suite)
