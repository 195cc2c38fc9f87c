/* The bundle: what is packed, and that nothing in it can be changed so that it still counts as evidence. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "lab/run/seal.h"
#include "support/bundle.h"
#include "support/host_record.h"
#include "support/unit.h"

START_TEST(test_packed_bundle_has_its_files_and_is_without_fault)
{
	static const char *const files[] = {"breakdown.json",   "database.json", "lineages.txt",   "error-budget.json",
	                                    "idempotency.json", "ordering.json", "changelog.json", "latency-a.hgrm",
	                                    "latency-b.hgrm",   "report.html",   "MANIFEST.sha256"};
	pack();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ck_assert_msg(is_there(files[i]), "%s is missing", files[i]);
	ck_assert_uint_eq(verify(), 0);
	ck_assert_str_eq(said.data, "");
}
END_TEST

START_TEST(test_what_is_missing_is_named)
{
	pack();
	ck_assert_msg(strstr(said.data, "a gate's verdict") != NULL, "%s", said.data);
	ck_assert_msg(strstr(said.data, "a rollback that was tried") != NULL, "%s", said.data);
	ck_assert_msg(strstr(said.data, "verification") == NULL, "%s", said.data);
	delete_file(RUN_VERIFY);
	ck_assert(seal_file(folder, RUN_VERIFY, &error));
	pack();
	ck_assert_msg(strstr(said.data, "a verification") != NULL, "%s", said.data);
}
END_TEST

START_TEST(test_packing_twice_gives_the_same_manifest)
{
	char command[256];
	pack();
	(void)snprintf(command, sizeof(command), "cd '%s' && cp MANIFEST.sha256 .first", folder);
	ck_assert_int_eq(system(command), 0);
	pack();
	(void)snprintf(command, sizeof(command), "cd '%s' && diff .first MANIFEST.sha256", folder);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(test_one_byte_of_the_samples_is_refused)
{
	pack();
	flip_byte(RUN_REQUESTS, 1088 + 16 + 3);
	ck_assert_uint_gt(verify(), 0);
	assert_fault("requests.bin: has changed\n");
}
END_TEST

START_TEST(test_samples_that_were_changed_are_refused_with_new_hashes_too)
{
	pack();
	flip_byte(RUN_REQUESTS, 1088 + 16 + 3); /* answered_ns of the first record, by 17 ms */
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("compare.json: is not what the raw samples come to\n");
	assert_fault("run.json: results.corrected is not what the raw samples come to\n");
}
END_TEST

/* A neighbour wrote to the disk while the blocks of the third pair ran. */
static void pack_disturbed(void)
{
	struct host_record record = host_record_calm(14);
	record.seconds[5].sync_ms = 900;
	record.seconds[5].others_kb = record.seconds[5].disk_kb = 60000;
	host_record_save(&record, folder);
	free(paired.run->path);
	paired.run->path = strdup(folder);
	paired_save(&paired, folder);
	pack();
	ck_assert_msg(verify() == 0, "%s", said.data);
}

START_TEST(test_altered_host_record_is_refused)
{
	pack_disturbed();
	flip_byte(RUN_HOST, 120);
	ck_assert_uint_gt(verify(), 0);
	assert_fault("host.jsonl: has changed\n");
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("host.jsonl: is not the file that run.json has the hash of\n");
}
END_TEST

/* Whoever gives the stall to the server, and seals that, too, finds a verdict that does not follow. */
START_TEST(test_host_record_that_was_altered_and_sealed_is_refused)
{
	struct host_record record = host_record_calm(14);
	record.seconds[5].sync_ms = 900;
	record.seconds[5].server_kb = record.seconds[5].disk_kb = 60000;
	pack_disturbed();
	host_record_save(&record, folder);
	ck_assert(seal_file(folder, RUN_HOST, &error));
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("compare.json: is not what the raw samples come to\n");
}
END_TEST

START_TEST(test_edited_verdict_is_refused)
{
	pack();
	edit(RUN_COMPARE, "verdict", "outcome", json_string("worse"));
	ck_assert_uint_gt(verify(), 0);
	assert_fault("compare.json: has changed\n");
	assert_fault("compare.json: is not what the raw samples come to\n");
}
END_TEST

START_TEST(test_edited_verdict_is_refused_with_new_hashes_too)
{
	pack();
	edit(RUN_COMPARE, "verdict", "sentence", json_string("It helps a great deal."));
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("compare.json: is not what the raw samples come to\n");
}
END_TEST

