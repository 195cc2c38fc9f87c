/* The generator: the same seed gives the same bytes, and the lines are what the recipe says. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/digest.h"
#include "base/prng.h"
#include "lab/load/generate.h"
#include "lab/load/payload.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"

static struct input input;

static const struct generate_recipe everything = {
	.count = 4000,
	.seed = 42,
	.duplicates = 0.1,
	.conflicts = 0.05,
	.bad_signatures = 0.03,
	.malformed = 0.02,
	.streams = 20,
	.sizes = {.min = 200, .max = 2000},
};

static void set_up(void)
{
	input_init(&input);
}

static void tear_down(void)
{
	input_finish(&input);
}

static void fill(const struct generate_recipe *recipe)
{
	struct sluice_error error = {0};
	ck_assert_msg(generate_fill(recipe, &input, &error), "%s", error.text);
}

static void hash_lines(const struct generate_recipe *recipe, char text[DIGEST_HEX_SIZE])
{
	struct buffer out = {0};
	uint8_t digest[SLUICE_DIGEST_SIZE];
	input_empty(&input);
	fill(recipe);
	for (size_t i = 0; i < input.count; i++)
		input_write(&input.events[i], &out);
	digest_bytes(out.data, out.size, digest);
	digest_hex(digest, text);
	buffer_finish(&out);
}

static bool is_same(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The first line with the id of line `i`. */
static const struct input_event *first_of(size_t i)
{
	size_t first = 0;
	while (!is_same(input.events[first].message_id, input.events[i].message_id))
		first++;
	return &input.events[first];
}

/* The reference generator of its authors, seeded with 0 by splitmix64. */
START_TEST(test_random_numbers_are_those_of_xoshiro)
{
	static const uint64_t expected[] = {UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a),
	                                    UINT64_C(0x1a5f849d4933e6e0), UINT64_C(0x6aa594f1262d2d2c)};
	struct prng prng;
	prng_init(&prng, 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(prng_next(&prng), expected[i]);
}
END_TEST

START_TEST(test_random_numbers_below_a_bound_are_spread_evenly)
{
	size_t counts[7] = {0};
	struct prng prng;
	prng_init(&prng, 5);
	for (int i = 0; i < 70000; i++)
		counts[prng_below(&prng, 7)]++;
	for (size_t i = 0; i < 7; i++)
		ck_assert(counts[i] > 9500 && counts[i] < 10500);
}
END_TEST

/* The hashes are facts: whatever changes them makes every seed that somebody has noted down mean something else. */
START_TEST(test_the_same_seed_gives_the_same_bytes_on_every_machine)
{
	char first[DIGEST_HEX_SIZE], again[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE], real[DIGEST_HEX_SIZE];
	struct generate_recipe recipe = everything;
	hash_lines(&recipe, first);
	hash_lines(&recipe, again);
	ck_assert_str_eq(first, again);
	ck_assert_str_eq(first, "7744921170053acf8b972e425f2ed65f03cea22ceb39cecb05753c859a97ede9");
	recipe.seed++;
	hash_lines(&recipe, other);
	ck_assert_str_ne(first, other);
	struct generate_recipe as_real = {.count = 500, .seed = 1, .streams = 3, .sizes = {.is_real = true}};
	hash_lines(&as_real, real);
	ck_assert_str_eq(real, "052a222e87a288c98069c17555de8a66caf6daec59fd2acee45a9a7aa3de459d");
}
END_TEST

START_TEST(test_the_shares_are_of_all_lines)
{
	size_t counts[INPUT_KINDS] = {0};
	fill(&everything);
	ck_assert_uint_eq(input.count, 4000);
	for (size_t i = 0; i < input.count; i++)
		counts[input.events[i].kind]++;
	ck_assert_uint_eq(counts[INPUT_NEW], 3200);
	ck_assert_uint_eq(counts[INPUT_DUPLICATE], 400);
	ck_assert_uint_eq(counts[INPUT_CONFLICT], 200);
	ck_assert_uint_eq(counts[INPUT_BAD_SIGNATURE], 120);
	ck_assert_uint_eq(counts[INPUT_MALFORMED], 80);
}
END_TEST

