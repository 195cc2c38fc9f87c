#include "support/paired.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/prng.h"
#include "lab/judge/verdict.h"
#include "lab/load/about.h"

enum { ARMS = 2, EVERY_NS = 10 * NS_PER_MS, LATENCY_NS = 10 * NS_PER_MS };
#define BLOCK_NOISE 0.02
#define TIMEOUT_MS 60000.0

static struct sluice_error error;

struct trace_record *paired_record(struct paired *paired, size_t pair, size_t arm, size_t i)
{
	return &paired->run->records[(ARMS * pair + arm) * paired->per_block + i];
}

void paired_set_latency(struct trace_record *record, int64_t latency_ns)
{
	record->answered_ns = record->intended_ns + latency_ns;
	record->received_ns = record->intended_ns;
	record->replied_ns = record->answered_ns;
}

static void fill_record(struct trace_record *record, size_t place, uint32_t input, size_t pair, size_t arm)
{
	trace_record_init(record);
	record->intended_ns = (int64_t)place * EVERY_NS;
	record->ready_ns = record->sent_ns = record->intended_ns;
	record->request = place;
	record->number = (uint32_t)place;
	record->input = input;
	record->block = (uint32_t)pair;
	record->arm = (uint8_t)arm;
	record->status = 202;
	record->attempts = record->tries = 1;
	record->batch_size = 1;
	record->stages[SLUICE_KIND_PERSIST].work_ns = NS_PER_MS;
}

static void fill_block(struct paired *paired, size_t pair, size_t arm, struct prng *prng)
{
	double block = 1 + BLOCK_NOISE * (2 * prng_unit(prng) - 1);
	for (size_t i = 0; i < paired->per_block; i++) {
		struct trace_record *record = paired_record(paired, pair, arm, i);
		fill_record(record, (size_t)(record - paired->run->records), (uint32_t)(pair * paired->per_block + i),
		            pair, arm);
		paired_set_latency(record, (int64_t)(LATENCY_NS * block * (0.5 + prng_unit(prng))));
	}
}

static void fill_input(struct paired *paired)
{
	input_init(&paired->input);
	for (size_t i = 0; i < paired->pairs * paired->per_block; i++) {
		struct input_event *event = input_add(&paired->input);
		event->kind = INPUT_NEW;
		event->body = (struct sluice_bytes){"{}", 2};
		event->payload_size = 2;
	}
}

static json_t *describe_blocks(const struct paired *paired)
{
	json_t *blocks = json_array();
	for (size_t i = 0; i < ARMS * paired->pairs; i++)
		(void)json_array_append_new(blocks,
		                            json_pack("{s:I, s:I, s:b, s:f, s:f, s:f, s:I, s:{s:I}}", "block",
		                                      (json_int_t)(i / ARMS), "arm", (json_int_t)(i % ARMS), "first",
		                                      i % ARMS == 0, "start_ms", (double)(i * paired->per_block) * 10,
		                                      "end_ms", (double)((i + 1) * paired->per_block) * 10, "cpu_ms",
		                                      (double)paired->per_block, "rss_bytes", (json_int_t)(1 << 20),
		                                      "store", "wal_bytes", (json_int_t)(100 * paired->per_block)));
	return blocks;
}

static json_t *describe(const struct paired *paired)
{
	struct replay_plan shape = {.rate = 100, .connections = 10, .seed = 1, .count = paired->run->count};
	json_t *about = json_pack("{s:i, s:s, s:b, s:n, s:s, s:o}", "format", 1, "command", "compare", "interrupted", 0,
	                          "sign", "request_prefix", "r-", "host", about_host());
	run_mark(about);
	(void)json_object_set_new(
		about, "schedule",
		about_schedule(&shape, "paired", ARMS * paired->pairs, (double)paired->per_block / 100));
	(void)json_object_set_new(about, "arms",
	                          json_pack("[{s:s, s:s, s:[]}, {s:s, s:s, s:[s]}]", "label", "none", "id_prefix", "a-",
	                                    "optimizations", "label", "faster", "id_prefix", "b-", "optimizations",
	                                    "faster"));
	(void)json_object_set_new(about, "blocks", describe_blocks(paired));
	(void)json_object_set_new(about, "generator",
	                          about_generator(paired->run->records, paired->run->count, 0.1, about_processors()));
	(void)json_object_set_new(about, "comparison",
	                          json_pack("{s:f, s:f, s:f, s:i, s:b, s:I}", "alpha", 0.05, "margin", 0.05,
	                                    "timeout_ms", TIMEOUT_MS, "seed", 1, "sequential", 0, "pairs",
	                                    (json_int_t)paired->pairs));
	return about;
}

