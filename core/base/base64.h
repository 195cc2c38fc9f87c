/*
 * Base64 (RFC 4648).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum base64_form {
	BASE64_STANDARD, /* section 4, padded */
	BASE64_URL,      /* section 5, without padding */
	BASE64_ANY,      /* to be read: either alphabet, padded or not */
};

/* Room for the text of `size` bytes in either form. */
#define BASE64_ROOM(size) (((size) + 2) / 3 * 4)

/* Returns the size of the text, which gets no NUL. */
size_t base64_write(enum base64_form form, const void *data, size_t size, char *text);

/* Reads a text of that form and nothing in between; `bytes` has room for three for each four characters that begin. False
 * if it is something else. */
bool base64_read(enum base64_form form, const char *text, size_t size, uint8_t *bytes, size_t *size_out);

#endif
