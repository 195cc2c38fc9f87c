/*
 * The gate's files: broken gate files by golden cases (tests/golden/gate/NAME/ has a gate.yaml and the whole sentence
 * that must be said of it), and a run directory as `sluice gate` reads and leaves it.
 */
#include <check.h>
#include <dirent.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "lab/gate/criteria.h"
#include "lab/load/input.h"
#include "lab/run/run.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"
#include "trace/trace.h"

#define CASES TEST_SOURCE_DIR "/tests/golden/gate"
#define GATES TEST_SOURCE_DIR "/benchmarks/gates"
#define SLUICE TEST_BUILD_DIR "/sluice"

enum { MS = 1000000, REQUESTS = 1000 };

static struct dirent **cases;
static int case_count;

static bool read_text(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "rb");
	char part[4096];
	if (!file)
		return false;
	buffer_empty(out);
	buffer_add_text(out, "");
	for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
		buffer_add(out, part, size);
	(void)fclose(file);
	return true;
}

START_TEST(test_broken_gate_file_is_refused_with_its_sentence)
{
	const char *name = cases[_i]->d_name;
	char folder[512];
	struct buffer expected = {0}, got = {0};
	struct gate_spec spec;
	struct sluice_error error = {0};
	(void)snprintf(folder, sizeof(folder), CASES "/%s", name);
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_msg(!gate_spec_read("gate.yaml", &spec, &error), "%s: was read", name);
	ck_assert_msg(read_text("expected-error.txt", &expected), "%s: expects nothing", name);
	buffer_printf(&got, "%s\n", error.text);
	ck_assert_msg(strcmp(expected.data, got.data) == 0, "%s: expected:\n%s\ngot:\n%s", name, expected.data,
	              got.data);
	gate_spec_finish(&spec);
	buffer_finish(&expected);
	buffer_finish(&got);
}
END_TEST

START_TEST(test_there_are_cases)
{
	ck_assert_int_ge(case_count, 30);
}
END_TEST

START_TEST(test_gates_that_are_shipped_are_read)
{
	static const struct {
		const char *name;
		enum gate_kind kind;
		int64_t requests;
		double p95_ms, rollback_ms;
	} gates[] = {{"gate-a", GATE_FINAL, 30000, 120, 231},   {"smoke-1k", GATE_SMOKE, 1000, 120, 231},
	             {"interim", GATE_INTERIM, 1000, 120, 231}, {"final-30k", GATE_FINAL, 30000, 120, 231},
	             {"local", GATE_INTERIM, 1000, 50, 231},    {"far-db", GATE_INTERIM, 1000, 200, 1000}};
	glob_t files;
	ck_assert_int_eq(glob(GATES "/*.yaml", 0, NULL, &files), 0);
	ck_assert_uint_eq(files.gl_pathc, sizeof(gates) / sizeof(gates[0]));
	globfree(&files);
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
		char path[512];
		struct gate_spec spec;
		struct sluice_error error = {0};
		(void)snprintf(path, sizeof(path), GATES "/%s.yaml", gates[i].name);
		ck_assert_msg(gate_spec_read(path, &spec, &error), "%s", error.text);
		ck_assert_str_eq(spec.name, gates[i].name);
		ck_assert_int_eq(spec.kind, (int)gates[i].kind);
		ck_assert_int_eq(spec.requests, gates[i].requests);
		ck_assert_double_eq((double)spec.limits[gate_criterion_index("p95")].duration.ns / MS, gates[i].p95_ms);
		ck_assert_double_eq((double)spec.rollback_above.ns / MS, gates[i].rollback_ms);
		ck_assert_uint_eq(strlen(spec.sha256), 64);
		gate_spec_finish(&spec);
	}
}
END_TEST

static char folder[SCRATCH_SIZE];
static struct gate_facts facts;
static struct sluice_error error;