static json_t *describe_verified(void)
{
	json_t *arms = json_array();
	for (int arm = 0; arm < ARMS; arm++)
		(void)json_array_append_new(arms, json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "arm", arm, "lost", 0,
		                                            "doubled", 0, "altered", 0, "reordered", 0,
		                                            "violations_total", 0));
	return json_pack("{s:i, s:o, s:i}", "format", 1, "arms", arms, "violations", 0);
}

void paired_init(struct paired *paired, size_t pairs, size_t per_block)
{
	struct prng prng;
	prng_init(&prng, 42);
	struct run *run = must_calloc(1, sizeof(*run));
	run->path = must_strdup("made-up");
	run->count = ARMS * pairs * per_block;
	run->records = must_calloc(run->count, sizeof(*run->records));
	*paired = (struct paired){.run = run, .pairs = pairs, .per_block = per_block, .verified = describe_verified()};
	for (size_t i = 0; i < ARMS * pairs; i++)
		fill_block(paired, i / ARMS, i % ARMS, &prng);
	fill_input(paired);
	run->about = describe(paired);
}

void paired_finish(struct paired *paired)
{
	run_close(paired->run);
	input_finish(&paired->input);
	json_decref(paired->verified);
}

void paired_scale(struct paired *paired, size_t arm, double factor)
{
	for (size_t i = 0; i < paired->run->count; i++) {
		struct trace_record *record = &paired->run->records[i];
		if (record->arm == arm)
			paired_set_latency(record, (int64_t)((double)run_corrected_ns(record) * factor));
	}
}

void paired_refuse(struct paired *paired, size_t arm, size_t count, uint16_t status)
{
	for (size_t pair = 0; pair < paired->pairs; pair++)
		for (size_t i = 0; i < count; i++) {
			struct trace_record *record = paired_record(paired, pair, arm, i);
			record->status = status;
			paired_set_latency(record, NS_PER_MS);
		}
}

void paired_set_violations(struct paired *paired, size_t arm, int count)
{
	json_t *entry = json_array_get(json_object_get(paired->verified, "arms"), arm);
	(void)json_object_set_new(entry, "lost", json_integer(count));
	(void)json_object_set_new(entry, "violations_total", json_integer(count));
}

void paired_set_about(struct paired *paired, const char *object, const char *member, json_t *value)
{
	ck_assert_int_eq(json_object_set_new(json_object_get(paired->run->about, object), member, value), 0);
}

json_t *paired_judge(struct paired *paired)
{
	json_t *document = verdict_compute(paired->run, &paired->input, paired->verified, &error);
	ck_assert_msg(document != NULL, "%s", error.text);
	return document;
}

static void save_requests(const struct paired *paired, const char *directory)
{
	char *path = run_file(directory, RUN_REQUESTS);
	struct trace_writer *writer = trace_create_at(path, TRACE_OF_SENDER, NULL, 0, NS_PER_S, &error);
	ck_assert_msg(writer != NULL, "%s", error.text);
	for (size_t i = 0; i < paired->run->count; i++)
		trace_write(writer, &paired->run->records[i]);
	ck_assert_msg(trace_close(writer, &error), "%s", error.text);
	free(path);
}

void paired_save(struct paired *paired, const char *directory)
{
	char *path = run_file(directory, RUN_INPUT);
	const struct run *run = paired->run;
	ck_assert_msg(input_save(&paired->input, path, &error), "%s", error.text);
	free(path);
	(void)json_object_set_new(run->about, "input", about_input(&paired->input, RUN_INPUT, 0, paired->input.count));
	(void)json_object_set_new(run->about, "results",
	                          about_results(&paired->input, run->records, run->count, false, 0, 1));
	json_t *document = paired_judge(paired);
	save_requests(paired, directory);
	ck_assert_msg(run_write_json(directory, RUN_ABOUT, run->about, &error) &&
	                      run_write_json(directory, RUN_VERIFY, paired->verified, &error) &&
	                      run_write_json(directory, RUN_COMPARE, document, &error),
	              "%s", error.text);
	json_decref(document);
}
