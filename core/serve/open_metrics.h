/*
 * The metrics as OpenMetrics 1.0 has them, for scrapers that ask for it: the same series, with exemplars.
 */
#ifndef SERVE_OPEN_METRICS_H
#define SERVE_OPEN_METRICS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "serve/exemplars.h"

#define OPEN_METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Whether an Accept field value (may be NULL) asks for it at least as much as for text. */
bool open_metrics_is_accepted(const char *accept);

/* Rewrites what metrics_write() wrote. */
void open_metrics_convert(const struct buffer *text, struct exemplars *exemplars, struct buffer *out);

#endif
