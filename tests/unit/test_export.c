/*
 * Exports, read back as their readers do.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "lab/report/export.h"
#include "lab/run/parts.h"
#include "support/unit.h"

#define MS INT64_C(1000000)

enum { REQUESTS = 100 };

static struct trace_record records[2][REQUESTS];
static struct samples samples;
static const struct sample_arm *arms[RUN_ARMS_MAX];

/* Request i of an arm is due at i ms, waits 1 ms to be sent and takes i + 9 ms from there: persist i + 1 of them. */
static struct trace_record make_record(uint32_t i, uint8_t arm)
{
	struct trace_record record;
	trace_record_init(&record);
	record.input = record.number = i;
	record.arm = arm;
	record.tries = 1;
	record.status = 202;
	record.batch_size = 3;
	record.request = 0x123456789abcdef0 + i;
	record.intended_ns = (int64_t)i * MS;
	record.sent_ns = record.intended_ns + 1 * MS;
	record.received_ns = record.sent_ns + 2 * MS;
	record.stages[SLUICE_KIND_AUTH].work_ns = MS + 1;
	record.stages[SLUICE_KIND_QUEUE] = (struct trace_stage){0, 2 * MS - 1, 0, {0}};
	record.stages[SLUICE_KIND_PERSIST] = (struct trace_stage){((int64_t)i + 1) * MS, 0, 0, {MS / 4, MS / 2, 0, 0}};
	record.respond_ns = 1 * MS;
	record.replied_ns = record.received_ns + ((int64_t)i + 5) * MS;
	record.answered_ns = record.replied_ns + 2 * MS;
	return record;
}

static void make_samples(void)
{
	samples = (struct samples){.path = "runs/x", .timed = true, .arm_count = 2};
	for (int arm = 0; arm < 2; arm++) {
		for (uint32_t i = 0; i < REQUESTS; i++)
			records[arm][i] = make_record(i, (uint8_t)arm);
		samples.arms[arm] = (struct sample_arm){.arm = arm,
		                                        .label = arm ? "pool, \"tuned\"" : "none",
		                                        .records = records[arm],
		                                        .count = REQUESTS};
		arms[arm] = &samples.arms[arm];
	}
	/* The same spans, in another order. */
	(void)strcpy(samples.arms[0].names[SLUICE_KIND_PERSIST].spans[0], "pool_wait");
	(void)strcpy(samples.arms[0].names[SLUICE_KIND_PERSIST].spans[1], "execute");
	(void)strcpy(samples.arms[1].names[SLUICE_KIND_PERSIST].spans[0], "execute");
}

/* What is written, to be freed; NULL and the sentence if it is refused. */
static char *export(enum export_format format, size_t arm_count, struct sluice_error *error)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(file);
	bool written = export_write(format, &samples, arms, arm_count, file, error);
	(void)fclose(file);
	if (written)
		return text;
	free(text);
	return NULL;
}

static char *must_export(enum export_format format, size_t arm_count)
{
	struct sluice_error error = {0};
	char *text = export(format, arm_count, &error);
	ck_assert_msg(text != NULL, "%s", error.text);
	return text;
}

/* The cell of that column in line `line` (0: the header) of a CSV without quotes; empty texts for none. */
static void get_cell(const char *csv, size_t line, size_t column, char cell[64])
{
	for (; line > 0; line--)
		csv = strchr(csv, '\n') + 1;
	for (; column > 0; column--)
		csv += strcspn(csv, ",\r\n") + 1;
	(void)snprintf(cell, 64, "%.*s", (int)strcspn(csv, ",\r\n"), csv);
}

static size_t column_named(const char *csv, const char *name)
{
	char cell[64];
	for (size_t i = 0; i < 64; i++) {
		get_cell(csv, 0, i, cell);
		if (strcmp(cell, name) == 0)
			return i;
	}
	ck_abort_msg("there is no column %s", name);
	return 0;
}

static void assert_cell(const char *csv, size_t line, const char *column, const char *expected)
{
	char cell[64];
	get_cell(csv, line, column_named(csv, column), cell);
	ck_assert_str_eq(cell, expected);
}

static size_t count_char(const char *text, char c)
{
	size_t count = 0;
	for (; *text; text++)
		count += *text == c;
	return count;
}

START_TEST(test_csv_has_a_header_and_a_row_of_as_many_cells_per_request)
{
	char *csv = must_export(EXPORT_CSV, 2);
	size_t columns = column_named(csv, "persist_processor_ms") + 1;
	ck_assert_uint_eq(count_char(csv, '\n'), 1 + 2 * REQUESTS);
	ck_assert_uint_eq(count_char(csv, ','), (columns - 1) * (1 + 2 * REQUESTS));
	assert_cell(csv, 8, "number", "7");
	assert_cell(csv, 8, "arm", "0");
	assert_cell(csv, 8, "status", "202");
	assert_cell(csv, 8, "request_key", "123456789abcdef7");
	assert_cell(csv, 8, "intended_ms", "7.000000");
	assert_cell(csv, 8, "total_ms", "17.000000");
	assert_cell(csv, 8, "raw_ms", "16.000000");
	assert_cell(csv, 8, "unsent_ms", "1.000000");
	assert_cell(csv, 8, "auth_ms", "1.000001");
	assert_cell(csv, 8, "parse_ms", "");
	assert_cell(csv, 8, "persist_ms", "8.000000");
	assert_cell(csv, 8, "rest_ms", "");
	free(csv);
}
END_TEST

