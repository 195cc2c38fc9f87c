/*
 * Plain objects; see plain.h.
 */
#include "lab/load/plain.h"

#include <string.h>

#include "base/utf8.h"

enum { DIGITS_MAX = 18 }; /* of a number: all of them fit */

void plain_finish(struct plain *plain)
{
	buffer_finish(&plain->decoded);
}

void plain_begin(struct plain *plain, const char *text, size_t size)
{
	plain->at = text;
	plain->end = text + (size > 0 && text[size - 1] == '\n' ? size - 1 : size);
	plain->is_first = true;
	plain->is_complete = false;
}

static bool take(struct plain *plain, char byte)
{
	if (plain->at == plain->end || *plain->at != byte)
		return false;
	plain->at++;
	return true;
}

/* Up to a quote, a backslash or a control character. */
static size_t count_ordinary(const struct plain *plain)
{
	const char *at = plain->at;
	while (at < plain->end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ')
		at++;
	return (size_t)(at - plain->at);
}

/* \u is left to the full parser. */
static bool take_escape(struct plain *plain)
{
	static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *which = plain->at < plain->end && *plain->at ? strchr(escapes, *plain->at) : NULL;
	if (!which)
		return false;
	buffer_add(&plain->decoded, &meant[which - escapes], 1);
	plain->at++;
	return true;
}

/* The rest of a text, behind its opening quote. */
static bool take_text(struct plain *plain)
{
	buffer_empty(&plain->decoded);
	for (;;) {
		size_t ordinary = count_ordinary(plain);
		buffer_add(&plain->decoded, plain->at, ordinary);
		plain->at += ordinary;
		if (take(plain, '"'))
			break;
		if (!take(plain, '\\') || !take_escape(plain))
			return false;
	}
	plain->type = PLAIN_TEXT;
	plain->text = (struct sluice_bytes){plain->decoded.data, plain->decoded.size};
	return utf8_valid(plain->decoded.data, plain->decoded.size);
}

static bool take_number(struct plain *plain)
{
	bool is_negative = take(plain, '-');
	const char *first = plain->at;
	int64_t number = 0;
	for (; plain->at < plain->end && *plain->at >= '0' && *plain->at <= '9'; plain->at++) {
		if (plain->at - first == DIGITS_MAX)
			return false;
		number = 10 * number + (*plain->at - '0');
	}
	plain->type = PLAIN_NUMBER;
	plain->number = is_negative ? -number : number;
	return plain->at > first && (*first != '0' || plain->at == first + 1) &&
	       (plain->at < plain->end && (*plain->at == ',' || *plain->at == '}'));
}

static bool take_name(struct plain *plain)
{
	size_t size = take(plain, '"') ? count_ordinary(plain) : PLAIN_NAME_MAX;
	if (size >= PLAIN_NAME_MAX)
		return false;
	memcpy(plain->name, plain->at, size);
	plain->name[size] = '\0';
	plain->at += size;
	return take(plain, '"') && take(plain, ':') && utf8_valid(plain->name, size);
}

bool plain_next(struct plain *plain)
{
	if (take(plain, '}')) {
		plain->is_complete = !plain->is_first && plain->at == plain->end;
		return false;
	}
	if (!take(plain, plain->is_first ? '{' : ','))
		return false;
	plain->is_first = false;
	return take_name(plain) && (take(plain, '"') ? take_text(plain) : take_number(plain));
}
