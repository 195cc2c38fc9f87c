/*
 * The host's record: what is a stall and whose, and what it does to a gate and to a comparison. A neighbour may not turn a verdict, and
 * the server's own load is no excuse.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/gate/criteria.h"
#include "lab/judge/host.h"
#include "lab/judge/pairs.h"
#include "lab/judge/verdict.h"
#include "support/host_record.h"
#include "support/paired.h"
#include "support/scratch.h"
#include "support/unit.h"

enum { SECONDS = 60, AT = 45 /* the second of the stall */ };

static char folder[SCRATCH_SIZE];
static struct host_record record;
static struct host host;
static struct paired paired;
static struct sluice_error error;
static const struct host_span idle = {0, HOST_RECORD_IDLE_MS *NS_PER_MS};

static void set_up(void)
{
	scratch_folder(folder);
	record = host_record_calm(SECONDS);
	error.text[0] = '\0';
}

static void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	host_finish(&host);
	if (paired.run)
		paired_finish(&paired);
}

static void read_record(void)
{
	host_record_save(&record, folder);
	ck_assert_msg(host_read(folder, idle, &host, &error), "%s", error.text);
	ck_assert(host.is_known);
}

static void be_dd_with_sync(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->sync_ms = 900;
	second->others_kb = 60000;
	second->disk_kb = 64000;
}

static void be_unseen_writer(void)
{
	record.seconds[AT].sync_ms = 900;
	record.seconds[AT].disk_kb = 64000;
}

static void be_slow_disk(void)
{
	record.seconds[AT].sync_ms = 900;
}

static void burn_disk(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->sync_ms = 900;
	second->server_kb = 60000;
	second->disk_kb = 64000;
}

static void burn_disk_beside_small_writer(void)
{
	burn_disk();
	record.seconds[AT].others_kb = 2000;
}

static void burn_disk_all_the_time(void)
{
	for (size_t i = 2; i < SECONDS; i++) {
		record.seconds[i].sync_ms = 300;
		record.seconds[i].server_kb = 60000;
		record.seconds[i].disk_kb = 64000;
		record.seconds[i].busy_ms = 990;
	}
}

static void keep_disk_busy(void)
{
	for (size_t i = 2; i < SECONDS; i++)
		record.seconds[i].busy_ms = 900;
	record.seconds[AT].sync_ms = 900;
}

static void flush_without_end(void)
{
	record.seconds[AT].sync_ms = 900;
	record.seconds[AT].flushes = 3000;
}

static void read_without_end(void)
{
	record.seconds[AT].sync_ms = 900;
	record.seconds[AT].read_kb = 300000;
}

/* The kernel writes half a minute later what the server has written. */
static void leave_dirty_pages(void)
{
	for (size_t i = AT - 30; i < AT - 20; i++)
		record.seconds[i].server_kb = 40000;
	record.seconds[AT].sync_ms = 900;
	record.seconds[AT].disk_kb = 300000;
}

static void hold_machine(void)
{
	record.seconds[AT].late_ms = 80;
}

static void be_busy_neighbour(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->late_ms = second->queued_ms = 30;
	second->others_ms = record.seconds[AT - 1].others_ms = 1500;
}

static void be_stolen(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->late_ms = 30;
	second->queued_ms = 20;
	second->stolen_ms = record.seconds[AT - 1].stolen_ms = 900;
}

/* What the hypervisor's own work for the disk costs, it takes from the processors. */
static void burn_disk_until_held(void)
{
	for (size_t i = AT - 1; i <= AT; i++) {
		record.seconds[i].server_kb = record.seconds[i].disk_kb = 540000;
		record.seconds[i].busy_ms = 800;
		record.seconds[i].others_ms = 1000;
		record.seconds[i].stolen_ms = 300;
	}
	record.seconds[AT].late_ms = 30;
}

static void be_dd_until_held(void)
{
	for (size_t i = AT - 1; i <= AT; i++) {
		record.seconds[i].others_kb = record.seconds[i].disk_kb = 200000;
		record.seconds[i].busy_ms = 900;
		record.seconds[i].stolen_ms = 300;
	}
	record.seconds[AT].late_ms = 30;
}

