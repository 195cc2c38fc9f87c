/*
 * Texts of bytes and back; see encoding.h.
 */
#include "sign/encoding.h"

#include <ctype.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"

const char *const encoding_names[] = {"hex", "HEX", "base64", "base64url", NULL};
const char *const key_encoding_names[] = {"text", "hex", "base64", NULL};

size_t encoding_write(enum encoding encoding, const uint8_t *bytes, size_t size, char text[ENCODED_MAX])
{
	switch (encoding) {
	case ENCODING_HEX:
	case ENCODING_HEX_UPPER:
		hex_write(bytes, size, text);
		for (size_t i = 0; encoding == ENCODING_HEX_UPPER && i < 2 * size; i++)
			text[i] = (char)toupper((unsigned char)text[i]);
		return 2 * size;
	case ENCODING_BASE64:
		return base64_write(BASE64_STANDARD, bytes, size, text);
	case ENCODING_BASE64URL:
		return base64_write(BASE64_URL, bytes, size, text);
	}
	return 0;
}

bool encoding_read_key(enum key_encoding encoding, struct sluice_bytes text, uint8_t *key, size_t *size_out)
{
	switch (encoding) {
	case KEY_HEX:
		*size_out = text.size / 2;
		return hex_read(text.data, text.size, key);
	case KEY_BASE64:
		return base64_read(BASE64_ANY, text.data, text.size, key, size_out);
	case KEY_TEXT:
		break;
	}
	if (text.size)
		memcpy(key, text.data, text.size);
	*size_out = text.size;
	return true;
}
