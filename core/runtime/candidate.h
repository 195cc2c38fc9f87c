/*
 * Which changes may be tried on a part of the traffic.
 */
#ifndef RUNTIME_CANDIDATE_H
#define RUNTIME_CANDIDATE_H

#include <stdbool.h>

#include <sluice/error.h>

struct config;

/* Whether both may serve side by side, so that no event is lost, doubled or reordered: the arm is chosen behind the parse stage,
 * both write to the same store, whose unique key knows the ids of both, and no queue outlives the process. A sentence if not. */
bool candidate_check(const struct config *config, const struct config *baseline, struct sluice_error *error);

#endif
