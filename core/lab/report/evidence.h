/*
 * The evidence bundle: a run directory made complete, so that who was not there can judge: everything that was
 * measured, what follows from it, and a manifest of hashes. Its files are listed in docs/internals/run-directory.md.
 */
#ifndef LAB_REPORT_EVIDENCE_H
#define LAB_REPORT_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

enum { EVIDENCE_LINEAGES = 10 };

/* Writes the files that follow from the raw samples, the report, and last the manifest. What belongs to a bundle and is
 * not in the directory (a verification, a gate's verdict, a rollback that was tried) is called through `missing`, a
 * sentence each: it is then not in the bundle. False and a sentence if something could not be read or written. */
bool evidence_pack(const char *directory, void (*missing)(void *context, const char *what), void *context,
                   struct sluice_error *error);

/* Checks every hash, and computes the verdicts (compare.json, gate.json) and what run.json says of answers, latencies
 * and the generator again from the raw samples. `fault` hears of
 * each file that is not what it should be; *faults_out counts them. False and a sentence if it is no bundle. */
bool evidence_verify(const char *directory, void (*fault)(void *context, const char *file, const char *what),
                     void *context, size_t *faults_out, struct sluice_error *error);

#endif
