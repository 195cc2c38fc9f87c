/*
 * Options: text to field, field to text, and what is said to a wrong text.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

#include "support/unit.h"
#include "yaml/bind.h"
#include "yaml/option.h"
#include "yaml/quantity.h"
#include "yaml/rename.h"

struct fields {
	bool flag;
	int64_t count, any;
	uint64_t size;
	struct sluice_duration pause;
	double share;
	const char *text, *unset, *token;
	int color;
	struct sluice_strings list, secrets;
};

static const char *const colors[] = {"red", "green", "blue", NULL};

static const struct sluice_option options[] = {
	SLUICE_OPTION_BOOL(struct fields, flag, .name = "flag", .fallback = "true"),
	SLUICE_OPTION_INT(struct fields, count, .name = "count", .fallback = "7", .min = 1, .max = 100,
                          .unit = "events"),
	SLUICE_OPTION_INT(struct fields, any, .name = "any"),
	SLUICE_OPTION_SIZE(struct fields, size, .name = "size", .fallback = "64KiB", .min = 1, .max = 1 << 20),
	SLUICE_OPTION_DURATION(struct fields, pause, .name = "pause.max", .fallback = "65s", .min = 1000000,
                               .max = 3600000000000),
	SLUICE_OPTION_PERCENT(struct fields, share, .name = "share", .fallback = "2%"),
	SLUICE_OPTION_STRING(struct fields, text, .name = "text", .fallback = "it's", .min = 1, .max = 10),
	SLUICE_OPTION_STRING(struct fields, unset, .name = "unset"),
	SLUICE_OPTION_STRING(struct fields, token, .name = "token", .min = 4, .max = 8, .flags = SLUICE_OPTION_SECRET),
	SLUICE_OPTION_CHOICE(struct fields, color, .name = "color", .fallback = "green", .choices = colors),
	SLUICE_OPTION_STRINGS(struct fields, list, .name = "list", .fallback = "/a, header:X-B ", .min = 0, .max = 3),
	SLUICE_OPTION_STRINGS(struct fields, secrets, .name = "secrets", .flags = SLUICE_OPTION_SECRET),
	SLUICE_OPTION_END,
};

static struct arena arena;
static struct fields fields;

static void setup(void)
{
	struct sluice_error error = {0};
	arena_init(&arena, 4096, NULL);
	memset(&fields, 0xa5, sizeof(fields));
	ck_assert_msg(option_fill_fallbacks(options, &fields, &arena, &error), "%s", error.text);
}

static void teardown(void)
{
	arena_finish(&arena);
}

START_TEST(test_fallbacks_fill_every_field)
{
	ck_assert(fields.flag);
	ck_assert_int_eq(fields.count, 7);
	ck_assert_int_eq(fields.any, 0);
	ck_assert_uint_eq(fields.size, 65536);
	ck_assert_int_eq(fields.pause.ns, 65000000000);
	ck_assert_double_eq(fields.share, 0.02);
	ck_assert_str_eq(fields.text, "it's");
	ck_assert_ptr_null(fields.unset);
	ck_assert_int_eq(fields.color, 1);
	ck_assert_uint_eq(fields.list.count, 2);
	ck_assert_str_eq(fields.list.items[0], "/a");
	ck_assert_str_eq(fields.list.items[1], "header:X-B");
	ck_assert_uint_eq(fields.secrets.count, 0);
}
END_TEST

START_TEST(test_wrong_fallback_is_an_error)
{
	static const struct sluice_option wrong[] = {
		SLUICE_OPTION_INT(struct fields, count, .name = "count", .fallback = "0", .min = 1, .max = 9),
		SLUICE_OPTION_END,
	};
	struct sluice_error error = {0};
	ck_assert(!option_fill_fallbacks(wrong, &fields, &arena, &error));
	ck_assert_str_eq(error.text, "count: the stage's own default is wrong: expected 1..9, got 0");
}
END_TEST

/* What is written, and how it reads when printed. */
static const struct {
	const char *name, *text, *printed;
} good[] = {
	{"flag", "false", "false"},
	{"count", "1", "1"},
	{"count", "100", "100"},
	{"any", "-9223372036854775808", "-9223372036854775808"},
	{"any", "9223372036854775807", "9223372036854775807"},
	{"size", "1", "1"},
	{"size", "1000", "1000"},
	{"size", "1kB", "1000"},
	{"size", "1MiB", "1MiB"},
	{"size", "0.5MiB", "512KiB"},
	{"size", "1024B", "1KiB"},
	{"pause.max", "1ms", "1ms"},
	{"pause.max", "1500us", "1500us"},
	{"pause.max", "1.5s", "1500ms"},
	{"pause.max", "60s", "1m"},
	{"pause.max", "1h", "1h"},
	{"share", "0.1%", "0.1%"},
	{"share", "0%", "0%"},
	{"share", "100%", "100%"},
	{"share", "33.333333333333336%", "33.333333333333336%"},
	{"text", "0123456789", "'0123456789'"},
	{"text", "a-b/c.d_1", "a-b/c.d_1"},
	{"text", "yes", "'yes'"},
	{"text", "a:b", "'a:b'"},
	{"text", "a $b", "'a $$b'"},
	{"text", "two\nlines", "\"two\\x0alines\""},
	{"text", "\"\\$\n", "\"\\\"\\\\$$\\x0a\""},
	{"text", "für", "'für'"},
	{"token", "hush", "'***'"},
	{"color", "blue", "blue"},
	{"list", "a", "[a]"},
	{"list", "", "['']"},
	{"list", "a,b , c", "[a, b, c]"},
	{"secrets", "s", "'***'"},
};

