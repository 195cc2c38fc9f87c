/* See clocks.h. */
#include "conform/clocks.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

static _Atomic int64_t jumped_ns;

/* The C library's. A sanitizer may ask for the time before it is known. */
static int (*real_clock_gettime)(clockid_t id, struct timespec *now);

__attribute__((constructor)) static void find_real(void)
{
	*(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

static int get_real(clockid_t id, struct timespec *now)
{
	return real_clock_gettime ? real_clock_gettime(id, now) : (int)syscall(SYS_clock_gettime, id, now);
}

void clocks_jump(int64_t ns)
{
	atomic_fetch_add(&jumped_ns, ns);
}

struct timespec clocks_true_wall(void)
{
	struct timespec now;
	(void)get_real(CLOCK_REALTIME, &now);
	return now;
}

static struct timespec later(const struct timespec *time, int64_t ns)
{
	int64_t whole_ns = time->tv_sec * NS_PER_S + time->tv_nsec + ns;
	return (struct timespec){.tv_sec = (time_t)(whole_ns / NS_PER_S), .tv_nsec = (long)(whole_ns % NS_PER_S)};
}

/* Weak, as those of disk.c. */
#define INTERPOSED __attribute__((visibility("default"), weak))

INTERPOSED int clock_gettime(clockid_t id, struct timespec *now)
{
	int64_t ns = atomic_load_explicit(&jumped_ns, memory_order_relaxed);
	int result = get_real(id, now);
	if (result == 0 && ns != 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		*now = later(now, ns);
	return result;
}

INTERPOSED int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec wall;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &wall) != 0)
		return -1;
	*now = (struct timeval){.tv_sec = wall.tv_sec, .tv_usec = wall.tv_nsec / 1000};
	return 0;
}

INTERPOSED time_t time(time_t *now_out)
{
	struct timespec wall;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	if (now_out)
		*now_out = wall.tv_sec;
	return wall.tv_sec;
}
