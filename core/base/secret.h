/*
 * What must stay secret: comparing it, and reading it as people write it down.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/event.h>

/* Takes the same time wherever the bytes differ. Their number is no secret. */
bool secret_equal(const void *a, const void *b, size_t size);

/* Cuts off what editors and shells put around a secret: a byte order mark at its start and line ends at its end (LF, CR
 * LF). False: other white space is left at one of the ends, which nobody sees and which would match no sender's; the
 * sentence says which end, and shows nothing of the secret. */
bool secret_trim(struct sluice_bytes *text, struct sluice_error *error);

#endif
