/*
 * The core's side of <sluice/host.h>: the table that every stage of this process is handed.
 */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include <sluice/stage.h>

struct pipeline;

/* A stage in its place in a pipeline. Stages see only the first member. */
struct instance {
	struct sluice_stage stage; /* must be first */
	struct pipeline *pipeline;
	char label[64]; /* "persist/sqlite", for the log */
};

static inline struct instance *instance_of(struct sluice_stage *stage)
{
	return (struct instance *)(void *)stage;
}

extern const struct sluice_host host_table;

#endif
