/*
 * Comparing what must stay secret.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Takes the same time wherever the bytes differ. Their number is no secret. */
bool secret_equal(const void *a, const void *b, size_t size);

#endif