START_TEST(test_duplicates_have_the_bytes_of_an_earlier_line_and_conflicts_other_payloads)
{
	fill(&everything);
	for (size_t i = 0; i < input.count; i++) {
		const struct input_event *event = &input.events[i];
		if (event->kind == INPUT_MALFORMED)
			continue;
		const struct input_event *original = first_of(i);
		if (event->kind == INPUT_DUPLICATE || event->kind == INPUT_CONFLICT) {
			ck_assert_int_eq(original->kind, INPUT_NEW);
			ck_assert_int_eq(is_same(event->body, original->body), event->kind == INPUT_DUPLICATE);
			ck_assert(is_same(event->stream, original->stream));
			ck_assert_int_eq(event->sequence, original->sequence);
		} else {
			ck_assert_ptr_eq(event, original);
		}
	}
}
END_TEST

START_TEST(test_half_of_the_duplicates_come_at_once_and_half_later)
{
	struct generate_recipe recipe = everything;
	size_t at_once = 0, later = 0, farthest = 0;
	recipe.conflicts = recipe.malformed = recipe.bad_signatures = 0;
	fill(&recipe);
	for (size_t i = 0; i < input.count; i++) {
		if (input.events[i].kind != INPUT_DUPLICATE)
			continue;
		size_t distance = i - (size_t)(first_of(i) - input.events);
		at_once += distance <= 3;
		later += distance > 3;
		farthest = distance > farthest ? distance : farthest;
	}
	ck_assert(at_once >= 200 && at_once < 220);
	ck_assert(later > 180 && later <= 200);
	ck_assert(farthest > 800 && farthest < 1300);
}
END_TEST

START_TEST(test_sequences_count_from_0_in_each_stream)
{
	int64_t next[20] = {0};
	fill(&everything);
	for (size_t i = 0; i < input.count; i++) {
		const struct input_event *event = &input.events[i];
		if (event->kind == INPUT_MALFORMED || event->kind == INPUT_BAD_SIGNATURE) {
			ck_assert(!event->stream.data && !event->has_sequence);
			continue;
		}
		int stream = atoi(event->stream.data + 2);
		ck_assert(event->has_sequence && stream >= 0 && stream < 20);
		if (event->kind == INPUT_NEW)
			ck_assert_int_eq(event->sequence, next[stream]++);
	}
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_gt(next[i], 100);
}
END_TEST

/* What the real stage makes of the body is what the line says of it. */
static void assert_parsed(struct harness *h, const struct input_event *event)
{
	struct sluice_event *parsed = harness_event(h);
	harness_body(parsed, event->body.data, event->body.size);
	enum sluice_verdict verdict = harness_process(h, parsed);
	if (event->kind == INPUT_MALFORMED) {
		ck_assert_msg(verdict == SLUICE_REJECT, "taken: %.*s", (int)event->body.size, event->body.data);
		ck_assert_int_eq(harness_status(parsed), 400);
		ck_assert_ptr_null(event->message_id.data);
	} else {
		struct sluice_bytes payload = {event->body.data + event->payload_at, event->payload_size};
		ck_assert_msg(verdict == SLUICE_PASS, "%s: %.*s", harness_detail(parsed), (int)event->body.size,
		              event->body.data);
		ck_assert(is_same(parsed->message_id, event->message_id));
		ck_assert(is_same(parsed->event_type, event->event_type));
		ck_assert(is_same(parsed->stream, event->stream));
		ck_assert(is_same(parsed->payload, payload));
		ck_assert(parsed->has_sequence == event->has_sequence && parsed->sequence == event->sequence);
		ck_assert_mem_eq(event->body.data + event->id_at, event->message_id.data, event->message_id.size);
	}
	harness_free(parsed);
}

START_TEST(test_parse_json_sees_what_the_lines_say)
{
	struct generate_recipe recipe = everything;
	struct harness *h = harness_open(SLUICE_KIND_PARSE, "json", (const char *[]){NULL});
	recipe.malformed = 0.2;
	recipe.count = 1000;
	fill(&recipe);
	for (size_t i = 0; i < input.count; i++)
		assert_parsed(h, &input.events[i]);
	harness_close(h);
}
END_TEST