START_TEST(test_good_text_is_taken_and_printed)
{
	struct sluice_error error = {0};
	struct buffer out = {0};
	ck_assert_msg(option_set(options, &fields, good[_i].name, good[_i].text, &arena, &error), "%s", error.text);
	option_print(option_find(options, good[_i].name), &fields, &out);
	ck_assert_str_eq(out.data, good[_i].printed);
	buffer_finish(&out);
}
END_TEST

static const struct {
	const char *name, *text, *error;
} bad[] = {
	{"flag", "yes", "flag: expected true or false, got yes"},
	{"flag", "", "flag: expected true or false, got an empty text"},
	{"count", "0", "count: expected 1..100 events, got 0"},
	{"count", "101", "count: expected 1..100 events, got 101"},
	{"count", "1.0", "count: expected 1..100 events, got 1.0"},
	{"count", "0x10", "count: expected 1..100 events, got 0x10"},
	{"count", "010", "count: expected 1..100 events, got 010"},
	{"count", " 5", "count: expected 1..100 events, got  5"},
	{"any", "9223372036854775808", "any: expected a whole number, got 9223372036854775808"},
	{"any", "-", "any: expected a whole number, got -"},
	{"size", "0", "size: expected a size of 1..1MiB, got 0"},
	{"size", "2MiB", "size: expected a size of 1..1MiB, got 2MiB"},
	{"size", "1 MiB", "size: expected a size of 1..1MiB, got 1 MiB"},
	{"size", "1mb", "size: expected a size of 1..1MiB, got 1mb"},
	{"size", "1.5", "size: expected a size of 1..1MiB, got 1.5"},
	{"size", "-1", "size: expected a size of 1..1MiB, got -1"},
	{"size", "18446744073709551617", "size: expected a size of 1..1MiB, got 18446744073709551617"},
	{"size", "16777216TiB", "size: expected a size of 1..1MiB, got 16777216TiB"},
	{"pause.max", "65", "pause.max: expected a duration of 1ms..1h, got 65 without a unit (ns, us, ms, s, m, h)"},
	{"pause.max", "0", "pause.max: expected a duration of 1ms..1h, got 0"},
	{"pause.max", "2h", "pause.max: expected a duration of 1ms..1h, got 2h"},
	{"pause.max", "1.s", "pause.max: expected a duration of 1ms..1h, got 1.s"},
	{"pause.max", "s", "pause.max: expected a duration of 1ms..1h, got s"},
	{"share", "2", "share: expected a percentage of 0%..100%, got 2 without a %"},
	{"share", "101%", "share: expected a percentage of 0%..100%, got 101%"},
	{"share", "%", "share: expected a percentage of 0%..100%, got %"},
	{"share", "1.2.3%", "share: expected a percentage of 0%..100%, got 1.2.3%"},
	{"share", "-1%", "share: expected a percentage of 0%..100%, got -1%"},
	{"share", "inf%", "share: expected a percentage of 0%..100%, got inf%"},
	{"text", "", "text: expected text of 1..10 bytes, got an empty text"},
	{"text", "0123456789a", "text: expected text of 1..10 bytes, got 0123456789a"},
	{"token", "hu", "token: expected text of 4..8 bytes; the value is secret and not shown"},
	{"token", "hush-hush", "token: expected text of 4..8 bytes; the value is secret and not shown"},
	{"color", "gren", "color: expected one of: red, green, blue, got gren; did you mean \"green\"?"},
	{"color", "purple", "color: expected one of: red, green, blue, got purple"},
	{"color", "Red", "color: expected one of: red, green, blue, got Red; did you mean \"red\"?"},
	{"list", "a,b,c,d", "list: expected a list of 0..3 texts, got 4"},
	{"cuont", "1", "unknown option cuont; did you mean \"count\"?"},
	{"nothing_like_it", "1", "unknown option nothing_like_it"},
};

