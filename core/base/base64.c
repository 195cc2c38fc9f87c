/*
 * Groups of three bytes as four characters and back; see base64.h.
 */
#include "base/base64.h"

#include <string.h>

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* By form; the last four of BASE64_ANY stand for 62, 63, 62 and 63. */
static const char *const alphabets[] = {
	[BASE64_STANDARD] = COMMON "+/", [BASE64_URL] = COMMON "-_", [BASE64_ANY] = COMMON "+/-_"};

size_t base64_write(enum base64_form form, const void *data, size_t size, char *text)
{
	const char *digits = alphabets[form];
	const uint8_t *bytes = data;
	size_t length = 0;
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i < 3 ? size - i : 3;
		uint32_t group = 0;
		for (size_t j = 0; j < 3; j++)
			group = group << 8 | (j < left ? bytes[i + j] : 0u);
		for (size_t j = 0; j <= left; j++)
			text[length++] = digits[group >> (18 - 6 * j) & 63];
		for (size_t j = left; form == BASE64_STANDARD && j < 3; j++)
			text[length++] = '=';
	}
	return length;
}

static int value_of(enum base64_form form, char digit)
{
	const char *found = digit ? strchr(alphabets[form], digit) : NULL;
	int value = found ? (int)(found - alphabets[form]) : -1;
	return value < 64 ? value : value - 2;
}

bool base64_read(enum base64_form form, const char *text, size_t size, uint8_t *bytes, size_t *size_out)
{
	size_t length = 0;
	uint32_t group = 0;
	if (form == BASE64_STANDARD && size % 4 != 0)
		return false;
	if (form != BASE64_URL && size % 4 == 0)
		for (int i = 0; i < 2 && size && text[size - 1] == '='; i++)
			size--;
	for (size_t i = 0; i < size; i++) {
		int value = value_of(form, text[i]);
		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
		if (i % 4 != 0)
			bytes[length++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
	}
	*size_out = length;
	return size % 4 != 1;
}
