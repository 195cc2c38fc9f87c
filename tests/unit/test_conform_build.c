/*
 * Conformance beyond a finished stage: what a build of its sources with ThreadSanitizer shows, and what is said where a check
 * cannot be made.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "conform/files.h"
#include "support/unit.h"

#define SLUICE TEST_BUILD_DIR "/sluice"

enum { TEST_TIMEOUT_S = 300 };

static struct buffer output;

/* Runs a command; what it says on both streams is in `output`. Returns its exit status. */
static int run(const char *command)
{
	char part[4096];
	FILE *pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	buffer_empty(&output);
	for (size_t size; (size = fread(part, 1, sizeof(part), pipe)) > 0;)
		buffer_add(&output, part, size);
	buffer_add_text(&output, "");
	int status = pclose(pipe);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int conform(const char *arguments)
{
	struct buffer command = {0};
	buffer_printf(&command, SLUICE " conform %s 2>&1", arguments);
	int status = run(command.data);
	buffer_finish(&command);
	return status;
}

static void expect_said(const char *text)
{
	ck_assert_msg(strstr(output.data, text) != NULL, "expected \"%s\" in:\n%s", text, output.data);
}

static void write_file(const char *folder, const char *name, const char *content)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs(content, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* A stage that counts, and what stands before its counter and around it. */
#define COUNTING(declaration, count)                                                                                   \
	"#include <sluice/stage.h>\n" declaration                                                                      \
	"static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)\n"                 \
	"{ (void)stage, (void)event; " count " return SLUICE_PASS; }\n"                                                \
	"static const struct sluice_auth_ops ops = {.process = process};\n"                                            \
	"SLUICE_STAGE(auth, ops, .name = \"counting\", .version = \"1\", .summary = \"counts\");\n"

static const struct {
	const char *source, *said;
	int status;
} sources[] = {
	{COUNTING("static unsigned count;\n", "count++;"), "data race", 1},
	{COUNTING("#include <stdatomic.h>\nstatic atomic_uint count;\n", "count++;"), "  ok       thread-sanitizer", 0},
	{"this is no C\n", "could not compile its sources with ThreadSanitizer: ", 2},
	{NULL, "has neither a CMakeLists.txt nor a C file", 2},
};

#ifdef TEST_SANITIZED /* the library of a second sanitizer cannot be loaded beside that of the first */
enum { BUILDS = 0 };
#else
enum { BUILDS = sizeof(sources) / sizeof(sources[0]) };
#endif

START_TEST(test_sources_are_compiled_with_thread_sanitizer_and_watched)
{
	char folder[] = "/tmp/sluice-sources-XXXXXX", command[1024];
	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file(folder, "stage.c", sources[1].source);
	(void)snprintf(command, sizeof(command),
	               "gcc -shared -fPIC -fvisibility=hidden -I " TEST_SOURCE_DIR "/core/include -o %s/stage.so "
	               "%s/stage.c 2>&1",
	               folder, folder);
	ck_assert_msg(run(command) == 0, "%s", output.data);
	(void)snprintf(command, sizeof(command), "%s/stage.c", folder);
	if (sources[_i].source)
		write_file(folder, "stage.c", sources[_i].source);
	else
		ck_assert_int_eq(unlink(command), 0);
	ck_assert_int_eq(setenv("CPATH", TEST_SOURCE_DIR "/core/include", 1), 0);
	(void)snprintf(command, sizeof(command), "%s/stage.so --build %s --only thread-sanitizer", folder, folder);
	int status = conform(command);
	expect_said(sources[_i].said);
	ck_assert_int_eq(status, sources[_i].status);
	files_remove(folder);
}
END_TEST

START_TEST(test_without_its_sources_they_are_asked_for)
{
	ck_assert_int_eq(conform(TEST_BUILD_DIR "/stages/auth/none.so --only thread-sanitizer"), 2);
	expect_said("it needs its sources: see --build");
	ck_assert_int_eq(conform(TEST_BUILD_DIR "/stages/auth/none.so --build /nowhere"), 2);
	expect_said("--build: no such folder: /nowhere");
}
END_TEST

START_TEST(test_store_that_keeps_nothing_is_not_read)
{
	ck_assert_int_eq(conform(TEST_BUILD_DIR "/tests/stages/persist/config_sink.so --set url=x --only batch-sizes"),
	                 2);
	expect_said("it declares SLUICE_WRITE_ONLY: it keeps nothing that could be read");
}
END_TEST

START_TEST(test_the_model_says_how_much_it_went_through)
{
	ck_assert_int_eq(conform(TEST_BUILD_DIR "/stages/queue/memory.so --only model --scripts 3 --seed 7"), 0);
	expect_said("300 random operations, with seeds 7 to 9");
	ck_assert_int_eq(conform(TEST_BUILD_DIR "/stages/queue/memory.so --only model --scripts many"), 2);
	expect_said("--scripts: expected a number of scripts, got many");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("conform_build");
	TCase *tcase = tcase_create("command");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	if (BUILDS)
		tcase_add_loop_test(tcase, test_sources_are_compiled_with_thread_sanitizer_and_watched, 0, BUILDS);
	tcase_add_test(tcase, test_without_its_sources_they_are_asked_for);
	tcase_add_test(tcase, test_store_that_keeps_nothing_is_not_read);
	tcase_add_test(tcase, test_the_model_says_how_much_it_went_through);
	suite_add_tcase(suite, tcase);
	return suite;
}

UNIT_SUITE(test_conform_build, make_suite)
