/* The verifier, on stores in memory: what is planted is found, each with its id, and nothing else. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "lab/judge/verify.h"
#include "lab/load/generate.h"
#include "support/scratch.h"
#include "support/unit.h"

#define PREFIX "a-"

enum { ROWS_MAX = 2048 };

/* What was sent, what came back, what is stored. */
static struct input input;
static struct trace_record records[ROWS_MAX];
static size_t record_count;
static struct sluice_record rows[ROWS_MAX];
static size_t row_count;
static struct verify_result result;

static struct sluice_bytes bytes(const char *text)
{
	return (struct sluice_bytes){text, text ? strlen(text) : 0};
}

static void set_up(void)
{
	input_init(&input);
	record_count = row_count = 0;
	result = (struct verify_result){0};
}

static void tear_down(void)
{
	verify_result_finish(&result);
	input_finish(&input);
}

/* A request of arm 0: its times in ms, its status. */
static void send(const char *id, const char *stream, const char *payload, int sent, int answered, int status)
{
	struct input_event *event = input_add(&input);
	event->message_id = bytes(id);
	event->event_type = bytes("t");
	event->stream = bytes(stream);
	event->body = bytes(payload);
	event->payload_size = event->body.size;
	struct trace_record *record = &records[record_count++];
	trace_record_init(record);
	record->input = (uint32_t)input.count - 1;
	record->intended_ns = sent * INT64_C(1000000);
	record->sent_ns = record->intended_ns;
	record->answered_ns = status ? answered * INT64_C(1000000) : -1;
	record->status = (uint16_t)status;
	record->tries = 1;
}

static struct sluice_record *store(const char *id, const char *stream, const char *payload)
{
	struct sluice_record *row = &rows[row_count++];
	*row = (struct sluice_record){.id = (int64_t)row_count,
	                              .message_id = bytes(id),
	                              .event_type = bytes("t"),
	                              .stream = bytes(stream),
	                              .payload = bytes(payload)};
	digest_record(row, row->digest);
	return row;
}

static bool scan(void *context, int64_t after_id, sluice_record_fn each, void *each_context, struct sluice_error *error)
{
	(void)context;
	(void)error;
	for (size_t i = 0; i < row_count; i++) {
		if (rows[i].id > after_id && !each(each_context, &rows[i]))
			break;
	}
	return true;
}

static void verify(void)
{
	struct audit_source source = {.scan = scan};
	struct verify_plan plan = {.input = &input, .records = records, .count = record_count, .id_prefix = PREFIX};
	struct sluice_error error = {0};
	ck_assert_msg(verify_store(&plan, &source, &result, &error), "%s", error.text);
	uint64_t sum = 0;
	for (int i = 0; i < VERIFY_VIOLATIONS; i++)
		sum += result.violations[i];
	ck_assert_uint_eq(result.violation_count, sum);
}

static void assert_clean(void)
{
	verify();
	ck_assert_msg(result.violation_count == 0, "%.*s: %s", (int)result.examples[0].message_id.size,
	              result.examples[0].message_id.data, result.examples[0].detail);
}

/* That the store has one fault, and which. */
static void assert_fault(enum verify_violation violation, const char *id, const char *detail)
{
	verify();
	ck_assert_uint_eq(result.violation_count, 1);
	ck_assert_uint_eq(result.violations[violation], 1);
	ck_assert_uint_eq(result.example_count, 1);
	const struct verify_example *example = &result.examples[0];
	ck_assert_int_eq(example->violation, violation);
	ck_assert_uint_eq(example->message_id.size, strlen(id));
	ck_assert_mem_eq(example->message_id.data, id, strlen(id));
	ck_assert_str_eq(example->detail, detail);
}

