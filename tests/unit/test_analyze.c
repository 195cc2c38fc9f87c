/*
 * Analysis and recommendation, on runs whose right answer is known because they were built that way.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "lab/judge/analyze.h"
#include "lab/report/breakdown.h"
#include "lab/report/recommend.h"
#include "lab/report/tried.h"
#include "lab/run/run.h"
#include "support/scratch.h"
#include "support/unit.h"

#define MS INT64_C(1000000)

enum { REQUESTS = 1000, TAIL = 50 };

static struct trace_record records[REQUESTS];
static struct analyze_result result;

static const struct trace_names names[SLUICE_KIND_SLOTS] = {
	[SLUICE_KIND_PERSIST] = {.use = "postgres", .spans = {"pool_wait", "execute", "commit"}},
};

/* What each part takes. */
struct shape {
	int64_t unsent, inbound, auth, parse, idempotency, parked, queue, persist, respond, outbound;
	int64_t pool_wait, execute, commit; /* of persist */
	uint32_t batch_size;
};

static const struct shape plain = {.auth = 1 * MS,
                                   .parse = 1 * MS,
                                   .idempotency = 1 * MS,
                                   .queue = 1 * MS,
                                   .persist = 5 * MS,
                                   .respond = 1 * MS,
                                   .pool_wait = MS / 10,
                                   .execute = 2 * MS,
                                   .commit = 2 * MS,
                                   .batch_size = 1};

static struct trace_record server_record(const struct shape *shape, int64_t start_ns)
{
	struct trace_record record;
	trace_record_init(&record);
	record.intended_ns = record.sent_ns = start_ns;
	record.answered_ns = start_ns + shape->auth + shape->parse + shape->idempotency + shape->parked + shape->queue +
	                     shape->persist + shape->respond;
	record.status = 202;
	record.batch_size = shape->batch_size;
	record.respond_ns = shape->respond;
	record.stages[SLUICE_KIND_AUTH].work_ns = shape->auth;
	record.stages[SLUICE_KIND_PARSE].work_ns = shape->parse;
	record.stages[SLUICE_KIND_IDEMPOTENCY].work_ns = shape->idempotency;
	record.stages[SLUICE_KIND_IDEMPOTENCY].parked_ns = shape->parked;
	record.stages[SLUICE_KIND_QUEUE] = (struct trace_stage){0, shape->queue, 0, {0}};
	record.stages[SLUICE_KIND_PERSIST] = (struct trace_stage){
		shape->persist, 0, 0, {shape->pool_wait, shape->execute, shape->commit, 0}};
	return record;
}

static struct trace_record sender_record(const struct shape *shape, uint32_t input, int64_t intended_ns)
{
	struct trace_record record = server_record(shape, intended_ns);
	int64_t server_ns = record.answered_ns - intended_ns;
	record.input = input;
	record.tries = 1;
	record.sent_ns = intended_ns + shape->unsent;
	record.received_ns = record.sent_ns + shape->inbound;
	record.replied_ns = record.received_ns + server_ns;
	record.answered_ns = record.replied_ns + shape->outbound;
	return record;
}

/* All alike, but for every twentieth, of which the given shape is. */
static void build(const struct shape *body, const struct shape *tail)
{
	for (size_t i = 0; i < REQUESTS; i++)
		records[i] = server_record(i % 20 == 7 ? tail : body, (int64_t)i * MS);
}

static void analyze(void)
{
	analyze_records(records, REQUESTS, names, &result);
}

static void assert_near(double got, double expected)
{
	ck_assert_msg(got > expected - 1e-9 && got < expected + 1e-9, "got %.12f, expected %.12f", got, expected);
}

START_TEST(test_planted_hotspot_is_found_with_its_shares)
{
	struct shape slow = plain;
	slow.persist = 95 * MS;
	build(&plain, &slow);
	analyze();
	const struct analyze_row *persist = &result.parts[PART_PERSIST];
	ck_assert_uint_eq(result.tail_count, TAIL);
	ck_assert_int_eq(result.tail_from_ns, 100 * MS);
	ck_assert_int_eq(result.hotspot, PART_PERSIST);
	assert_near(persist->tail_share, 0.95);
	assert_near(persist->server_share, 0.95);
	assert_near(persist->excess_share, 1);
	assert_near(persist->dominant, 1);
	ck_assert_int_eq(persist->p50_ns, 5 * MS);
	ck_assert_int_eq(persist->p95_ns, 5 * MS);
	ck_assert_int_eq(persist->p99_ns, 95 * MS);
	ck_assert_int_eq(persist->max_ns, 95 * MS);
	ck_assert_int_eq(persist->tail_mean_ns, 95 * MS);
	ck_assert_int_eq(persist->body_mean_ns, 5 * MS);
	assert_near(result.parts[PART_AUTH].tail_share, 0.01);
	assert_near(result.parts[PART_AUTH].excess_share, 0);
}
END_TEST

