/*
 * Runs in the formats of other tools. Times are milliseconds, but for perfetto's, whose format asks for microseconds.
 *
 * csv, jsonl: a request each, the same columns in both, listed in docs/internals/analysis.md; what is not known is
 * empty, or null. perfetto: the trace event format of Chrome, which https://ui.perfetto.dev reads: a process per arm,
 * as many tracks as there were requests at once, the parts of each as slices in it. hgrm: the percentile distribution
 * of the total, as HdrHistogram prints it and its plotters read it, of every value and not of buckets.
 */
#ifndef LAB_REPORT_EXPORT_H
#define LAB_REPORT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <sluice/error.h>

#include "lab/run/samples.h"

enum export_format { EXPORT_CSV, EXPORT_JSONL, EXPORT_PERFETTO, EXPORT_HGRM, EXPORT_FORMATS };
extern const char *const export_format_names[EXPORT_FORMATS];

bool export_format_from_text(const char *text, enum export_format *format_out);

enum { EXPORT_PERFETTO_MAX = 50000 /* requests of an arm, the first that came; a viewer bears no more */ };

/* Writes the arms, those of one `samples`. False and a sentence if the format cannot say it (hgrm: two arms; perfetto:
 * a log, which has no times) or the file cannot take it. */
bool export_write(enum export_format format, const struct samples *samples, const struct sample_arm *const *arms,
                  size_t arm_count, FILE *file, struct sluice_error *error);

#endif