START_TEST(test_bad_text_is_refused_and_changes_nothing)
{
	struct sluice_error error = {0};
	struct fields before = fields;
	ck_assert(!option_set(options, &fields, bad[_i].name, bad[_i].text, &arena, &error));
	ck_assert_str_eq(error.text, bad[_i].error);
	ck_assert_mem_eq(&before, &fields, sizeof(fields));
}
END_TEST

START_TEST(test_first_error_wins)
{
	struct sluice_error error = {0};
	ck_assert(!option_set(options, &fields, "count", "0", &arena, &error));
	ck_assert(!option_set(options, &fields, "size", "0", &arena, &error));
	ck_assert_str_eq(error.text, "count: expected 1..100 events, got 0");
}
END_TEST

START_TEST(test_texts_are_copied)
{
	char text[] = "mine";
	struct sluice_error error = {0};
	ck_assert(option_set(options, &fields, "text", text, &arena, &error));
	memset(text, 'x', 4);
	ck_assert_str_eq(fields.text, "mine");
}
END_TEST

static const char *item_at(const void *context, size_t i)
{
	return ((const char *const *)context)[i];
}

START_TEST(test_only_what_is_close_is_suggested)
{
	static const char *const names[] = {"max_body", "max_header", "port", "path", "keep_alive", "connect_timeout"};
	static const struct {
		const char *name, *close;
	} pairs[] = {
		{"max-body", "max_body"},
		{"MaxBody", "max_body"},
		{"prot", "port"},
		{"pathh", "path"},
		{"pat", "path"},
		{"keepalive", "keep_alive"},
		{"connect", "connect_timeout"},
		{"x", NULL},
		{"", NULL},
		{"wonderful", NULL},
		{"threads", NULL},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *close = option_did_you_mean(pairs[i].name, 6, item_at, names);
		if (pairs[i].close)
			ck_assert_msg(close && strcmp(close, pairs[i].close) == 0, "%s: %s", pairs[i].name,
			              close ? close : "nothing");
		else
			ck_assert_msg(!close, "%s: %s", pairs[i].name, close);
	}
}
END_TEST

