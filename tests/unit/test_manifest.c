/* The manifest: it is sha256sum's, names every file, and what is not as it says is told. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "lab/report/manifest.h"
#include "lab/run/run.h"
#include "support/scratch.h"
#include "support/unit.h"

static char folder[SCRATCH_SIZE];
static struct buffer faults; /* "file: what" a line */
static struct sluice_error error;

static void write_text(const char *name, const char *text)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

static void make_folder(const char *name)
{
	char *path = run_file(folder, name);
	ck_assert_int_eq(mkdir(path, 0777), 0);
	free(path);
}

static int run_in_folder(const char *command)
{
	char line[256];
	(void)snprintf(line, sizeof(line), "cd '%s' && %s", folder, command);
	return system(line);
}

static void set_up(void)
{
	scratch_folder(folder);
	error.text[0] = '\0';
	write_text("b.json", "{}");
	write_text("a b.txt", "two words");
	make_folder("part");
	write_text("part/run.json", "[]");
	ck_assert_msg(manifest_write(folder, &error), "%s", error.text);
}

static void tear_down(void)
{
	ck_assert_int_eq(run_in_folder("rm -rf \"$PWD\""), 0);
	buffer_finish(&faults);
}

static void add_fault(void *context, const char *file, const char *fault)
{
	(void)context;
	buffer_printf(&faults, "%s: %s\n", file, fault);
}

static void assert_faults(const char *expected)
{
	size_t files;
	buffer_empty(&faults);
	buffer_add_text(&faults, "");
	ck_assert_msg(manifest_check(folder, add_fault, NULL, &files, &error), "%s", error.text);
	ck_assert_str_eq(faults.data, expected);
}

START_TEST(test_what_was_just_written_is_as_it_says)
{
	size_t files;
	assert_faults("");
	ck_assert(manifest_check(folder, add_fault, NULL, &files, &error));
	ck_assert_uint_eq(files, 3);
}
END_TEST

START_TEST(test_sha256sum_checks_it)
{
	ck_assert_int_eq(run_in_folder("sha256sum --quiet --strict -c MANIFEST.sha256"), 0);
	write_text("b.json", "{1}");
	ck_assert_int_ne(run_in_folder("sha256sum --quiet --strict -c MANIFEST.sha256 >/dev/null 2>&1"), 0);
}
END_TEST

START_TEST(test_writing_it_twice_gives_the_same)
{
	ck_assert_int_eq(run_in_folder("cp MANIFEST.sha256 .before"), 0);
	ck_assert(manifest_write(folder, &error));
	ck_assert_int_eq(run_in_folder("cmp MANIFEST.sha256 .before"), 0);
}
END_TEST

START_TEST(test_every_change_is_told)
{
	write_text("b.json", "{ }");
	assert_faults("b.json: has changed\n");
	write_text("part/stranger", "");
	assert_faults("part/stranger: is not in the manifest\nb.json: has changed\n");
	ck_assert_int_eq(run_in_folder("rm 'a b.txt' part/stranger"), 0);
	assert_faults("a b.txt: is missing, or cannot be read\nb.json: has changed\n");
}
END_TEST

START_TEST(test_name_that_ends_like_another_is_a_stranger)
{
	write_text("b.txt", "");
	assert_faults("b.txt: is not in the manifest\n");
}
END_TEST

START_TEST(test_what_is_no_manifest_is_refused)
{
	static const char *const lines[] = {
		"not a hash  b.json\n",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /etc/passwd\n",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  part/../../x\n",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
	};
	size_t files;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		write_text("MANIFEST.sha256", lines[i]);
		error.text[0] = '\0';
		ck_assert_msg(!manifest_check(folder, add_fault, NULL, &files, &error), "%s", lines[i]);
		ck_assert_msg(strstr(error.text, "line 1 is no line of a manifest") != NULL, "%s", error.text);
	}
	ck_assert_int_eq(run_in_folder("rm MANIFEST.sha256"), 0);
	error.text[0] = '\0';
	ck_assert(!manifest_check(folder, add_fault, NULL, &files, &error));
	ck_assert_msg(strstr(error.text, "evidence pack") != NULL, "%s", error.text);
}
END_TEST

START_TEST(test_nul_in_a_manifest_is_refused_wherever_it_stands)
{
	static const char *const edits[] = {
		"printf '\\0' >>MANIFEST.sha256",
		"printf '\\0 no manifest\\n' >>MANIFEST.sha256",
		"sed -i '1s/$/\\x00hidden/' MANIFEST.sha256",
		"sed -i '1s/^/\\x00/' MANIFEST.sha256",
		"sed -i '2s/^..../\\x00/' MANIFEST.sha256",
		"printf '\\0' >MANIFEST.sha256",
	};
	size_t files;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		ck_assert(manifest_write(folder, &error));
		ck_assert_int_eq(run_in_folder(edits[i]), 0);
		error.text[0] = '\0';
		ck_assert_msg(!manifest_check(folder, add_fault, NULL, &files, &error), "%s", edits[i]);
		ck_assert_msg(strstr(error.text, "contains a NUL") != NULL, "%s: %s", edits[i], error.text);
	}
}
END_TEST

START_TEST(test_part_may_have_no_parts)
{
	make_folder("part/deeper");
	ck_assert(!manifest_write(folder, &error));
	ck_assert_msg(strstr(error.text, "part/deeper") != NULL, "%s", error.text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("manifest");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, test_what_was_just_written_is_as_it_says);
	tcase_add_test(all, test_sha256sum_checks_it);
	tcase_add_test(all, test_writing_it_twice_gives_the_same);
	tcase_add_test(all, test_every_change_is_told);
	tcase_add_test(all, test_name_that_ends_like_another_is_a_stranger);
	tcase_add_test(all, test_what_is_no_manifest_is_refused);
	tcase_add_test(all, test_nul_in_a_manifest_is_refused_wherever_it_stands);
	tcase_add_test(all, test_part_may_have_no_parts);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_manifest, make_suite)