START_TEST(test_a_clean_run_has_no_violation)
{
	send("1", "s", "one", 0, 5, 202);
	send("2", "s", "two", 6, 9, 202);
	send("1", "s", "one", 7, 8, 200);
	send("2", "s", "other", 10, 12, 422);
	send("3", NULL, "three", 10, 12, 202);
	store("a-1", "s", "one");
	store("a-2", "s", "two");
	store("a-3", NULL, "three");
	assert_clean();
	ck_assert(result.answered == 3 && result.stored == 3 && result.unanswered == 0 && result.foreign == 0);
}
END_TEST

START_TEST(test_a_lost_event_is_found)
{
	send("1", "s", "one", 0, 5, 202);
	send("2", "s", "two", 6, 9, 202);
	store("a-2", "s", "two");
	assert_fault(VERIFY_LOST, "a-1", "answered 202, and not stored");
	ck_assert_mem_eq(result.examples[0].stream.data, "s", 2);
}
END_TEST

START_TEST(test_a_duplicate_of_nothing_is_lost)
{
	send("1", "s", "one", 0, 0, 0);
	send("1", "s", "one", 6, 9, 200);
	assert_fault(VERIFY_LOST, "a-1", "answered as a duplicate of what is stored, and not stored");
}
END_TEST

START_TEST(test_a_conflict_that_was_accepted_beside_its_original_is_lost)
{
	send("1", "s", "one", 0, 5, 202);
	send("1", "s", "other", 6, 9, 200);
	store("a-1", "s", "one");
	assert_fault(VERIFY_LOST, "a-1", "answered 200, and stored under its id is what another request sent");
}
END_TEST

START_TEST(test_a_doubled_event_is_found_once)
{
	send("1", "s", "one", 0, 5, 202);
	for (int i = 0; i < 3; i++)
		store("a-1", "s", "one");
	assert_fault(VERIFY_DOUBLED, "a-1", "two rows or more hold it");
	ck_assert_uint_eq(result.stored, 1);
}
END_TEST

START_TEST(test_an_altered_payload_is_found)
{
	send("1", "s", "one", 0, 5, 202);
	store("a-1", "s", "onE");
	assert_fault(VERIFY_ALTERED, "a-1", "not as sent: payload");
}
END_TEST

START_TEST(test_an_altered_event_type_stream_and_sequence_are_found)
{
	send("1", "s", "one", 0, 5, 202);
	struct sluice_record *row = store("a-1", NULL, "one");
	row->event_type = bytes("u");
	row->has_sequence = true;
	assert_fault(VERIFY_ALTERED, "a-1", "not as sent: event type, stream, sequence");
}
END_TEST

START_TEST(test_an_altered_sequence_is_found)
{
	send("1", "s", "one", 0, 5, 202);
	input.events[0].has_sequence = true;
	input.events[0].sequence = 7;
	struct sluice_record *row = store("a-1", "s", "one");
	row->has_sequence = true;
	row->sequence = 8;
	assert_fault(VERIFY_ALTERED, "a-1", "not as sent: sequence");
}
END_TEST

START_TEST(test_of_a_conflicting_pair_the_accepted_one_must_be_stored)
{
	send("1", "s", "one", 0, 5, 422);
	send("1", "s", "other", 1, 3, 202);
	store("a-1", "s", "other");
	assert_clean();
	row_count = 0;
	verify_result_finish(&result);
	store("a-1", "s", "one");
	assert_fault(VERIFY_ALTERED, "a-1", "not as sent: payload");
}
END_TEST

START_TEST(test_a_rewritten_payload_is_judged_by_the_stored_digest)
{
	send("1", "s", "{ \"a\": 1}", 0, 5, 202);
	struct sluice_record *row = store("a-1", "s", "{ \"a\": 1}");
	row->payload = bytes("{\"a\": 1}");
	row->payload_rewritten = true;
	assert_clean();
	verify_result_finish(&result);
	row->digest[0] ^= 1;
	assert_fault(VERIFY_ALTERED, "a-1", "not as sent: payload");
}
END_TEST

