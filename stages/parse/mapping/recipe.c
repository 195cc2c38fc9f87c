/*
 * Recipes; see recipe.h.
 */
#include "recipe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sluice/host.h>

#include "form.h"

static const char digest_mark[] = "digest:";

enum { DIGEST_HEX_SIZE = 2 * SLUICE_DIGEST_SIZE, ENCODED_MAX = 3 /* bytes of one that is encoded */ };

static bool add_source(struct source_list *list, const char *text, struct sluice_error *error)
{
	if (list->count == PATHS_MAX)
		return sluice_error_set(error, "expected at most %d sources in all", PATHS_MAX);
	if (!source_parse(&list->items[list->count], text, error))
		return false;
	list->count++;
	return true;
}

/* Whether a text between two values shows where the first one ends. */
static bool divides(struct sluice_bytes text)
{
	return text.size && ispunct((unsigned char)*text.data | (*text.data == ' ' ? '!' : 0)) && *text.data != '%';
}

static bool check_divisions(struct recipe *recipe, struct sluice_error *error)
{
	size_t marks = 0;
	for (size_t i = 1; i < recipe->count; i++) {
		if (!divides(recipe->texts[i]))
			return sluice_error_set(
				error,
				"expected a space or a punctuation mark other than %% behind each } that another { follows, got \"%s\"",
				recipe->text);
		recipe->marks[marks++] = *recipe->texts[i].data;
	}
	return true;
}

static bool parse_joined(struct recipe *recipe, const char *at, struct source_list *list, struct sluice_error *error)
{
	for (;;) {
		size_t size = strcspn(at, "{}");
		recipe->texts[recipe->count] = (struct sluice_bytes){at, size};
		at += size;
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		if (*at && !end)
			return sluice_error_set(error, "expected each source between { and }, got \"%s\"",
			                        recipe->text);
		if (!*at)
			return check_divisions(recipe, error);
		if (recipe->count == RECIPE_SOURCES_MAX)
			return sluice_error_set(error, "expected at most %d sources joined, got \"%s\"",
			                        RECIPE_SOURCES_MAX, recipe->text);
		char *source = strndup(at + 1, (size_t)(end - at - 1));
		bool ok = source ? add_source(list, source, error) : sluice_error_set(error, "no memory");
		free(source);
		if (!ok)
			return false;
		recipe->count++;
		at = end + 1;
	}
}

bool recipe_parse(struct recipe *recipe_out, const char *text, struct source_list *list, struct sluice_error *error)
{
	struct recipe recipe = {.first = list->count, .text = text};
	recipe.is_digest = strncmp(text, digest_mark, strlen(digest_mark)) == 0;
	const char *rest = recipe.is_digest ? text + strlen(digest_mark) : text;
	recipe.is_joined = *rest != '/' && strchr(rest, '{');
	if (recipe.is_joined) {
		if (!parse_joined(&recipe, rest, list, error))
			return false;
	} else {
		if (!add_source(list, rest, error))
			return false;
		recipe.count = 1;
		if (list->items[recipe.first].kind == SOURCE_PART)
			return sluice_error_set(error,
			                        "expected the number of an event together with others, as in "
			                        "\"{header:X-Id} {part}\", got \"%s\"",
			                        text);
	}
	*recipe_out = recipe;
	return true;
}

const char *recipe_label(const struct recipe *recipe, const struct source_list *list)
{
	return recipe->is_joined || recipe->is_digest ? recipe->text : list->items[recipe->first].label;
}

bool recipe_is_of_part(const struct recipe *recipe, const struct source_list *list)
{
	for (size_t i = recipe->first; i < recipe->first + recipe->count; i++)
		if (list->items[i].kind == SOURCE_POINTER || list->items[i].kind == SOURCE_PART)
			return true;
	return false;
}

static struct value read_part(const struct reading *reading, struct value value)
{
	enum { DIGITS = 10 };
	char digits[DIGITS + 1];
	int size = snprintf(digits, sizeof(digits), "%u", reading->event->part);
	value.bytes = sluice_copy(reading->event, digits, (size_t)size);
	value.has_no_memory = !value.bytes.data;
	return value;
}