START_TEST(test_every_size_is_met_to_the_byte_and_is_json)
{
	struct buffer out = {0};
	struct prng prng;
	prng_init(&prng, 1);
	for (size_t size = PAYLOAD_SIZE_MIN; size < 3000; size += size < 700 ? 1 : 97) {
		buffer_empty(&out);
		payload_write(payload_type_draw(&prng), size, size, &prng, &out);
		ck_assert_uint_eq(out.size, size);
		json_t *value = json_loadb(out.data, out.size, 0, NULL);
		ck_assert_msg(json_is_object(value), "%s", out.data);
		json_decref(value);
	}
	buffer_finish(&out);
}
END_TEST

static int by_size(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	return (left > right) - (left < right);
}

START_TEST(test_real_sizes_have_the_median_and_p95_of_githubs)
{
	enum { COUNT = 20000 };
	static size_t sizes[COUNT];
	struct prng prng;
	prng_init(&prng, 1);
	for (size_t i = 0; i < COUNT; i++)
		sizes[i] = payload_size_draw(&prng);
	qsort(sizes, COUNT, sizeof(sizes[0]), by_size);
	ck_assert(sizes[COUNT / 2] > 7500 && sizes[COUNT / 2] < 7900);
	ck_assert(sizes[COUNT / 100 * 95] > 24000 && sizes[COUNT / 100 * 95] < 26000);
}
END_TEST

START_TEST(test_slices_have_fresh_ids_and_refer_to_none_but_themselves)
{
	struct generate_recipe recipe = everything;
	recipe.count = 300;
	fill(&recipe);
	size_t first_slice = input.count;
	recipe.first_number = recipe.count;
	fill(&recipe);
	for (size_t i = first_slice; i < input.count; i++) {
		if (input.events[i].message_id.data)
			ck_assert_uint_ge((size_t)(first_of(i) - input.events), first_slice);
	}
}
END_TEST

START_TEST(test_without_streams_there_are_no_sequences)
{
	struct generate_recipe recipe = everything;
	recipe.streams = 0;
	fill(&recipe);
	for (size_t i = 0; i < input.count; i++)
		ck_assert(!input.events[i].stream.data && !input.events[i].has_sequence);
}
END_TEST

static const struct {
	struct generate_recipe recipe;
	const char *sentence;
} refusals[] = {
	{{.count = 0, .sizes = {.is_real = true}}, "count: expected 1..1000000000 lines"},
	{{.count = 10, .sizes = {.min = 15, .max = 20}}, "size: expected sizes between 16B and 64MiB"},
	{{.count = 10, .sizes = {.min = 30, .max = 20}}, "size: expected sizes between 16B and 64MiB"},
	{{.count = 10, .duplicates = 1, .sizes = {.is_real = true}}, "duplicates: expected 0%..99.9999% of the lines"},
	{{.count = 10, .malformed = -0.1, .sizes = {.is_real = true}}, "malformed: expected 0%..99.9999% of the lines"},
	{{.count = 10, .duplicates = 0.5, .conflicts = 0.5, .sizes = {.is_real = true}},
         "duplicates, conflicts, bad-signatures and malformed: expected to leave a line for a new event, got 10 of 10"},
	{{.count = 10, .malformed = 0.6, .bad_signatures = 0.6, .sizes = {.is_real = true}},
         "duplicates, conflicts, bad-signatures and malformed: expected to leave a line for a new event, got 12 of 10"},
};

START_TEST(test_a_recipe_that_cannot_be_followed_is_refused)
{
	struct sluice_error error = {0};
	ck_assert(!generate_fill(&refusals[_i].recipe, &input, &error));
	ck_assert_str_eq(error.text, refusals[_i].sentence);
}
END_TEST

