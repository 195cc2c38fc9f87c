/*
 * The wall clock of a check, as a stage and the libraries that it brings along see it: the program's own clock_gettime(),
 * gettimeofday() and time() come before those of the C library. It goes on from where it is set to, as when an operator or NTP
 * sets it; the monotonic clock is left alone, since sleeps and timeouts count on it.
 */
#ifndef CONFORM_CLOCKS_H
#define CONFORM_CLOCKS_H

#include <stdint.h>
#include <time.h>

/* Sets the wall clock forward, or back. */
void clocks_jump(int64_t ns);

/* The real one, for timeouts that are told as a time of day. */
struct timespec clocks_true_wall(void);

#endif
