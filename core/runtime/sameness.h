/*
 * What the parse stage of a pipeline counts as the same (SLUICE_SAMENESS), for who compares stored events without a pipeline
 * that runs.
 */
#ifndef RUNTIME_SAMENESS_H
#define RUNTIME_SAMENESS_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "runtime/config.h"

/* NULL without an error: all of the content counts. */
struct sluice_stage *stage_sameness_open(const struct config *config, struct sluice_error *error);
void stage_sameness_close(struct sluice_stage *stage); /* may be NULL */

/* Whether what was sent counts as what is stored. */
bool stage_sameness_holds(struct sluice_stage *stage, const struct sluice_record *stored,
                          const struct sluice_record *sent);

/* The table of a created parse stage that was told to compare less than all; else NULL. */
const struct sluice_sameness *stage_sameness_of(const struct sluice_stage *parse);

#endif
