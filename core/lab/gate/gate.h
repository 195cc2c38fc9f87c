/*
 * The gate: whether a run meets its criteria, and what to do next.
 *
 * A gate file says what the run must have been and what it must have come to (gate_spec_read). A run directory says
 * what it was and came to (gate_measure). gate_judge() holds one against the other, is a pure function of both, and so
 * gives whoever has the files the same verdict again. Limits are certified by bounds, not by points: see
 * docs/internals/gates.md and docs/internals/statistics.md.
 *
 * What a criterion is stands in one row of one table, gate_criteria[] in criteria.c: its name and title, its option in
 * the gate file, how it is measured and judged, what follows where it is missed, and the advice.
 */
#ifndef LAB_GATE_GATE_H
#define LAB_GATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>
#include <sluice/option.h>

#include "base/arena.h"
#include "lab/judge/host.h"
#include "lab/judge/outcome.h"

struct gate_criterion;
enum { GATE_CRITERIA_MAX = 32 };

/* What a gate decides about. Only a final one can say PASS. */
enum gate_kind { GATE_FINAL, GATE_SMOKE, GATE_INTERIM };
extern const char *const gate_kind_names[]; /* NULL-terminated */

/* A limit as the gate file has it; the type of the criterion's option says which member. */
union gate_limit {
	struct sluice_duration duration;
	double share;
	int64_t number;
	int choice;
};

/* A gate file. */
struct gate_spec {
	const char *name, *about;
	int kind;          /* enum gate_kind */
	double confidence; /* of each row, one-sided */

	struct sluice_strings targets; /* as written */

	/* In the order of gate_criteria[]. */
	bool asked[GATE_CRITERIA_MAX];
	bool is_target[GATE_CRITERIA_MAX]; /* shown as met or missed; decides nothing */
	union gate_limit limits[GATE_CRITERIA_MAX];

	/* What the run must have been; 0: anything. */
	int64_t requests, rate /* 1/s */, connections;

	/* Where P95 stands decides between the outcomes; 0: there is no such edge. */
	struct sluice_duration proceed, conditional, flag, rollback_above;

	char sha256[65]; /* hex of the file */
	struct arena arena;
};

/* False and file:line:column with a sentence. The spec is finished in either case. */
bool gate_spec_read(const char *path, struct gate_spec *spec_out, struct sluice_error *error);
void gate_spec_finish(struct gate_spec *spec);

/* Latencies in ascending order, ns; INT64_MAX: no answer, or nobody knows. count 0: not measured. */
struct gate_sample {
	int64_t *sorted;
	size_t count;
};

/* P95 against the baseline's: changes are fractions of the baseline's value. */
struct gate_change {
	bool apart; /* two runs one after the other instead of interleaved pairs */
	double change, low, high;
	double margin; /* a change below it counts as none; of pairs */
};

/* What a run came to by one criterion. Which members hold depends on how it is judged. */
struct gate_figure {
	bool measured;
	struct gate_sample sample; /* a latency */
	size_t bad, count;         /* a share */
	double value;              /* a count or a ratio, in the criterion's unit */
	struct gate_change change; /* against the baseline; of a growth: its interval, if it has one */
	bool has_interval;
};

/* What the host did meanwhile; docs/internals/host.md. */
struct gate_host {
	bool is_known; /* it was recorded */
	size_t stalls; /* that were the host's */
	struct host_share share;
	char longest[256]; /* of the stalls; "": there is none */
};

/* What a run came to. */
struct gate_facts {
	size_t requests, connections;
	double rate; /* requests a second that were due; 0: there was no schedule */
	bool interrupted;
	char late[1024];                               /* why the generator's work does not count; "": it does */
	struct gate_sample latency, raw;               /* of requests: from the intended time, from the sending */
	struct gate_figure figures[GATE_CRITERIA_MAX]; /* in the order of gate_criteria[] */
	struct gate_host host;
	struct gate_facts *calm; /* of the requests that fall into no stall of the host; NULL: none does */
	struct arena arena;      /* the samples, and `calm` */
};

/* Reads the facts of the last arm from a run directory; `baseline` is another one, NULL: the one that was last named
 * for this run, or its own comparison. False and a sentence if something is there and cannot be read; what is not there
 * is not measured. The facts are finished in either case. */
bool gate_measure(const char *run, const char *baseline, struct gate_facts *facts_out, struct sluice_error *error);
void gate_facts_finish(struct gate_facts *facts);

struct gate_row {
	const struct gate_criterion *criterion;
	enum gate_verdict verdict;
	bool is_target;
	bool proven;               /* of FAILED: the bound is on the wrong side, too */
	enum gate_outcome outcome; /* what this row alone comes to */
	double limit, point;       /* in the criterion's unit; NAN: unknown; INFINITY: not even answered */
	double low, high;          /* bounds of the true value, each one-sided; NAN: there is none */
	size_t bad, count;         /* what the bounds are made of; count 0: nothing */
	double allowed;            /* the share of `count` that may be bad; with count 0: nothing */
};

struct gate_result {
	enum gate_outcome outcome;
	enum gate_outcome calm;        /* without the requests that fall into stalls of the host */
	enum gate_outcome best, worst; /* what P95 alone may come to, as far as its interval leaves open */
	struct gate_row rows[GATE_CRITERIA_MAX];
	size_t row_count;
	char invalid[2048];  /* why the run does not count; "": it does */
	char sentence[4096]; /* the outcome and why */
	char next[4096];     /* what to do next */
};

void gate_judge(const struct gate_spec *spec, const struct gate_facts *facts, struct gate_result *result_out);

/* The row of the criterion of that name, or NULL. */
const struct gate_row *gate_find_row(const struct gate_result *result, const char *name);

/* A row's figures as people write them; "" where there is none. */
struct gate_row_texts {
	char value[32];    /* "118 ms" */
	char limit[32];    /* "≤ 120 ms" */
	char bound[32];    /* what is certain on the side of the limit: "121 ms" */
	char interval[64]; /* "116 ms to 121 ms" */
};
struct gate_row_texts gate_row_texts(const struct gate_row *row);

/* The content of gate.json, as docs/internals/run-directory.md describes it; `file` is the gate file's path. The caller
 * owns it. */
json_t *gate_result_to_json(const char *file, const struct gate_spec *spec, const struct gate_facts *facts,
                            const struct gate_result *result);

/* Writes gate.json into the run directory, and beside it what it takes to compute it again: the gate file, and the
 * figures of `baseline`, the directory that was named as such, or NULL. */
bool gate_record(const char *run, const char *baseline, const struct gate_facts *facts, const json_t *result,
                 struct sluice_error *error);

/* Judges a run again by what gate_record() has left there: what its gate.json must be. The caller owns it; NULL and a
 * sentence if it cannot be done. */
json_t *gate_judge_again(const char *run, struct sluice_error *error);

#endif
