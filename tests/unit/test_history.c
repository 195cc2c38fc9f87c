/*
 * What a server leaves to a later process of the generations it has served with: also where it ended in the middle of a
 * change, and where its folder cannot be written or read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/history.h"
#include "support/scratch.h"
#include "support/unit.h"

static char directory[SCRATCH_SIZE];
static char file[128], state[128];
static struct config_request request = {.file = file, .stage_path = TEST_BUILD_DIR "/stages"};
static struct history *history;
static struct sluice_error error;

static struct history *open_history(void)
{
	return history_open(state, &request, &error);
}

static void set_up(void)
{
	log_setup(SLUICE_LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	scratch_folder(directory);
	(void)snprintf(file, sizeof(file), "%s/pipeline.yaml", directory);
	(void)snprintf(state, sizeof(state), "%s/state", directory);
	history = open_history();
	ck_assert_msg(history != NULL, "%s", error.text);
}

static void tear_down(void)
{
	char command[128];
	history_close(history, false);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

/* The process ends, and another one begins. */
static void restart(bool clean)
{
	history_close(history, clean);
	error = (struct sluice_error){0};
	history = open_history();
	ck_assert_msg(history != NULL, "%s", error.text);
}

/* The pipeline by that name, with that secret. */
static struct config *load(const char *name, const char *secret)
{
	FILE *out = fopen(file, "w");
	(void)fprintf(out,
	              "pipeline: %s\n"
	              "stages:\n"
	              "  - auth: hmac\n"
	              "    scheme: github\n"
	              "    secrets: [%s]\n"
	              "  - parse: json\n"
	              "  - persist: sqlite\n"
	              "    path: nothing.db\n",
	              name, secret);
	(void)fclose(out);
	struct config *config = config_load(&request, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	return config;
}

static bool add(int64_t number, const char *name, const char *secret)
{
	struct config *config = load(name, secret);
	const bool ok = history_add(history, number, config, &error);
	config_free(config);
	return ok;
}

static bool go_back(int64_t number, const char *name)
{
	const struct history_latch latch = {.left = number - 1, .at_ms = 1, .reason = "a test"};
	struct config *config = load(name, "s");
	const bool ok = history_go_back(history, number, config, &latch, &error);
	config_free(config);
	return ok;
}

/* The name of what the history finds; "" if it finds none. */
static const char *found(int64_t number, const struct config *now)
{
	static char name[64];
	struct config *config = history_find(history, number, now, &error);
	(void)snprintf(name, sizeof(name), "%s", config ? config->name : "");
	config_free(config);
	return name;
}

/* A folder where a draft of the file would be written: works against root, too. */
static void block(const char *suffix)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/pipeline.yaml.%s.new", state, suffix);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void unblock(const char *suffix)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/pipeline.yaml.%s.new", state, suffix);
	ck_assert_int_eq(rmdir(path), 0);
}

static bool has_file(const char *suffix)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/pipeline.yaml.%s", state, suffix);
	return access(path, F_OK) == 0;
}

START_TEST(test_a_crash_on_the_way_back_starts_with_the_target)
{
	ck_assert(add(1, "good", "s") && add(2, "bad", "s") && go_back(3, "good"));
	restart(false);
	ck_assert_int_eq(history_latch(history)->left, 2);
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "good");
}
END_TEST

START_TEST(test_what_was_left_is_not_served_where_the_target_could_not_be_written)
{
	ck_assert(add(1, "good", "s") && add(2, "bad", "s"));
	block("3");
	ck_assert(!go_back(3, "baseline"));
	ck_assert(!history_is_saved(history));
	restart(false);
	ck_assert_int_eq(history_latch(history)->left, 2);
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "good");
}
END_TEST

START_TEST(test_a_way_back_that_is_withdrawn_leaves_nothing)
{
	ck_assert(add(1, "good", "s") && add(2, "bad", "s") && go_back(3, "good"));
	ck_assert(history_withdraw(history, 3, &error));
	ck_assert(!has_file("3"));
	restart(true);
	ck_assert_ptr_null(history_latch(history));
	ck_assert_int_eq(history_next(history), 3);
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "bad");
}
END_TEST

START_TEST(test_withdrawing_keeps_the_latch_that_held_before)
{
	ck_assert(add(1, "good", "s") && add(2, "bad", "s") && go_back(3, "good") && go_back(4, "baseline"));
	ck_assert(history_withdraw(history, 4, &error));
	restart(false);
	ck_assert_int_eq(history_latch(history)->left, 2);
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "good");
}
END_TEST

