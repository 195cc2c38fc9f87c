/*
 * Base64 (RFC 4648, section 4): padded, the standard alphabet, nothing else in between.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

void base64_write(const void *data, size_t size, struct buffer *out);

/* Appends the bytes that the text stands for. False, and nothing appended, if it is not base64. */
bool base64_read(const char *text, size_t size, struct buffer *out);

#endif
