/*
 * Rows of the audit trail that say which events were removed for their age; see <sluice/record.h>.
 */
#ifndef LAB_JUDGE_PRUNING_H
#define LAB_JUDGE_PRUNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/record.h>

#include "base/buffer.h"

/* Of one row, the last first. */
struct pruning {
	struct pruning *next;
	int64_t position, before_ns;
	size_t chain; /* its keeper's */
	size_t size;
	uint8_t covers[];
};

bool pruning_is(const struct sluice_audit_row *row);

/* A copy of the row's, before `next`. */
struct pruning *pruning_keep(const struct sluice_audit_row *row, struct pruning *next);
void pruning_free(struct pruning *first);

/* Its events by id. Starts zeroed but for `pruning`. */
struct pruning_walk {
	const struct pruning *pruning;
	size_t at, count;
	int64_t id;    /* of the event that pruning_next() has come to */
	bool is_whole; /* after the last: the row can be read to its end, and has as many as it says */
};
bool pruning_next(struct pruning_walk *walk);

/* The list of the events, each with the digest that the trail covers; and whether it is the one that the row was made from. */
void pruning_add_cover(struct buffer *list, int64_t id, const uint8_t digest[SLUICE_DIGEST_SIZE]);
bool pruning_fits(const struct pruning *pruning, const struct buffer *list);

#endif
