/*
 * The one program of all unit tests, build/tests/unit. A file of tests/unit ends with
 *
 *     UNIT_SUITE(test_base, suite)
 *
 * where `suite` makes its suite and the name is that of the file: `unit test_base` runs it, as CTest does. Each test is
 * a process of its own. Check's variables apply, CK_RUN_CASE and CK_VERBOSITY among them.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>

struct unit_suite {
	const char *name;
	Suite *(*make)(void);
	struct unit_suite *next;
};

/* Before main(). */
void unit_register(struct unit_suite *suite);

#define UNIT_SUITE(suite_name, make_suite)                                                                             \
	__attribute__((constructor)) static void register_##suite_name(void)                                           \
	{                                                                                                              \
		static struct unit_suite entry = {.name = #suite_name, .make = make_suite};                            \
		unit_register(&entry);                                                                                 \
	}

#endif
