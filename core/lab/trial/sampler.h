/*
 * The sampler: asks the servers under test once a second how busy they are, from a thread of its own, while the load
 * runs.
 *
 * One line of samples.jsonl each: {"at_ms": 1000.0, "arm": 0, "gauges": {"webhook_queue_depth": 3.0, …}}, with what
 * /metrics says of the queue, the workers, the pool of connections, events in flight, memory and descriptors. A server
 * that does not answer, too busy perhaps, is no reason to end a test: its line says {"at_ms": …, "arm": 0, "missed":
 * "…"}.
 */
#ifndef LAB_TRIAL_SAMPLER_H
#define LAB_TRIAL_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "lab/trial/arm.h"

struct sampler;

/* Writes into the directory; times count from `origin_ns` (monotonic). The arms must run until sampler_stop(). NULL and
 * a sentence if the file cannot be made. */
struct sampler *sampler_start(const struct arm *arms, size_t count, const char *directory, int64_t origin_ns,
                              struct sluice_error *error);

/* NULL is allowed. False and a sentence if a sample could not be written. */
bool sampler_stop(struct sampler *sampler, struct sluice_error *error);

#endif