START_TEST(test_a_reordered_event_is_found)
{
	send("1", "s", "one", 0, 5, 202);
	send("2", "s", "two", 6, 9, 202);
	store("a-2", "s", "two");
	store("a-1", "s", "one");
	assert_fault(VERIFY_REORDERED, "a-1", "behind a-2, which was sent 1.000 ms after this one was answered");
}
END_TEST

START_TEST(test_events_that_overlap_may_stand_in_either_order)
{
	send("1", "s", "one", 0, 5, 202);
	send("2", "s", "two", 5, 9, 202);
	send("3", "s", "three", 4, 12, 202);
	store("a-3", "s", "three");
	store("a-2", "s", "two");
	store("a-1", "s", "one");
	assert_clean();
}
END_TEST

START_TEST(test_streams_and_events_of_no_stream_are_not_ordered_among_each_other)
{
	send("1", "s", "one", 0, 1, 202);
	send("2", "t", "two", 2, 3, 202);
	send("3", NULL, "three", 4, 5, 202);
	send("4", NULL, "four", 6, 7, 202);
	store("a-4", NULL, "four");
	store("a-3", NULL, "three");
	store("a-2", "t", "two");
	store("a-1", "s", "one");
	assert_clean();
}
END_TEST

/* The latest sending counts, however far ahead it stands. */
START_TEST(test_order_is_not_only_between_neighbours)
{
	send("1", "s", "one", 0, 1, 202);
	send("2", "s", "two", 2, 20, 202);
	send("3", "s", "three", 10, 30, 202);
	store("a-3", "s", "three");
	store("a-2", "s", "two");
	store("a-1", "s", "one");
	assert_fault(VERIFY_REORDERED, "a-1", "behind a-3, which was sent 9.000 ms after this one was answered");
}
END_TEST

START_TEST(test_an_answer_that_was_lost_is_no_violation)
{
	send("1", "s", "one", 0, 0, 0);
	send("2", "s", "two", 6, 9, 503);
	send("3", "s", "three", 10, 12, 202);
	store("a-2", "s", "two");
	store("a-3", "s", "three");
	store("a-1", "s", "one");
	assert_clean();
	ck_assert(result.answered == 1 && result.stored == 3 && result.unanswered == 2);
}
END_TEST

START_TEST(test_an_unanswered_event_must_still_be_as_it_was_sent)
{
	send("1", "s", "one", 0, 0, 0);
	send("1", "s", "other", 0, 0, 0);
	store("a-1", "s", "other");
	assert_clean();
	verify_result_finish(&result);
	row_count = 0;
	store("a-1", "s", "third");
	assert_fault(VERIFY_ALTERED, "a-1", "not as sent: payload");
}
END_TEST

/* The original was accepted unseen; that it is known at 20 does not say that it came after what was sent at 10. */
START_TEST(test_a_duplicate_known_later_may_have_come_first)
{
	send("1", "s", "one", 0, 0, 0);
	send("2", "s", "two", 5, 9, 202);
	send("1", "s", "one", 10, 20, 200);
	store("a-1", "s", "one");
	store("a-2", "s", "two");
	assert_clean();
}
END_TEST

START_TEST(test_a_retried_request_may_have_been_accepted_at_its_first_try)
{
	send("1", "s", "one", 0, 5, 202);
	send("2", "s", "two", 3, 9, 202);
	records[1].sent_ns = 6000000;
	store("a-2", "s", "two");
	store("a-1", "s", "one");
	assert_fault(VERIFY_REORDERED, "a-1", "behind a-2, which was sent 1.000 ms after this one was answered");
	verify_result_finish(&result);
	records[1].tries = 2;
	assert_clean();
}
END_TEST

START_TEST(test_rows_of_others_are_counted_and_no_violation)
{
	send("1", "s", "one", 0, 5, 202);
	store("a-1", "s", "one");
	store("b-1", "s", "x");
	store("1", "s", "x");
	store("a-2", "s", "x");
	store("a", NULL, "x");
	store(NULL, NULL, "x");
	assert_clean();
	ck_assert_uint_eq(result.foreign, 5);
}
END_TEST