static void burn_disk_beside_large_writer(void)
{
	burn_disk();
	record.seconds[AT].busy_ms = record.seconds[AT - 1].busy_ms = 950;
	record.seconds[AT].server_kb = 400000;
	record.seconds[AT].others_kb = 110000;
	record.seconds[AT].disk_kb = 520000;
}

/* The probe waits for a processor, too. */
static void burn_processors_until_disk_seems_slow(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->sync_ms = 60;
	second->others_kb = 700;
	second->server_ms = record.seconds[AT - 1].server_ms = 1800;
}

static void burn_processors(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->late_ms = second->queued_ms = 30;
	second->server_ms = record.seconds[AT - 1].server_ms = 1800;
}

static void burst_in_quiet_second(void)
{
	struct host_record_second *second = &record.seconds[AT];
	second->late_ms = second->queued_ms = 15;
}

static void eat_memory(void)
{
	record.seconds[AT].late_ms = 80;
	record.seconds[AT].memory_ms = 700;
}

static const struct {
	void (*disturb)(void);
	const char *name;
	enum host_cause cause;
} cases[] = {
	{be_dd_with_sync, "a neighbour writes and syncs", HOST_OTHERS},
	{be_unseen_writer, "somebody writes who is not to be seen", HOST_OTHERS},
	{be_slow_disk, "the disk is slow, asked for what it always is", HOST_ITSELF},
	{burn_disk, "the server writes", HOST_SERVER},
	{burn_disk_beside_small_writer, "the server writes, and a neighbour a little", HOST_SERVER},
	{burn_disk_all_the_time, "the server writes all the time", HOST_SERVER},
	{keep_disk_busy, "the disk has nothing left, and once takes longer", HOST_SERVER},
	{flush_without_end, "the server flushes", HOST_SERVER},
	{read_without_end, "the server reads", HOST_SERVER},
	{leave_dirty_pages, "the kernel writes what the server has left", HOST_SERVER},
	{hold_machine, "nobody was woken", HOST_ITSELF},
	{be_busy_neighbour, "a neighbour has the processors", HOST_OTHERS},
	{be_stolen, "the hypervisor has them", HOST_ITSELF},
	{burn_disk_until_held, "the hypervisor has them for what the server writes", HOST_SERVER},
	{be_dd_until_held, "the hypervisor has them for what a neighbour writes", HOST_OTHERS},
	{burn_disk_beside_large_writer, "the server writes most, and a neighbour much", HOST_SERVER},
	{burn_processors_until_disk_seems_slow, "the server leaves the probe no processor", HOST_SERVER},
	{burn_processors, "the server has them", HOST_SERVER},
	{burst_in_quiet_second, "the server has them for a moment", HOST_SERVER},
	{eat_memory, "memory is short", HOST_SERVER},
};

START_TEST(test_stall_is_the_servers_unless_the_counters_show_another)
{
	cases[_i].disturb();
	read_record();
	ck_assert_uint_ge(host.stall_count, 1);
	for (size_t i = 0; i < host.stall_count; i++)
		ck_assert_msg(host.stalls[i].cause == cases[_i].cause, "%s: stall %zu is of the %s", cases[_i].name, i,
		              host_cause_names[host.stalls[i].cause]);
	ck_assert_uint_eq(host_count(&host), cases[_i].cause == HOST_SERVER ? 0 : host.stall_count);
	ck_assert(host_is_stalled(&host, AT * NS_PER_S, (AT + 1) * NS_PER_S) == (cases[_i].cause != HOST_SERVER));
}
END_TEST

/* Two hosts that were recorded: tests/fixtures/host/README.md. */
static const struct {
	const char *file;
	double idle_from_ms, idle_to_ms, from_ms, to_ms; /* of the load */
	double least, most;                              /* of its time that may lie in stalls of the host */
} recorded[] = {
	{"server.jsonl", 258, 2258, 42342, 57339, 0, 0.05},
	{"neighbour.jsonl", 1702, 3702, 44292, 59344, 0.4, 1},
};

