/*
 * The manifest of a directory: the SHA-256 of every other file in it, in the format of sha256sum(1), so that
 * `sha256sum -c MANIFEST.sha256` checks it, too.
 */
#ifndef LAB_REPORT_MANIFEST_H
#define LAB_REPORT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

/* Writes MANIFEST.sha256, in the order of the names, with the files of directories in it; hidden files are left out. */
bool manifest_write(const char *directory, struct sluice_error *error);

/* What is wrong with a file: "has changed", "is missing", "is not in the manifest". Borrowed for the call. */
typedef void (*manifest_fault_fn)(void *context, const char *file, const char *fault);

/* Calls `each` for every file that is not as the manifest has it. False and a sentence if there is none or it cannot be
 * read. */
bool manifest_check(const char *directory, manifest_fault_fn each, void *context, size_t *files_out,
                    struct sluice_error *error);

#endif
