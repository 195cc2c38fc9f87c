/*
 * UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed character at the start of the `size` bytes, 1–4; 0 if there is none. */
size_t utf8_character(const char *data, size_t size);

/* The character of those bytes, whose number is as utf8_character() gave it. */
uint32_t utf8_decode(const char *data, size_t length);

bool utf8_valid(const char *data, size_t size);

/* The bytes of the byte order mark at the start of a file, which some editors write; 0: there is none. */
size_t utf8_mark_size(const char *text, size_t size);

#endif