START_TEST(test_recorded_stalls_are_those_of_whoever_caused_them)
{
	char command[512];
	struct host_span span = {(int64_t)(recorded[_i].idle_from_ms * 1e6), (int64_t)(recorded[_i].idle_to_ms * 1e6)};
	(void)snprintf(command, sizeof(command), "cp '" TEST_SOURCE_DIR "/tests/fixtures/host/%s' '%s/" RUN_HOST "'",
	               recorded[_i].file, folder);
	ck_assert_int_eq(system(command), 0);
	ck_assert_msg(host_read(folder, span, &host, &error), "%s", error.text);
	double share = host_stalled_share(&host, (int64_t)(recorded[_i].from_ms * 1e6),
	                                  (int64_t)(recorded[_i].to_ms * 1e6));
	ck_assert_msg(share >= recorded[_i].least && share <= recorded[_i].most,
	              "%s: %g of the time, %zu of %zu stalls", recorded[_i].file, share, host_count(&host),
	              host.stall_count);
	ck_assert_uint_gt(host.stall_count, 100);
}
END_TEST

START_TEST(test_calm_host_has_no_stall)
{
	read_record();
	ck_assert_uint_eq(host.stall_count, 0);
	ck_assert(!host_is_stalled(&host, 0, INT64_MAX));
}
END_TEST

START_TEST(test_run_without_record_has_no_stall)
{
	ck_assert(host_read(folder, idle, &host, &error));
	ck_assert(!host.is_known);
	ck_assert(!host_is_stalled(&host, 0, INT64_MAX));
}
END_TEST

/* Four times what the disk takes while the servers idle; one that is disturbed then is no measure. */
START_TEST(test_slow_disk_is_measured_by_itself)
{
	FILE *file;
	char *path = run_file(folder, RUN_HOST);
	static const char head[] = "{\"processors\": 2}\n";
	static const char line[] =
		"{\"at_ms\": 1000, \"took_ms\": 1000, \"late_max_ms\": 0, \"late\": [], \"syncs\": [[0, 15], [100, 15], "
		"[200, 16]], \"processor_ms\": {\"server\": 0, \"laboratory\": 0, \"others\": 0, \"stolen\": 0}, "
		"\"written_bytes\": {\"server\": 0, \"laboratory\": 0, \"others\": %d, \"disks\": 0}, "
		"\"disks\": {\"read_bytes\": 0, \"flushes\": 0, \"busy_ms\": 0}, \"pressure_ms\": {\"memory\": 0}}\n";
	static const struct {
		int others_bytes;
		double limit_ms;
	} each[] = {{0, 60}, {50000000, 25}};
	for (size_t i = 0; i < 2; i++) {
		file = fopen(path, "we");
		ck_assert_ptr_nonnull(file);
		(void)fputs(head, file);
		(void)fprintf(file, line, each[i].others_bytes);
		ck_assert_int_eq(fclose(file), 0);
		ck_assert_msg(host_read(folder, idle, &host, &error), "%s", error.text);
		ck_assert_double_eq(host.sync_limit_ms, each[i].limit_ms);
		host_finish(&host);
	}
	free(path);
}
END_TEST

START_TEST(test_effect_of_a_stall_lasts_as_long_again)
{
	be_dd_with_sync();
	read_record();
	int64_t begin = AT * NS_PER_S + 100 * NS_PER_MS;
	ck_assert_uint_eq(host.span_count, 1);
	ck_assert(!host_is_stalled(&host, begin - 10, begin));
	ck_assert(host_is_stalled(&host, begin - 10, begin + 1));
	ck_assert(host_is_stalled(&host, begin + 1799 * NS_PER_MS, begin + 1801 * NS_PER_MS));
	ck_assert(!host_is_stalled(&host, begin + 1800 * NS_PER_MS, INT64_MAX));
	ck_assert_double_eq_tol(host_stalled_share(&host, begin, begin + 3600 * NS_PER_MS), 0.5, 1e-9);
}
END_TEST

