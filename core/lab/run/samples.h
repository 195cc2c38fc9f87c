/*
 * The requests of a run, wherever they were written down: a run directory, a trace of a server or of a sender, or a
 * profile log. Apart by arm, because two pipelines are two things to look at.
 */
#ifndef LAB_RUN_SAMPLES_H
#define LAB_RUN_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>

#include "lab/run/profile_log.h"
#include "lab/run/run.h"
#include "trace/trace.h"

/* The requests of one arm. All is borrowed from the samples. */
struct sample_arm {
	int arm;                            /* 0 is A; -1: the whole, which has no arms */
	const char *label;                  /* as run.json has it; "": none */
	const json_t *optimizations;        /* the overlays that were on; NULL: unknown */
	const struct trace_record *records; /* in the order of the file */
	size_t count;
	struct trace_names names[SLUICE_KIND_SLOTS];
};

struct samples {
	const char *path; /* borrowed */
	struct run *run;  /* NULL: it is a log */
	struct profile_log log;
	bool timed;                  /* it is known when each request came; not from a log */
	size_t joined;               /* requests found in the server's trace that was given */
	struct trace_record *sorted; /* by arm; NULL: there is one only */
	struct sample_arm arms[RUN_ARMS_MAX];
	size_t arm_count; /* at least 1 */
};

/* `server_trace`: joined with a sender's records; NULL: as they are. `path` must outlive the samples. */
bool samples_open(const char *path, const char *server_trace, struct samples *samples_out, struct sluice_error *error);
void samples_finish(struct samples *samples);

/* The arm of that letter, 'a' or 'b'; NULL and a sentence if there is none. */
const struct sample_arm *samples_get_arm(const struct samples *samples, char letter, struct sluice_error *error);

#endif