static const struct gate_figure *figure(const char *criterion)
{
	return &facts.figures[gate_criterion_index(criterion)];
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

/* A run of 1,000: ten each are duplicates, conflicts, malformed; all rightly answered in 100 ms, if `spoil` does
 * nothing. */
typedef void (*spoil_fn)(struct trace_record *record);

static enum input_kind kind_of(uint32_t line)
{
	static const enum input_kind kinds[] = {INPUT_DUPLICATE, INPUT_CONFLICT, INPUT_MALFORMED};
	return line % 100 >= 1 && line % 100 <= 3 ? kinds[line % 100 - 1] : INPUT_NEW;
}

static struct trace_record make_record(uint32_t line, uint8_t arm)
{
	static const uint16_t statuses[INPUT_KINDS] = {202, 200, 422, 401, 400};
	struct trace_record record;
	trace_record_init(&record);
	record.intended_ns = line * (int64_t)MS;
	record.sent_ns = record.intended_ns + MS;
	record.answered_ns = record.intended_ns + 100 * MS;
	record.input = line;
	record.arm = arm;
	record.status = statuses[kind_of(line)];
	record.respond_ns = MS;
	record.stages[SLUICE_KIND_PARSE].work_ns = 2 * MS;
	record.stages[SLUICE_KIND_QUEUE] = (struct trace_stage){0, 10 * MS, 0, {0}};
	record.stages[SLUICE_KIND_PERSIST] = (struct trace_stage){40 * MS, 5 * MS, 0, {0}};
	return record;
}

static void write_requests(uint8_t arms, spoil_fn spoil)
{
	char *path = run_file(folder, RUN_REQUESTS);
	struct trace_writer *writer = trace_create(path, TRACE_OF_SENDER, NULL, &error);
	ck_assert_msg(writer != NULL, "%s", error.text);
	for (uint32_t line = 0; line < REQUESTS; line++) {
		for (uint8_t arm = 0; arm < arms; arm++) {
			struct trace_record record = make_record(line, arm);
			if (spoil)
				spoil(&record);
			trace_write(writer, &record);
		}
	}
	ck_assert(trace_close(writer, &error));
	free(path);
}

static void write_input(void)
{
	struct buffer text = {0};
	for (uint32_t line = 0; line < REQUESTS; line++) {
		struct input_event event = {
			.kind = kind_of(line),
			.body = {"{}", 2},
			.payload_size = 2,
			.id_at = SIZE_MAX,
		};
		input_write(&event, &text);
	}
	write_text(RUN_INPUT, text.data);
	buffer_finish(&text);
}

/* Of the input as it lies there. */
static json_t *about_input(void)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char sha256[DIGEST_HEX_SIZE], *path = run_file(folder, RUN_INPUT);
	ck_assert_msg(digest_file(path, digest, &error), "%s", error.text);
	digest_hex(digest, sha256);
	free(path);
	return json_pack("{s:s}", "sha256", sha256);
}

static json_t *about_run(size_t arms)
{
	json_t *about = json_pack("{s:i, s:b, s:n}", "format", 1, "interrupted", 0, "sign");
	json_t *schedule = json_pack("{s:s, s:f, s:i, s:i}", "design", arms > 1 ? "paired" : "single", "rate", 50.0,
	                             "connections", 10, "requests", REQUESTS);
	json_t *names = json_array();
	for (size_t i = 0; i < arms; i++)
		json_array_append_new(names, json_pack("{s:s}", "label", i ? "b" : "a"));
	json_object_set_new(about, "schedule", schedule);
	json_object_set_new(about, "arms", names);
	json_object_set_new(about, "input", about_input());
	json_object_set_new(about, "host", json_pack("{s:i}", "memory_bytes", 1000));
	json_object_set_new(about, "generator", json_pack("{s:b, s:[]}", "valid", 1, "reasons"));
	return about;
}

static void write_about(json_t *about)
{
	ck_assert_msg(run_write_json(folder, RUN_ABOUT, about, &error), "%s", error.text);
	json_decref(about);
}

static void set_up(void)
{
	scratch_folder(folder);
	error.text[0] = '\0';
	write_input();
	write_about(about_run(1));
	write_requests(1, NULL);
}

