/*
 * A world of a check: a folder in which a stage lives a life or more, with what the disk does to it.
 */
#ifndef CONFORM_WORLD_H
#define CONFORM_WORLD_H

#include <sys/resource.h>

#include "conform/check.h"
#include "conform/disk.h"

/* How a process ends that could not show what it was to show. */
enum { NOTHING_TO_SEE = 77 };

struct world {
	size_t number; /* each has its own */
	size_t before; /* batches or events that are in order */
	size_t at;     /* of the call to the disk that fails */
	enum disk_fault fault;
	rlim_t room; /* bytes that still have room */
};

/* The folder becomes the working directory. */
void world_enter(struct check *check, const struct world *world);

/* Keeps a copy of the working directory, which is the world's; false: there is no file in it. world_go_back() makes it what it
 * was then. No stage is open. */
bool world_keep_copy(struct check *check);
void world_go_back(struct check *check);

/* "call 3 of a batch to the disk failed with EIO" */
const char *world_describe(const struct world *world);

/* Whether the world's process, which ended so, has shown what it was to show; ends the check if it could not end so. */
bool world_has_shown(struct check *check, int end);

#endif
