/*
 * The verifier: holds a store against what the senders of a run were told.
 *
 * A message is all lines of the input that have one id. It counts as answered when one of its requests got a 2xx, and
 * then one row must hold it, as it was sent by a line that got 202 (where none did: 200). Within a stream, rows must
 * stand in the order of acceptance. That moment lies between the sending and the answer: of two messages, the first
 * must come first if it was answered before the second was sent; where the two overlap, either order is right.
 *
 * An event among the dead letters was acknowledged and then refused by the store: it is no longer lost, but counted.
 *
 * No fault are: a row whose request got no 2xx (the answer may have been lost), rows that this run has not sent (a
 * store may hold other runs), and a message that got 202 more than once (as a queue that acknowledges before duplicates
 * are known may answer). They are counted.
 *
 * The input is in memory, and some 100 bytes for each request and message; the rows go by.
 */
#ifndef LAB_JUDGE_VERIFY_H
#define LAB_JUDGE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <sluice/error.h>
#include <sluice/event.h>

#include "base/arena.h"
#include "lab/judge/audit.h"
#include "lab/load/input.h"
#include "lab/run/run.h"

enum verify_violation {
	VERIFY_LOST,      /* answered 2xx, and what was sent is not stored */
	VERIFY_DOUBLED,   /* a message that two rows or more hold */
	VERIFY_ALTERED,   /* payload, event type, stream or sequence are not those that were sent */
	VERIFY_REORDERED, /* behind a row of its stream that was sent after this one was answered */
	VERIFY_VIOLATIONS,
};
extern const char *const verify_violation_names[VERIFY_VIOLATIONS];

enum { VERIFY_EXAMPLES_MAX = 1000 /* kept of an arm; the rest is counted */ };

struct verify_plan {
	const struct input *input;
	const struct trace_record *records; /* those of other arms are passed over */
	size_t count;
	uint8_t arm;
	const char *id_prefix; /* what the arm put before each message id */
	/* Whether what was sent counts as what is stored, though the content differs; NULL: it never does. */
	bool (*is_same)(void *context, const struct sluice_record *stored, const struct sluice_record *sent);
	void *same_context;
};

/* What does not agree, and how. */
struct verify_example {
	enum verify_violation violation;
	struct sluice_bytes message_id; /* as it was sent, with its prefix */
	struct sluice_bytes stream;     /* absent: it has none */
	const char *detail;             /* a sentence without its full stop */
};

struct verify_result {
	uint8_t arm;
	uint64_t answered;       /* messages with a 2xx */
	uint64_t stored;         /* messages of this arm that are in the store */
	uint64_t unanswered;     /* stored, but no request got a 2xx */
	uint64_t accepted_twice; /* messages with more than one 202 */
	uint64_t dead;           /* answered, and what was sent is a dead letter */
	uint64_t pruned;         /* answered, and what was sent was removed from the store for its age */
	uint64_t foreign;        /* rows that this arm has not sent */
	uint64_t violations[VERIFY_VIOLATIONS];
	uint64_t violation_count; /* of all kinds */
	struct verify_example *examples;
	size_t example_count;
	struct arena arena; /* what the examples point to */
};

/* Reads the run's own input.jsonl, or the file at `path` (NULL: none was named), and proves by its hash that it is what
 * the run sent. */
bool verify_read_input(const struct run *run, const char *path, struct input *input, struct sluice_error *error);

/* What run.json says of an arm. `arm` -1: the only one there is. The plan borrows from both. */
bool verify_plan_init(struct verify_plan *plan_out, const struct run *run, int arm, const struct input *input,
                      struct sluice_error *error);

/* Goes through the store; audit_scan(), which may be NULL, is used where something is missing that may have been removed for its age. False: it could not be read, and the result means nothing.
 * The result is freed with verify_result_finish() in either case. */
bool verify_store(const struct verify_plan *plan, const struct audit_source *source, struct verify_result *result_out,
                  struct sluice_error *error);
void verify_result_finish(struct verify_result *result);

/* As docs/internals/run-directory.md describes it. */
json_t *verify_to_json(const struct verify_result *result);

/* Puts the result into DIR/verify.json, in the place of an earlier one of the same arm. */
bool verify_save(const char *directory, const struct verify_result *result, struct sluice_error *error);

#endif
