/*
 * Values and strings as they stand in JSON text; see span.h.
 */
#include "span.h"

#include <stdint.h>
#include <string.h>

enum {
	ESCAPE_MAX = 6,  /* bytes of \uXXXX */
	TOKEN_MAX = 255, /* bytes of a key that has escapes and is looked for */
};

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

/* Of the string at the start of the text, with its quotes. */
static size_t string_size(struct sluice_bytes text)
{
	size_t end = 1;
	while (end < text.size && text.data[end] != '"')
		end += text.data[end] == '\\' ? 2 : 1;
	return end < text.size ? end + 1 : text.size;
}

static size_t scalar_size(struct sluice_bytes text)
{
	size_t size = 1;
	while (size < text.size && !memchr(",]} \t\r\n", text.data[size], 7))
		size++;
	return size;
}

size_t span_size(struct sluice_bytes text)
{
	size_t at = 0, depth = 0;
	do {
		char c = text.data[at];
		if (c == '"')
			at += string_size((struct sluice_bytes){text.data + at, text.size - at}) - 1;
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		else if (depth == 0)
			at += scalar_size((struct sluice_bytes){text.data + at, text.size - at}) - 1;
		at++;
	} while (depth && at < text.size);
	return at;
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
	/* Most keys are told by their first character; resolving escapes never makes one longer. */
	if (inside.size < token.size || (token.size && *inside.data != *token.data && *inside.data != '\\'))
		return false;
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
	return span_inside((struct sluice_bytes){text.data, string_size(text)});
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
