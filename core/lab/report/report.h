/*
 * report.html: a run directory for people, as one file that needs nothing else. What stands in it, and how it is made,
 * is described in docs/internals/report.md.
 */
#ifndef LAB_REPORT_REPORT_H
#define LAB_REPORT_REPORT_H

#include <stdbool.h>

#include <sluice/error.h>

/* Writes DIR/report.html from run.json, compare.json, gate.json and verify.json; of these, run.json must be there.
 * False and a sentence if one cannot be read or the report cannot be written; an older report then stays. */
bool report_write(const char *run_directory, struct sluice_error *error);

/* As TARGET/report.html. */
bool report_write_to(const char *run_directory, const char *target, struct sluice_error *error);

#endif
