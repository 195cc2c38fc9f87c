/*
 * An export under way, shared by those who write a format; see export.h.
 */
#ifndef LAB_REPORT_EXPORT_FORMATS_H
#define LAB_REPORT_EXPORT_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <sluice/error.h>

#include "base/buffer.h"
#include "lab/run/samples.h"

enum { EXPORT_SPANS_MAX = RUN_ARMS_MAX * SLUICE_SPANS_MAX };

struct export
{
	const struct samples *samples;
	const struct sample_arm *const *arms;
	size_t arm_count;
	const char *spans[EXPORT_SPANS_MAX]; /* of persist, in any arm */
	size_t span_count;
	FILE *file;
	struct buffer out;
	int failure; /* errno of the first write that failed */
};

/* Writes what is buffered, if it is enough to be worth it or `all` is. */
void export_flush(struct export *export, bool all);

bool export_perfetto(struct export *export, struct sluice_error *error);
bool export_hgrm(struct export *export, struct sluice_error *error);

#endif
