/*
 * The scanner; see scan.h. A value begins with the brackets that open at its start, and ends with those that close.
 */
#include "scan.h"

#include <stdint.h>
#include <string.h>

#include "number.h"
#include "paths.h"

enum { WORD_BITS = 64 };

struct scanner {
	const char *at, *end;
	size_t depth;
	const char *values[POINTER_TOKENS_MAX + 1]; /* where the value being read begins, by depth; on paths alone */
	struct scan *scan;
	uint64_t objects[SCAN_DEPTH_MAX / WORD_BITS + 1]; /* a bit per level: an object, else an array */
};

static bool fail(struct scanner *scanner, enum scan_fault fault)
{
	struct scan *scan = scanner->scan;
	scan->fault = fault;
	scan->position = (size_t)(scanner->at - scan->text.data);
	return false;
}

/* Something else was expected here. */
static bool fail_here(struct scanner *scanner)
{
	if (scanner->at == scanner->end)
		return fail(scanner, SCAN_EARLY_END);
	return fail(scanner, *scanner->at ? SCAN_SYNTAX : SCAN_NUL);
}

static bool is_at(const struct scanner *scanner, char c)
{
	return scanner->at < scanner->end && *scanner->at == c;
}

static bool take(struct scanner *scanner, char c)
{
	if (!is_at(scanner, c))
		return fail_here(scanner);
	scanner->at++;
	return true;
}

static void skip_space(struct scanner *scanner)
{
	const char *at = scanner->at;
	while (at < scanner->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	scanner->at = at;
}

/* Eight bytes at once: characters of ASCII that stand for themselves. */
static const char *skip_plain(const char *at, const char *end)
{
	const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
	for (uint64_t word; end - at >= 8; at += 8) {
		memcpy(&word, at, 8);
		uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
		/* A borrow may mark a byte above a true one, so that the loop below decides; it misses none. */
		if (((word - ones * 0x20) | (quote - ones) | (backslash - ones) | word) & highs)
			break;
	}
	while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* Table 3-7 of the Unicode Standard. */
size_t scan_character_size(const char *text, size_t left)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned char first = at[0];
	size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc2 || first > 0xf4 || left < size)
		return 0;
	unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return size;
}

bool scan_is_utf8(struct sluice_bytes text)
{
	for (size_t i = 0, size; i < text.size; i += size) {
		size = (unsigned char)text.data[i] < 0x80 ? 1 : scan_character_size(text.data + i, text.size - i);
		if (size == 0)
			return false;
	}
	return true;
}

static bool take_character(struct scanner *scanner)
{
	size_t size = scan_character_size(scanner->at, (size_t)(scanner->end - scanner->at));
	scanner->at += size;
	return size > 0 || fail(scanner, SCAN_ENCODING);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex4(struct scanner *scanner, uint32_t *value_out)
{
	*value_out = 0;
	for (int i = 0; i < 4; i++, scanner->at++) {
		int digit = scanner->at < scanner->end ? hex_digit(*scanner->at) : -1;
		if (digit < 0)
			return fail_here(scanner);
		*value_out = *value_out << 4 | (uint32_t)digit;
	}
	return true;
}

/* What follows \u: the digits, and the other half of a pair of surrogates. */
static bool take_unicode(struct scanner *scanner)
{
	uint32_t value, low;
	if (!take_hex4(scanner, &value))
		return false;
	if (value < 0xd800 || value > 0xdfff)
		return true;
	if (value > 0xdbff)
		return fail_here(scanner);
	if (!take(scanner, '\\') || !take(scanner, 'u') || !take_hex4(scanner, &low))
		return false;
	return (low >= 0xdc00 && low <= 0xdfff) || fail_here(scanner);
}

static bool take_escape(struct scanner *scanner)
{
	scanner->at++;
	if (scanner->at == scanner->end)
		return fail_here(scanner);
	switch (*scanner->at) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		scanner->at++;
		return true;
	case 'u':
		scanner->at++;
		return take_unicode(scanner);
	default:
		return fail_here(scanner);
	}
}

static bool take_string(struct scanner *scanner)
{
	if (!take(scanner, '"'))
		return false;
	for (;;) {
		scanner->at = skip_plain(scanner->at, scanner->end);
		if (scanner->at == scanner->end)
			return fail_here(scanner);
		unsigned char c = (unsigned char)*scanner->at;
		if (c == '"')
			break;
		if (c < 0x20)
			return fail_here(scanner);
		if (!(c == '\\' ? take_escape(scanner) : take_character(scanner)))
			return false;
	}
	scanner->at++;
	return true;
}