/* The command itself: names of files, and what a damaged document quotes, are somebody else's. */
START_TEST(test_names_in_a_bundle_command_no_terminal)
{
	char command[512], line[256];
	char *path = run_file(folder, "\x1b[31mred\xc2\x9b"
	                              "2J");
	pack();
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	(void)fclose(file);
	free(path);
	(void)snprintf(command, sizeof(command), TEST_BUILD_DIR "/sluice evidence verify '%s' 2>&1", folder);
	file = popen(command, "r");
	bool named = false;
	while (fgets(line, sizeof(line), file)) {
		named |= strstr(line, "\\u001b[31mred\\u009b2J: is not in the manifest") != NULL;
		ck_assert_msg(!strchr(line, '\x1b') && !strstr(line, "\xc2\x9b"), "%s", line);
	}
	ck_assert_int_eq(WEXITSTATUS(pclose(file)), 1);
	ck_assert(named);
}
END_TEST

START_TEST(test_verdict_that_was_taken_away_is_missed)
{
	pack();
	delete_file(RUN_COMPARE);
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("compare.json: ");
}
END_TEST

static const struct {
	const char *object, *member;
	double value;
	const char *fault;
} edits[] = {
	{"comparison", "margin", 0.5, "compare.json: is not what the raw samples come to\n"},
	{"results", "errors", 7, "run.json: results.errors is not what the raw samples come to\n"},
	{"results", "accepted", 3, "run.json: results.accepted is not what the raw samples come to\n"},
	{"generator", "lag_p95_ms", 1, "run.json: generator.lag_p95_ms is not what the raw samples come to\n"},
	{"input", "sha256", 0, "input.jsonl: "},
};

START_TEST(test_edited_run_is_refused_with_new_hashes_too)
{
	pack();
	edit(RUN_ABOUT, edits[_i].object, edits[_i].member, json_real(edits[_i].value));
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault(edits[_i].fault);
}
END_TEST

START_TEST(test_generator_that_was_late_cannot_be_declared_valid)
{
	for (size_t i = 0; i < paired.run->count; i++)
		paired.run->records[i].sent_ns += 4000000;
	paired_set_about(&paired, "generator", "lag_p50_ms", json_real(4));
	paired_set_about(&paired, "generator", "lag_p95_ms", json_real(4));
	paired_set_about(&paired, "generator", "lag_p99_ms", json_real(4));
	paired_save(&paired, folder);
	pack();
	ck_assert_uint_eq(verify(), 1);
	assert_fault("run.json: generator.valid is not what the raw samples come to\n");
}
END_TEST

START_TEST(test_input_with_other_webhooks_is_refused_with_new_hashes_too)
{
	pack();
	delete_file(RUN_INPUT);
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("input.jsonl: ");
}
END_TEST

START_TEST(test_stranger_is_refused)
{
	pack();
	char *path = run_file(folder, "note.txt");
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
	ck_assert_uint_gt(verify(), 0);
	assert_fault("note.txt: is not in the manifest\n");
	assert_fault("note.txt: has no seal");
}
END_TEST

START_TEST(test_error_budget_is_what_the_gate_allows)
{
	pack();
	json_t *document = run_read_json(folder, "error-budget.json", &error);
	ck_assert_msg(document != NULL, "%s", error.text);
	ck_assert(json_is_null(json_object_get(document, "budget")));
	ck_assert(json_is_null(json_object_get(document, "consumed")));
	json_decref(document);
	judge_by_gate();
	pack();
	document = run_read_json(folder, "error-budget.json", &error);
	ck_assert_msg(document != NULL, "%s", error.text);
	ck_assert_double_eq(json_real_value(json_object_get(document, "budget")), 0.001);
	ck_assert_double_eq_tol(json_number_value(json_object_get(document, "consumed")),
	                        json_number_value(json_object_get(document, "rate")) / 0.001, 1e-9);
	json_decref(document);
}
END_TEST

START_TEST(test_edited_gate_is_refused_with_new_hashes_too)
{
	judge_by_gate();
	pack();
	ck_assert_uint_eq(verify(), 0);
	json_t *document = run_read_json(folder, RUN_GATE, &error);
	(void)json_object_set_new(document, "outcome", json_string("PASS"));
	ck_assert(run_write_json(folder, RUN_GATE, document, &error));
	json_decref(document);
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("gate.json: is not what the raw samples come to\n");
}
END_TEST

START_TEST(test_part_of_a_bundle_is_computed_again_under_its_name)
{
	char *part = run_file(folder, "interim");
	ck_assert_int_eq(mkdir(part, 0777), 0);
	paired_save(&paired, part);
	pack();
	ck_assert_uint_eq(verify(), 0);
	edit("interim/" RUN_COMPARE, "verdict", "outcome", json_string("worse"));
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("interim/compare.json: is not what the raw samples come to\n");
	free(part);
}
END_TEST

