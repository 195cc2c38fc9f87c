/*
 * An analysis as people and programs read it.
 */
#ifndef LAB_REPORT_BREAKDOWN_H
#define LAB_REPORT_BREAKDOWN_H

#include <jansson.h>

#include "base/buffer.h"
#include "lab/judge/analyze.h"

/* The block LATENCY BREAKDOWN (P95), the table, and what persist did with its time, in milliseconds. An analysis of
 * nothing says that there is nothing. */
void breakdown_write_text(const struct analyze_result *result, struct buffer *out);

/* All that the table has and more; the members are listed in docs/internals/analysis.md. */
json_t *breakdown_to_json(const struct analyze_result *result);

#endif
