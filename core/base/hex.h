/*
 * Bytes as hexadecimal digits and back.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two digits a byte, in lower case, without a NUL. */
void hex_write(const void *data, size_t size, char *text);

/* Digits of either case, two for each of the bytes; false: the text is something else. */
bool hex_read(const char *text, size_t size, uint8_t *bytes);

#endif
