/* Waiting for a condition, which is looked at every 2 ms and must come true in time. */
#ifndef TESTS_WAIT_H
#define TESTS_WAIT_H

#include <check.h>
#include <unistd.h>

#include "base/clock.h"

#define WAIT_WITHIN(seconds, condition)                                                                                \
	do {                                                                                                           \
		int64_t until_ns = clock_now_ns() + (seconds)*NS_PER_S;                                                \
		while (!(condition) && clock_now_ns() < until_ns)                                                      \
			(void)usleep(2000);                                                                            \
		ck_assert_msg(condition, "did not come true: %s", #condition);                                         \
	} while (0)

/* Soon, on any machine. */
#define WAIT_FOR(condition) WAIT_WITHIN(60, condition)

#endif
