/*
 * The words that a judgement may end with: of a comparison, of a gate, of a gate's criterion. Each is one row here, from
 * which its enum, its name, the exit status of its command and its colour in a report are made.
 */
#ifndef LAB_JUDGE_OUTCOME_H
#define LAB_JUDGE_OUTCOME_H

/* Columns: the enum, the name in documents, the colour (a class of report.css), the command's exit status, and how the
 * sentence begins. */
#define VERDICT_OUTCOME_ROWS(ROW)                                                                                      \
	ROW(VERDICT_BETTER, "better", "good", 0, "It helps")                                                           \
	ROW(VERDICT_WORSE, "worse", "bad", 1, "It makes P95 worse: leave it off")                                      \
	ROW(VERDICT_EQUIVALENT, "equivalent", "even", 1, "No difference beyond the margin: leave it off")              \
	ROW(VERDICT_INCONCLUSIVE, "inconclusive", "open", 11, "Not settled")                                           \
	ROW(VERDICT_INVALID, "invalid", "bad", 30, "No conclusion")

/* From the best to the worst. */
#define GATE_OUTCOME_ROWS(ROW)                                                                                         \
	ROW(GATE_PASS, "PASS", "good", 0)                                                                              \
	ROW(GATE_PROCEED, "PROCEED", "good", 10)         /* clean, go on to the next test */                           \
	ROW(GATE_CONDITIONAL, "CONDITIONAL", "open", 11) /* a target missed, not certified or not measured */          \
	ROW(GATE_FLAG, "FLAG", "open", 12)               /* unlikely to meet it, or a trade-off */                     \
	ROW(GATE_ROLLBACK, "ROLLBACK", "bad", 1)                                                                       \
	ROW(GATE_INVALID, "INVALID", "bad", 30) /* the run was not what the gate requires */

/* Of a criterion: the exit status is that of the gate's outcome. */
#define GATE_VERDICT_ROWS(ROW)                                                                                         \
	ROW(GATE_MET, "met", "good")                                                                                   \
	ROW(GATE_NOT_CERTIFIED, "not certified", "open")                                                               \
	ROW(GATE_FAILED, "failed", "bad")                                                                              \
	ROW(GATE_NOT_MEASURED, "not measured", "open")

#define OUTCOME_ENUM(id, ...) id,

enum verdict_outcome { VERDICT_OUTCOME_ROWS(OUTCOME_ENUM) VERDICT_OUTCOMES };
enum gate_outcome { GATE_OUTCOME_ROWS(OUTCOME_ENUM) GATE_OUTCOMES };
enum gate_verdict { GATE_VERDICT_ROWS(OUTCOME_ENUM) GATE_VERDICTS };

struct outcome {
	const char *name, *tone;
	int status;
	const char *lead;
};
extern const struct outcome verdict_outcomes[VERDICT_OUTCOMES];
extern const struct outcome gate_outcomes[GATE_OUTCOMES];
extern const struct outcome gate_verdicts[GATE_VERDICTS];

/* The row of that name in any of the three, whatever its case; NULL: there is none. */
const struct outcome *outcome_find(const char *name);

#endif
