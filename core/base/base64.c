/*
 * Groups of three bytes as four characters and back; see base64.h.
 */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(const void *data, size_t size, struct buffer *out)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)bytes[i] << 16;
		group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= left > 2 ? bytes[i + 2] : 0;
		const char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
		                      left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '='};
		buffer_add(out, text, sizeof(text));
	}
}

/* The bytes of the four characters at `text`, 1–3 of them; 0 if it is no group. Padding counts as zeros. */
static size_t read_group(const char *text, bool is_last, unsigned char bytes[3])
{
	size_t padding = !is_last || text[3] != '=' ? 0 : text[2] == '=' ? 2 : 1;
	uint32_t group = 0;
	for (size_t i = 0; i < 4; i++) {
		const char *digit = text[i] && i < 4 - padding ? strchr(digits, text[i]) : NULL;
		if (!digit && i < 4 - padding)
			return 0;
		group = group << 6 | (digit ? (uint32_t)(digit - digits) : 0);
	}
	for (size_t i = 0; i < 3; i++)
		bytes[i] = (unsigned char)(group >> (16 - 8 * i));
	return 3 - padding;
}

bool base64_read(const char *text, size_t size, struct buffer *out)
{
	size_t before = out->size;
	bool good = size % 4 == 0;
	for (size_t i = 0; i < size && good; i += 4) {
		unsigned char bytes[3];
		size_t count = read_group(text + i, i + 4 == size, bytes);
		buffer_add(out, bytes, count);
		good = count > 0;
	}
	if (!good && out->data) {
		out->size = before;
		out->data[before] = '\0';
	}
	return good;
}
