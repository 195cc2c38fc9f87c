/*
 * For flaws that show only where two threads come together.
 */
#ifndef FLAWED_MEET_H
#define FLAWED_MEET_H

#include <stdatomic.h>
#include <unistd.h>

/* Waits until another thread comes to this place after this one; a thread that is alone goes on after some milliseconds. */
static inline void meet(void)
{
	static atomic_uint arrivals;
	unsigned own = atomic_fetch_add(&arrivals, 1) + 1;
	for (int i = 0; i < 100 && atomic_load(&arrivals) == own; i++)
		(void)usleep(100);
}

#endif
