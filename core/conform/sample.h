/*
 * Events of all sorts to put a stage through, for checks that do not care which: what a sender would send for stages
 * before the queue, and what has been parsed for those after it.
 */
#ifndef CONFORM_SAMPLE_H
#define CONFORM_SAMPLE_H

#include "conform/check.h"

/* The number `i` of an endless series: well-formed, malformed, empty and large ones take turns. Ids are unique to the
 * check, and one id stands for one content. */
struct sluice_event *sample_event(struct check *check, struct bench *bench, unsigned long i);

/* How many sorts take turns. */
enum { SAMPLE_SORTS = 10 };

/* Whether process() is how events get into the stage. */
bool sample_is_processed(const struct check *check);

/* The verdict, or if it is WAIT, the one that the event is resumed with. Ends the check if that does not come. */
enum sluice_verdict sample_wait(struct check *check, struct sluice_event *event, enum sluice_verdict verdict);

/* Processes and settles it, waiting for its resume if it is parked; the verdict that settled it. Ends the check if
 * that does not come: it must not be parked behind an event that the same thread has yet to settle. */
enum sluice_verdict sample_run(struct check *check, struct bench *bench, struct sluice_event *event);

/* Skips the check unless the stage is one of auth, parse and idempotency. */
void sample_need_front(struct check *check);

#endif
