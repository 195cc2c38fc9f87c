/* The real monotonic clock, whatever the host's says: the network and the server do not know the host's. */
#ifndef POSTGRES_REAL_CLOCK_H
#define POSTGRES_REAL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t real_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

#endif
