/*
 * A comparison as the command line and a scenario file ask for it, and the functions that open its stores: what lies between
 * `sluice compare` and the laboratory, which may not know the runtime.
 */
#ifndef CLI_LAB_COMPARISON_H
#define CLI_LAB_COMPARISON_H

#include <jansson.h>
#include <sluice/option.h>

#include "cli/arguments.h"
#include "lab/trial/compare.h"

/* Of --each: which pairs of overlays. */
enum together { TOGETHER_SOME, TOGETHER_ALL, TOGETHER_NONE };

struct comparison_settings {
	const char *scenario, *about;
	const char *pipeline, *pipeline_b;
	const char *a, *b; /* "none", "file" or names of overlays */
	const char *output, *prepare, *gate;
	const char *sign, *form, *size, *corpus;
	int64_t pairs, lives, rate, concurrency, streams, seed;
	struct sluice_duration block, timeout;
	double duplicates, margin, alpha;
	int arrivals, together;
	bool duet, single, aa, each, sequential, rollback, keep_stores, profile;
};
extern const struct sluice_option comparison_options[];

struct comparison_request {
	const struct comparison_settings *settings;
	struct arguments *arguments; /* its arena holds what is made on the way */
	const char *pipelines[2];
	const char *program; /* of the servers under test */
};

/* The gate file; NULL: none was named, or an empty one, which takes a scenario's away. */
const char *comparison_gate(const struct comparison_settings *settings);

/* Operands, scenario and flags put together; false and a sentence if they do not fit. */
bool comparison_request_init(struct comparison_request *request_out, const struct comparison_settings *settings,
                             struct arguments *arguments, struct sluice_error *error);

/* Runs it and returns compare.json, of a single run.json; NULL and a sentence otherwise. */
json_t *comparison_run(const struct comparison_request *request, compare_each_fn each, void *context,
                       struct sluice_error *error);

#endif
