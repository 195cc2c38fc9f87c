/*
 * Forms; see form.h.
 */
#include "form.h"

#include <stddef.h>
#include <string.h>

#include <sluice/host.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at the start of the text, and by how many it is written. */
static size_t decode(struct sluice_bytes text, char *byte_out)
{
	char c = text.data[0];
	int high = c == '%' && text.size > 2 ? hex_digit(text.data[1]) : -1;
	int low = high >= 0 ? hex_digit(text.data[2]) : -1;
	*byte_out = c == '+' ? ' ' : c;
	if (low < 0)
		return 1;
	*byte_out = (char)(high << 4 | low);
	return 3;
}

static struct sluice_bytes behind(struct sluice_bytes text, size_t size)
{
	return (struct sluice_bytes){text.data + size, text.size - size};
}

/* Takes what stands before the mark off the start, and the mark. */
static struct sluice_bytes take_until(struct sluice_bytes *rest, char mark)
{
	const char *end = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
	size_t size = end ? (size_t)(end - rest->data) : rest->size;
	struct sluice_bytes taken = {rest->data, size};
	*rest = behind(*rest, end ? size + 1 : size);
	return taken;
}

static bool name_is(struct sluice_bytes text, const char *name)
{
	char byte;
	for (; text.size && *name; name++) {
		text = behind(text, decode(text, &byte));
		if (byte != *name)
			return false;
	}
	return text.size == 0 && !*name;
}

static bool is_plain(struct sluice_bytes text)
{
	return text.size == 0 || (!memchr(text.data, '%', text.size) && !memchr(text.data, '+', text.size));
}

static bool decode_all(struct sluice_bytes text, struct sluice_event *event, struct sluice_bytes *value_out)
{
	*value_out = text;
	if (is_plain(text))
		return true;
	char *value = sluice_alloc(event, text.size + 1);
	size_t size = 0;
	if (!value)
		return false;
	while (text.size)
		text = behind(text, decode(text, &value[size++]));
	value[size] = '\0';
	*value_out = (struct sluice_bytes){value, size};
	return true;
}

bool form_find(struct sluice_bytes form, const char *name, struct sluice_event *event, struct sluice_bytes *value_out,
               bool *repeated_out)
{
	struct sluice_bytes found = {NULL, 0};
	*value_out = found;
	*repeated_out = false;
	while (form.size) {
		struct sluice_bytes value = take_until(&form, '&'), key = take_until(&value, '=');
		if (!name_is(key, name))
			continue;
		*repeated_out |= found.data != NULL;
		found = value;
	}
	return !found.data || decode_all(found, event, value_out);
}