static struct value read_source(const struct source *source, struct sluice_bytes span, const struct reading *reading)
{
	struct value value = {.label = source->label};
	switch (source->kind) {
	case SOURCE_POINTER:
		value.is_span = true;
		value.is_whole = source->pointer.count == 0;
		value.bytes = span;
		value.type = span_type(span);
		break;
	case SOURCE_HEADER:
		value.bytes = sluice_get_header(reading->event, source->name);
		break;
	case SOURCE_FORM_FIELD:
		value.has_no_memory = !form_find(reading->form, source->name, reading->event, &value.bytes,
		                                 &value.is_repeated);
		break;
	case SOURCE_SIGNED_ID:
		value.bytes = reading->event->authenticated_id;
		break;
	case SOURCE_PART:
		value = read_part(reading, value);
		break;
	}
	if (source->kind != SOURCE_POINTER)
		value.type = value.bytes.size ? SPAN_STRING : SPAN_NOTHING;
	if (!value.is_whole && !value.is_repeated && !value.has_no_memory &&
	    (value.type == SPAN_NOTHING || value.type == SPAN_NULL))
		value.label = NULL;
	return value;
}

struct sluice_bytes value_text(struct sluice_event *event, const struct value *value)
{
	if (!value->is_span || value->type != SPAN_STRING)
		return value->bytes;
	struct sluice_bytes inside = span_inside(value->bytes);
	if (inside.size == 0 || !memchr(inside.data, '\\', inside.size))
		return inside;
	char *text = sluice_alloc(event, inside.size);
	return (struct sluice_bytes){text, text ? span_unescape(inside, text) : 0};
}

static char *add_text(char *at, struct sluice_bytes text)
{
	if (text.size)
		memcpy(at, text.data, text.size);
	return at + text.size;
}

static char *add_encoded(char *at, struct sluice_bytes text, const char *marks)
{
	static const char digits[] = "0123456789ABCDEF";
	if (!*marks)
		return add_text(at, text);
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c != '%' && (c == '\0' || !strchr(marks, c))) {
			*at++ = (char)c;
			continue;
		}
		*at++ = '%';
		*at++ = digits[c >> 4];
		*at++ = digits[c & 15];
	}
	return at;
}

static struct value join(const struct recipe *recipe, const struct sluice_bytes *values, struct sluice_event *event)
{
	struct value value = {.label = recipe->text, .type = SPAN_STRING};
	size_t room = recipe->texts[recipe->count].size + 1;
	for (size_t i = 0; i < recipe->count; i++)
		room += recipe->texts[i].size + ENCODED_MAX * values[i].size;
	char *text = sluice_alloc(event, room), *at = text;
	value.has_no_memory = !text;
	if (!text)
		return value;
	for (size_t i = 0; i < recipe->count; i++)
		at = add_encoded(add_text(at, recipe->texts[i]), values[i], recipe->marks);
	at = add_text(at, recipe->texts[recipe->count]);
	value.bytes = (struct sluice_bytes){text, (size_t)(at - text)};
	return value;
}

static struct value digest(const struct recipe *recipe, struct sluice_bytes text, struct sluice_event *event)
{
	struct value value = {.label = recipe->text, .type = SPAN_STRING};
	unsigned char hash[SLUICE_DIGEST_SIZE];
	char *hex = sluice_alloc(event, DIGEST_HEX_SIZE + 1);
	value.has_no_memory = !hex ||
	                      EVP_Digest(text.data ? text.data : "", text.size, hash, NULL, EVP_sha256(), NULL) != 1;
	if (value.has_no_memory)
		return value;
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	value.bytes = (struct sluice_bytes){hex, DIGEST_HEX_SIZE};
	return value;
}

/* A digest takes values of any type; what is joined to a text that people read must be text. */
static bool is_usable(const struct recipe *recipe, const struct value *value, bool takes_integers)
{
	return recipe->is_digest || value->type == SPAN_STRING || (value->type == SPAN_INTEGER && takes_integers);
}

struct value recipe_read(const struct recipe *recipe, const struct reading *reading, bool takes_integers)
{
	struct sluice_bytes texts[RECIPE_SOURCES_MAX];
	for (size_t i = 0; i < recipe->count; i++) {
		size_t number = recipe->first + i;
		struct value value = read_source(&reading->list->items[number], reading->spans[number], reading);
		bool is_alone = !recipe->is_joined && !recipe->is_digest;
		if (is_alone || !value.label || value.is_repeated || value.has_no_memory ||
		    !is_usable(recipe, &value, takes_integers))
			return value;
		texts[i] = value.is_whole && recipe->is_digest ? reading->whole : value_text(reading->event, &value);
		value.has_no_memory = !texts[i].data && value.type != SPAN_NOTHING;
		if (value.has_no_memory)
			return value;
	}
	if (!recipe->is_joined)
		return digest(recipe, texts[0], reading->event);
	struct value joined = join(recipe, texts, reading->event);
	return recipe->is_digest && !joined.has_no_memory ? digest(recipe, joined.bytes, reading->event) : joined;
}
