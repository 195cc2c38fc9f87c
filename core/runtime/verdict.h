/*
 * Verdicts, what each means for the sender of an event, and the outcomes by which events are counted.
 */
#ifndef RUNTIME_VERDICT_H
#define RUNTIME_VERDICT_H

#include <stdbool.h>

#include <sluice/event.h>
#include <sluice/stage.h>

/* How an event ended, for its sender and the counters. */
enum event_outcome {
	OUTCOME_ACCEPTED,  /* 202 */
	OUTCOME_DUPLICATE, /* 200 */
	OUTCOME_CONFLICT,  /* 422 */
	OUTCOME_REJECTED,  /* other 4xx */
	OUTCOME_FAILED,    /* 500, 503 */
	OUTCOME_ANSWERED,  /* a stage answered itself, with 2xx: nothing is stored */
	OUTCOME_COUNT,
};
extern const char *const event_outcome_names[OUTCOME_COUNT];

struct verdict {
	const char *name; /* "PASS" */
	unsigned kinds;   /* a bit for each kind whose process() may give it */
	enum event_outcome outcome;
	int status; /* of HTTP, where the stage gave none */
};

/* NULL: there is no such verdict. */
const struct verdict *verdict_find(enum sluice_verdict verdict);

/* For sentences; "no verdict" where there is no such verdict. */
const char *verdict_name(enum sluice_verdict verdict);

/* Whether process() of a stage of that kind may give it. */
bool verdict_fits(enum sluice_verdict verdict, enum sluice_kind kind);

#endif