static void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	gate_facts_finish(&facts);
	facts = (struct gate_facts){0};
}

static void measure(const char *baseline)
{
	gate_facts_finish(&facts);
	ck_assert_msg(gate_measure(folder, baseline, &facts, &error), "%s", error.text);
}

static void assert_not_measured(const char *sentence)
{
	gate_facts_finish(&facts);
	ck_assert(!gate_measure(folder, NULL, &facts, &error));
	ck_assert_msg(strstr(error.text, sentence) != NULL, "%s", error.text);
}

START_TEST(test_facts_are_those_of_the_files)
{
	measure(NULL);
	ck_assert_uint_eq(facts.requests, REQUESTS);
	ck_assert_double_eq(facts.rate, 50);
	ck_assert_uint_eq(facts.connections, 10);
	ck_assert_str_eq(facts.late, "");
	ck_assert(!facts.interrupted && !figure("violations")->measured && !figure("baseline")->measured);
	ck_assert(figure("errors")->measured && figure("acceptance")->measured);
	ck_assert_int_eq(facts.latency.sorted[0], 100 * MS);
	ck_assert_int_eq(facts.raw.sorted[0], 99 * MS);
	ck_assert_uint_eq(figure("acceptance")->count, REQUESTS - 20);
	ck_assert_uint_eq(figure("acceptance")->bad, 0);
	ck_assert_uint_eq(figure("errors")->count, REQUESTS);
	ck_assert_uint_eq(figure("errors")->bad, 0);
	ck_assert(!figure("memory_growth")->measured && !figure("memory")->measured);
	ck_assert(!figure("descriptor_growth")->measured);
}
END_TEST

START_TEST(test_stage_times_include_waiting)
{
	measure(NULL);
	ck_assert_uint_eq(figure("stages.auth")->sample.count, 0); /* it never ran */
	ck_assert_int_eq(figure("stages.parse")->sample.sorted[0], 2 * MS);
	ck_assert_int_eq(figure("stages.queue")->sample.sorted[0], 10 * MS);
	ck_assert_int_eq(figure("stages.persist")->sample.sorted[0], 45 * MS);
	ck_assert_int_eq(figure("stages.store")->sample.sorted[0], 55 * MS);
	ck_assert_int_eq(figure("stages.respond")->sample.sorted[0], MS);
}
END_TEST

static void forget_half(struct trace_record *record)
{
	if (record->input % 2)
		return;
	struct trace_record bare;
	trace_record_init(&bare);
	record->respond_ns = -1;
	memcpy(record->stages, bare.stages, sizeof(record->stages));
}

START_TEST(test_request_without_a_trace_keeps_no_stage_limit)
{
	write_requests(1, forget_half);
	measure(NULL);
	const struct gate_sample *parse = &figure("stages.parse")->sample;
	ck_assert_uint_eq(parse->count, REQUESTS);
	ck_assert_int_eq(parse->sorted[REQUESTS / 2 - 1], 2 * MS);
	ck_assert_int_eq(parse->sorted[REQUESTS / 2], INT64_MAX);
}
END_TEST

static void spoil_answers(struct trace_record *record)
{
	if (record->input == 0) { /* new: refused */
		record->status = 503;
	} else if (record->input == 2) { /* a conflict that was taken */
		record->status = 202;
	} else if (record->input == 5) { /* never answered */
		record->status = 0;
		record->answered_ns = -1;
	}
}

START_TEST(test_errors_are_answers_that_are_wrong_for_their_kind)
{
	write_requests(1, spoil_answers);
	measure(NULL);
	ck_assert_uint_eq(figure("errors")->bad, 3);
	ck_assert_uint_eq(figure("acceptance")->bad, 2);
	ck_assert_int_eq(facts.latency.sorted[REQUESTS - 1], INT64_MAX);
	ck_assert_int_eq(facts.latency.sorted[REQUESTS - 2], 100 * MS);
}
END_TEST

