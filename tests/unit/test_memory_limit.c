/* The memory that a process may use, as its control groups say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory_limit.h"
#include "support/scratch.h"
#include "support/unit.h"

enum { MACHINE = 1000000 };

static char folder[SCRATCH_SIZE];

static void make_folder(void)
{
	scratch_folder(folder);
}

static void remove_folder(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

/* "a/b=TEXT": a file with its folders. */
static void write_file(const char *setting)
{
	char command[512];
	int name = (int)strcspn(setting, "=");
	(void)snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s/%.*s')\" && printf '%%b' '%s' >'%s/%.*s'",
	               folder, name, setting, setting + name + 1, folder, name, setting);
	ck_assert_int_eq(system(command), 0);
}

static const struct {
	const char *files[4];
	uint64_t expected;
} cases[] = {
	{{NULL}, MACHINE},
	{{"self/cgroup=0::/\\n", "groups/memory.max=5000\\n"}, 5000},
	{{"self/cgroup=0::/\\n", "groups/memory.max=max\\n"}, MACHINE},
	{{"self/cgroup=0::/a/b\\n", "groups/a/b/memory.max=max\\n", "groups/a/memory.max=700\\n"}, 700},
	{{"self/cgroup=0::/a/b\\n", "groups/a/b/memory.max=600\\n", "groups/a/memory.max=700\\n"}, 600},
	{{"self/cgroup=0::/a\\n", "groups/a/memory.max=9999999\\n"}, MACHINE},
	{{"self/cgroup=5:cpu,memory:/a\\n0::/\\n", "groups/memory/a/memory.limit_in_bytes=800\\n"}, 800},
	{{"self/cgroup=5:memory_other:/a\\n", "groups/memory/a/memory.limit_in_bytes=800\\n"}, MACHINE},
	{{"self/cgroup=nonsense\\n"}, MACHINE},
};

START_TEST(test_the_least_limit_around_the_process_counts)
{
	char process[80], groups[80];
	for (size_t i = 0; i < 4 && cases[_i].files[i]; i++)
		write_file(cases[_i].files[i]);
	(void)snprintf(process, sizeof(process), "%s/self", folder);
	(void)snprintf(groups, sizeof(groups), "%s/groups", folder);
	ck_assert_uint_eq(memory_limit_at(process, groups, MACHINE), cases[_i].expected);
}
END_TEST

START_TEST(test_this_process_has_a_limit)
{
	ck_assert_uint_gt(memory_limit(), 1 << 20);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("memory_limit");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, make_folder, remove_folder);
	tcase_add_loop_test(all, test_the_least_limit_around_the_process_counts, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(all, test_this_process_has_a_limit);
	suite_add_tcase(s, all);
	return s;
}

UNIT_SUITE(test_memory_limit, suite)
