/* The machine's own clock, where the host's, which a test may hold, must not be waited for. */
#ifndef PERSIST_SQLITE_REAL_CLOCK_H
#define PERSIST_SQLITE_REAL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t read_clock(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline int64_t real_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

#endif