START_TEST(test_without_its_input_a_run_says_its_own_sums)
{
	json_t *about = about_run(1);
	char *path = run_file(folder, RUN_INPUT);
	ck_assert_int_eq(unlink(path), 0);
	free(path);
	measure(NULL);
	ck_assert(!figure("errors")->measured && !figure("acceptance")->measured);
	json_object_set_new(about, "results",
	                    json_pack("{s:i, s:i, s:i}", "expected_good", 980, "accepted", 979, "errors", 4));
	write_about(about);
	measure(NULL);
	ck_assert(figure("errors")->measured && figure("acceptance")->measured);
	ck_assert_uint_eq(figure("errors")->bad, 4);
	ck_assert_uint_eq(figure("acceptance")->bad, 1);
}
END_TEST

START_TEST(test_input_that_was_not_sent_is_refused)
{
	write_text(RUN_INPUT, "{\"body\":\"{}\"}\n");
	assert_not_measured("input.jsonl: not what the run sent");
}
END_TEST

START_TEST(test_input_that_is_too_short_is_refused)
{
	write_text(RUN_INPUT, "{\"body\":\"{}\"}\n");
	write_about(about_run(1));
	assert_not_measured("has 1 lines, and request 1 was line 2");
}
END_TEST

static void write_verified(int arm, int lost, int reordered)
{
	char text[256];
	(void)snprintf(
		text, sizeof(text),
		"{\"format\":1,\"arms\":[{\"arm\":%d,\"lost\":%d,\"doubled\":0,\"altered\":0,\"reordered\":%d}]}", arm,
		lost, reordered);
	write_text(RUN_VERIFY, text);
}

START_TEST(test_violations_are_added_up)
{
	write_verified(0, 3, 4);
	measure(NULL);
	ck_assert(figure("violations")->measured);
	ck_assert_double_eq(figure("violations")->value, 7);
	write_verified(1, 3, 4); /* of an arm that is not judged */
	measure(NULL);
	ck_assert(!figure("violations")->measured);
	ck_assert_double_eq(figure("violations")->value, 0);
	write_text(RUN_VERIFY, "{\"arms\":[{\"arm\":0,\"lost\":1}]}");
	assert_not_measured("verify.json: doubled of arm 0: expected how many");
}
END_TEST

START_TEST(test_gauges_go_from_the_first_block_to_the_last)
{
	json_t *about = about_run(1);
	json_object_set_new(about, "blocks",
	                    json_pack("[{s:i, s:i, s:i}, {s:i, s:i, s:i}, {s:i, s:i, s:i}]", "arm", 0, "rss_bytes", 100,
	                              "descriptors", 8, "arm", 0, "rss_bytes", 140, "descriptors", 9, "arm", 0,
	                              "rss_bytes", 110, "descriptors", 8));
	write_about(about);
	measure(NULL);
	ck_assert(figure("memory_growth")->measured && figure("memory")->measured);
	ck_assert(figure("descriptor_growth")->measured);
	ck_assert_double_eq_tol(figure("memory_growth")->value, 110 / 100.0 - 1, 1e-12);
	ck_assert_double_eq_tol(figure("memory")->value, 140 / 1000.0, 1e-12);
	ck_assert_double_eq(figure("descriptor_growth")->value, 0); /* 8, then 9, then 8 */
	about = about_run(1);
	json_object_set_new(about, "blocks",
	                    json_pack("[{s:i, s:i, s:i}]", "arm", 0, "rss_before_bytes", 90, "rss_bytes", 100));
	write_about(about);
	measure(NULL);
	ck_assert(figure("memory_growth")->measured && !figure("descriptor_growth")->measured);
	ck_assert_double_eq_tol(figure("memory_growth")->value, 100 / 90.0 - 1, 1e-12);
}
END_TEST

