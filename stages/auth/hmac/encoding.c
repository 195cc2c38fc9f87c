/*
 * Texts of bytes and back; see encoding.h.
 */
#include "encoding.h"

#include <string.h>

const char *const encoding_names[] = {"hex", "HEX", "base64", "base64url", NULL};
const char *const key_encoding_names[] = {"text", "hex", "base64", NULL};

static size_t write_hex(const char *digits, const uint8_t *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return 2 * size;
}

#define BASE64_COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static size_t write_base64(const char *digits, bool padded, const uint8_t *bytes, size_t size, char *text)
{
	size_t length = 0;
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i < 3 ? size - i : 3;
		uint32_t group = 0;
		for (size_t j = 0; j < 3; j++)
			group = group << 8 | (j < left ? bytes[i + j] : 0u);
		for (size_t j = 0; j <= left; j++)
			text[length++] = digits[group >> (18 - 6 * j) & 63];
		for (size_t j = left; padded && j < 3; j++)
			text[length++] = '=';
	}
	return length;
}

size_t encoding_write(enum encoding encoding, const uint8_t *bytes, size_t size, char text[ENCODED_MAX])
{
	switch (encoding) {
	case ENCODING_HEX:
		return write_hex("0123456789abcdef", bytes, size, text);
	case ENCODING_HEX_UPPER:
		return write_hex("0123456789ABCDEF", bytes, size, text);
	case ENCODING_BASE64:
		return write_base64(BASE64_COMMON "+/", true, bytes, size, text);
	case ENCODING_BASE64URL:
		return write_base64(BASE64_COMMON "-_", false, bytes, size, text);
	}
	return 0;
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;
	if (!found)
		return -1;
	int value = (int)(found - digits);
	return value < 16 ? value : value - 6;
}

static int base64_value(char c)
{
	static const char digits[] = BASE64_COMMON "+/-_";
	const char *found = c ? strchr(digits, c) : NULL;
	if (!found)
		return -1;
	int value = (int)(found - digits);
	return value < 64 ? value : value - 2;
}

static bool read_hex(struct sluice_bytes text, uint8_t *key, size_t *size_out)
{
	if (text.size % 2 != 0)
		return false;
	for (size_t i = 0; i < text.size; i += 2) {
		int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);
		if (high < 0 || low < 0)
			return false;
		key[i / 2] = (uint8_t)(high << 4 | low);
	}
	*size_out = text.size / 2;
	return true;
}

static bool read_base64(struct sluice_bytes text, uint8_t *key, size_t *size_out)
{
	if (text.size % 4 == 0) {
		for (int i = 0; i < 2 && text.size && text.data[text.size - 1] == '='; i++)
			text.size--;
	}
	size_t length = 0;
	uint32_t group = 0;
	for (size_t i = 0; i < text.size; i++) {
		int value = base64_value(text.data[i]);
		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
		if (i % 4 != 0)
			key[length++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
	}
	*size_out = length;
	return text.size % 4 != 1;
}

bool encoding_read_key(enum key_encoding encoding, struct sluice_bytes text, uint8_t *key, size_t *size_out)
{
	switch (encoding) {
	case KEY_HEX:
		return read_hex(text, key, size_out);
	case KEY_BASE64:
		return read_base64(text, key, size_out);
	case KEY_TEXT:
		break;
	}
	if (text.size)
		memcpy(key, text.data, text.size);
	*size_out = text.size;
	return true;
}