START_TEST(test_hotspot_is_judged_by_the_tail_and_not_by_the_median)
{
	struct shape slow = plain;
	slow.queue = 50 * MS;
	build(&plain, &slow); /* persist has the largest median, and takes no longer in the tail */
	analyze();
	ck_assert_int_eq(result.hotspot, PART_QUEUE);
	assert_near(result.parts[PART_QUEUE].excess_share, 1);
	assert_near(result.parts[PART_PERSIST].excess_share, 0);
}
END_TEST

START_TEST(test_shares_of_all_parts_are_the_whole)
{
	struct shape slow = plain;
	slow.persist = 40 * MS;
	slow.queue = 17 * MS;
	slow.parked = 3 * MS;
	slow.auth = MS / 2; /* less than in the body: its excess is below zero */
	build(&plain, &slow);
	analyze();
	double tail = 0, excess = 0, dominant = 0;
	for (int i = 0; i < PARTS; i++) {
		tail += result.parts[i].tail_share;
		excess += result.parts[i].excess_share;
		dominant += result.parts[i].dominant;
	}
	assert_near(tail, 1);
	assert_near(excess, 1);
	assert_near(dominant, 1);
	ck_assert(result.parts[PART_AUTH].excess_share < 0);
	ck_assert_uint_eq(result.parts[PART_PARKED].count, TAIL);
}
END_TEST

START_TEST(test_ceiling_is_the_p95_without_what_lies_above_the_median)
{
	/* A tenth is slow: the P95 is 110 ms, of which 90 ms are persist's and 10 ms the queue's beyond their medians.
	 */
	struct shape slow = plain;
	slow.persist = 95 * MS;
	slow.queue = 11 * MS;
	for (size_t i = 0; i < REQUESTS; i++)
		records[i] = server_record(i % 10 == 3 ? &slow : &plain, (int64_t)i * MS);
	analyze();
	ck_assert_int_eq(result.total.p95_ns, 110 * MS);
	ck_assert_int_eq(result.parts[PART_PERSIST].ceiling_ns, 20 * MS);
	ck_assert_int_eq(result.parts[PART_QUEUE].ceiling_ns, 100 * MS);
	ck_assert_int_eq(result.parts[PART_AUTH].ceiling_ns, 110 * MS);
}
END_TEST

START_TEST(test_dominance_counts_requests_and_not_their_time)
{
	struct shape much = plain, little = plain;
	much.persist = 500 * MS;
	little.queue = 50 * MS;
	build(&plain, &little);
	for (size_t i = 0; i < REQUESTS; i += 100)
		records[i + 7] = server_record(&much, (int64_t)(i + 7) * MS);
	analyze();
	assert_near(result.parts[PART_PERSIST].dominant, 0.2);
	assert_near(result.parts[PART_QUEUE].dominant, 0.8);
	ck_assert_int_eq(result.hotspot, PART_PERSIST);
}
END_TEST

START_TEST(test_parts_of_a_joined_request_are_its_whole_time)
{
	struct shape shape = plain;
	shape.unsent = 30 * MS;
	shape.inbound = 2 * MS;
	shape.outbound = 3 * MS;
	for (uint32_t i = 0; i < REQUESTS; i++)
		records[i] = sender_record(&shape, i, (int64_t)i * MS);
	analyze();
	ck_assert(result.of_sender);
	ck_assert_int_eq(result.total.p95_ns, 45 * MS);
	ck_assert_int_eq(result.raw.p95_ns, 15 * MS);
	ck_assert_int_eq(result.parts[PART_UNSENT].p50_ns, 30 * MS);
	ck_assert_int_eq(result.parts[PART_INBOUND].p50_ns, 2 * MS);
	ck_assert_int_eq(result.parts[PART_OUTBOUND].p50_ns, 3 * MS);
	ck_assert_uint_eq(result.parts[PART_REST].count, 0);
	/* What the sender waited is no stage: the hotspot and the conditions are the server's. */
	ck_assert_int_eq(result.hotspot, PART_PERSIST);
	assert_near(result.parts[PART_PERSIST].server_share, 0.5);
	assert_near(result.parts[PART_UNSENT].server_share, 0);
}
END_TEST

