/*
 * What came of overlays that were compared before: the verdicts of comparisons in which B has one overlay more than A.
 */
#ifndef LAB_REPORT_TRIED_H
#define LAB_REPORT_TRIED_H

#include <jansson.h>
#include <sluice/error.h>

#include "base/buffer.h"

/* All trials in DIR, a run directory of `compare`, and in each such directory inside it; in order of their names. An
 * array of {"overlay", "beside": what was on in both, "outcome", "change", "low", "high": of P95, fractions, "started_at",
 * "directory"}. NULL and a sentence if DIR has no comparison or one of them cannot be read. */
json_t *tried_read(const char *directory, struct sluice_error *error);

/* Those of one overlay, a new array. `trials`: NULL: not known, and NULL is returned. */
json_t *tried_of(const json_t *trials, const char *overlay);

/* A sentence for each, on a line of its own; that there is none. */
void tried_write_text(const json_t *trials, const char *overlay, struct buffer *out);

#endif
