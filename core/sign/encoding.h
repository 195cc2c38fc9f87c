/*
 * How bytes are written as text: signatures when they are compared, keys when they are read.
 */
#ifndef SIGN_ENCODING_H
#define SIGN_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

enum encoding { ENCODING_HEX, ENCODING_HEX_UPPER, ENCODING_BASE64, ENCODING_BASE64URL };
extern const char *const encoding_names[]; /* "hex", "HEX", "base64", "base64url"; NULL-terminated */

enum { ENCODED_MAX = 128 /* bytes of text for the largest signature, 64 bytes */ };

/* Writes up to 64 bytes; returns the size of the text. base64 is padded, base64url is not. */
size_t encoding_write(enum encoding encoding, const uint8_t *bytes, size_t size, char text[ENCODED_MAX]);

enum { ENCODED_BYTES_MAX = 1024 /* of the largest signature that is read: RSA of 8192 bits */ };

/* Reads what encoding_write() would write and nothing else, so that one signature has one text; base64url also padded.
 * False if it is something else, or too long. */
bool encoding_read(enum encoding encoding, struct sluice_bytes text, uint8_t bytes[ENCODED_BYTES_MAX],
                   size_t *size_out);

enum key_encoding { KEY_TEXT, KEY_HEX, KEY_BASE64 };
extern const char *const key_encoding_names[]; /* "text", "hex", "base64"; NULL-terminated */

/* Reads a key into `key`, which has room for as many bytes as `text`. Hex of either case; base64 of either alphabet,
 * padded or not. False if the text is not of that encoding. */
bool encoding_read_key(enum key_encoding encoding, struct sluice_bytes text, uint8_t *key, size_t *size_out);

#endif