/* A sample a second while the load lasts, `per_second` bytes more each, and one before it that does not count. */
static void write_samples(int seconds, int per_second)
{
	struct buffer text = {0};
	buffer_add_text(&text, "{\"at_ms\": 10, \"arm\": 0, \"gauges\": {\"process_resident_memory_bytes\": 1}}\n"
	                       "{\"at_ms\": 1500, \"arm\": 0, \"missed\": \"too busy\"}\n");
	for (int i = 0; i < seconds; i++)
		buffer_printf(&text,
		              "{\"at_ms\": %d, \"arm\": 0, \"gauges\": {\"process_resident_memory_bytes\": %d}}\n",
		              1000 + 1000 * i, 100000 + per_second * i + i * 7919 % 100);
	write_text(RUN_SAMPLES, text.data);
	buffer_finish(&text);
}

static enum gate_verdict judge_memory_growth(void)
{
	const struct gate_criterion *criterion = &gate_criteria[gate_criterion_index("memory_growth")];
	const struct gate_question question = {criterion, figure("memory_growth"), {.share = 0.2}, 0.95};
	struct gate_row row = {.criterion = criterion, .limit = 0.2};
	gate_judge_growth(&question, &row);
	return row.verdict;
}

/* Within the limit for as long as the run was: what goes on growing is not certain to stay there. */
START_TEST(test_growth_of_memory_is_certain_only_if_it_is_at_its_end)
{
	static const struct {
		int seconds, per_second;
		bool has_interval;
		enum gate_verdict verdict;
	} series[] = {{60, 0, true, GATE_MET},
	              {60, 50, true, GATE_MET},
	              {60, 600, true, GATE_NOT_CERTIFIED},
	              {40, 600, false, GATE_MET}};
	json_t *about = about_run(1);
	json_object_set_new(about, "blocks",
	                    json_pack("[{s:i, s:i, s:i, s:i, s:i}]", "arm", 0, "start_ms", 1000, "end_ms", 61000,
	                              "rss_before_bytes", 100000, "rss_bytes", 119000));
	write_about(about);
	for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
		write_samples(series[i].seconds, series[i].per_second);
		measure(NULL);
		ck_assert(figure("memory_growth")->has_interval == series[i].has_interval);
		ck_assert_msg(judge_memory_growth() == series[i].verdict, "case %zu: %g to %g", i,
		              figure("memory_growth")->change.low, figure("memory_growth")->change.high);
	}
}
END_TEST

START_TEST(test_reasons_against_the_generator_are_said)
{
	json_t *about = about_run(1);
	json_object_set_new(about, "generator", json_pack("{s:b, s:[s, s]}", "valid", 0, "reasons", "late", "busy"));
	write_about(about);
	measure(NULL);
	ck_assert_str_eq(facts.late, "late; busy");
	about = about_run(1);
	json_object_del(about, "generator");
	write_about(about);
	measure(NULL);
	ck_assert_str_eq(facts.late, "the run does not say that its generator kept up");
}
END_TEST

static void slow_b(struct trace_record *record)
{
	if (record->arm == 1)
		record->answered_ns += 50 * MS;
}

START_TEST(test_last_arm_is_judged_and_the_comparison_is_its_baseline)
{
	write_about(about_run(2));
	write_requests(2, slow_b);
	write_text(
		RUN_COMPARE,
		"{\"margin\":0.05,\"verdict\":{\"outcome\":\"better\"},\"metrics\":[{\"name\":\"p50\",\"change\":9,\"low\":9,\"high\":9},{\"name\":\"p95\",\"change\":-0.2,\"low\":-0.3,\"high\":-0.1}]}");
	measure(NULL);
	ck_assert_uint_eq(facts.requests, REQUESTS);
	ck_assert_int_eq(facts.latency.sorted[0], 150 * MS);
	ck_assert(figure("baseline")->measured && !figure("baseline")->change.apart);
	ck_assert_double_eq(figure("baseline")->change.change, -0.2);
	ck_assert_double_eq(figure("baseline")->change.high, -0.1);
	ck_assert_double_eq(figure("baseline")->change.margin, 0.05);
	write_text(
		RUN_COMPARE,
		"{\"margin\":0.05,\"verdict\":{\"outcome\":\"invalid\"},\"metrics\":[{\"name\":\"p95\",\"change\":-0.2,\"low\":-0.3,\"high\":-0.1}]}");
	measure(NULL);
	ck_assert(!figure("baseline")->measured);
}
END_TEST