static bool take_number(struct scanner *scanner)
{
	switch (number_scan(&scanner->at, scanner->end)) {
	case NUMBER_VALID:
		return true;
	case NUMBER_OUT_OF_RANGE:
		return fail(scanner, SCAN_RANGE);
	default:
		return fail_here(scanner);
	}
}

static bool take_word(struct scanner *scanner, const char *word)
{
	for (; *word; word++) {
		if (!take(scanner, *word))
			return false;
	}
	return true;
}

static bool take_scalar(struct scanner *scanner)
{
	switch (scanner->at < scanner->end ? *scanner->at : '\0') {
	case '"':
		return take_string(scanner);
	case 't':
		return take_word(scanner, "true");
	case 'f':
		return take_word(scanner, "false");
	case 'n':
		return take_word(scanner, "null");
	default:
		return take_number(scanner);
	}
}

static bool in_object(const struct scanner *scanner)
{
	size_t level = scanner->depth - 1;
	return scanner->objects[level / WORD_BITS] >> level % WORD_BITS & 1;
}

static bool open_container(struct scanner *scanner, bool is_object)
{
	size_t level = scanner->depth;
	if (level == scanner->scan->max_depth)
		return fail(scanner, SCAN_DEPTH);
	uint64_t bit = (uint64_t)1 << level % WORD_BITS, *word = &scanner->objects[level / WORD_BITS];
	*word = is_object ? *word | bit : *word & ~bit;
	scanner->depth++;
	scanner->at++;
	return true;
}

/* Whether the innermost container is on a path; at depth 0 the root is what is being read. */
static bool on_path(const struct scanner *scanner)
{
	return scanner->depth == scanner->scan->paths->depth;
}

/* A key with its colon. */
static bool take_key(struct scanner *scanner)
{
	skip_space(scanner);
	struct sluice_bytes key = {scanner->at, 0};
	if (!take_string(scanner))
		return false;
	key.size = (size_t)(scanner->at - key.data);
	if (on_path(scanner) && !paths_key(scanner->scan->paths, key))
		return fail(scanner, SCAN_NO_MEMORY);
	skip_space(scanner);
	return take(scanner, ':');
}

static void begin_value(struct scanner *scanner)
{
	if (!on_path(scanner))
		return;
	scanner->values[scanner->depth] = scanner->at;
	if (scanner->depth > 0 && !in_object(scanner))
		paths_element(scanner->scan->paths);
}

/* A scalar or an empty container, and all that opens before it. */
static bool begin_values(struct scanner *scanner)
{
	for (;;) {
		skip_space(scanner);
		begin_value(scanner);
		bool is_object = is_at(scanner, '{');
		if (!is_object && !is_at(scanner, '['))
			return take_scalar(scanner);
		bool follow = on_path(scanner);
		if (!open_container(scanner, is_object))
			return false;
		skip_space(scanner);
		if (is_at(scanner, is_object ? '}' : ']')) {
			scanner->at++;
			scanner->depth--;
			return true;
		}
		if (follow)
			(void)paths_open(scanner->scan->paths, is_object);
		if (is_object && !take_key(scanner))
			return false;
	}
}

static void end_value(struct scanner *scanner)
{
	if (!on_path(scanner))
		return;
	const char *value = scanner->values[scanner->depth];
	paths_value(scanner->scan->paths, (struct sluice_bytes){value, (size_t)(scanner->at - value)});
}

/* All that closes behind a value, up to where the next one begins or the outermost one has ended. */
static bool end_values(struct scanner *scanner)
{
	while (scanner->depth > 0) {
		bool is_object = in_object(scanner);
		end_value(scanner);
		skip_space(scanner);
		if (is_at(scanner, ',')) {
			scanner->at++;
			return !is_object || take_key(scanner);
		}
		if (!take(scanner, is_object ? '}' : ']'))
			return false;
		if (on_path(scanner))
			paths_close(scanner->scan->paths);
		scanner->depth--;
	}
	return true;
}

bool scan_json(struct scan *scan)
{
	struct scanner scanner = {.at = scan->text.data, .end = scan->text.data + scan->text.size, .scan = scan};
	scan->fault = SCAN_NO_FAULT;
	skip_space(&scanner);
	scan->root.data = scanner.at;
	do {
		if (!begin_values(&scanner) || !end_values(&scanner))
			return false;
	} while (scanner.depth > 0);
	scan->root.size = (size_t)(scanner.at - scan->root.data);
	skip_space(&scanner);
	if (scanner.at == scanner.end)
		return true;
	return fail(&scanner, *scanner.at ? SCAN_MORE : SCAN_NUL);
}