START_TEST(test_damaged_record_is_refused_by_its_line)
{
	static const char *const broken[] = {"{\"processors\": 2}\nnonsense\n", "{\"processors\": 2}\n{\"at_ms\": 1}\n",
	                                     "{}\n", "{\"processors\": -1}\n"};
	char *path = run_file(folder, RUN_HOST);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		FILE *file = fopen(path, "we");
		ck_assert_ptr_nonnull(file);
		(void)fputs(broken[i], file);
		ck_assert_int_eq(fclose(file), 0);
		ck_assert_msg(!host_read(folder, idle, &host, &error), "case %zu was read", i);
		ck_assert_msg(strstr(error.text, "host.jsonl:") != NULL, "%s", error.text);
		host_finish(&host);
	}
	free(path);
}
END_TEST

/* A comparison of 12 pairs, 2 s a block, from second 2 on; in one second every request takes `ms`. */
static void be_slow_from(double from_s, double to_s, int64_t ms)
{
	paired_init(&paired, 12, 200);
	paired_set_about(&paired, "comparison", "pairs", json_integer(12));
	for (size_t i = 0; i < paired.run->count; i++) {
		struct trace_record *each = &paired.run->records[i];
		double due_s = (double)each->intended_ns / 1e9;
		if (due_s >= from_s && due_s < to_s)
			paired_set_latency(each, ms * NS_PER_MS);
	}
	(void)json_object_set_new(paired.run->about, "host_idle", host_idle_to_json(idle));
}

static struct gate_spec make_spec(void)
{
	struct gate_spec spec = {.name = "test", .about = "", .kind = GATE_FINAL, .confidence = 0.95};
	size_t p95 = gate_criterion_index("p95"), errors = gate_criterion_index("errors");
	spec.asked[p95] = spec.asked[errors] = true;
	spec.limits[p95].duration.ns = 120 * NS_PER_MS;
	spec.limits[errors].share = 0.01;
	spec.rollback_above.ns = 231 * NS_PER_MS;
	return spec;
}

static struct gate_result judge_by_gate(void)
{
	struct gate_spec spec = make_spec();
	struct gate_facts facts;
	struct gate_result result;
	paired_save(&paired, folder);
	host_record_save(&record, folder);
	ck_assert_msg(gate_measure(folder, NULL, &facts, &error), "%s", error.text);
	gate_judge(&spec, &facts, &result);
	gate_facts_finish(&facts);
	return result;
}

START_TEST(test_gate_that_a_neighbour_has_decided_is_invalid)
{
	be_dd_with_sync();
	record.seconds[AT].sync_ms = 1900;
	record.seconds[AT + 1] = record.seconds[AT];
	be_slow_from(AT, AT + 3, 1700);
	struct gate_result result = judge_by_gate();
	ck_assert_int_eq(result.outcome, GATE_INVALID);
	ck_assert_int_eq(result.calm, GATE_PASS);
	ck_assert_msg(strstr(result.sentence, "INVALID: the run does not count: the host decided, not the server: ") ==
	                      result.sentence,
	              "%s", result.sentence);
	ck_assert_msg(strstr(result.sentence, "others wrote") != NULL, "%s", result.sentence);
	ck_assert_msg(strstr(result.sentence, "Without the requests in them it would be PASS") != NULL, "%s",
	              result.sentence);
	ck_assert_msg(strstr(result.next, "on a host where less goes on beside it") != NULL, "%s", result.next);
}
END_TEST

START_TEST(test_gate_of_a_server_that_stalls_itself_rolls_back)
{
	burn_disk();
	record.seconds[AT].sync_ms = 1900;
	record.seconds[AT + 1] = record.seconds[AT];
	be_slow_from(AT, AT + 3, 1700);
	struct gate_result result = judge_by_gate();
	ck_assert_int_eq(result.outcome, GATE_ROLLBACK);
	ck_assert_str_eq(result.invalid, "");
}
END_TEST