START_TEST(test_requests_of_the_other_arm_are_passed_over)
{
	send("1", "s", "one", 0, 5, 202);
	send("2", "s", "two", 0, 5, 202);
	records[1].arm = 1;
	store("a-1", "s", "one");
	assert_clean();
	ck_assert_uint_eq(result.answered, 1);
}
END_TEST

START_TEST(test_a_second_202_is_counted_and_no_violation)
{
	send("1", "s", "one", 0, 5, 202);
	send("1", "s", "one", 6, 9, 202);
	store("a-1", "s", "one");
	assert_clean();
	ck_assert_uint_eq(result.accepted_twice, 1);
}
END_TEST

START_TEST(test_lines_that_nobody_knows_are_passed_over)
{
	send(NULL, NULL, "{", 0, 5, 400);
	assert_clean();
	ck_assert_uint_eq(result.answered, 0);
}
END_TEST

START_TEST(test_an_id_within_the_payload_has_the_prefix)
{
	send("id-1", "s", "{\"id\":\"id-1\"}", 0, 5, 202);
	input.events[0].id_at = 7;
	store("a-id-1", "s", "{\"id\":\"a-id-1\"}");
	assert_clean();
}
END_TEST

START_TEST(test_a_record_of_no_line_is_refused)
{
	send("1", "s", "one", 0, 5, 202);
	records[0].input = 1;
	struct audit_source source = {.scan = scan};
	struct verify_plan plan = {.input = &input, .records = records, .count = 1, .id_prefix = ""};
	struct sluice_error error = {0};
	ck_assert(!verify_store(&plan, &source, &result, &error));
	ck_assert_str_eq(error.text, "request 0 sent line 1 of an input that has 1");
}
END_TEST

/* A run of 2,000 generated lines, answered as they should be and stored in order. */
static void make_run(void)
{
	struct generate_recipe recipe = {.count = 2000,
	                                 .seed = 7,
	                                 .duplicates = 0.1,
	                                 .conflicts = 0.05,
	                                 .malformed = 0.05,
	                                 .streams = 10,
	                                 .sizes = {.min = 64, .max = 256}};
	static char ids[ROWS_MAX][40];
	ck_assert(generate_fill(&recipe, &input, NULL));
	static const uint16_t statuses[INPUT_KINDS] = {202, 200, 422, 401, 400};
	for (; record_count < input.count; record_count++) {
		const struct input_event *event = &input.events[record_count];
		struct trace_record *record = &records[record_count];
		trace_record_init(record);
		record->input = (uint32_t)record_count;
		record->sent_ns = 10 * (int64_t)record_count;
		record->answered_ns = record->sent_ns + 5;
		record->status = statuses[event->kind];
		if (event->kind != INPUT_NEW)
			continue;
		(void)snprintf(ids[row_count], sizeof(ids[0]), PREFIX "%s", event->message_id.data);
		struct sluice_record *row = store(ids[row_count], event->stream.data, NULL);
		row->event_type = event->event_type;
		row->payload = (struct sluice_bytes){event->body.data + event->payload_at, event->payload_size};
		row->has_sequence = true;
		row->sequence = event->sequence;
	}
}

START_TEST(test_in_a_generated_run_exactly_what_was_planted_is_found)
{
	make_run();
	assert_clean();
	ck_assert_uint_eq(result.answered, 1600);
	ck_assert_uint_eq(result.stored, 1600);
	verify_result_finish(&result);

	struct sluice_record *lost = &rows[100], *altered = &rows[200], *doubled = &rows[300], *moved = &rows[400];
	lost->message_id = bytes("other");
	altered->payload.size--;
	doubled->message_id = rows[299].message_id;
	rows[1599].message_id = bytes("a-nobody");
	struct sluice_record first = *moved;
	memmove(moved, moved + 1, 100 * sizeof(*moved));
	moved[100] = first;
	verify();
	ck_assert_uint_eq(result.violations[VERIFY_LOST], 3);
	ck_assert_uint_eq(result.violations[VERIFY_ALTERED], 1);
	ck_assert_uint_eq(result.violations[VERIFY_DOUBLED], 1);
	ck_assert_uint_eq(result.violations[VERIFY_REORDERED], 1);
	ck_assert_uint_eq(result.foreign, 2);
}
END_TEST

