#include "support/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scratch.h"

static struct unit_suite *suites;
static int part = 1, parts = 1, singles;

void unit_add_loop(TCase *group, const TTest *test, int count)
{
	for (int i = part - 1; i < count; i += parts)
		tcase_add_loop_test(group, test, i, i + 1);
}

void unit_add(TCase *group, const TTest *test)
{
	if (singles++ % parts == part - 1)
		tcase_add_test(group, test);
}

void unit_register(struct unit_suite *suite)
{
	struct unit_suite **at = &suites;
	while (*at && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

/* By "NAME" or "NAME:PART/PARTS"; the part is what the next to be run is cut down to. */
static struct unit_suite *find(const char *name)
{
	size_t size = strcspn(name, ":");
	part = parts = 1;
	singles = 0;
	if (name[size] && (sscanf(name + size, ":%d/%d", &part, &parts) != 2 || part < 1 || part > parts))
		return NULL;
	for (struct unit_suite *each = suites; each; each = each->next) {
		if (strncmp(each->name, name, size) == 0 && !each->name[size])
			return each;
	}
	return NULL;
}

static bool run(struct unit_suite *suite)
{
	SRunner *runner = srunner_create(suite->make());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0;
}

int main(int argc, char **argv)
{
	bool all_passed = true;
	(void)setenv("CK_TIMEOUT_MULTIPLIER", "5",
	             0); /* a timeout is there for what hangs, not for a machine with much to do */
	if (argc < 2) {
		(void)puts("Usage: unit SUITE[:PART/PARTS]…\n\nSuites:");
		for (struct unit_suite *each = suites; each; each = each->next)
			(void)printf("  %s\n", each->name);
		return 2;
	}
	scratch_make();
	for (int i = 1; i < argc; i++) {
		struct unit_suite *suite = find(argv[i]);
		if (!suite)
			(void)fprintf(stderr, "unit: there is no suite '%s'; `unit` alone lists them\n", argv[i]);
		all_passed &= suite && run(suite);
	}
	scratch_remove();
	return all_passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
