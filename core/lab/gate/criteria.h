/*
 * The criteria that a gate may have; see gate.h.
 */
#ifndef LAB_GATE_CRITERIA_H
#define LAB_GATE_CRITERIA_H

#include "lab/gate/gate.h"
#include "lab/gate/source.h"

/* What a criterion's option is called before its name. */
#define GATE_GROUP "criteria."

/* The criterion that bands, edges and the baseline are about. */
#define GATE_P95 "p95"

enum gate_unit { GATE_MS, GATE_SHARE /* fraction of 1 */, GATE_CHANGE /* fraction of 1, with a sign */, GATE_NUMBER };

/* What a row is judged from. */
struct gate_question {
	const struct gate_criterion *criterion;
	const struct gate_figure *figure; /* measured */
	union gate_limit limit;
	double confidence;
};

struct gate_criterion {
	const char *title;                /* for people */
	enum gate_unit unit;              /* of its value and its limit */
	struct sluice_option option[2];   /* in the gate file, "criteria.NAME", of a union gate_limit; and the end */
	enum gate_outcome missed, proven; /* what a failed row comes to: by its point alone, and by its bound */

	/* Fills the figure, which is zeroed; what the run does not have stays unmeasured. False and a sentence if
	 * something is there and cannot be read. */
	bool (*measure)(const struct gate_source *source, const struct gate_criterion *criterion,
	                struct gate_figure *figure, struct sluice_error *error);
	/* Fills verdict, bounds and what they are made of. */
	void (*judge)(const struct gate_question *question, struct gate_row *row);

	double fraction;   /* of a latency: which quantile has the limit */
	gate_time_fn time; /* of a stage: how long a request was in it */
	bool at_least;     /* the limit is a lower one */
	bool always;       /* a failed row counts even where the run was not what the gate requires */

	const char *measuring; /* how to get it measured */
	const char *dominant;  /* of a stage: what to try where it takes longest; NULL: it is a sum of stages */
	const char *rollback;  /* what also to do when it rolls back; NULL: nothing */
};

extern const struct gate_criterion gate_criteria[];
extern const size_t gate_criteria_count;

/* As in the gate file: "p95", "stages.auth". */
const char *gate_criterion_name(const struct gate_criterion *criterion);

/* Its place in gate_criteria[], which must have that name. */
size_t gate_criterion_index(const char *name);

/* Ways of judging. */
void gate_judge_latency(const struct gate_question *question, struct gate_row *row);
void gate_judge_share(const struct gate_question *question, struct gate_row *row);
void gate_judge_value(const struct gate_question *question, struct gate_row *row);
void gate_judge_growth(const struct gate_question *question, struct gate_row *row);
void gate_judge_change(const struct gate_question *question, struct gate_row *row);

/* The limit in the criterion's unit; NAN: the comparison sets it. */
double gate_limit_value(const struct gate_criterion *criterion, union gate_limit limit);

/* Fills `sentence` and `next` of a result that is judged. */
void gate_explain(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result);

#endif
