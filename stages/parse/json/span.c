/*
 * A cursor over text that is known to be valid, so that it only has to know where things end. It stays inside the text
 * whatever that is.
 */
#include "span.h"

#include <stdint.h>
#include <string.h>

enum {
	ESCAPE_MAX = 6,  /* bytes of \uXXXX */
	TOKEN_MAX = 255, /* bytes of a key that has escapes and is looked for */
};

struct cursor {
	const char *at, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_open(char c)
{
	return c == '{' || c == '[';
}

static bool is_close(char c)
{
	return c == '}' || c == ']';
}

static bool is_at(const struct cursor *cursor, char c)
{
	return cursor->at < cursor->end && *cursor->at == c;
}

static void skip(struct cursor *cursor, size_t count)
{
	size_t left = (size_t)(cursor->end - cursor->at);
	cursor->at += count < left ? count : left;
}

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end && is_space(*cursor->at))
		cursor->at++;
}

static void skip_string(struct cursor *cursor)
{
	skip(cursor, 1);
	while (cursor->at < cursor->end && *cursor->at != '"')
		skip(cursor, *cursor->at == '\\' ? 2 : 1);
	skip(cursor, 1);
}

static void skip_nested(struct cursor *cursor)
{
	size_t depth = 0;
	do {
		if (is_at(cursor, '"')) {
			skip_string(cursor);
			continue;
		}
		depth += is_open(*cursor->at);
		depth -= is_close(*cursor->at);
		cursor->at++;
	} while (depth > 0 && cursor->at < cursor->end);
}

static void skip_word(struct cursor *cursor)
{
	while (cursor->at < cursor->end && !is_space(*cursor->at) && *cursor->at != ',' && !is_close(*cursor->at))
		cursor->at++;
}

static struct sluice_bytes take_value(struct cursor *cursor)
{
	skip_space(cursor);
	struct sluice_bytes value = {cursor->at, 0};
	if (cursor->at == cursor->end)
		return value;
	if (*cursor->at == '"')
		skip_string(cursor);
	else if (is_open(*cursor->at))
		skip_nested(cursor);
	else
		skip_word(cursor);
	value.size = (size_t)(cursor->at - value.data);
	return value;
}

/* To the next element or member; false at the end of the array or object. */
static bool next(struct cursor *cursor)
{
	skip_space(cursor);
	if (is_at(cursor, ','))
		cursor->at++;
	skip_space(cursor);
	return cursor->at < cursor->end && !is_close(*cursor->at);
}

static bool next_member(struct cursor *cursor, struct sluice_bytes *key_out, struct sluice_bytes *value_out)
{
	if (!next(cursor))
		return false;
	*key_out = take_value(cursor);
	skip_space(cursor);
	skip(cursor, 1); /* the colon */
	*value_out = take_value(cursor);
	return true;
}

static struct cursor enter(struct sluice_bytes container)
{
	return (struct cursor){container.data + 1, container.data + container.size};
}

static struct sluice_bytes absent(void)
{
	return (struct sluice_bytes){NULL, 0};
}

enum span_type span_type(struct sluice_bytes span)
{
	if (span.size == 0)
		return SPAN_NOTHING;
	switch (span.data[0]) {
	case 'n':
		return SPAN_NULL;
	case 't':
	case 'f':
		return SPAN_BOOLEAN;
	case '"':
		return SPAN_STRING;
	case '[':
		return SPAN_ARRAY;
	case '{':
		return SPAN_OBJECT;
	default:
		break;
	}
	for (size_t i = 0; i < span.size; i++) {
		if (strchr(".eE", span.data[i]))
			return SPAN_REAL;
	}
	return SPAN_INTEGER;
}

struct sluice_bytes span_inside(struct sluice_bytes string)
{
	return (struct sluice_bytes){string.data + 1, string.size - 2};
}

