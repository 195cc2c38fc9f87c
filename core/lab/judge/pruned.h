/*
 * What a store held and has removed for its age, as its audit trail says.
 */
#ifndef LAB_JUDGE_PRUNED_H
#define LAB_JUDGE_PRUNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/judge/audit.h"

/* The digests of the events, in order. Starts zeroed. */
struct pruned {
	struct pruned_event {
		int64_t id;
		uint8_t digest[SLUICE_DIGEST_SIZE];
		bool is_known; /* the trail covers it */
		bool is_taken;
	} * events;
	size_t count, room;
};

/* Goes through the trail, once more if it tells of removed events. It is not verified. Freed with pruned_finish() in either case. */
bool pruned_read(const struct audit_source *source, struct pruned *pruned, struct sluice_error *error);
void pruned_finish(struct pruned *pruned);

/* Takes one event with that digest. False: none is left. */
bool pruned_take(struct pruned *pruned, const uint8_t digest[SLUICE_DIGEST_SIZE]);

#endif
