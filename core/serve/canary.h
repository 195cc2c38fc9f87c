/*
 * A canary: a candidate beside the pipeline that serves takes a share of the traffic, and guards look at both.
 *
 *     COUNTING   every event is counted in its bucket; none has moved yet
 *     RUNNING    the candidate has its share
 *     PROMOTING  it gets all; then it is published as a generation like others …
 *     PROMOTED   … and the last events of the baseline end
 *     LEAVING    the baseline gets all: somebody has aborted it, or a guard tripped; then it is over
 *
 * Streams change arms when what they have in flight is through (runtime/split.h), so that each step takes as long as that.
 *
 * Guards trip on what is worse than in the baseline by the test of serve/sequential.h (errors, slow responses, timeouts of the
 * store's pool), on 5 responses of 5xx that are more than 0.1 % where the baseline has fewer, on bad health, on no response
 * while events are inside, and on a share of the traffic that is not the one that was asked for.
 *
 * One thread controls it; any thread may show it.
 */
#ifndef SERVE_CANARY_H
#define SERVE_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

#include "base/buffer.h"

struct canary;
struct json_writer;
struct pipeline;
struct service;

enum canary_phase {
	CANARY_NONE,
	CANARY_COUNTING,
	CANARY_RUNNING,
	CANARY_PROMOTING,
	CANARY_PROMOTED,
	CANARY_LEAVING,
};

enum canary_news {
	CANARY_NOTHING,
	CANARY_TRIPS,   /* and the reason: it should leave */
	CANARY_PUBLISH, /* it has all traffic: to be published, then canary_published() */
	CANARY_IS_OVER, /* it is not a canary any more: promoted, or left and to be retired */
};

enum { CANARY_LOOK_MS = 20, CANARY_WARM_UP_S = 1 }; /* what is new is slow at first */

struct canary *canary_create(struct service *service);
void canary_destroy(struct canary *canary);
enum canary_phase canary_phase(struct canary *canary);

/* The candidate was made by pipeline_create_candidate(), and only the baseline is there. Nothing moves before canary_look(). */
void canary_begin(struct canary *canary, struct pipeline *candidate, double weight);

/* Its share from now on, 0 < weight < 1. */
void canary_step(struct canary *canary, double weight);
double canary_next_weight(struct canary *canary); /* of the ramp; 1: it is to be promoted */

void canary_promote(struct canary *canary);
void canary_published(struct canary *canary);

/* `reason`: of the guard that tripped; NULL: somebody said so. */
void canary_leave(struct canary *canary, const char *reason);

/* In ms since it began; `last_ms`: the last response of the canary, once it is over. */
struct canary_trip {
	int64_t onset_ms, detected_ms, swapped_ms, last_ms;
	uint64_t bad; /* errors and slow responses of the canary */
};
void canary_get_trip(struct canary *canary, struct canary_trip *trip_out);

/* Every CANARY_LOOK_MS. */
enum canary_news canary_look(struct canary *canary, struct sluice_error *reason);

/* As members of a JSON object, and as metrics. From any thread, with the service's lock to read. */
void canary_write(struct canary *canary, struct json_writer *json);
void canary_write_metrics(struct canary *canary, struct buffer *out);

#endif
