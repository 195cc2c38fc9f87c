/*
 * The evidence bundle: a run directory made complete, so that who was not there can judge: everything that was
 * measured, what follows from it, and a manifest of hashes. Its files are listed in docs/internals/run-directory.md.
 */
#ifndef LAB_REPORT_EVIDENCE_H
#define LAB_REPORT_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

/* Writes the files that follow from the raw samples, seals, and last the manifest; with `key`, the PEM file of a private key of
 * ed25519, its signature, too. What belongs to a bundle and is not in the directory (a verification, a gate's verdict, a
 * rollback that was tried) is called through `missing`, a sentence each: it is then not in the bundle. False and a sentence if
 * something could not be read or written, or is not as it was sealed when the run was made. */
bool evidence_pack(const char *directory, const char *key, void (*missing)(void *context, const char *what),
                   void *context, struct sluice_error *error);

/* Checks every hash, every seal and, with `key`, the PEM file of a public key, the signature; and computes again what follows from
 * the raw samples: the verdicts (compare.json, gate.json), what run.json says of answers, latencies and the generator, and
 * the files that pack writes. `fault` hears of each file that is not what it should be; *faults_out counts them. False and a
 * sentence if it is no bundle. */
bool evidence_verify(const char *directory, const char *key,
                     void (*fault)(void *context, const char *file, const char *what), void *context,
                     size_t *faults_out, struct sluice_error *error);

#endif