START_TEST(test_without_the_servers_trace_the_rest_is_not_accounted_for)
{
	for (uint32_t i = 0; i < REQUESTS; i++) {
		trace_record_init(&records[i]);
		records[i].input = i;
		records[i].intended_ns = 0;
		records[i].sent_ns = 1 * MS;
		records[i].answered_ns = 9 * MS;
	}
	analyze();
	ck_assert(!result.has_stages);
	ck_assert_int_eq(result.hotspot, -1);
	ck_assert_int_eq(result.parts[PART_REST].p50_ns, 8 * MS);
}
END_TEST

START_TEST(test_answer_of_a_durable_queue_is_the_queues_time)
{
	struct trace_record record = server_record(&plain, 0);
	record.stages[SLUICE_KIND_PERSIST].work_ns = -1;
	record.stages[SLUICE_KIND_QUEUE].wait_ns = 0;
	struct parts parts;
	ck_assert_int_eq(parts_of(&record, &parts), PARTS_KNOWN);
	ck_assert_int_eq(parts.ns[PART_QUEUE], 6 * MS);
	ck_assert_int_eq(parts.ns[PART_REST], -1);
}
END_TEST

START_TEST(test_steps_follow_each_other_and_end_with_the_answer)
{
	struct shape shape = plain;
	shape.unsent = 4 * MS;
	shape.inbound = MS;
	struct trace_record record = sender_record(&shape, 0, 100 * MS);
	struct parts parts;
	struct part_step steps[PARTS];
	ck_assert_int_eq(parts_of(&record, &parts), PARTS_KNOWN);
	size_t count = parts_steps(&parts, steps);
	int64_t at_ns = 0;
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(steps[i].start_ns, at_ns);
		at_ns += steps[i].took_ns;
	}
	ck_assert_int_eq(at_ns, parts.total_ns);
	ck_assert_int_eq(steps[0].part, PART_UNSENT);
}
END_TEST

START_TEST(test_requests_without_a_time_are_counted_and_left_out)
{
	build(&plain, &plain);
	records[0].answered_ns = -1;
	trace_record_init(&records[1]);
	records[1].answered_ns = records[1].intended_ns = 5 * MS; /* refused by the server */
	records[1].status = 503;
	analyze();
	ck_assert_uint_eq(result.requests, REQUESTS);
	ck_assert_uint_eq(result.answered, REQUESTS - 2);
	ck_assert_uint_eq(result.unanswered, 1);
	ck_assert_uint_eq(result.refused, 1);
	ck_assert_uint_eq(result.good, REQUESTS - 2);
	ck_assert_int_eq(result.total.p50_ns, 10 * MS);
}
END_TEST

START_TEST(test_persist_is_split_into_its_spans)
{
	struct shape slow = plain;
	slow.persist = 104 * MS;
	slow.pool_wait = 80 * MS;
	slow.execute = 10 * MS;
	slow.commit = 10 * MS;
	build(&plain, &slow);
	analyze();
	const struct analyze_row *pool_wait = analyze_find_span(&result, "pool_wait");
	ck_assert_ptr_nonnull(pool_wait);
	ck_assert_int_eq(pool_wait->max_ns, 80 * MS);
	assert_near(pool_wait->tail_share, 80.0 / 109.0);
	ck_assert_ptr_nonnull(analyze_find_span(&result, "commit"));
	ck_assert_ptr_null(analyze_find_span(&result, "span 4"));
	ck_assert_str_eq(analyze_span_name(&result, ANALYZE_SPANS - 1), "other");
	ck_assert_int_eq(result.spans[ANALYZE_SPANS - 1].max_ns, 4 * MS);
}
END_TEST

START_TEST(test_what_a_stage_works_of_its_time_is_told_from_what_it_waits)
{
	struct shape slow = plain;
	struct buffer text = {0};
	slow.persist = 104 * MS;
	build(&plain, &slow);
	analyze();
	ck_assert_uint_eq(result.cpu[PART_PERSIST].count, 0);
	breakdown_write_text(&result, &text);
	ck_assert_ptr_null(strstr(text.data, "processor"));
	for (size_t i = 0; i < REQUESTS; i++) {
		records[i].cpu_ns[SLUICE_KIND_AUTH] = MS;
		records[i].cpu_ns[SLUICE_KIND_PERSIST] = i % 20 == 7 ? 26 * MS : 4 * MS;
	}
	analyze();
	const struct analyze_cpu *persist = &result.cpu[PART_PERSIST];
	ck_assert_uint_eq(persist->count, REQUESTS);
	assert_near(persist->tail_work_ns / MS, 104);
	assert_near(persist->tail_cpu_ns / MS, 26);
	assert_near(persist->body_work_ns / MS, 5);
	assert_near(persist->body_cpu_ns / MS, 4);
	ck_assert_uint_eq(result.cpu[PART_PARSE].count, 0);
	buffer_empty(&text);
	breakdown_write_text(&result, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "  80.0 %      104.0       26.0   25.0 %\n"));
	buffer_finish(&text);
}
END_TEST

