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

static size_t write_any(enum encoding encoding, const uint8_t *bytes, size_t size, char *text)
{
	if (encoding == ENCODING_BASE64 || encoding == ENCODING_BASE64URL)
		return base64_write(encoding == ENCODING_BASE64 ? BASE64_STANDARD : BASE64_URL, bytes, size, text);
	hex_write(bytes, size, text);
	for (size_t i = 0; encoding == ENCODING_HEX_UPPER && i < 2 * size; i++)
		text[i] = (char)toupper((unsigned char)text[i]);
	return 2 * size;
}

size_t encoding_write(enum encoding encoding, const uint8_t *bytes, size_t size, char text[ENCODED_MAX])
{
	return write_any(encoding, bytes, size, text);
}

bool encoding_read(enum encoding encoding, struct sluice_bytes text, uint8_t bytes[ENCODED_BYTES_MAX], size_t *size_out)
{
	char again[2 * ENCODED_BYTES_MAX];
	bool is_hex = encoding == ENCODING_HEX || encoding == ENCODING_HEX_UPPER;
	if (text.size > (is_hex ? 2 * ENCODED_BYTES_MAX : BASE64_ROOM(ENCODED_BYTES_MAX) - 4))
		return false;
	if (encoding == ENCODING_BASE64URL && text.size % 4 == 0)
		for (int i = 0; i < 2 && text.size && text.data[text.size - 1] == '='; i++)
			text.size--;
	if (!encoding_read_key(is_hex ? KEY_HEX : KEY_BASE64, text, bytes, size_out))
		return false;
	return write_any(encoding, bytes, *size_out, again) == text.size && memcmp(again, text.data, text.size) == 0;
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