static uint32_t read_hex4(const char *digits)
{
	uint32_t value = 0;
	for (int i = 0; i < 4; i++) {
		char c = digits[i];
		value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* The character of the \uXXXX at the start of `text`, of two of them for a pair of surrogates. */
static uint32_t read_unicode(struct sluice_bytes text, size_t *used_out)
{
	uint32_t high = read_hex4(text.data + 2);
	*used_out = ESCAPE_MAX;
	if (high < 0xd800 || high > 0xdbff || text.size < 2 * ESCAPE_MAX)
		return high;
	*used_out = 2 * ESCAPE_MAX;
	return 0x10000 + ((high - 0xd800) << 10) + (read_hex4(text.data + ESCAPE_MAX + 2) - 0xdc00);
}

static size_t write_utf8(uint32_t c, char *text)
{
	if (c < 0x80) {
		text[0] = (char)c;
		return 1;
	}
	size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = size - 1; i > 0; i--, c >>= 6)
		text[i] = (char)(0x80 | (c & 0x3f));
	text[0] = (char)(lead[size] | c);
	return size;
}

/* Takes one character, or an escape that stands for one, off the start; returns the size of its UTF-8. A character that
 * is not escaped comes byte by byte. */
static size_t take_character(struct sluice_bytes *inside, char *text)
{
	static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
	size_t used = 1, size = 1;
	if (inside->data[0] != '\\' || inside->size < 2) {
		text[0] = inside->data[0];
	} else if (inside->data[1] == 'u' && inside->size >= ESCAPE_MAX) {
		uint32_t c = read_unicode(*inside, &used);
		size = write_utf8(c, text);
	} else {
		const char *letter = memchr(letters, inside->data[1], sizeof(letters) - 1);
		text[0] = letter ? values[letter - letters] : inside->data[1];
		used = 2;
	}
	inside->data += used;
	inside->size -= used;
	return size;
}

size_t span_unescape(struct sluice_bytes inside, char *text)
{
	size_t size = 0;
	while (inside.size)
		size += take_character(&inside, text + size);
	return size;
}

bool span_key_is(struct sluice_bytes key, struct sluice_bytes token)
{
	struct sluice_bytes inside = span_inside(key);
	if (inside.size == 0 || !memchr(inside.data, '\\', inside.size))
		return inside.size == token.size && memcmp(inside.data, token.data, token.size) == 0;
	char text[ESCAPE_MAX * TOKEN_MAX];
	if (inside.size > sizeof(text) || inside.size > ESCAPE_MAX * token.size)
		return false;
	return span_unescape(inside, text) == token.size && memcmp(text, token.data, token.size) == 0;
}

/* What follows the opening quote of the string at the start of `text`, up to its closing one. */
static struct sluice_bytes first_inside(struct sluice_bytes text)
{
	struct cursor cursor = {text.data, text.data + text.size};
	return span_inside(take_value(&cursor));
}

/* The bytes that a string stands for, one at a time. */
struct byte_reader {
	struct sluice_bytes inside;
	char text[ESCAPE_MAX];
	size_t size, used; /* of the character in `text` */
};

static int next_byte(struct byte_reader *reader)
{
	if (reader->used == reader->size) {
		if (!reader->inside.size)
			return -1;
		reader->size = take_character(&reader->inside, reader->text);
		reader->used = 0;
	}
	return (unsigned char)reader->text[reader->used++];
}

bool span_same_string(struct sluice_bytes a, struct sluice_bytes b)
{
	struct byte_reader readers[] = {{.inside = first_inside(a)}, {.inside = first_inside(b)}};
	int byte;
	do {
		byte = next_byte(&readers[0]);
		if (next_byte(&readers[1]) != byte)
			return false;
	} while (byte >= 0);
	return true;
}

static struct sluice_bytes find_member(struct sluice_bytes object, struct sluice_bytes token)
{
	struct cursor cursor = enter(object);
	struct sluice_bytes key, value, found = absent();
	while (next_member(&cursor, &key, &value)) {
		if (span_key_is(key, token))
			found = value;
	}
	return found;
}

/* RFC 6901: an index has digits only and no leading zero. */
static bool read_index(struct sluice_bytes token, size_t *index_out)
{
	if (token.size == 0 || token.size > 9 || (token.size > 1 && token.data[0] == '0'))
		return false;
	*index_out = 0;
	for (size_t i = 0; i < token.size; i++) {
		if (token.data[i] < '0' || token.data[i] > '9')
			return false;
		*index_out = *index_out * 10 + (size_t)(token.data[i] - '0');
	}
	return true;
}

static struct sluice_bytes find_element(struct sluice_bytes array, struct sluice_bytes token)
{
	size_t index;
	struct cursor cursor = enter(array);
	for (bool more = read_index(token, &index) && next(&cursor); more; more = next(&cursor)) {
		struct sluice_bytes value = take_value(&cursor);
		if (index-- == 0)
			return value;
	}
	return absent();
}

static struct sluice_bytes find_child(struct sluice_bytes value, struct sluice_bytes token)
{
	switch (span_type(value)) {
	case SPAN_OBJECT:
		return find_member(value, token);
	case SPAN_ARRAY:
		return find_element(value, token);
	default:
		return absent();
	}
}

struct sluice_bytes span_find(struct sluice_bytes value, const struct pointer *pointer, size_t step)
{
	for (; step < pointer->count && value.data; step++)
		value = find_child(value, pointer->tokens[step]);
	return value;
}