START_TEST(test_run_apart_is_a_weaker_baseline)
{
	measure(folder); /* of itself */
	ck_assert(figure("baseline")->measured && figure("baseline")->change.apart);
	ck_assert_double_eq(figure("baseline")->change.change, 0);
	ck_assert(figure("baseline")->change.low <= 0 && figure("baseline")->change.high >= 0);
}
END_TEST

static struct buffer output;

/* `sluice gate ARGUMENTS` in the run's folder. */
static int run(const char *arguments)
{
	char command[1024], part[4096];
	(void)snprintf(command, sizeof(command), "cd %s && " SLUICE " gate %s 2>&1", folder, arguments);
	FILE *pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	buffer_empty(&output);
	buffer_add_text(&output, "");
	for (size_t size; (size = fread(part, 1, sizeof(part), pipe)) > 0;)
		buffer_add(&output, part, size);
	int status = pclose(pipe);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_printed(const char *part)
{
	ck_assert_msg(strstr(output.data, part) != NULL, "expected \"%s\" in:\n%s", part, output.data);
}

/* As text, which has fewer digits than a double. */
static void assert_judged_again(void)
{
	json_t *left = run_read_json(folder, RUN_GATE, &error);
	ck_assert_msg(left != NULL, "%s", error.text);
	json_t *again = gate_judge_again(folder, &error);
	ck_assert_msg(again != NULL, "%s", error.text);
	char *text = json_dumps(left, JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
	char *again_text = json_dumps(again, JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
	ck_assert_str_eq(text, again_text);
	free(text);
	free(again_text);
	json_decref(left);
	json_decref(again);
}

START_TEST(test_baseline_is_kept_for_who_judges_again)
{
	write_text("loose.yaml", "gate: loose\ncriteria: { p95: 120ms, baseline: not_worse }\n");
	char other[SCRATCH_SIZE], command[1024];
	scratch_folder(other);
	char *path = run_file(other, RUN_COMPARE);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(
		fputs("{\"margin\":0.05,\"verdict\":{\"outcome\":\"better\"},\"metrics\":[{\"name\":\"p95\",\"change\":-0.2,\"low\":-0.3,\"high\":-0.1}]}",
	              file),
		0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(run(". loose.yaml"), 11);
	(void)snprintf(command, sizeof(command), ". loose.yaml --baseline %s", other);
	ck_assert_int_eq(run(command), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(other), 0);
	free(path);
	assert_judged_again();
}
END_TEST

START_TEST(test_trace_alone_is_refused)
{
	char *path = run_file(folder, RUN_REQUESTS);
	ck_assert(!gate_measure(path, NULL, &facts, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "is a trace"));
	free(path);
}
END_TEST

START_TEST(test_command_prints_writes_and_says_by_status)
{
	ck_assert_int_eq(run(". " GATES "/smoke-1k.yaml"), 11);
	assert_printed("P95                       100.0 ms     100.0 ms     ≤ 120 ms     met\n");
	assert_printed("violations                                          ≤ 0          not measured\n");
	assert_printed("CONDITIONAL: not measured: violations.");
	write_verified(0, 0, 0);
	ck_assert_int_eq(run(". " GATES "/smoke-1k.yaml"), 10);
	assert_printed("PROCEED: ");
	write_verified(0, 1, 0);
	ck_assert_int_eq(run(". " GATES "/smoke-1k.yaml"), 1);
	assert_printed("ROLLBACK: violations: 1, limit ≤ 0.");
	ck_assert_int_eq(run(". " GATES "/final-30k.yaml"), 1); /* far too short, and still something was lost */
	write_verified(0, 0, 0);
	ck_assert_int_eq(run(". " GATES "/final-30k.yaml"), 30);
	assert_printed("INVALID: ");
	ck_assert_int_eq(run(". missing.yaml"), 2);
	ck_assert_int_eq(run("missing/ " GATES "/final-30k.yaml"), 2);
	ck_assert_int_eq(run("."), 2);
}
END_TEST

START_TEST(test_command_leaves_what_it_takes_to_judge_again)
{
	write_text("loose.yaml", "gate: loose\ncriteria: { p95: 120ms, errors: 1% }\n");
	ck_assert_int_eq(run(". loose.yaml"), 0);
	assert_judged_again();
	json_t *left = run_read_json(folder, RUN_GATE, &error);
	ck_assert_msg(left != NULL, "%s", error.text);
	ck_assert_int_eq(run(". " RUN_GATE_FILE " --json"), 0);
	json_t *printed = json_loads(output.data, 0, NULL);
	ck_assert_ptr_nonnull(printed);
	ck_assert_str_eq(json_string_value(json_object_get(left, "file")), "loose.yaml");
	ck_assert_int_eq(json_object_del(left, "file"), 0);
	ck_assert_int_eq(json_object_del(printed, "file"), 0);
	ck_assert(json_equal(left, printed));
	ck_assert_str_eq(json_string_value(json_object_get(left, "outcome")), "PASS");
	json_decref(left);
	json_decref(printed);
}
END_TEST

START_TEST(test_command_leaves_a_sealed_directory_alone)
{
	write_text("loose.yaml", "gate: loose\ncriteria: { p95: 120ms }\n");
	write_text(RUN_MANIFEST, "");
	ck_assert_int_eq(run(". loose.yaml"), 0);
	assert_printed("gate.json is left as it is");
	json_t *left = run_read_json(folder, RUN_GATE, &error);
	ck_assert_ptr_null(left);
}
END_TEST

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static Suite *make_suite(void)
{
	case_count = scandir(CASES, &cases, is_case, alphasort);
	Suite *suite = suite_create("gate files");
	TCase *golden = tcase_create("golden");
	TCase *directory = tcase_create("run directory");
	tcase_add_test(golden, test_there_are_cases);
	tcase_add_loop_test(golden, test_broken_gate_file_is_refused_with_its_sentence, 0, case_count);
	tcase_add_test(golden, test_gates_that_are_shipped_are_read);
	tcase_add_checked_fixture(directory, set_up, tear_down);
	tcase_add_test(directory, test_facts_are_those_of_the_files);
	tcase_add_test(directory, test_stage_times_include_waiting);
	tcase_add_test(directory, test_request_without_a_trace_keeps_no_stage_limit);
	tcase_add_test(directory, test_errors_are_answers_that_are_wrong_for_their_kind);
	tcase_add_test(directory, test_without_its_input_a_run_says_its_own_sums);
	tcase_add_test(directory, test_input_that_was_not_sent_is_refused);
	tcase_add_test(directory, test_input_that_is_too_short_is_refused);
	tcase_add_test(directory, test_violations_are_added_up);
	tcase_add_test(directory, test_gauges_go_from_the_first_block_to_the_last);
	tcase_add_test(directory, test_growth_of_memory_is_certain_only_if_it_is_at_its_end);
	tcase_add_test(directory, test_reasons_against_the_generator_are_said);
	tcase_add_test(directory, test_last_arm_is_judged_and_the_comparison_is_its_baseline);
	tcase_add_test(directory, test_run_apart_is_a_weaker_baseline);
	tcase_add_test(directory, test_baseline_is_kept_for_who_judges_again);
	tcase_add_test(directory, test_trace_alone_is_refused);
	tcase_add_test(directory, test_command_prints_writes_and_says_by_status);
	tcase_add_test(directory, test_command_leaves_what_it_takes_to_judge_again);
	tcase_add_test(directory, test_command_leaves_a_sealed_directory_alone);
	suite_add_tcase(suite, golden);
	suite_add_tcase(suite, directory);
	return suite;
}

UNIT_SUITE(test_gate_files, make_suite)