START_TEST(test_printed_quantity_reads_back)
{
	uint64_t state = 1;
	for (int i = 0; i < 10000; i++) {
		struct buffer size = {0}, pause = {0}, share = {0};
		uint64_t bytes;
		int64_t ns;
		double fraction;
		state = state * 6364136223846793005u + 1442695040888963407u;
		uint64_t value = state >> (1 + state % 63);
		quantity_print_size(value, &size);
		quantity_print_duration((int64_t)value, &pause);
		quantity_print_percent(ldexp((double)value, -63), &share);
		ck_assert_msg(quantity_parse_size(size.data, &bytes) && bytes == value, "%s", size.data);
		ck_assert_msg(quantity_parse_duration(pause.data, &ns) && ns == (int64_t)value, "%s", pause.data);
		ck_assert_msg(quantity_parse_percent(share.data, &fraction) &&
		                      fabs(fraction - ldexp((double)value, -63)) < 1e-15,
		              "%s", share.data);
		buffer_finish(&size);
		buffer_finish(&pause);
		buffer_finish(&share);
	}
}
END_TEST

static const struct yaml_rename renamed[] = {
	{"persist.flagged", "persist.flag"},     {"persist.rest", "persist.pause.max"},
	{"persist.words.first", "persist.text"}, {"persist.amount", "persist.nowhere"},
	{"queue.count", "queue.size"},           {NULL, NULL},
};

/* What a stage of kind persist gets of a map with old names. */
static bool bind_renamed(const char *text, struct bind_warnings *warnings, struct sluice_error *error)
{
	struct yaml_node *map = yaml_read_text("f", text, strlen(text), &arena, error);
	ck_assert_msg(map != NULL, "%s", error->text);
	struct bind_table table = {options, &fields};
	struct bind bind = {.where = "", .tables = &table, .table_count = 1, .arena = &arena, .warnings = warnings};
	if (!yaml_rename(map, "persist.", renamed, &arena, error))
		return false;
	yaml_rename_undo(map, "persist.", renamed, &bind);
	return bind_map(&bind, map, map, error);
}

START_TEST(test_old_name_sets_the_new_and_is_reported)
{
	struct sluice_error error = {0};
	struct bind_warnings warnings = {.count = 0};
	ck_assert_msg(bind_renamed("count: 8\nflagged: false\nrest: 5s\nwords: { first: one }\n", &warnings, &error),
	              "%s", error.text);
	ck_assert_int_eq(fields.count, 8);
	ck_assert(!fields.flag);
	ck_assert_int_eq(fields.pause.ns, 5000000000);
	ck_assert_str_eq(fields.text, "one");
	ck_assert_uint_eq(warnings.count, 3);
	ck_assert_str_eq(warnings.items[0], "f:2:1: persist.flagged is deprecated; use persist.flag instead");
	ck_assert_str_eq(warnings.items[1], "f:3:1: persist.rest is deprecated; use persist.pause.max instead");
	ck_assert_str_eq(warnings.items[2], "f:4:10: persist.words.first is deprecated; use persist.text instead");
}
END_TEST

START_TEST(test_new_name_alone_is_not_reported)
{
	struct sluice_error error = {0};
	struct bind_warnings warnings = {.count = 0};
	ck_assert(bind_renamed("flag: false\npause: { max: 5s }\ntext: one\n", &warnings, &error));
	ck_assert_uint_eq(warnings.count, 0);
}
END_TEST

START_TEST(test_both_names_are_refused)
{
	struct sluice_error error = {0};
	ck_assert(!bind_renamed("pause: { max: 5s }\nrest: 5s\n", NULL, &error));
	ck_assert_str_eq(error.text, "f:2:1: persist.rest is the old name of persist.pause.max, which is also set; "
	                             "remove persist.rest");
}
END_TEST

START_TEST(test_error_at_an_old_name_is_at_its_place)
{
	struct sluice_error error = {0};
	ck_assert(!bind_renamed("rest: 5\n", NULL, &error));
	ck_assert_str_eq(error.text, "f:1:7: pause.max: expected a duration of 1ms..1h, got 5 without a unit (ns, us, "
	                             "ms, s, m, h)");
}
END_TEST

