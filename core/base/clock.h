/*
 * The two clocks. Tests may replace them for the process.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t clock_now_ns(void);  /* monotonic */
int64_t clock_wall_ns(void); /* since the Unix epoch */

/* The processor time of the calling thread: a system call, so not for every request unless somebody asked. Never replaced. */
int64_t clock_thread_ns(void);

/* From now on both clocks return what these return; NULL: the real one again. Not while other threads read the clocks.
 */
void clock_replace(int64_t (*now_ns)(void), int64_t (*wall_ns)(void));

enum { CLOCK_TEXT_SIZE = 32 };
/* RFC 3339 with microseconds in UTC, "2026-01-31T20:00:00.123456Z"; and "20:00:00.123456" alone. */
void clock_format_utc(int64_t wall_ns, char text[CLOCK_TEXT_SIZE]);
void clock_format_time(int64_t wall_ns, char text[CLOCK_TEXT_SIZE]);

#endif