START_TEST(test_spans_are_columns_by_name_and_not_by_place)
{
	char *csv = must_export(EXPORT_CSV, 2);
	assert_cell(csv, 1, "persist_pool_wait_ms", "0.250000");
	assert_cell(csv, 1, "persist_execute_ms", "0.500000");
	assert_cell(csv, 1 + REQUESTS, "persist_pool_wait_ms", "");
	assert_cell(csv, 1 + REQUESTS, "persist_execute_ms", "0.250000");
	free(csv);
}
END_TEST

START_TEST(test_jsonl_says_what_csv_says)
{
	char *csv = must_export(EXPORT_CSV, 2), *jsonl = must_export(EXPORT_JSONL, 2);
	char *line = jsonl;
	for (size_t number = 1; number <= 2 * REQUESTS; number++) {
		size_t size = strcspn(line, "\n");
		json_t *row = json_loadb(line, size, 0, NULL);
		ck_assert_ptr_nonnull(row);
		const char *name;
		json_t *value;
		size_t column = 0;
		json_object_foreach (row, name, value) {
			char title[64], cell[64];
			get_cell(csv, 0, column, title);
			get_cell(csv, number, column++, cell);
			ck_assert_str_eq(name, title);
			if (json_is_null(value))
				ck_assert_str_eq(cell, "");
			else if (json_is_string(value))
				ck_assert_str_eq(cell, json_string_value(value));
			else
				ck_assert(fabs(strtod(cell, NULL) - json_number_value(value)) < 1e-9);
		}
		json_decref(row);
		line += size + 1;
	}
	ck_assert_str_eq(line, "");
	free(csv);
	free(jsonl);
}
END_TEST

START_TEST(test_times_of_a_log_are_not_made_up)
{
	struct sluice_error error = {0};
	samples.timed = false;
	char *csv = must_export(EXPORT_CSV, 1);
	assert_cell(csv, 1, "intended_ms", "");
	assert_cell(csv, 1, "total_ms", "10.000000");
	free(csv);
	ck_assert_ptr_null(export(EXPORT_PERFETTO, 1, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "runs/x"));
}
END_TEST

static double number(const json_t *event, const char *key)
{
	return json_number_value(json_object_get(event, key));
}

static bool is_request(const json_t *event)
{
	return strcmp(json_string_value(json_object_get(event, "name")), "request") == 0;
}

static const char *phase(const json_t *event)
{
	return json_string_value(json_object_get(event, "ph"));
}

/* Two requests on one track must not overlap, and every other slice lies in the request before it. */
static void check_slices(const json_t *events)
{
	enum { TRACKS_MAX = 2 * REQUESTS + 2 };
	double free_at[2][TRACKS_MAX] = {{0}}, from = 0, to = 0, inner = 0;
	size_t i;
	json_t *event;
	json_array_foreach (events, i, event) {
		if (strcmp(phase(event), "X") != 0)
			continue;
		int process = (int)number(event, "pid") - 1, track = (int)number(event, "tid");
		double start = number(event, "ts"), end = start + number(event, "dur");
		ck_assert_int_lt(track, TRACKS_MAX);
		if (is_request(event)) {
			ck_assert(start >= free_at[process][track] - 0.001);
			free_at[process][track] = to = end;
			from = inner = start;
			continue;
		}
		ck_assert(start >= from - 0.001 && end <= to + 0.01);
		ck_assert(fabs(start - inner) < 0.01);
		inner = end;
	}
}

START_TEST(test_perfetto_has_a_slice_per_request_and_part_and_none_overlap)
{
	char *text = must_export(EXPORT_PERFETTO, 2);
	json_error_t cause;
	json_t *document = json_loads(text, 0, &cause);
	ck_assert_msg(document != NULL, "%s", cause.text);
	const json_t *events = json_object_get(document, "traceEvents");
	size_t i, requests = 0, parts = 0, processes = 0;
	json_t *event;
	json_array_foreach (events, i, event) {
		bool is_slice = strcmp(phase(event), "X") == 0;
		requests += is_slice && is_request(event);
		parts += is_slice && !is_request(event);
		processes += strcmp(json_string_value(json_object_get(event, "name")), "process_name") == 0;
	}
	ck_assert_uint_eq(requests, 2 * REQUESTS);
	ck_assert_uint_eq(parts, 7 * requests); /* unsent, inbound, auth, queue, persist, respond, outbound */
	ck_assert_uint_eq(processes, 2);
	check_slices(events);
	ck_assert_int_eq((int)number(json_object_get(document, "otherData"), "shown"), 2 * REQUESTS);
	json_decref(document);
	free(text);
}
END_TEST