START_TEST(test_examples_are_bounded_and_violations_counted)
{
	static char ids[ROWS_MAX][16];
	for (size_t i = 0; i < 1500; i++) {
		(void)snprintf(ids[i], sizeof(ids[0]), "%zu", i);
		send(ids[i], NULL, "x", 0, 5, 202);
	}
	verify();
	ck_assert_uint_eq(result.violation_count, 1500);
	ck_assert_uint_eq(result.example_count, VERIFY_EXAMPLES_MAX);
}
END_TEST

START_TEST(test_each_arm_has_its_place_in_the_document)
{
	char folder[SCRATCH_SIZE];
	scratch_folder(folder);
	char *requests = run_file(folder, RUN_REQUESTS), *about = run_file(folder, RUN_ABOUT);
	json_t *empty = json_object();
	ck_assert(run_write_json(folder, RUN_ABOUT, empty, NULL));
	ck_assert(trace_close(trace_create(requests, TRACE_OF_SENDER, NULL, NULL), NULL));
	json_decref(empty);
	send("1", "s", "one", 0, 5, 202);
	verify();
	result.arm = 1;
	ck_assert(verify_save(folder, &result, NULL));
	result.arm = 0;
	ck_assert(verify_save(folder, &result, NULL));
	ck_assert(verify_save(folder, &result, NULL));
	json_t *document = run_read_json(folder, RUN_VERIFY, NULL);
	const json_t *arms = json_object_get(document, "arms");
	ck_assert_int_eq(json_integer_value(json_object_get(document, "violations")), 2);
	ck_assert_uint_eq(json_array_size(arms), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *arm = json_array_get(arms, i);
		ck_assert_int_eq(json_integer_value(json_object_get(arm, "arm")), (int)i);
		ck_assert_int_eq(json_integer_value(json_object_get(arm, "lost")), 1);
		const json_t *example = json_array_get(json_object_get(arm, "examples"), 0);
		ck_assert_str_eq(json_string_value(json_object_get(example, "kind")), "lost");
		ck_assert_str_eq(json_string_value(json_object_get(example, "message_id")), "a-1");
		ck_assert_str_eq(json_string_value(json_object_get(example, "stream")), "s");
	}
	json_decref(document);
	char *path = run_file(folder, RUN_VERIFY);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unlink(about), 0);
	ck_assert_int_eq(unlink(requests), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	free(path);
	free(about);
	free(requests);
}
END_TEST

static void check_input(const char *sha256, const char *path, const char *sentence)
{
	struct run run = {.path = "/nowhere"};
	struct sluice_error error = {0};
	run.about = json_pack("{s:{s:s}}", "input", "sha256", sha256);
	input_empty(&input);
	bool good = verify_read_input(&run, path, &input, &error);
	ck_assert_msg(good == !sentence, "%s", error.text);
	if (sentence)
		ck_assert_ptr_nonnull(strstr(error.text, sentence));
	json_decref(run.about);
}

START_TEST(test_the_input_must_be_what_was_sent)
{
	char path[SCRATCH_SIZE];
	int fd = scratch_file(path);
	ck_assert_int_eq(write(fd, "{\"body\":\"\"}\n", 12), 12);
	(void)close(fd);
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char sha256[DIGEST_HEX_SIZE];
	ck_assert(digest_file(path, digest, NULL));
	digest_hex(digest, sha256);
	check_input(sha256, path, NULL);
	check_input("00", path, "not what the run sent");
	check_input(sha256, NULL, "/nowhere/input.jsonl: the run has not kept its input: expected --input FILE");
	(void)unlink(path);
}
END_TEST