START_TEST(test_sizes_are_read_as_people_write_them)
{
	struct generate_sizes sizes;
	ck_assert(generate_sizes_parse("1KiB", &sizes, NULL) && sizes.min == 1024 && sizes.max == 1024);
	ck_assert(generate_sizes_parse("256B..8KiB", &sizes, NULL) && sizes.min == 256 && sizes.max == 8192);
	ck_assert(generate_sizes_parse("real", &sizes, NULL) && sizes.is_real);
	static const char *const wrong[] = {"",  "..",    "1KiB..", "..1KiB", "8KiB..1KiB",
	                                    "1", "65MiB", "unreal", "1KiB..x"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_msg(!generate_sizes_parse(wrong[i], &sizes, &error), "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(error.text, "expected a size of 16B..64MiB"));
	}
}
END_TEST

static char corpus_path[SCRATCH_SIZE];

static struct corpus *read_corpus(const char *text, struct sluice_error *error)
{
	int fd = scratch_file(corpus_path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	struct corpus *corpus = corpus_read(corpus_path, error);
	(void)unlink(corpus_path);
	return corpus;
}

START_TEST(test_a_corpus_is_used_as_it_stands)
{
	static const char first[] = "{ \"a\" : 1.0e2, \"b\":\"\\u0000\" }";
	struct sluice_error error = {0};
	struct corpus *corpus = read_corpus("  { \"a\" : 1.0e2, \"b\":\"\\u0000\" } \r\n\n \t\n[1,2]\n\"x\"", &error);
	ck_assert_msg(corpus != NULL, "%s", error.text);
	ck_assert_uint_eq(corpus->count, 3);
	struct generate_recipe recipe = everything;
	recipe.corpus = corpus;
	recipe.count = 500;
	recipe.malformed = 0;
	fill(&recipe);
	size_t found[3] = {0};
	for (size_t i = 0; i < input.count; i++) {
		const struct input_event *event = &input.events[i];
		for (size_t j = 0; j < 3; j++)
			found[j] += event->kind != INPUT_CONFLICT && event->payload_size == corpus->payloads[j].size &&
			            memcmp(event->body.data + event->payload_at, corpus->payloads[j].data,
			                   event->payload_size) == 0;
	}
	ck_assert_uint_eq(found[0] + found[1] + found[2], 475);
	ck_assert(found[0] > 50 && found[1] > 50 && found[2] > 50);
	ck_assert(is_same(corpus->payloads[0], (struct sluice_bytes){first, sizeof(first) - 1}));
	corpus_free(corpus);
}
END_TEST

START_TEST(test_a_corpus_of_something_else_is_refused_by_file_and_line)
{
	static const char *const cases[][2] = {
		{"{}\n\n{\"a\":}\n", ":3: expected a JSON payload: "},
		{"{} {}\n", ":1: expected a JSON payload: "},
		{"\xff\n", ":1: expected a JSON payload: "},
		{"\n\n", ": expected a JSON payload a line"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(read_corpus(cases[i][0], &error));
		ck_assert(strncmp(error.text, corpus_path, strlen(corpus_path)) == 0);
		const char *rest = error.text + strlen(corpus_path);
		ck_assert_msg(strncmp(rest, cases[i][1], strlen(cases[i][1])) == 0, "%s", error.text);
	}
	struct sluice_error error = {0};
	ck_assert_ptr_null(corpus_read("/nowhere/c.jsonl", &error));
	ck_assert_str_eq(error.text, "/nowhere/c.jsonl: cannot be read: No such file or directory");
}
END_TEST

static Suite *make_suite(void)
{
	TCase *cases = tcase_create("generate");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, test_random_numbers_are_those_of_xoshiro);
	tcase_add_test(cases, test_random_numbers_below_a_bound_are_spread_evenly);
	tcase_add_test(cases, test_the_same_seed_gives_the_same_bytes_on_every_machine);
	tcase_add_test(cases, test_the_shares_are_of_all_lines);
	tcase_add_test(cases, test_duplicates_have_the_bytes_of_an_earlier_line_and_conflicts_other_payloads);
	tcase_add_test(cases, test_half_of_the_duplicates_come_at_once_and_half_later);
	tcase_add_test(cases, test_sequences_count_from_0_in_each_stream);
	tcase_add_test(cases, test_parse_json_sees_what_the_lines_say);
	tcase_add_test(cases, test_every_size_is_met_to_the_byte_and_is_json);
	tcase_add_test(cases, test_real_sizes_have_the_median_and_p95_of_githubs);
	tcase_add_test(cases, test_slices_have_fresh_ids_and_refer_to_none_but_themselves);
	tcase_add_test(cases, test_without_streams_there_are_no_sequences);
	tcase_add_loop_test(cases, test_a_recipe_that_cannot_be_followed_is_refused, 0,
	                    (int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_test(cases, test_sizes_are_read_as_people_write_them);
	tcase_add_test(cases, test_a_corpus_is_used_as_it_stands);
	tcase_add_test(cases, test_a_corpus_of_something_else_is_refused_by_file_and_line);
	Suite *suite = suite_create("generate");
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_generate, make_suite)
