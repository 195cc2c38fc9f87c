/*
 * The two clocks; see clock.h.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;
	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* NULL: the real clock. */
static int64_t (*now_source)(void);
static int64_t (*wall_source)(void);

int64_t clock_now_ns(void)
{
	return now_source ? now_source() : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return wall_source ? wall_source() : read_clock(CLOCK_REALTIME);
}

int64_t clock_thread_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void clock_replace(int64_t (*now_ns)(void), int64_t (*wall_ns)(void))
{
	now_source = now_ns;
	wall_source = wall_ns;
}

/* Whole seconds since the epoch, rounded down, and the microseconds left over. */
static struct tm split_utc(int64_t wall_ns, int *microseconds_out)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	int64_t rest = wall_ns % NS_PER_S;
	if (rest < 0) {
		rest += NS_PER_S;
		seconds--;
	}
	struct tm utc;
	(void)gmtime_r(&seconds, &utc);
	*microseconds_out = (int)(rest / NS_PER_US);
	return utc;
}

void clock_format_utc(int64_t wall_ns, char text[CLOCK_TEXT_SIZE])
{
	int microseconds;
	struct tm utc = split_utc(wall_ns, &microseconds);
	size_t size = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(text + size, CLOCK_TEXT_SIZE - size, ".%06dZ", microseconds);
}

void clock_format_time(int64_t wall_ns, char text[CLOCK_TEXT_SIZE])
{
	int microseconds;
	struct tm utc = split_utc(wall_ns, &microseconds);
	size_t size = strftime(text, CLOCK_TEXT_SIZE, "%H:%M:%S", &utc);
	(void)snprintf(text + size, CLOCK_TEXT_SIZE - size, ".%06d", microseconds);
}