START_TEST(test_directory_without_a_manifest_is_no_bundle)
{
	size_t faults;
	ck_assert(!evidence_verify(folder, NULL, add_fault, NULL, &faults, &error));
	ck_assert_msg(strstr(error.text, "evidence pack") != NULL, "%s", error.text);
}
END_TEST

START_TEST(test_directory_that_is_no_run_cannot_be_packed)
{
	ck_assert(!evidence_pack("/tmp/there-is-no-such-run", NULL, add_missing, NULL, &error));
	ck_assert_msg(strstr(error.text, "there-is-no-such-run") != NULL, "%s", error.text);
}
END_TEST

START_TEST(test_utilization_counts_only_what_was_under_load)
{
	char *path = run_file(folder, "samples.jsonl");
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs("{\"at_ms\": 500, \"arm\": 0, \"gauges\": {\"webhook_queue_depth\": 4}}\n"
	            "{\"at_ms\": 600, \"arm\": 0, \"gauges\": {\"webhook_queue_depth\": 8}}\n"
	            "{\"at_ms\": 600, \"arm\": 1, \"gauges\": {\"webhook_queue_depth\": 100}}\n"
	            "{\"at_ms\": 700, \"arm\": 0, \"missed\": \"too busy\"}\n",
	            file);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
	pack();
	json_t *arms = run_read_json(folder, "utilization.json", &error);
	const json_t *depth = json_object_get(json_array_get(arms, 0), "webhook_queue_depth");
	ck_assert_double_eq(json_number_value(json_object_get(depth, "mean")), 6);
	ck_assert_double_eq(json_number_value(json_object_get(depth, "max")), 8);
	ck_assert_int_eq(json_integer_value(json_object_get(depth, "samples")), 2);
	ck_assert_uint_eq(json_object_size(json_array_get(arms, 1)), 0);
	json_decref(arms);
}
END_TEST

START_TEST(test_database_figures_have_what_they_changed_by)
{
	json_t *before = json_pack("[[{s:s, s:f}], []]", "name", "db_wal_written_bytes", "value", 100.0);
	json_t *after = json_pack("[[{s:s, s:f}, {s:s, s:s}], []]", "name", "db_wal_written_bytes", "value", 350.0,
	                          "name", "db_setting_fsync", "value", "on");
	(void)json_object_set_new(paired.run->about, "stores_before", before);
	(void)json_object_set_new(paired.run->about, "stores_after", after);
	paired_save(&paired, folder);
	pack();
	json_t *document = run_read_json(folder, "database.json", &error);
	const json_t *rows = json_array_get(document, 0);
	ck_assert_double_eq(json_number_value(json_object_get(json_array_get(rows, 0), "change")), 250);
	ck_assert_ptr_null(json_object_get(json_array_get(rows, 1), "change"));
	json_decref(document);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("evidence");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, test_packed_bundle_has_its_files_and_is_without_fault);
	tcase_add_test(all, test_what_is_missing_is_named);
	tcase_add_test(all, test_packing_twice_gives_the_same_manifest);
	tcase_add_test(all, test_one_byte_of_the_samples_is_refused);
	tcase_add_test(all, test_samples_that_were_changed_are_refused_with_new_hashes_too);
	tcase_add_test(all, test_altered_host_record_is_refused);
	tcase_add_test(all, test_host_record_that_was_altered_and_sealed_is_refused);
	tcase_add_test(all, test_edited_verdict_is_refused);
	tcase_add_test(all, test_edited_verdict_is_refused_with_new_hashes_too);
	tcase_add_test(all, test_names_in_a_bundle_command_no_terminal);
	tcase_add_test(all, test_verdict_that_was_taken_away_is_missed);
	tcase_add_loop_test(all, test_edited_run_is_refused_with_new_hashes_too, 0, sizeof(edits) / sizeof(edits[0]));
	tcase_add_test(all, test_generator_that_was_late_cannot_be_declared_valid);
	tcase_add_test(all, test_input_with_other_webhooks_is_refused_with_new_hashes_too);
	tcase_add_test(all, test_stranger_is_refused);
	tcase_add_test(all, test_error_budget_is_what_the_gate_allows);
	tcase_add_test(all, test_edited_gate_is_refused_with_new_hashes_too);
	tcase_add_test(all, test_part_of_a_bundle_is_computed_again_under_its_name);
	tcase_add_test(all, test_directory_without_a_manifest_is_no_bundle);
	tcase_add_test(all, test_directory_that_is_no_run_cannot_be_packed);
	tcase_add_test(all, test_utilization_counts_only_what_was_under_load);
	tcase_add_test(all, test_database_figures_have_what_they_changed_by);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_evidence, make_suite)
