/*
 * Structured field values; see fields.h.
 */
#include "fields.h"

#include <string.h>

static void skip(struct sluice_bytes *text, size_t size)
{
	text->data += size;
	text->size -= size;
}

static void skip_blanks(struct sluice_bytes *text)
{
	while (text->size && (text->data[0] == ' ' || text->data[0] == '\t'))
		skip(text, 1);
}

static bool is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-.*", c));
}

static struct sluice_bytes take_key(struct sluice_bytes *text)
{
	struct sluice_bytes key = {text->data, 0};
	while (key.size < text->size && is_key(text->data[key.size]))
		key.size++;
	skip(text, key.size);
	return key;
}

/* How long the value at the front is: up to a comma outside of strings and lists. */
static size_t value_size(struct sluice_bytes text)
{
	bool in_string = false;
	int depth = 0;
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && c == ',' && depth == 0)
			return i;
		else if (!in_string)
			depth += (c == '(') - (c == ')');
	}
	return text.size;
}

bool fields_next_member(struct sluice_bytes *dictionary, struct field_member *member_out, bool *bad_out)
{
	*bad_out = false;
	skip_blanks(dictionary);
	if (dictionary->size == 0)
		return false;
	struct sluice_bytes name = take_key(dictionary), value = {dictionary->data, 0};
	if (name.size && dictionary->size && dictionary->data[0] == '=') {
		skip(dictionary, 1);
		value = (struct sluice_bytes){dictionary->data, value_size(*dictionary)};
		skip(dictionary, value.size);
		while (value.size && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
			value.size--;
	}
	skip_blanks(dictionary);
	*bad_out = value.size == 0 || (dictionary->size && dictionary->data[0] != ',');
	if (dictionary->size)
		skip(dictionary, 1);
	*member_out = (struct field_member){name, value};
	return !*bad_out;
}

bool fields_take_string(struct sluice_bytes *text, struct sluice_bytes *out)
{
	if (text->size < 2 || text->data[0] != '"')
		return false;
	for (size_t i = 1; i < text->size; i++) {
		char c = text->data[i];
		if (c == '\\' || c < ' ' || c == 0x7f) /* nothing here needs an escape */
			return false;
		if (c != '"')
			continue;
		*out = (struct sluice_bytes){text->data + 1, i - 1};
		skip(text, i + 1);
		return true;
	}
	return false;
}

bool fields_take_parameter(struct sluice_bytes *text, struct field_parameter *out)
{
	if (text->size == 0 || text->data[0] != ';')
		return false;
	struct sluice_bytes rest = *text;
	skip(&rest, 1);
	skip_blanks(&rest);
	*out = (struct field_parameter){.name = take_key(&rest)};
	if (out->name.size == 0)
		return false;
	if (rest.size && rest.data[0] == '=') {
		skip(&rest, 1);
		out->is_string = fields_take_string(&rest, &out->value);
		if (!out->is_string) {
			out->value.data = rest.data;
			while (out->value.size < rest.size && !strchr(";, \")", rest.data[out->value.size]))
				out->value.size++;
			skip(&rest, out->value.size);
		}
	}
	*text = rest;
	return out->is_string || !out->value.data || out->value.size;
}

bool fields_read_bytes(struct sluice_bytes value, struct sluice_bytes *base64_out)
{
	if (value.size < 2 || value.data[0] != ':' || value.data[value.size - 1] != ':')
		return false;
	*base64_out = (struct sluice_bytes){value.data + 1, value.size - 2};
	return !memchr(base64_out->data, ':', base64_out->size);
}

bool fields_read_seconds(struct sluice_bytes value, int64_t *out)
{
	enum { DIGITS_MAX = 15 }; /* of an Integer, RFC 8941, 3.3.1 */
	*out = 0;
	if (value.size < 1 || value.size > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		*out = *out * 10 + (value.data[i] - '0');
	}
	return true;
}
