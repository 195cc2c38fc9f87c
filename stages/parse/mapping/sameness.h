/*
 * What makes two events with one message id the same: all of their content, some members of the payload, or nothing more, so
 * that the first one stays. See SLUICE_SAMENESS.
 */
#ifndef MAPPING_SAMENESS_H
#define MAPPING_SAMENESS_H

#include <stdbool.h>

#include <sluice/extension.h>
#include <sluice/option.h>

#include "recipe.h"

enum { SAMENESS_MEMBERS_MAX = 16 };

struct sameness {
	bool first_wins;
	struct source_list members; /* none: all counts */
};

/* Reads JSON Pointers into the payload, or "first-wins" alone. */
bool sameness_init(struct sameness *sameness, const struct sluice_strings *texts, struct sluice_error *error);
void sameness_finish(struct sameness *sameness);

/* Beside the members, type, stream and sequence count. A payload that is not JSON is the same only as a whole. */
bool sameness_holds(const struct sameness *sameness, struct sluice_event *event, const struct sluice_record *stored);

#endif
