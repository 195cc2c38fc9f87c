/*
 * What the criteria are measured from: a run that is open, and what several of them need of it. Where two arms ran, the
 * last one is judged; the other is its baseline.
 */
#ifndef LAB_GATE_SOURCE_H
#define LAB_GATE_SOURCE_H

#include "lab/gate/gate.h"
#include "lab/run/run.h"

struct gate_source {
	const struct run *run;
	uint8_t arm;
	const char *baseline;     /* the directory that was named as such; NULL: none */
	struct gate_facts *facts; /* all but the figures is known */
	bool answers_known;
	size_t expected_good, accepted; /* requests that should be taken, and those of them that were */
	size_t errors;                  /* requests without the answer that is right for their kind */
};

/* Fills all but the figures. False and a sentence if something is there and cannot be read. */
bool gate_source_open(const struct run *run, const char *baseline, struct gate_facts *facts,
                      struct gate_source *source_out, struct sluice_error *error);

/* What is asked of a record: ns; −1: it is not to be counted; INT64_MAX: nobody knows. */
typedef int64_t (*gate_time_fn)(const struct trace_record *record);

/* Those times of the last arm's requests, sorted, in the arena; INT64_MAX where `known` does not hold, NULL: it always
 * does. */
struct gate_sample gate_collect(const struct run *run, gate_time_fn time,
                                bool (*known)(const struct trace_record *record), struct arena *arena);

/* From the intended time; a request without an answer takes longer than any limit. */
int64_t gate_latency_ns(const struct trace_record *record);

/* The arm that is judged. */
uint8_t gate_last_arm(const struct run *run);

/* Whether DIRECTORY/NAME exists. */
bool gate_has_file(const char *directory, const char *name);

/* P95 against the run's baseline, its figure as gate_criterion.measure. */
bool gate_measure_change(const struct gate_source *source, const struct gate_criterion *criterion,
                         struct gate_figure *figure, struct sluice_error *error);

/* What the server held, as gate_criterion.measure. */
bool gate_measure_memory_growth(const struct gate_source *source, const struct gate_criterion *criterion,
                                struct gate_figure *figure, struct sluice_error *error);
bool gate_measure_memory(const struct gate_source *source, const struct gate_criterion *criterion,
                         struct gate_figure *figure, struct sluice_error *error);
bool gate_measure_descriptor_growth(const struct gate_source *source, const struct gate_criterion *criterion,
                                    struct gate_figure *figure, struct sluice_error *error);

#endif
