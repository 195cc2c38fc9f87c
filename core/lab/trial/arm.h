/*
 * An arm: one configuration under test, as a `sluice run` of its own that the laboratory starts, asks, watches from
 * outside and stops. Its log and its trace lie in the run directory.
 */
#ifndef LAB_TRIAL_ARM_H
#define LAB_TRIAL_ARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>
#include <sluice/error.h>
#include <sluice/stage.h>

#include "base/buffer.h"

/* What an arm's store can do for the laboratory, behind functions that open it for the call: a store shows one moment.
 */
struct arm_store {
	bool (*maintain)(void *context, struct sluice_error *error);
	bool (*stats)(void *context, struct sluice_observer *observer, struct sluice_error *error);
	bool (*scan)(void *context, int64_t after_id, sluice_record_fn each, void *each_context,
	             struct sluice_error *error);
	bool (*drop)(void *context, struct sluice_error *error);
	void *context;
};

/* A file that the server runs from a copy in memory, and what the system calls that copy. */
struct arm_file {
	const char *path, *mapped_as;
};

/* How to run one. All is borrowed for the arm's life. */
struct arm_plan {
	const char *program;       /* the file of `sluice` */
	const char *label;         /* "none", "batched-writes" */
	const char *letter;        /* "a" or "b": in file names */
	const char *state;         /* likewise, of the folder that STATE_DIR names to the server */
	const char *pipeline;      /* the file */
	const char *optimizations; /* for ENABLE_OPTIMIZATIONS: "false", "true" or names */
	const char *const *flags;  /* for `sluice run`: --stage-path, --set …; NULL-terminated */
	const char *
		location; /* where its store keeps its rows; what SLUICE_LOCATION says to `prepare` and to the server */
	const char *prepare;                /* a shell command, run once its tables exist; NULL: none */
	const char *prepare_in;             /* the directory it runs in; NULL: where the laboratory does */
	const struct arm_file *stage_files; /* for a profiler; the last has a NULL path */
	struct arm_store store;
};

struct arm {
	const struct arm_plan *plan;
	pid_t process;
	char url[128], admin[128];
	char *trace, *log, *state; /* paths */
};

/* What the kernel says of the process. */
struct arm_usage {
	int64_t cpu_ns; /* since its start */
	int64_t rss_bytes, descriptors, threads;
};

/* Deletes the folder of its state, which arm_start() makes in the run directory. */
void arm_remove_state(const struct arm_plan *plan, const char *directory);

/* Starts the server and waits until it is ready; then runs `prepare`. False and a sentence, with the end of the
 * server's log, otherwise; nothing runs then. */
bool arm_start(struct arm *arm, const struct arm_plan *plan, const char *directory, struct sluice_error *error);

/* SIGTERM, and the wait for its end; SIGKILL after a while. False and a sentence if it did not end well. */
bool arm_stop(struct arm *arm, struct sluice_error *error);
void arm_finish(struct arm *arm); /* kills what still runs */

/* False if it does not run any more. */
bool arm_get_usage(const struct arm *arm, struct arm_usage *usage_out);

/* GET of a path of its admin listener, as JSON or as it is; NULL, or false, and a sentence if that fails. */
json_t *arm_ask(const struct arm *arm, const char *path, struct sluice_error *error);
bool arm_fetch(const struct arm *arm, const char *path, struct buffer *out, struct sluice_error *error);

#endif
