/*
 * What binds the files of a run directory to each other: run.json names the SHA-256 of every other file (member `files`), and the
 * header of requests.bin begins the SHA-256 of run.json. So no file can be changed alone. Who changes all of them in step is
 * found by computing again what follows from the samples, and by a signature (docs/internals/run-directory.md).
 */
#ifndef LAB_RUN_SEAL_H
#define LAB_RUN_SEAL_H

#include <stdbool.h>

#include <sluice/error.h>

/* Notes the hash of a file that was written on purpose, in the place of an earlier one; or that it is gone. */
bool seal_file(const char *directory, const char *name, struct sluice_error *error);

/* The same of several; NULL ends the list. Nothing is sealed over a run.json that was changed since it was sealed: false. One at a
 * time seals a directory; a sealing that is cut short is brought to its end by the next. */
bool seal_files(const char *directory, const char *const names[], struct sluice_error *error);

/* Notes the hashes of all files that have none yet. Left out are hidden files and the manifest with its signature. */
bool seal_rest(const char *directory, struct sluice_error *error);

enum seal_scope { SEAL_NAMED, SEAL_WHOLE };

/* Calls `fault` for every file that is not as its seal says; WHOLE: for every file that has none, too. A directory that was never
 * sealed (no member `files`) is one fault. False and a sentence if it cannot be read. */
bool seal_check(const char *directory, enum seal_scope scope,
                void (*fault)(void *context, const char *file, const char *what), void *context,
                struct sluice_error *error);

/* Whether anything of the directory is sealed. */
bool seal_exists(const char *directory);

#endif
