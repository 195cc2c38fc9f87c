/*
 * The one program of all unit tests, build/tests/unit. A file of tests/unit ends with
 *
 *     UNIT_SUITE(test_base, suite)
 *
 * where `suite` makes its suite and the name is that of the file: `unit test_base` runs it, as CTest does. Each test is
 * a process of its own. Check's variables apply, CK_RUN_CASE and CK_VERBOSITY among them.
 *
 * One whose loops take long may be run in parts side by side: it ends with UNIT_SUITE_IN_PARTS(test_x, suite, 4), adds
 * its loops with unit_add_loop() and all else with unit_add(). `unit test_x` runs all, `unit test_x:2/4` the second part.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>

struct unit_suite {
	const char *name;
	Suite *(*make)(void);
	struct unit_suite *next;
};

/* Each to exactly one part. */
void unit_add(TCase *group, const TTest *test);
void unit_add_loop(TCase *group, const TTest *test, int count);

/* Before main(). */
void unit_register(struct unit_suite *suite);

#define UNIT_SUITE(suite_name, make_suite)                                                                             \
	__attribute__((constructor)) static void register_##suite_name(void)                                           \
	{                                                                                                              \
		static struct unit_suite entry = {.name = #suite_name, .make = make_suite};                            \
		unit_register(&entry);                                                                                 \
	}

/* The number of parts is read by CMake: a figure. */
#define UNIT_SUITE_IN_PARTS(suite_name, make_suite, parts) UNIT_SUITE(suite_name, make_suite)

#endif
