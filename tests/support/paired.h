/*
 * A comparison as it lies in a run directory, made up: pairs of blocks of new events, all of them taken, in about ten
 * milliseconds each, with a little noise from block to block. A test then changes what it is about.
 *
 *     struct paired paired;
 *     paired_init(&paired, 20, 100);
 *     paired_scale(&paired, 1, 1.2); // B takes 20 % longer
 *     json_t *document = paired_judge(&paired);
 *     …
 *     paired_finish(&paired);
 */
#ifndef TESTS_PAIRED_H
#define TESTS_PAIRED_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lab/load/input.h"
#include "lab/run/run.h"

struct paired {
	struct run *run;
	struct input input;
	json_t *verified; /* verify.json: no violation in either arm */
	size_t pairs, per_block;
};

void paired_init(struct paired *paired, size_t pairs, size_t per_block);
void paired_finish(struct paired *paired);

/* Request i of a block, in the order of the intended times. */
struct trace_record *paired_record(struct paired *paired, size_t pair, size_t arm, size_t i);
void paired_set_latency(struct trace_record *record, int64_t latency_ns);

/* All latencies of an arm. */
void paired_scale(struct paired *paired, size_t arm, double factor);

/* The first `count` requests of each of the arm's blocks get that answer, after a millisecond. */
void paired_refuse(struct paired *paired, size_t arm, size_t count, uint16_t status);

void paired_set_violations(struct paired *paired, size_t arm, int count);

/* A member of an object of run.json. Takes the value. */
void paired_set_about(struct paired *paired, const char *object, const char *member, json_t *value);

/* compare.json; fails the running test if there is none. */
json_t *paired_judge(struct paired *paired);

/* Writes all of it as `sluice compare` would, verdict included. */
void paired_save(struct paired *paired, const char *directory);

#endif