START_TEST(test_growth_is_seen_only_beyond_what_scatters)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		struct shape shape = plain;
		shape.execute = MS + (int64_t)i * MS / 500 + (int64_t)(i * 7919 % 100) * MS / 1000;
		records[i] = server_record(&shape, (int64_t)i * MS);
	}
	analyze();
	ck_assert(result.persist_growth.known);
	ck_assert(result.persist_growth.growth > 0.9);
	ck_assert(result.persist_growth.growth < 1.1);
	for (size_t i = 0; i < REQUESTS; i++) {
		struct shape shape = plain;
		shape.execute = MS + (int64_t)(i * 7919 % 100) * MS / 10;
		records[i] = server_record(&shape, (int64_t)i * MS);
	}
	analyze();
	assert_near(result.persist_growth.growth, 0);
	analyze_records(records, 9, names, &result);
	ck_assert(!result.persist_growth.known);
}
END_TEST

START_TEST(test_an_empty_run_and_one_request_are_no_trouble)
{
	struct buffer text = {0};
	analyze_records(NULL, 0, NULL, &result);
	ck_assert_uint_eq(result.answered, 0);
	breakdown_write_text(&result, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "nothing to analyze"));
	buffer_finish(&text);
	json_decref(breakdown_to_json(&result));
	build(&plain, &plain);
	analyze_records(records, 1, names, &result);
	ck_assert_uint_eq(result.tail_count, 1);
	ck_assert_int_eq(result.total.p95_ns, 10 * MS);
	assert_near(result.parts[PART_PERSIST].tail_share, 0.5);
}
END_TEST

START_TEST(test_block_begins_with_the_line_people_know_and_marks_one_hotspot)
{
	struct buffer text = {0};
	struct shape slow = plain;
	slow.persist = 95 * MS;
	build(&plain, &slow);
	analyze();
	breakdown_write_text(&result, &text);
	ck_assert_int_eq(strncmp(text.data, "LATENCY BREAKDOWN (P95)\n", 24), 0);
	const char *mark = strstr(text.data, "← HOTSPOT");
	ck_assert_ptr_nonnull(mark);
	ck_assert_ptr_null(strstr(mark + 1, "← HOTSPOT"));
	ck_assert_ptr_nonnull(strstr(text.data, "  persist                    5.00 ms   95.0 %  ← HOTSPOT\n"));
	ck_assert_ptr_nonnull(strstr(text.data, "pool_wait"));
	buffer_finish(&text);
}
END_TEST

START_TEST(test_json_has_what_the_table_has)
{
	struct shape slow = plain;
	slow.persist = 95 * MS;
	build(&plain, &slow);
	analyze();
	json_t *document = breakdown_to_json(&result);
	ck_assert_ptr_nonnull(document);
	ck_assert_str_eq(json_string_value(json_object_get(document, "hotspot")), "persist");
	size_t i;
	json_t *part;
	bool found = false;
	json_array_foreach (json_object_get(document, "parts"), i, part) {
		if (strcmp(json_string_value(json_object_get(part, "name")), "persist") != 0)
			continue;
		found = true;
		assert_near(json_real_value(json_object_get(part, "p99_ms")), 95);
		assert_near(json_real_value(json_object_get(part, "tail_share")), 0.95);
		assert_near(json_real_value(json_object_get(part, "dominant")), 1);
		ck_assert_str_eq(json_string_value(json_object_get(part, "kind")), "work");
	}
	ck_assert(found);
	ck_assert_uint_eq(json_array_size(json_object_get(document, "spans")), 4);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_array_get(json_object_get(document, "parts"), 3), "kind")),
		"wait"); /* the queue */
	json_decref(document);
}
END_TEST

/* Recommendations: what is built, and what must be said first; NULL: nothing. */

static void change_nothing(struct shape *body, struct shape *tail)
{
	body->parse = tail->parse = MS / 2;
	body->persist = tail->persist = 4 * MS; /* under half */
}

static void slow_store(struct shape *body, struct shape *tail)
{
	(void)body;
	tail->persist = 95 * MS;
	tail->execute = 90 * MS;
}

static void slow_store_in_batches(struct shape *body, struct shape *tail)
{
	slow_store(body, tail);
	body->batch_size = 3;
	tail->batch_size = 64;
}

