/*
 * The file of a stage as the process holds it: a private copy in memory, hashed, proven to be a whole shared object for
 * this machine, and opened.
 */
#ifndef RUNTIME_IMAGE_H
#define RUNTIME_IMAGE_H

#include <stddef.h>

#include <sluice/error.h>

#include "base/digest.h"

struct image;
struct loader_pin;

/* Copies the file and opens the copy, if its content is what the pin says; `sha256` is that of the copied bytes. NULL
 * and what is wrong with the file ("is a directory …"), without its path, if that cannot be. */
struct image *image_open(const char *path, char sha256[DIGEST_HEX_SIZE], struct loader_pin *pin,
                         struct sluice_error *error);
void image_close(struct image *image);

/* Where the exported data `name` stands and how many bytes it has; NULL if there is no such data. */
const void *image_symbol(const struct image *image, const char *name, size_t *size_out);

#endif
