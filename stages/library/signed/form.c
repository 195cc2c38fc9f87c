/*
 * Forms; see form.h.
 */
#include "signed/form.h"

#include <stdlib.h>
#include <string.h>

struct field {
	struct sluice_bytes name, value;
};

static size_t count_fields(struct sluice_bytes form)
{
	size_t count = 1;
	for (size_t i = 0; i < form.size; i++)
		count += form.data[i] == '&';
	return count;
}

size_t form_room(struct sluice_bytes body)
{
	return count_fields(body) * sizeof(struct field) + 2 * body.size + 1;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool form_decode(struct sluice_bytes text, char *out, size_t *size_out)
{
	size_t size = 0;
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c == '%') {
			int high = i + 2 < text.size ? digit_of(text.data[i + 1]) : -1;
			int low = high < 0 ? -1 : digit_of(text.data[i + 2]);
			if (low < 0)
				return false;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (c <= ' ' || c >= 0x7f) {
			return false;
		} else if (c == '+') {
			c = ' ';
		}
		out[size++] = (char)c;
	}
	*size_out = size;
	return true;
}

/* Cuts the first field off `form`; both parts still encoded. */
static struct field next_field(struct sluice_bytes *form)
{
	const char *end = memchr(form->data, '&', form->size);
	struct sluice_bytes text = {form->data, end ? (size_t)(end - form->data) : form->size};
	const char *equals = memchr(text.data, '=', text.size);
	struct field field = {text, {text.data + text.size, 0}};
	if (equals) {
		field.name.size = (size_t)(equals - text.data);
		field.value = (struct sluice_bytes){equals + 1, text.size - field.name.size - 1};
	}
	form->data += text.size + (end != NULL);
	form->size -= text.size + (end != NULL);
	return field;
}

struct sluice_bytes form_find(struct sluice_bytes form, const char *name)
{
	size_t size = strlen(name);
	while (form.size) {
		struct field field = next_field(&form);
		if (field.name.size == size && memcmp(field.name.data, name, size) == 0)
			return field.value;
	}
	return (struct sluice_bytes){NULL, 0};
}

static int compare(struct sluice_bytes a, struct sluice_bytes b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size ? memcmp(a.data, b.data, size) : 0;
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_fields(const void *a_, const void *b_)
{
	const struct field *a = a_, *b = b_;
	int order = compare(a->name, b->name);
	return order ? order : compare(a->value, b->value);
}

static bool decode(struct sluice_bytes *text, char **at)
{
	size_t size;
	if (!form_decode(*text, *at, &size))
		return false;
	*text = (struct sluice_bytes){*at, size};
	*at += size;
	return true;
}

static void append(char **at, struct sluice_bytes text)
{
	if (text.size)
		memcpy(*at, text.data, text.size);
	*at += text.size;
}

bool form_join(struct sluice_bytes body, void *room, struct sluice_bytes *out)
{
	struct field *fields = room;
	char *decoded = (char *)(fields + count_fields(body)), *joined = decoded + body.size, *at = joined;
	size_t count = 0;
	while (body.size) {
		struct field field = next_field(&body);
		if (!decode(&field.name, &decoded) || !decode(&field.value, &decoded))
			return false;
		if (field.name.size || field.value.size)
			fields[count++] = field;
	}
	qsort(fields, count, sizeof(*fields), compare_fields);
	for (size_t i = 0; i < count; i++) {
		if (i && compare_fields(&fields[i - 1], &fields[i]) == 0)
			continue;
		append(&at, fields[i].name);
		append(&at, fields[i].value);
	}
	*out = (struct sluice_bytes){joined, (size_t)(at - joined)};
	return true;
}