static void slow_store_in_batches_of_all_sizes(struct shape *body, struct shape *tail)
{
	slow_store(body, tail);
	body->batch_size = 64;
	tail->batch_size = 32;
}

static void pool_wait_beside_a_long_queue(struct shape *body, struct shape *tail)
{
	(void)body;
	tail->queue = 60 * MS;
	tail->persist = 25 * MS;
	tail->pool_wait = 20 * MS;
}

static void slow_parser(struct shape *body, struct shape *tail)
{
	change_nothing(body, tail);
	tail->parse = 10 * MS;
}

static const struct {
	void (*change)(struct shape *body, struct shape *tail);
	const char *first, *overlay;
} advices[] = {
	{change_nothing, NULL, NULL},
	{slow_store, "unbatched_store", "batched-writes"},
	{slow_store_in_batches, "full_batches", "batched-writes"},
	{slow_store_in_batches_of_all_sizes, NULL, NULL},
	{pool_wait_beside_a_long_queue, "pool_wait", "pool-tuning"},
	{slow_parser, "parse", "lazy"},
};

static const char pipeline[] = "pipeline: x\n"
			       "optimizations:\n"
			       "  durable: {about: \"of its own\", stages: {persist: {durability: relaxed}}}\n"
			       "  other-store: {about: \"another store\", stages: {persist: {use: other}}}\n"
			       "  batched-writes:\n"
			       "    about: \"as one transaction\"\n"
			       "    treats: [unbatched_store, full_batches]\n"
			       "    stages: {persist: {use: postgres_batch, max_batch: 256}}\n"
			       "  pool-tuning: {treats: pool_wait, stages: {persist: {pool: {max: 50}}}}\n"
			       "  lazy: {about: \"reads what it needs\", treats: parse, stages: {parse: {use: lazy}}}\n"
			       "  btrees: {treats: statement_growth, stages: {persist: {keys: few}}}\n"
			       "  workers: {treats: queue_growth, stages: {queue: {workers: 20}}}\n";

static struct arena arena;
static const struct yaml_node *overlays;

static const struct yaml_node *read_text(const char *text)
{
	const struct yaml_node *top = yaml_read_text("x.yaml", text, strlen(text), &arena, NULL);
	return yaml_get(top, "optimizations");
}

static void read_overlays(void)
{
	arena_init(&arena, 4096, NULL);
	overlays = read_text(pipeline);
	ck_assert_ptr_nonnull(overlays);
}

static void free_overlays(void)
{
	arena_finish(&arena);
}

START_TEST(test_condition_that_holds_names_the_overlay_to_try)
{
	struct shape body = plain, tail = plain;
	struct recommendation list[RECOMMEND_MAX];
	advices[_i].change(&body, &tail);
	build(&body, &tail);
	analyze();
	size_t count = recommend(&result, overlays, NULL, list);
	if (!advices[_i].first) {
		ck_assert_uint_eq(count, 0);
		return;
	}
	ck_assert_uint_ge(count, 1);
	ck_assert_str_eq(list[0].name, advices[_i].first);
	ck_assert_ptr_eq(list[0].already, NULL);
	if (advices[_i].overlay)
		ck_assert_str_eq(list[0].overlay, advices[_i].overlay);
	else
		ck_assert_ptr_null(list[0].overlay);
}
END_TEST

START_TEST(test_what_may_gain_most_comes_first)
{
	struct shape tail = plain;
	struct recommendation list[RECOMMEND_MAX];
	tail.persist = 100 * MS;
	tail.pool_wait = 80 * MS;
	build(&plain, &tail);
	analyze();
	size_t count = recommend(&result, overlays, NULL, list);
	ck_assert_uint_eq(count, 2); /* the database is slow, so who waits for a connection waits for it, too */
	ck_assert_str_eq(list[0].name, "unbatched_store");
	ck_assert_str_eq(list[1].name, "pool_wait");
	ck_assert(list[0].gain > list[1].gain);
}
END_TEST

START_TEST(test_growth_points_to_indexes_and_to_workers)
{
	struct recommendation list[RECOMMEND_MAX];
	for (size_t i = 0; i < REQUESTS; i++) {
		struct shape shape = plain;
		shape.execute = MS + (int64_t)i * MS / 1000;
		shape.queue = 2 * MS + (int64_t)i * MS;
		records[i] = server_record(&shape, (int64_t)i * MS);
	}
	analyze();
	ck_assert_uint_eq(recommend(&result, overlays, NULL, list), 2);
	ck_assert_str_eq(list[0].name, "queue_growth");
	ck_assert_str_eq(list[0].overlay, "workers");
	ck_assert_str_eq(list[1].name, "statement_growth");
	ck_assert_str_eq(list[1].overlay, "btrees");
}
END_TEST

