/*
 * Whose a stall is: by what was used in its window. See docs/internals/host.md.
 */
#ifndef LAB_JUDGE_HOST_CAUSE_H
#define LAB_JUDGE_HOST_CAUSE_H

#include "lab/judge/host.h"

/* What the machine is asked for in a second of the load without a stall; all medians. */
struct host_usual {
	bool is_known; /* there are enough of them, and the disks had time left */
	double disk_bytes, flushes, processor_ms;
};

/* `idle_to_ms`: when the load begins. */
struct host_usual host_usual(const struct host *host, double idle_to_ms);

/* Fills cause and what it was decided from. */
void host_find_cause(const struct host *host, const struct host_usual *usual, struct host_stall *stall);

#endif