START_TEST(test_a_lift_counts_when_the_next_generation_serves)
{
	ck_assert(add(1, "good", "s") && add(2, "bad", "s") && go_back(3, "good"));
	history_lift(history);
	restart(false);
	ck_assert_ptr_nonnull(history_latch(history));
	history_lift(history);
	ck_assert(add(4, "mended", "s"));
	restart(false);
	ck_assert_ptr_null(history_latch(history));
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "mended");
}
END_TEST

START_TEST(test_a_source_that_could_not_be_written_is_tried_again)
{
	ck_assert(add(1, "one", "s"));
	block("2");
	ck_assert(!add(2, "two", "s"));
	unblock("2");
	ck_assert(history_save(history, NS_PER_S, &error));
	restart(false);
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "two");
}
END_TEST

START_TEST(test_the_state_names_no_source_that_is_not_there)
{
	ck_assert(add(1, "one", "s"));
	block("2");
	ck_assert(!add(2, "two", "s"));
	restart(true);
	ck_assert_str_eq(found(2, NULL), "");
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "one");
}
END_TEST

START_TEST(test_the_last_that_can_be_loaded_is_found)
{
	char path[256];
	ck_assert(add(1, "one", "s") && add(2, "two", "s"));
	(void)snprintf(path, sizeof(path), "%s/pipeline.yaml.2", state);
	ck_assert_int_eq(truncate(path, 0), 0);
	restart(false);
	ck_assert_str_eq(found(HISTORY_LAST, NULL), "one");
	ck_assert_str_eq(found(2, NULL), "");
}
END_TEST

START_TEST(test_a_source_goes_after_the_state_that_names_it)
{
	for (int64_t number = 1; number <= HISTORY_KEPT; number++)
		ck_assert(add(number, "many", "s"));
	block("generations.json");
	ck_assert(!add(HISTORY_KEPT + 1, "more", "s"));
	ck_assert(has_file("1"));
	unblock("generations.json");
	ck_assert(history_save(history, NS_PER_S, &error));
	ck_assert(!has_file("1") && has_file("6"));
}
END_TEST

/* With a restart in between, what is compared comes from the folder. */
START_TEST(test_generations_that_differ_in_a_secret_differ)
{
	ck_assert(add(1, "same", "right"));
	if (_i)
		restart(true);
	ck_assert(add(2, "same", "wrong"));
	struct config *wrong = load("same", "wrong");
	struct config *right = history_find(history, 0, wrong, &error);
	ck_assert_msg(right != NULL, "%s", error.text);
	ck_assert(!config_same(right, wrong));
	const struct history_latch latch = {.left = 2};
	ck_assert(history_go_back(history, 3, right, &latch, &error));
	ck_assert_str_eq(found(0, wrong), "same");
	ck_assert_str_eq(found(0, right), "");
	config_free(right);
	config_free(wrong);
}
END_TEST

/* A loop of links: root may open what it likes. */
START_TEST(test_a_state_that_cannot_be_read_is_refused)
{
	char path[256];
	ck_assert(add(1, "good", "s") && add(2, "bad", "s") && go_back(3, "good"));
	(void)snprintf(path, sizeof(path), "%s/pipeline.yaml.generations.json", state);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(path, path), 0);
	history_close(history, false);
	history = open_history();
	ck_assert_ptr_null(history);
	ck_assert_ptr_nonnull(strstr(error.text, "cannot be read"));
}
END_TEST

START_TEST(test_a_name_in_the_folder_has_one_server)
{
	ck_assert_ptr_null(open_history());
	ck_assert_ptr_nonnull(strstr(error.text, "another server that serves a pipeline file named pipeline.yaml"));
	restart(true);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("history");
	TCase *group = tcase_create("history");
	tcase_add_checked_fixture(group, set_up, tear_down);
	tcase_add_test(group, test_a_crash_on_the_way_back_starts_with_the_target);
	tcase_add_test(group, test_what_was_left_is_not_served_where_the_target_could_not_be_written);
	tcase_add_test(group, test_a_way_back_that_is_withdrawn_leaves_nothing);
	tcase_add_test(group, test_withdrawing_keeps_the_latch_that_held_before);
	tcase_add_test(group, test_a_lift_counts_when_the_next_generation_serves);
	tcase_add_test(group, test_a_source_that_could_not_be_written_is_tried_again);
	tcase_add_test(group, test_the_state_names_no_source_that_is_not_there);
	tcase_add_test(group, test_the_last_that_can_be_loaded_is_found);
	tcase_add_test(group, test_a_source_goes_after_the_state_that_names_it);
	tcase_add_loop_test(group, test_generations_that_differ_in_a_secret_differ, 0, 2);
	tcase_add_test(group, test_a_state_that_cannot_be_read_is_refused);
	tcase_add_test(group, test_a_name_in_the_folder_has_one_server);
	suite_add_tcase(all, group);
	return all;
}

UNIT_SUITE(test_history, suite)
