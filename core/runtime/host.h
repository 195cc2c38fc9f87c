/*
 * The core's side of <sluice/host.h>: the table that every stage of this process is handed.
 */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include <stdatomic.h>

#include <sluice/stage.h>

struct generations;
struct config;
struct dispatcher;
struct pipeline;
struct store_health;

/* A stage in its place in a pipeline, or in those of two generations. Stages see only the first member. */
struct instance {
	struct sluice_stage stage;     /* must be first */
	char label[64];                /* "persist/sqlite", for the log */
	struct config *config;         /* of the pipeline it was created for; holds the code and the options */
	struct generations *shared;    /* NULL: a store opened to be read */
	struct pipeline *creator;      /* while it is created */
	struct dispatcher *dispatcher; /* queue: what takes from it */
	const char *const *spans;      /* names that outlive it; NULL: none, or it is only read */
	struct store_health *health;   /* persist */
	atomic_size_t held;            /* persist: events that wait for another try and that it knows */
};

static inline struct instance *instance_of(struct sluice_stage *stage)
{
	return (struct instance *)(void *)stage;
}

extern const struct sluice_host host_table;

#endif
