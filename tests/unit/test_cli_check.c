/*
 * `sluice check`, `stages` and `schema` as a user meets them: arguments, output, exit status.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"

#define SLUICE TEST_BUILD_DIR "/sluice"

static char folder[SCRATCH_SIZE];
static struct buffer output;

/* Runs `sluice ARGUMENTS` in the folder; what it says on both streams is in `output`. Returns its exit status. */
static int run(const char *arguments)
{
	struct buffer command = {0};
	char part[4096];
	buffer_printf(&command, "cd %s && SLUICE_STAGE_PATH=%s/tests/stages:%s/stages %s %s 2>&1", folder,
	              TEST_BUILD_DIR, TEST_BUILD_DIR, SLUICE, arguments);
	FILE *pipe = popen(command.data, "r");
	ck_assert_ptr_nonnull(pipe);
	buffer_empty(&output);
	buffer_add_text(&output, "");
	for (size_t size; (size = fread(part, 1, sizeof(part), pipe)) > 0;)
		buffer_add(&output, part, size);
	int status = pclose(pipe);
	buffer_finish(&command);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void write_pipeline(const char *text)
{
	char name[96];
	(void)snprintf(name, sizeof(name), "%s/p.yaml", folder);
	FILE *file = fopen(name, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
	scratch_folder(folder);
	write_pipeline("stages: [{persist: config_batch, url: hush}]\n"
	               "optimizations: { doors: { listen: { threads: 7 } } }\n");
}

static void teardown(void)
{
	char name[96];
	(void)snprintf(name, sizeof(name), "%s/p.yaml", folder);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	buffer_finish(&output);
}

START_TEST(test_good_pipeline_is_0)
{
	ck_assert_int_eq(run("check p.yaml"), 0);
	ck_assert_str_eq(output.data, "p.yaml: OK\n");
}
END_TEST

START_TEST(test_bad_pipeline_is_1_with_a_sentence)
{
	write_pipeline("stages: [{persist: config_batch, ulr: x}]\n");
	ck_assert_int_eq(run("check p.yaml"), 1);
	ck_assert_str_eq(output.data,
	                 "p.yaml:1:34: persist/config_batch: ulr: unknown setting; did you mean \"url\"?\n");
}
END_TEST

START_TEST(test_old_name_works_and_is_reported)
{
	write_pipeline("seeing: { pool_stats: 1s }\n"
	               "stages: [{persist: config_batch, url: x}]\n");
	ck_assert_int_eq(run("check p.yaml"), 0);
	ck_assert_str_eq(output.data, "p.yaml:1:1: seeing is deprecated; use observability instead\np.yaml: OK\n");
	ck_assert_int_eq(run("check p.yaml --json"), 0);
	json_t *said = json_loads(strchr(output.data, '{'), JSON_DISABLE_EOF_CHECK, NULL);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(said, "warnings"), 0)),
	                 "p.yaml:1:1: seeing is deprecated; use observability instead");
	json_decref(said);
}
END_TEST

START_TEST(test_what_cannot_be_answered_is_2)
{
	static const struct {
		const char *arguments, *says;
	} cases[] = {
		{"check", "something is missing"},
		{"check nowhere.yaml", "nowhere.yaml: cannot be read: No such file or directory"},
		{"check /", "/: cannot be read: Is a directory"},
		{"check /dev/zero", "/dev/zero: is larger than 1024 KiB"},
		{"check /dev/null", "/dev/null:1:1: the file is empty"},
		{"check /proc/self/mem", "/proc/self/mem: cannot be read"},
		{"check p.yaml q.yaml", "did not expect q.yaml"},
		{"check p.yaml --prnt", "did you mean --print"},
		{"check p.yaml --wonderful", "unknown flag --wonderful"},
		{"check p.yaml --print=all", "no value may follow --print"},
		{"check p.yaml --set", "a value must follow --set"},
		{"check p.yaml --log-level loud", "expected debug, info, warn or error, got loud"},
		{"stages config_bach", "did you mean config_batch?"},
		{"schema p.yaml", "did not expect p.yaml"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(run(cases[i].arguments) == 2, "%s: %s", cases[i].arguments, output.data);
		ck_assert_msg(strstr(output.data, cases[i].says) != NULL, "%s: %s", cases[i].arguments, output.data);
	}
}
END_TEST

START_TEST(test_print_shows_what_flags_make_of_it)
{
	ck_assert_int_eq(run("check p.yaml --print --enable doors --set listen.port=1 --set listen.port=2"), 0);
	ck_assert_ptr_nonnull(strstr(output.data, "# with optimizations: doors\n"));
	ck_assert_ptr_nonnull(strstr(output.data, "  threads: 7\n"));
	ck_assert_ptr_nonnull(strstr(output.data, "  port: 2\n"));
	ck_assert_ptr_nonnull(strstr(output.data, "url: '***'\n"));
	ck_assert_ptr_null(strstr(output.data, "hush"));
}
END_TEST

START_TEST(test_print_shows_what_an_overlay_treats)
{
	write_pipeline(
		"stages: [{persist: config_batch, url: x}]\n"
		"optimizations: { a: { treats: [parse, pool_wait] }, b: { about: none }, c: { treats: parse } }\n");
	ck_assert_int_eq(run("check p.yaml --print --enable a,b"), 0);
	ck_assert_ptr_nonnull(
		strstr(output.data, "# with optimizations: a b\n# a treats: parse, pool_wait\npipeline:"));
}
END_TEST

START_TEST(test_overlays_are_listed_whatever_else_is_wrong)
{
	write_pipeline("stages: [{persist: nothing_like_it, url: \"${NOWHERE}\"}]\n"
	               "optimizations: { a: { about: \"one\\ntwo\" }, b: { listen: { port: 8 } } }\n");
	ck_assert_int_eq(run("check p.yaml --overlays"), 0);
	ck_assert_str_eq(output.data, "a\tone\nb\t\n");
	write_pipeline("stages: [{persist: config_batch, url: x}]\n");
	ck_assert_int_eq(run("check p.yaml --overlays"), 0);
	ck_assert_str_eq(output.data, "");
	write_pipeline("a: [\n");
	ck_assert_int_eq(run("check p.yaml --overlays"), 2);
}
END_TEST

START_TEST(test_flags_given_again_add_up)
{
	write_pipeline("stages: [{persist: config_batch, url: x}]\n"
	               "optimizations: { a: { listen: { threads: 7 } }, b: { listen: { port: 8 } } }\n");
	ck_assert_int_eq(run("check p.yaml --print --enable b --enable a"), 0);
	ck_assert_ptr_nonnull(strstr(output.data, "# with optimizations: a b\n"));
}
END_TEST

START_TEST(test_json_is_json)
{
	json_error_t error;
	ck_assert_int_eq(run("check p.yaml --json --enable doors"), 0);
	json_t *good = json_loads(output.data, 0, &error);
	ck_assert_msg(good != NULL, "%s: %s", error.text, output.data);
	ck_assert(json_is_true(json_object_get(good, "ok")));
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(good, "optimizations"), 0)), "doors");
	json_decref(good);
	ck_assert_int_eq(run("stages persist/config_store --json"), 0);
	json_t *stage = json_loads(output.data, 0, &error);
	ck_assert_msg(stage != NULL, "%s: %s", error.text, output.data);
	ck_assert_str_eq(json_string_value(json_object_get(stage, "name")), "config_store");
	ck_assert_uint_eq(json_array_size(json_object_get(stage, "options")), 3);
	json_decref(stage);
	ck_assert_int_eq(run("schema"), 0);
	json_t *schema = json_loads(output.data, 0, &error);
	ck_assert_msg(schema != NULL, "%s", error.text);
	json_decref(schema);
}
END_TEST