START_TEST(test_of_two_arms_one_must_be_named)
{
	struct run run = {.path = "run", .records = records, .count = 3};
	struct verify_plan plan;
	struct sluice_error error = {0};
	run.about = json_pack("{s:[{s:s},{s:s}]}", "arms", "id_prefix", "a-", "id_prefix", "b-");
	ck_assert(!verify_plan_init(&plan, &run, -1, &input, &error));
	ck_assert_str_eq(error.text, "run: the run has 2 arms: expected --arm a or --arm b");
	ck_assert(verify_plan_init(&plan, &run, 1, &input, NULL));
	ck_assert(plan.arm == 1 && plan.count == 3);
	ck_assert_str_eq(plan.id_prefix, "b-");
	json_decref(run.about);
	run.about = json_pack("{s:[{s:s}]}", "arms", "id_prefix", "");
	ck_assert(verify_plan_init(&plan, &run, -1, &input, NULL));
	ck_assert_str_eq(plan.id_prefix, "");
	error = (struct sluice_error){0};
	ck_assert(!verify_plan_init(&plan, &run, 1, &input, &error));
	ck_assert_str_eq(error.text, "run/run.json: arms[1].id_prefix: expected a text");
	json_decref(run.about);
}
END_TEST

static Suite *make_suite(void)
{
	TCase *cases = tcase_create("verify");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, test_a_clean_run_has_no_violation);
	tcase_add_test(cases, test_a_lost_event_is_found);
	tcase_add_test(cases, test_a_duplicate_of_nothing_is_lost);
	tcase_add_test(cases, test_a_conflict_that_was_accepted_beside_its_original_is_lost);
	tcase_add_test(cases, test_a_doubled_event_is_found_once);
	tcase_add_test(cases, test_an_altered_payload_is_found);
	tcase_add_test(cases, test_an_altered_event_type_stream_and_sequence_are_found);
	tcase_add_test(cases, test_an_altered_sequence_is_found);
	tcase_add_test(cases, test_of_a_conflicting_pair_the_accepted_one_must_be_stored);
	tcase_add_test(cases, test_a_rewritten_payload_is_judged_by_the_stored_digest);
	tcase_add_test(cases, test_a_reordered_event_is_found);
	tcase_add_test(cases, test_events_that_overlap_may_stand_in_either_order);
	tcase_add_test(cases, test_streams_and_events_of_no_stream_are_not_ordered_among_each_other);
	tcase_add_test(cases, test_order_is_not_only_between_neighbours);
	tcase_add_test(cases, test_an_answer_that_was_lost_is_no_violation);
	tcase_add_test(cases, test_an_unanswered_event_must_still_be_as_it_was_sent);
	tcase_add_test(cases, test_a_duplicate_known_later_may_have_come_first);
	tcase_add_test(cases, test_a_retried_request_may_have_been_accepted_at_its_first_try);
	tcase_add_test(cases, test_rows_of_others_are_counted_and_no_violation);
	tcase_add_test(cases, test_requests_of_the_other_arm_are_passed_over);
	tcase_add_test(cases, test_a_second_202_is_counted_and_no_violation);
	tcase_add_test(cases, test_lines_that_nobody_knows_are_passed_over);
	tcase_add_test(cases, test_an_id_within_the_payload_has_the_prefix);
	tcase_add_test(cases, test_a_record_of_no_line_is_refused);
	tcase_add_test(cases, test_in_a_generated_run_exactly_what_was_planted_is_found);
	tcase_add_test(cases, test_examples_are_bounded_and_violations_counted);
	tcase_add_test(cases, test_each_arm_has_its_place_in_the_document);
	tcase_add_test(cases, test_the_input_must_be_what_was_sent);
	tcase_add_test(cases, test_of_two_arms_one_must_be_named);
	Suite *suite = suite_create("verify");
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_verify, make_suite)
