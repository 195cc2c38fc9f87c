/*
 * A schedule: when each request of a run is due and what it waits for, fixed before the start.
 */
#ifndef LAB_LOAD_SCHEDULE_H
#define LAB_LOAD_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "lab/load/replay.h"

#define SCHEDULE_NO_STREAM UINT32_MAX

struct schedule_item {
	int64_t due_ns;  /* since the start; grows from item to item; 0 throughout for a closed loop */
	uint32_t stream; /* a number below `stream_count`; SCHEDULE_NO_STREAM: it waits for nobody */
	uint8_t target;
};

struct schedule {
	struct schedule_item *items; /* plan->count of them */
	uint32_t stream_count;       /* of all targets: a stream is another one at another target */
};

/* The same plan and seed give the same schedule. A duplicate goes where its original goes. */
void schedule_init(struct schedule *schedule, const struct replay_plan *plan);
void schedule_finish(struct schedule *schedule);

/* How many of its `count` items are due before that time. */
size_t schedule_due_before(const struct schedule *schedule, size_t count, int64_t due_ns);

#endif
