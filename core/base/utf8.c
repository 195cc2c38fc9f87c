/*
 * UTF-8; see utf8.h. The ranges are table 3-7 of the Unicode Standard.
 */
#include "base/utf8.h"

#include <string.h>

static const struct {
	unsigned char first_low, first_high, second_low, second_high, length;
} forms[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_character(const char *data, size_t size)
{
	if (size == 0)
		return 0;
	const unsigned char *at = (const unsigned char *)data;
	if (at[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (at[0] < forms[i].first_low || at[0] > forms[i].first_high)
			continue;
		if (size < forms[i].length || at[1] < forms[i].second_low || at[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((at[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

uint32_t utf8_decode(const char *data, size_t length)
{
	static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t character = (unsigned char)data[0] & masks[length];
	for (size_t i = 1; i < length; i++)
		character = character << 6 | ((unsigned char)data[i] & 0x3f);
	return character;
}

bool utf8_valid(const char *data, size_t size)
{
	while (size > 0) {
		size_t length = utf8_character(data, size);
		if (length == 0)
			return false;
		data += length;
		size -= length;
	}
	return true;
}

size_t utf8_mark_size(const char *text, size_t size)
{
	static const char mark[] = "\xef\xbb\xbf";
	return size >= sizeof(mark) - 1 && memcmp(text, mark, sizeof(mark) - 1) == 0 ? sizeof(mark) - 1 : 0;
}