/* A neighbour is no excuse for what happens when it is quiet. */
START_TEST(test_gate_of_a_server_that_is_slow_beside_a_stall_rolls_back)
{
	be_dd_with_sync();
	be_slow_from(10, 20, 1700);
	struct gate_result result = judge_by_gate();
	ck_assert_int_eq(result.outcome, GATE_ROLLBACK);
}
END_TEST

START_TEST(test_gate_that_passes_with_its_stalls_passes)
{
	be_dd_with_sync();
	be_slow_from(AT, AT + 1, 110);
	struct gate_result result = judge_by_gate();
	ck_assert_int_eq(result.outcome, GATE_PASS);
}
END_TEST

START_TEST(test_gate_on_a_host_that_stalled_most_of_the_time_is_invalid)
{
	for (size_t i = 2; i < SECONDS; i++) {
		record.seconds[i].sync_ms = 800;
		record.seconds[i].others_kb = record.seconds[i].disk_kb = 60000;
	}
	be_slow_from(0, SECONDS, 300);
	struct gate_result result = judge_by_gate();
	ck_assert_int_eq(result.outcome, GATE_INVALID);
	ck_assert_msg(strstr(result.sentence, "They hold ") != NULL, "%s", result.sentence);
}
END_TEST

START_TEST(test_violation_counts_on_a_disturbed_host_too)
{
	struct gate_spec spec = make_spec();
	struct gate_facts facts;
	struct gate_result result;
	be_dd_with_sync();
	be_slow_from(AT - 1, AT + 3, 1700);
	paired_set_violations(&paired, 1, 1);
	paired_save(&paired, folder);
	host_record_save(&record, folder);
	spec.asked[gate_criterion_index("violations")] = true;
	ck_assert_msg(gate_measure(folder, NULL, &facts, &error), "%s", error.text);
	gate_judge(&spec, &facts, &result);
	gate_facts_finish(&facts);
	ck_assert_int_eq(result.outcome, GATE_ROLLBACK);
}
END_TEST

static json_t *judge_comparison(void)
{
	free(paired.run->path);
	paired.run->path = strdup(folder);
	host_record_save(&record, folder);
	return paired_judge(&paired);
}

static const char *outcome_of(const json_t *document)
{
	return json_string_value(json_object_get(json_object_get(document, "verdict"), "outcome"));
}

static bool is_noted(const json_t *document, const char *part)
{
	char *notes = json_dumps(json_object_get(document, "notes"), 0);
	bool found = strstr(notes, part) != NULL;
	free(notes);
	return found;
}

/* Blocks of B that a neighbour has hit: without the rule B would be worse. */
static json_t *compare_with_hit_blocks(size_t hits)
{
	paired_init(&paired, 15, 200);
	(void)json_object_set_new(paired.run->about, "host_idle", host_idle_to_json(idle));
	for (size_t i = 0; i < hits; i++) {
		struct host_record_second *second = &record.seconds[4 * (i + 1) + 2];
		second->sync_ms = 700;
		second->others_kb = second->disk_kb = 60000;
		for (size_t k = 0; k < paired.per_block; k++)
			paired_set_latency(paired_record(&paired, i + 1, 1, k), 600 * NS_PER_MS);
	}
	return judge_comparison();
}

START_TEST(test_pairs_in_which_the_host_stalled_are_left_out_and_counted)
{
	json_t *document = compare_with_hit_blocks(4);
	ck_assert_str_eq(outcome_of(document), "equivalent");
	ck_assert_int_eq(json_integer_value(json_object_get(document, "dropped")), 4);
	ck_assert(is_noted(document, "4 of 15 pairs were left out"));
	const json_t *block = json_array_get(json_object_get(document, "blocks"), 2);
	ck_assert(json_is_true(json_object_get(block, "dropped")));
	json_decref(document);
}
END_TEST

START_TEST(test_comparison_on_a_host_that_stalled_in_most_pairs_is_invalid)
{
	json_t *document = compare_with_hit_blocks(8);
	ck_assert_str_eq(outcome_of(document), "invalid");
	json_decref(document);
}
END_TEST