/* `amount` has a new name that this stage does not know, `count` is another kind's. */
START_TEST(test_stage_that_knows_the_old_name_keeps_it)
{
	struct sluice_error error = {0};
	struct bind_warnings warnings = {.count = 0};
	static const struct sluice_option amount[] = {
		SLUICE_OPTION_INT(struct fields, any, .name = "amount"),
		SLUICE_OPTION_END,
	};
	const struct bind_table tables[] = {{options, &fields}, {amount, &fields}};
	const char text[] = "count: 3\namount: 4\n";
	struct yaml_node *map = yaml_read_text("f", text, strlen(text), &arena, &error);
	struct bind bind = {.where = "", .tables = tables, .table_count = 2, .arena = &arena, .warnings = &warnings};
	ck_assert(yaml_rename(map, "persist.", renamed, &arena, &error));
	yaml_rename_undo(map, "persist.", renamed, &bind);
	ck_assert_msg(bind_map(&bind, map, map, &error), "%s", error.text);
	ck_assert_int_eq(fields.any, 4);
	ck_assert_int_eq(fields.count, 3);
	ck_assert_uint_eq(warnings.count, 0);
	bind.table_count = 1;
	map = yaml_read_text("f", text, strlen(text), &arena, &error);
	ck_assert(yaml_rename(map, "persist.", renamed, &arena, &error));
	yaml_rename_undo(map, "persist.", renamed, &bind);
	ck_assert(!bind_map(&bind, map, map, &error));
	ck_assert_int_eq(strncmp(error.text, "f:2:1: nowhere: unknown setting", 31), 0);
}
END_TEST

/* What a generation takes over from the one before rests on it: a changed secret has to show, the same text elsewhere not. */
START_TEST(test_configs_are_equal_by_what_they_say)
{
	static const struct {
		const char *name, *text;
	} changes[] = {{"flag", "false"}, {"count", "8"},      {"size", "1KiB"},   {"pause.max", "66s"},
	               {"share", "3%"},   {"text", "another"}, {"unset", "set"},   {"token", "abcd"},
	               {"color", "red"},  {"list", "/a"},      {"list", "/a, /b"}, {"secrets", "x, y"}};
	struct sluice_error error = {0};
	struct fields other;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		ck_assert(option_fill_fallbacks(options, &other, &arena, &error));
		ck_assert(options_equal(options, &fields, &other));
		ck_assert_msg(option_set(options, &other, changes[i].name, changes[i].text, &arena, &error), "%s",
		              error.text);
		ck_assert_msg(!options_equal(options, &fields, &other), "%s", changes[i].name);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("option");
	TCase *tcase = tcase_create("option");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_fallbacks_fill_every_field);
	tcase_add_test(tcase, test_wrong_fallback_is_an_error);
	tcase_add_loop_test(tcase, test_good_text_is_taken_and_printed, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tcase, test_bad_text_is_refused_and_changes_nothing, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, test_first_error_wins);
	tcase_add_test(tcase, test_texts_are_copied);
	tcase_add_test(tcase, test_only_what_is_close_is_suggested);
	tcase_add_test(tcase, test_old_name_sets_the_new_and_is_reported);
	tcase_add_test(tcase, test_new_name_alone_is_not_reported);
	tcase_add_test(tcase, test_both_names_are_refused);
	tcase_add_test(tcase, test_error_at_an_old_name_is_at_its_place);
	tcase_add_test(tcase, test_stage_that_knows_the_old_name_keeps_it);
	tcase_add_test(tcase, test_printed_quantity_reads_back);
	tcase_add_test(tcase, test_configs_are_equal_by_what_they_say);
	suite_add_tcase(suite, tcase);
	return suite;
}

UNIT_SUITE(test_option, make_suite)