START_TEST(test_connections_that_are_not_kept_point_to_keep_alive)
{
	struct recommendation list[RECOMMEND_MAX];
	build(&plain, &plain);
	for (size_t i = 0; i < REQUESTS; i++)
		records[i].connected = i % 4 != 0;
	analyze();
	ck_assert_double_eq_tol(result.connected, 0.75, 1e-9);
	ck_assert_uint_eq(recommend(&result, overlays, NULL, list), 1);
	ck_assert_str_eq(list[0].name, "new_connections");
}
END_TEST

START_TEST(test_overlay_that_was_on_is_not_recommended)
{
	struct shape tail = plain;
	struct recommendation list[RECOMMEND_MAX];
	json_t *enabled = json_pack("[s, s]", "batched-writes", "lazy");
	tail.persist = 95 * MS;
	build(&plain, &tail);
	analyze();
	ck_assert_uint_eq(recommend(&result, overlays, enabled, list), 1);
	ck_assert_ptr_null(list[0].overlay);
	ck_assert_str_eq(list[0].already, "batched-writes");
	json_decref(enabled);
}
END_TEST

/* The pipelines that come with Sluice, condition by condition. */
static const struct {
	const char *file, *condition, *overlay;
} shipped[] = {
	{"pipelines/postgres.yaml", "pool_wait", "pool-tuning"},
	{"pipelines/postgres.yaml", "queue_growth", "workers"},
	{"pipelines/postgres.yaml", "new_connections", "keep-alive"},
	{"pipelines/postgres.yaml", "unbatched_store", "batched-writes"},
	{"pipelines/postgres.yaml", "parse", "buffer-pool"},
	{"pipelines/standard-webhooks.yaml", "parse", NULL},
	{"benchmarks/scenarios/gate-a-pipeline.yaml", "pool_wait", "pool-tuning"},
	{"benchmarks/scenarios/gate-a-pipeline.yaml", "queue_growth", "workers"},
	{"benchmarks/scenarios/gate-a-pipeline.yaml", "new_connections", "keep-alive"},
	{"benchmarks/scenarios/gate-a-pipeline.yaml", "unbatched_store", "batched-writes"},
	{"benchmarks/scenarios/far-db-pipeline.yaml", "pool_wait", "workers"},
	{"benchmarks/scenarios/far-db-pipeline.yaml", "queue_growth", "workers"},
	{"benchmarks/scenarios/far-db-pipeline.yaml", "new_connections", "keep-alive"},
};

/* A run in which every condition of the shipped pipelines holds. */
static size_t recommend_to_slow_run(const struct yaml_node *of, struct recommendation list[RECOMMEND_MAX])
{
	for (size_t i = 0; i < REQUESTS; i++) {
		struct shape shape = plain;
		shape.queue = 2 * MS + (int64_t)i * MS / 10;
		shape.parse = 60 * MS;
		shape.persist = 300 * MS;
		shape.pool_wait = 100 * MS;
		records[i] = server_record(&shape, (int64_t)i * MS);
		records[i].connected = true;
	}
	analyze();
	return recommend(&result, of, NULL, list);
}

START_TEST(test_shipped_pipelines_name_their_overlays)
{
	struct recommendation list[RECOMMEND_MAX];
	const struct yaml_node *of;
	struct sluice_error error = {0};
	char path[512];
	(void)snprintf(path, sizeof(path), TEST_SOURCE_DIR "/%s", shipped[_i].file);
	ck_assert_msg(recommend_read_overlays(path, &arena, &of, &error), "%s", error.text);
	size_t count = recommend_to_slow_run(of, list), i = 0;
	while (i < count && strcmp(list[i].name, shipped[_i].condition) != 0)
		i++;
	ck_assert_msg(i < count, "%s does not hold", shipped[_i].condition);
	if (shipped[_i].overlay) {
		ck_assert_ptr_nonnull(list[i].overlay);
		ck_assert_str_eq(list[i].overlay, shipped[_i].overlay);
	} else {
		ck_assert_ptr_null(list[i].overlay);
	}
}
END_TEST

