/*
 * The auditor: recomputes the audit trail of a store and says everything that does not agree.
 *
 * Checked are each writer's chain (positions 1, 2, 3 … without a gap, each row holding the hash of the one before, each
 * hash right), each event's digest, that every event is covered by exactly one row, and that every covered event is
 * there as it was or was removed for its age by a row that says so, and that no message id is stored twice. A tail cut off a chain cannot be seen in the trail itself: for that, hand in heads that the log has
 * kept.
 */
#ifndef LAB_JUDGE_AUDIT_H
#define LAB_JUDGE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

/* Where events and rows come from; both must show the same moment. As the stage's scan() and audit_scan(). */
struct audit_source {
	bool (*scan)(void *store, int64_t after_id, sluice_record_fn each, void *context, struct sluice_error *error);
	bool (*audit_scan)(void *store, sluice_audit_fn each, void *context, struct sluice_error *error);
	/* Its dead letters; NULL: it cannot tell. */
	bool (*letter_scan)(void *store, int64_t after_id, sluice_letter_fn each, void *context,
	                    struct sluice_error *error);
	void *store;
};

enum audit_violation {
	AUDIT_GAP,           /* a position is missing, or there twice */
	AUDIT_BROKEN_LINK,   /* a row does not hold the hash of the row before */
	AUDIT_WRONG_HASH,    /* a row's hash is not that of its content */
	AUDIT_BAD_COVERS,    /* what a row covers cannot be read */
	AUDIT_CUT_TAIL,      /* a head that was logged is not in the trail */
	AUDIT_ALTERED_EVENT, /* an event's content does not fit its digest */
	AUDIT_OTHER_EVENT,   /* an event's digest is not the one that the trail covers */
	AUDIT_UNCOVERED,     /* an event that no row covers */
	AUDIT_COVERED_TWICE, /* an event that two rows cover */
	AUDIT_MISSING_EVENT, /* a row covers an event that is not there */
	AUDIT_STORED_TWICE,  /* an event whose message id another one before it has */
	AUDIT_BAD_PRUNING,   /* a row says that events were removed which the trail does not cover so */
	AUDIT_PRUNED_EVENT,  /* an event that was removed is there */
	AUDIT_VIOLATIONS,
};
/* Each for programs, "gap", and for people, "a position is missing or there twice". */
struct audit_words {
	const char *name, *phrase;
};
extern const struct audit_words audit_violation_words[AUDIT_VIOLATIONS];

/* One thing that does not agree. Borrowed for the call. */
struct audit_finding {
	enum audit_violation violation;
	int64_t event_id;           /* 0: it is not about an event */
	struct sluice_bytes writer; /* of the row; absent and position 0: it is not about a row */
	int64_t position;
};
typedef void (*audit_finding_fn)(void *context, const struct audit_finding *finding);

/* The last row of a chain. */
struct audit_head {
	char writer[64]; /* a longer name is cut */
	int64_t position;
	uint8_t hash[SLUICE_DIGEST_SIZE];
};

struct audit_result {
	uint64_t events, rows;
	uint64_t pruned;          /* events that were removed for their age, as rows of the trail say */
	uint64_t prunings;        /* those rows */
	int64_t pruned_before_ns; /* the latest bound of theirs; with `prunings` */
	uint64_t unproven; /* events whose payload the store has rewritten: their digest could not be recomputed */
	uint64_t violations[AUDIT_VIOLATIONS];
	uint64_t violation_count; /* of all kinds */
	struct audit_head *heads; /* of every writer, in the order of the trail */
	size_t head_count;
};

/* Reads "WRITER:POSITION:HASH". */
bool audit_head_from_text(const char *text, struct audit_head *head_out);

/* Goes through all of it. False: it could not be read, and the result means nothing. `known` are heads that the log has
 * kept; `each` may be NULL. The result is freed with audit_result_finish() in either case. */
bool audit_verify(const struct audit_source *source, const struct audit_head *known, size_t known_count,
                  audit_finding_fn each, void *context, struct audit_result *result_out, struct sluice_error *error);
void audit_result_finish(struct audit_result *result);

#endif