START_TEST(test_stage_is_shown_by_name_and_by_file)
{
	ck_assert_int_eq(run("stages config_store"), 0);
	ck_assert_ptr_nonnull(strstr(output.data, "persist/config_store 1.0.0"));
	ck_assert_ptr_nonnull(strstr(output.data, "pool.max"));
	ck_assert_ptr_nonnull(strstr(output.data, "required; secret"));
	ck_assert_int_eq(run("stages " TEST_BUILD_DIR "/tests/stages/queue/config_journal.so"), 0);
	ck_assert_ptr_nonnull(strstr(output.data, "flag:   durable"));
	ck_assert_int_eq(run("stages p.so"), 1);
}
END_TEST

START_TEST(test_the_place_of_a_store_is_told)
{
	static const struct {
		const char *stage, *place;
		bool is_file;
	} cases[] = {{"sqlite", "path", true}, {"postgres", "schema", false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char arguments[256];
		(void)snprintf(arguments, sizeof(arguments), "stages %s/stages/persist/%s.so --json", TEST_BUILD_DIR,
		               cases[i].stage);
		ck_assert_int_eq(run(arguments), 0);
		json_t *stage = json_loads(output.data, 0, NULL), *option;
		ck_assert_ptr_nonnull(stage);
		size_t at, places = 0;
		json_array_foreach (json_object_get(stage, "options"), at, option) {
			if (!json_is_true(json_object_get(option, "place")))
				continue;
			places++;
			ck_assert_str_eq(json_string_value(json_object_get(option, "name")), cases[i].place);
			ck_assert_int_eq(json_is_true(json_object_get(option, "file")), cases[i].is_file);
		}
		ck_assert_uint_eq(places, 1);
		json_decref(stage);
	}
}
END_TEST

START_TEST(test_help_has_an_example)
{
	static const char *const commands[] = {"check", "stages", "schema"};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char arguments[64];
		(void)snprintf(arguments, sizeof(arguments), "%s --help", commands[i]);
		ck_assert_int_eq(run(arguments), 0);
		ck_assert_ptr_nonnull(strstr(output.data, "Example:\n  sluice "));
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cli_check");
	TCase *tcase = tcase_create("cli_check");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_good_pipeline_is_0);
	tcase_add_test(tcase, test_bad_pipeline_is_1_with_a_sentence);
	tcase_add_test(tcase, test_old_name_works_and_is_reported);
	tcase_add_test(tcase, test_what_cannot_be_answered_is_2);
	tcase_add_test(tcase, test_print_shows_what_flags_make_of_it);
	tcase_add_test(tcase, test_print_shows_what_an_overlay_treats);
	tcase_add_test(tcase, test_overlays_are_listed_whatever_else_is_wrong);
	tcase_add_test(tcase, test_flags_given_again_add_up);
	tcase_add_test(tcase, test_json_is_json);
	tcase_add_test(tcase, test_stage_is_shown_by_name_and_by_file);
	tcase_add_test(tcase, test_the_place_of_a_store_is_told);
	tcase_add_test(tcase, test_help_has_an_example);
	suite_add_tcase(suite, tcase);
	return suite;
}

UNIT_SUITE(test_cli_check, make_suite)