START_TEST(test_overlay_may_treat_a_part_or_a_span_of_its_own)
{
	struct recommendation list[RECOMMEND_MAX];
	const struct yaml_node *own = read_text(
		"optimizations:\n"
		"  quick: {treats: [auth, parse, persist.nothing], about: \"fewer keys\"}\n"
		"  sharp: {treats: persist.execute}\n");
	struct shape tail = plain;
	tail.auth = 60 * MS;
	build(&plain, &tail);
	analyze();
	ck_assert_uint_eq(recommend(&result, NULL, NULL, list), 0);
	ck_assert_uint_eq(recommend(&result, own, NULL, list), 1);
	ck_assert_str_eq(list[0].name, "auth");
	ck_assert_str_eq(list[0].overlay, "quick");
	ck_assert_str_eq(list[0].advice, "fewer keys");
	tail = plain;
	tail.persist = 60 * MS;
	tail.execute = 50 * MS;
	build(&plain, &tail);
	analyze();
	ck_assert_uint_eq(recommend(&result, own, NULL, list), 2);
	ck_assert_str_eq(list[0].name, "unbatched_store");
	ck_assert_str_eq(list[1].name, "persist.execute");
	ck_assert_str_eq(list[1].overlay, "sharp");
}
END_TEST

START_TEST(test_unknown_condition_is_refused_where_it_stands)
{
	static const struct {
		const char *treats, *says;
	} rows[] = {
		{"pool_wiat",
	         "4:13: optimizations.a: treats: unknown condition \"pool_wiat\"; did you mean \"pool_wait\"?"},
		{"weather", "unknown condition \"weather\"; expected one of: unbatched_store, pool_wait, "},
		{"[parse, {}]", "4:21: optimizations.a: treats: expected the name of a condition, got a map"},
		{"outbound", "unknown condition \"outbound\""}, /* not the server's */
		{"persist.", "unknown condition \"persist.\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[SCRATCH_SIZE];
		int fd = scratch_file(path);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_gt(dprintf(fd, "pipeline: p\noptimizations:\n  a:\n    treats: %s\n", rows[i].treats), 0);
		ck_assert_int_eq(close(fd), 0);
		const struct yaml_node *of;
		struct sluice_error error = {0};
		ck_assert(!recommend_read_overlays(path, &arena, &of, &error));
		ck_assert_msg(strstr(error.text, rows[i].says) != NULL, "%s", error.text);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

START_TEST(test_that_no_stage_stands_out_is_said)
{
	struct buffer text = {0};
	struct shape body = plain, tail = plain;
	change_nothing(&body, &tail);
	build(&body, &tail);
	analyze();
	recommend_write_text(&result, NULL, 0, NULL, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "no stage stands out"));
	buffer_finish(&text);
}
END_TEST

/* A comparison in a directory of its own, with what run.json and compare.json say of it. */
static void make_comparison(const char *folder, const char *name, const char *a, const char *b, const char *outcome)
{
	struct buffer path = {0}, text = {0};
	struct sluice_error error = {0};
	buffer_printf(&path, "%s/%s", folder, name);
	ck_assert_int_eq(mkdir(path.data, 0700), 0);
	buffer_printf(&text,
	              "[{\"started_at\": \"2026-11-02T03:04:05Z\", \"arms\": [{\"optimizations\": [%s]}, "
	              "{\"optimizations\": [%s]}]}, {\"verdict\": {\"outcome\": \"%s\"}, \"metrics\": "
	              "[{\"name\": \"p50\"}, {\"name\": \"p95\", \"change\": -0.25, \"low\": -0.3, \"high\": -0.2}]}]",
	              a, b, outcome);
	json_t *both = json_loads(text.data, 0, NULL);
	ck_assert(run_write_json(path.data, RUN_ABOUT, json_array_get(both, 0), &error));
	ck_assert(run_write_json(path.data, RUN_COMPARE, json_array_get(both, 1), &error));
	json_decref(both);
	buffer_finish(&text);
	buffer_finish(&path);
}

static void run_command(const char *command, const char *folder)
{
	struct buffer line = {0};
	buffer_printf(&line, command, folder);
	ck_assert_int_eq(system(line.data), 0);
	buffer_finish(&line);
}

START_TEST(test_what_came_of_an_overlay_is_said)
{
	char folder[SCRATCH_SIZE];
	struct buffer text = {0};
	struct sluice_error error = {0};
	struct shape tail = plain;
	struct recommendation list[RECOMMEND_MAX];
	scratch_folder(folder);
	make_comparison(folder, "alone", "", "\"batched-writes\"", "better");
	make_comparison(folder, "with", "\"lazy\"", "\"batched-writes\", \"lazy\"", "inconclusive");
	make_comparison(folder, "two-at-once", "", "\"batched-writes\", \"lazy\"", "better");
	make_comparison(folder, "one-for-another", "\"lazy\"", "\"batched-writes\"", "better");
	make_comparison(folder, "two-for-one", "\"other\"", "\"batched-writes\", \"lazy\"", "better");
	make_comparison(folder, "no-verdict", "", "\"batched-writes\"", "splendid");
	json_t *trials = tried_read(folder, &error);
	ck_assert_msg(json_array_size(trials) == 2, "%zu, %s", json_array_size(trials), error.text);
	tail.persist = 95 * MS;
	build(&plain, &tail);
	analyze();
	size_t count = recommend(&result, overlays, NULL, list);
	recommend_write_text(&result, list, count, trials, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "Tried on 2026-11-02: better, P95 -25.0 % [-30.0, -20.0] (/"));
	ck_assert_ptr_nonnull(strstr(text.data, "Tried on 2026-11-02 beside lazy: inconclusive"));
	json_t *document = recommend_to_json(list, count, trials);
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(document, 0), "tried")), 2);
	json_decref(document);
	json_decref(trials);
	buffer_empty(&text);
	trials = json_array();
	recommend_write_text(&result, list, count, trials, &text);
	ck_assert_ptr_nonnull(strstr(text.data, "batched-writes was not tried in the comparisons given."));
	json_decref(trials);
	buffer_finish(&text);
	run_command("rm -r %s", folder);
}
END_TEST