START_TEST(test_perfetto_shows_no_more_than_a_viewer_bears_and_says_so)
{
	enum { MANY = EXPORT_PERFETTO_MAX + 10 };
	struct trace_record *many = calloc(MANY, sizeof(*many));
	for (uint32_t i = 0; i < MANY; i++)
		many[i] = make_record(i % 10, 0);
	samples.arms[0].records = many;
	samples.arms[0].count = MANY;
	char *text = must_export(EXPORT_PERFETTO, 1);
	json_t *document = json_loads(text, 0, NULL);
	const json_t *other = json_object_get(document, "otherData");
	ck_assert_int_eq((int)number(other, "requests"), MANY);
	ck_assert_int_eq((int)number(other, "shown"), EXPORT_PERFETTO_MAX);
	json_decref(document);
	free(text);
	free(many);
}
END_TEST

/* As HdrHistogram's plotters: what begins with a number is "Value Percentile TotalCount 1/(1-Percentile)". */
START_TEST(test_hgrm_is_the_distribution_of_the_totals)
{
	char *text = must_export(EXPORT_HGRM, 1);
	static const char header[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
	ck_assert_int_eq(strncmp(text, header, sizeof(header) - 1), 0);
	double value, percentile, inverse, last_percentile = -1, last_value = 0;
	unsigned long long total = 0;
	size_t lines = 0;
	const char *line = strstr(text, "\n\n") + 2;
	for (; *line != '#'; line = strchr(line, '\n') + 1, lines++) {
		int fields = sscanf(line, "%lf %lf %llu %lf", &value, &percentile, &total, &inverse);
		ck_assert(percentile > last_percentile && value >= last_value);
		ck_assert(value == (double)total + 9); /* the totals are 10, 11 … 109 ms */
		ck_assert((double)total + 1e-6 >= percentile * REQUESTS);
		if (percentile < 1)
			ck_assert(fields == 4 && fabs(inverse - 1 / (1 - percentile)) < 0.01);
		last_percentile = percentile;
		last_value = value;
	}
	ck_assert_uint_ge(lines, 25);
	ck_assert(percentile == 1 && value == 109 && total == REQUESTS);
	ck_assert_str_eq(line, "#[Mean    =       59.500, StdDeviation   =       28.866]\n"
	                       "#[Max     =      109.000, Total count    =          100]\n"
	                       "#[Buckets =            1, SubBuckets     =          100]\n");
	free(text);
}
END_TEST

START_TEST(test_hgrm_of_two_arms_is_refused)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(export(EXPORT_HGRM, 2, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "--arm"));
}
END_TEST

START_TEST(test_exports_of_nothing_are_well_formed)
{
	samples.arms[0].count = 0;
	char *csv = must_export(EXPORT_CSV, 1), *jsonl = must_export(EXPORT_JSONL, 1);
	char *perfetto = must_export(EXPORT_PERFETTO, 1), *hgrm = must_export(EXPORT_HGRM, 1);
	json_t *document = json_loads(perfetto, 0, NULL);
	ck_assert_uint_eq(count_char(csv, '\n'), 1);
	ck_assert_str_eq(jsonl, "");
	ck_assert_ptr_nonnull(document);
	ck_assert_uint_eq(count_char(hgrm, '\n'), 2);
	json_decref(document);
	free(csv);
	free(jsonl);
	free(perfetto);
	free(hgrm);
}
END_TEST

START_TEST(test_a_full_disk_is_said)
{
	struct sluice_error error = {0};
	FILE *full = fopen("/dev/full", "we");
	ck_assert_ptr_nonnull(full);
	ck_assert(!export_write(EXPORT_CSV, &samples, arms, 2, full, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "No space left"));
	(void)fclose(full);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("export");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, make_samples, NULL);
	tcase_add_test(tc, test_csv_has_a_header_and_a_row_of_as_many_cells_per_request);
	tcase_add_test(tc, test_spans_are_columns_by_name_and_not_by_place);
	tcase_add_test(tc, test_jsonl_says_what_csv_says);
	tcase_add_test(tc, test_times_of_a_log_are_not_made_up);
	tcase_add_test(tc, test_perfetto_has_a_slice_per_request_and_part_and_none_overlap);
	tcase_add_test(tc, test_perfetto_shows_no_more_than_a_viewer_bears_and_says_so);
	tcase_add_test(tc, test_hgrm_is_the_distribution_of_the_totals);
	tcase_add_test(tc, test_hgrm_of_two_arms_is_refused);
	tcase_add_test(tc, test_exports_of_nothing_are_well_formed);
	tcase_add_test(tc, test_a_full_disk_is_said);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_export, suite)
