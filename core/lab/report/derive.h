/*
 * The files of a bundle that follow from the others of its run directory: they are made when it is packed, and made again when
 * it is verified.
 */
#ifndef LAB_REPORT_DERIVE_H
#define LAB_REPORT_DERIVE_H

#include <stdbool.h>

#include <sluice/error.h>

enum { DERIVED_LINEAGES = 10 };

/* Every name that one of them may have; NULL ends the list. */
extern const char *const derived_names[];

/* Writes them to TARGET/, which may be the directory itself. False and a sentence if something cannot be read or written. */
bool derive_files(const char *directory, const char *target, struct sluice_error *error);

#endif