START_TEST(test_a_directory_without_a_comparison_is_refused)
{
	char folder[SCRATCH_SIZE];
	struct sluice_error error = {0};
	scratch_folder(folder);
	ck_assert_ptr_null(tried_read(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "no comparison (compare.json) here or in a directory inside it"));
	error = (struct sluice_error){0};
	make_comparison(folder, "broken", "", "\"lazy\"", "better");
	run_command("echo '[' >%s/broken/compare.json", folder);
	ck_assert_ptr_null(tried_read(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "/broken/compare.json:"));
	run_command("rm -r %s", folder);
	error = (struct sluice_error){0};
	ck_assert_ptr_null(tried_read(folder, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "No such file or directory"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze");
	TCase *figures = tcase_create("figures");
	tcase_add_test(figures, test_planted_hotspot_is_found_with_its_shares);
	tcase_add_test(figures, test_hotspot_is_judged_by_the_tail_and_not_by_the_median);
	tcase_add_test(figures, test_shares_of_all_parts_are_the_whole);
	tcase_add_test(figures, test_ceiling_is_the_p95_without_what_lies_above_the_median);
	tcase_add_test(figures, test_dominance_counts_requests_and_not_their_time);
	tcase_add_test(figures, test_parts_of_a_joined_request_are_its_whole_time);
	tcase_add_test(figures, test_without_the_servers_trace_the_rest_is_not_accounted_for);
	tcase_add_test(figures, test_answer_of_a_durable_queue_is_the_queues_time);
	tcase_add_test(figures, test_steps_follow_each_other_and_end_with_the_answer);
	tcase_add_test(figures, test_requests_without_a_time_are_counted_and_left_out);
	tcase_add_test(figures, test_persist_is_split_into_its_spans);
	tcase_add_test(figures, test_what_a_stage_works_of_its_time_is_told_from_what_it_waits);
	tcase_add_test(figures, test_growth_is_seen_only_beyond_what_scatters);
	tcase_add_test(figures, test_an_empty_run_and_one_request_are_no_trouble);
	tcase_add_test(figures, test_block_begins_with_the_line_people_know_and_marks_one_hotspot);
	tcase_add_test(figures, test_json_has_what_the_table_has);
	suite_add_tcase(s, figures);
	TCase *advice = tcase_create("advice");
	tcase_add_checked_fixture(advice, read_overlays, free_overlays);
	tcase_add_loop_test(advice, test_condition_that_holds_names_the_overlay_to_try, 0,
	                    sizeof(advices) / sizeof(advices[0]));
	tcase_add_test(advice, test_what_may_gain_most_comes_first);
	tcase_add_test(advice, test_growth_points_to_indexes_and_to_workers);
	tcase_add_test(advice, test_connections_that_are_not_kept_point_to_keep_alive);
	tcase_add_test(advice, test_overlay_that_was_on_is_not_recommended);
	tcase_add_loop_test(advice, test_shipped_pipelines_name_their_overlays, 0,
	                    sizeof(shipped) / sizeof(shipped[0]));
	tcase_add_test(advice, test_overlay_may_treat_a_part_or_a_span_of_its_own);
	tcase_add_test(advice, test_unknown_condition_is_refused_where_it_stands);
	tcase_add_test(advice, test_that_no_stage_stands_out_is_said);
	tcase_add_test(advice, test_what_came_of_an_overlay_is_said);
	tcase_add_test(advice, test_a_directory_without_a_comparison_is_refused);
	suite_add_tcase(s, advice);
	return s;
}

UNIT_SUITE(test_analyze, suite)
