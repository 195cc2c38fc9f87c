/*
 * A test report: what was checked, what broke which promise, and how to reproduce it. Values of options that are secret
 * are shown as ***.
 */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include <stdio.h>

#include "base/buffer.h"
#include "conform/conform.h"

/* "auth/hmac 1.0.0 …", the head of the report. */
void report_head(const struct conform *conform, FILE *out);

/* The lines of one check. */
void report_result(const struct conform *conform, const struct check_result *result, FILE *out);

/* "12 checks: 10 ok, 1 BROKEN, 1 skipped" */
void report_totals(const struct conform_totals *totals, FILE *out);

/* All of it as one JSON object. */
void report_json(const struct conform *conform, const struct check_result *results, size_t count,
                 const struct conform_totals *totals, struct buffer *out);

#endif