/* Both arms are hit alike, and B is 20 % slower all the while: that stays. */
START_TEST(test_stalls_of_both_arms_do_not_hide_a_change)
{
	paired_init(&paired, 15, 200);
	(void)json_object_set_new(paired.run->about, "host_idle", host_idle_to_json(idle));
	paired_scale(&paired, 1, 1.2);
	for (size_t i = 1; i < 6; i++)
		for (size_t arm = 0; arm < 2; arm++) {
			struct host_record_second *second = &record.seconds[4 * i + 2 * arm];
			second->sync_ms = 500;
			second->others_kb = second->disk_kb = 60000;
			for (size_t k = 0; k < 60; k++)
				paired_set_latency(paired_record(&paired, i, arm, k), 500 * NS_PER_MS);
		}
	json_t *document = judge_comparison();
	ck_assert_str_eq(outcome_of(document), "worse");
	ck_assert_int_eq(json_integer_value(json_object_get(document, "dropped")), 5);
	json_decref(document);
}
END_TEST

/* B stalls the machine by its own writing: no pair is dropped for that. */
START_TEST(test_comparison_drops_no_pair_for_what_an_arm_did_itself)
{
	paired_init(&paired, 15, 200);
	(void)json_object_set_new(paired.run->about, "host_idle", host_idle_to_json(idle));
	for (size_t i = 0; i < 15; i++) {
		struct host_record_second *second = &record.seconds[4 * i + 2];
		second->sync_ms = 500;
		second->server_kb = 60000;
		second->disk_kb = 64000;
		for (size_t k = 0; k < 60; k++)
			paired_set_latency(paired_record(&paired, i, 1, k), 500 * NS_PER_MS);
	}
	json_t *document = judge_comparison();
	ck_assert_str_eq(outcome_of(document), "worse");
	ck_assert_int_eq(json_integer_value(json_object_get(document, "dropped")), 0);
	json_decref(document);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("host");
	TCase *stalls = tcase_create("stalls");
	TCase *gates = tcase_create("gates");
	TCase *comparisons = tcase_create("comparisons");
	TCase *groups[] = {stalls, gates, comparisons};
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		tcase_add_checked_fixture(groups[i], set_up, tear_down);
		suite_add_tcase(suite, groups[i]);
	}
	tcase_add_loop_test(stalls, test_stall_is_the_servers_unless_the_counters_show_another, 0,
	                    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(stalls, test_recorded_stalls_are_those_of_whoever_caused_them, 0, 2);
	tcase_add_test(stalls, test_calm_host_has_no_stall);
	tcase_add_test(stalls, test_run_without_record_has_no_stall);
	tcase_add_test(stalls, test_slow_disk_is_measured_by_itself);
	tcase_add_test(stalls, test_effect_of_a_stall_lasts_as_long_again);
	tcase_add_test(stalls, test_damaged_record_is_refused_by_its_line);
	tcase_add_test(gates, test_gate_that_a_neighbour_has_decided_is_invalid);
	tcase_add_test(gates, test_gate_of_a_server_that_stalls_itself_rolls_back);
	tcase_add_test(gates, test_gate_of_a_server_that_is_slow_beside_a_stall_rolls_back);
	tcase_add_test(gates, test_gate_that_passes_with_its_stalls_passes);
	tcase_add_test(gates, test_gate_on_a_host_that_stalled_most_of_the_time_is_invalid);
	tcase_add_test(gates, test_violation_counts_on_a_disturbed_host_too);
	tcase_add_test(comparisons, test_pairs_in_which_the_host_stalled_are_left_out_and_counted);
	tcase_add_test(comparisons, test_comparison_on_a_host_that_stalled_in_most_pairs_is_invalid);
	tcase_add_test(comparisons, test_stalls_of_both_arms_do_not_hide_a_change);
	tcase_add_test(comparisons, test_comparison_drops_no_pair_for_what_an_arm_did_itself);
	return suite;
}

UNIT_SUITE(test_host, make_suite)
