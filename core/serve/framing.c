/*
 * Framing as a state machine: a function for each state takes one byte; bodies are skipped as a whole.
 */
#include "serve/framing.h"

#include <string.h>

enum state {
	BEFORE, /* a request: empty lines are skipped */
	EMPTY_LINE_LF,
	METHOD,
	TARGET,
	VERSION,
	VERSION_LF,
	LINE, /* the start of a field, or the end of the head */
	NAME,
	VALUE,
	VALUE_LF,
	HEAD_LF,
	BODY,
	SIZE, /* of a chunk */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
};

/* The fields that framing depends on. */
enum field { OTHER, EXPECT, HOST, LENGTH, CODING };
static const char *const names[] = {
	[EXPECT] = "expect", [HOST] = "host", [LENGTH] = "content-length", [CODING] = "transfer-encoding"};
enum {
	FIELD_COUNT = sizeof(names) / sizeof(names[0]),
	ALL_NAMES = 1 << EXPECT | 1 << HOST | 1 << LENGTH | 1 << CODING
};

static const char version[] = "HTTP/1.";
static const char chunked[] = "chunked";
static const char expectation[] = "100-continue";

enum {
	METHOD_MAX = 32,
	NAME_MAX = 255,
	LENGTH_DIGITS = 18,
	SIZE_DIGITS = 15,
	EMPTY_LINES_MAX = 8,
	/* A chunk excuses this much of its line, and twice its data; beyond that a request has OVERHEAD_MAX. */
	LINE_EXCUSED = 16,
	OVERHEAD_MAX = 16 * 1024,
};

#define FAULT(name, code, text) static const struct framing_fault name = {code, text}
FAULT(bad_line_end, 400, "lines must end in CR LF");
FAULT(bad_method, 400, "the request must begin with a method and a space");
FAULT(bad_target, 400, "the request target must be printable ASCII without spaces, its path without %00");
FAULT(bad_version, 505, "the version must be HTTP/1.1 or HTTP/1.0");
FAULT(bad_name, 400, "the name of a header field must be a token: letters, digits, hyphens");
FAULT(bad_name_end, 400, "a header field must have no white space before its colon");
FAULT(bad_fold, 400, "a header field must not continue on the next line");
FAULT(bad_value, 400, "the value of a header field must not contain control characters");
FAULT(bad_host, 400, "Host must be one host name or address, and optionally a port");
FAULT(no_host, 400, "Host is required in HTTP/1.1");
FAULT(two_hosts, 400, "expected one Host header field, got several");
FAULT(bad_length, 400, "Content-Length must be one number, in digits");
FAULT(two_lengths, 400, "expected one Content-Length, got several");
FAULT(bad_coding, 400, "Transfer-Encoding must be chunked and nothing else");
FAULT(two_codings, 400, "expected one Transfer-Encoding, got several");
FAULT(both, 400, "Content-Length and Transfer-Encoding must not both be sent");
FAULT(old_coding, 400, "HTTP/1.0 does not support Transfer-Encoding");
FAULT(bad_size, 400, "the size of a chunk must be in hexadecimal digits");
FAULT(bad_chunk, 400, "the data of a chunk must be as long as its size says, and end in CR LF");
FAULT(long_lines, 400, "the chunk extensions are too long");
FAULT(bad_trailer, 400, "a trailer must not contain Host, Content-Length or Transfer-Encoding");

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

static bool is_alphanumeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* RFC 9110, section 5.6.2. */
static bool is_token(unsigned char c)
{
	/* One bit for each of the characters ! # $ % & ' * + - . 0-9, and A-Z ^ _ ` a-z | ~ */
	static const uint64_t characters[4] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};
	return characters[c >> 6] >> (c & 63) & 1;
}

/* The next state, at the start of what it reads. */
static const struct framing_fault *enter(struct framing *framing, enum state state)
{
	framing->state = (uint8_t)state;
	framing->position = 0;
	return NULL;
}

static const struct framing_fault *expect_lf(struct framing *framing, unsigned char c, enum state next)
{
	return c == '\n' ? enter(framing, next) : &bad_line_end;
}

static const struct framing_fault *read_method(struct framing *framing, unsigned char c)
{
	if (c == ' ' && framing->position > 0)
		return enter(framing, TARGET);
	return is_token(c) && framing->position++ < METHOD_MAX ? NULL : &bad_method;
}

static const struct framing_fault *begin(struct framing *framing, unsigned char c)
{
	if (c == '\r' && framing->position < EMPTY_LINES_MAX) {
		framing->state = EMPTY_LINE_LF;
		return NULL;
	}
	*framing = (struct framing){.requests = framing->requests, .heads = framing->heads, .state = METHOD};
	return read_method(framing, c);
}

static const struct framing_fault *end_empty_line(struct framing *framing, unsigned char c)
{
	framing->position++;
	framing->state = BEFORE;
	return c == '\n' ? NULL : &bad_line_end;
}

/* A handler that sees a path as a C string would see one with %00 cut short. */
static const struct framing_fault *read_target(struct framing *framing, unsigned char c)
{
	if (c == ' ' && framing->position > 0)
		return enter(framing, VERSION);
	if (c <= ' ' || c >= 0x7f)
		return &bad_target;
	framing->position = 1;
	framing->in_query |= c == '?';
	framing->percent = (uint8_t)(c == '%' ? 1 : c == '0' && framing->percent ? framing->percent + 1 : 0);
	return framing->percent == 3 && !framing->in_query ? &bad_target : NULL;
}

static const struct framing_fault *read_version(struct framing *framing, unsigned char c)
{
	const unsigned char at = framing->position++;
	if (at < sizeof(version) - 1)
		return c == (unsigned char)version[at] ? NULL : at == 0 ? &bad_target : &bad_version;
	if (at == sizeof(version) - 1) {
		framing->is_http_1_0 = c == '0';
		return c == '0' || c == '1' ? NULL : &bad_version;
	}
	return c == '\r' ? enter(framing, VERSION_LF) : c == '\n' ? &bad_line_end : &bad_version;
}

static const struct framing_fault *end_version(struct framing *framing, unsigned char c)
{
	return expect_lf(framing, c, LINE);
}

static uint8_t known_name(const struct framing *framing)
{
	for (uint8_t field = FIELD_COUNT - 1; field > OTHER; field--)
		if (framing->candidates >> field & 1 && names[field][framing->position] == '\0')
			return field;
	return OTHER;
}

static const struct framing_fault *begin_value(struct framing *framing)
{
	framing->field = known_name(framing);
	framing->is_value_over = false;
	enter(framing, VALUE);
	if (framing->field == OTHER || framing->field == EXPECT)
		return NULL;
	if (framing->in_trailer)
		return &bad_trailer;
	if (framing->field == HOST) {
		bool had = framing->has_host;
		framing->has_host = true;
		return had ? &two_hosts : NULL;
	}
	bool is_length = framing->field == LENGTH, *has = is_length ? &framing->has_length : &framing->is_chunked;
	if (*has)
		return is_length ? &two_lengths : &two_codings;
	*has = true;
	return framing->has_length && framing->is_chunked    ? &both
	       : framing->is_chunked && framing->is_http_1_0 ? &old_coding
	                                                     : NULL;
}

static const struct framing_fault *read_name(struct framing *framing, unsigned char c)
{
	if (c == ':' && framing->position > 0)
		return begin_value(framing);
	if (is_blank(c))
		return &bad_name_end;
	for (unsigned field = OTHER + 1; framing->candidates && field < FIELD_COUNT; field++)
		if (framing->candidates >> field & 1 && (unsigned char)names[field][framing->position] != lower(c))
			framing->candidates &= (uint8_t) ~(1U << field);
	return is_token(c) && framing->position++ < NAME_MAX ? NULL : &bad_name;
}

static const struct framing_fault *begin_body(struct framing *framing)
{
	if (!framing->has_host && !framing->is_http_1_0)
		return &no_host;
	framing->heads++;
	framing->left = framing->length;
	framing->expects &= !framing->is_http_1_0;
	framing->requests += !framing->is_chunked && framing->left == 0;
	return enter(framing, framing->is_chunked ? SIZE : framing->left ? BODY : BEFORE);
}

static const struct framing_fault *end_head(struct framing *framing, unsigned char c)
{
	if (c != '\n')
		return &bad_line_end;
	if (!framing->in_trailer)
		return begin_body(framing);
	framing->requests++;
	return enter(framing, BEFORE);
}

static const struct framing_fault *begin_line(struct framing *framing, unsigned char c)
{
	if (c == '\r')
		return enter(framing, HEAD_LF);
	if (is_blank(c))
		return &bad_fold;
	if (c == '\n')
		return &bad_line_end;
	framing->candidates = ALL_NAMES;
	enter(framing, NAME);
	return read_name(framing, c);
}

static const struct framing_fault *read_length(struct framing *framing, unsigned char c)
{
	if (c < '0' || c > '9' || framing->is_value_over || framing->position++ == LENGTH_DIGITS)
		return &bad_length;
	framing->length = framing->length * 10 + (uint64_t)(c - '0');
	return NULL;
}

static const struct framing_fault *read_coding(struct framing *framing, unsigned char c)
{
	if (framing->is_value_over || framing->position == sizeof(chunked) - 1)
		return &bad_coding;
	return lower(c) == (unsigned char)chunked[framing->position++] ? NULL : &bad_coding;
}

static const struct framing_fault *read_host(struct framing *framing, unsigned char c)
{
	framing->position = 1;
	return !framing->is_value_over && (is_alphanumeric(c) || (c && strchr("-._~%:[]", c))) ? NULL : &bad_host;
}

static const struct framing_fault *read_any(struct framing *framing, unsigned char c)
{
	(void)framing;
	return c >= ' ' && c != 0x7f ? NULL : &bad_value;
}

/* libmicrohttpd takes what is behind a request without a body for the body that it expects: it gets an empty value. */
static const struct framing_fault *read_expectation(struct framing *framing, unsigned char c)
{
	bool fits = !framing->is_value_over && framing->position < sizeof(expectation) - 1 &&
	            lower(c) == (unsigned char)expectation[framing->position];
	framing->position = fits ? (uint8_t)(framing->position + 1) : UINT8_MAX;
	framing->expects = framing->position == sizeof(expectation) - 1;
	framing->drops = true;
	return read_any(framing, c);
}

/* How a value is read, a byte that is no white space at a time, and what is wrong with one that is cut short. */
static const struct {
	const struct framing_fault *(*read)(struct framing *framing, unsigned char c);
	uint8_t least; /* characters */
	const struct framing_fault *too_short;
} values[FIELD_COUNT] = {
	[OTHER] = {read_any, 0, NULL},
	[EXPECT] = {read_expectation, 0, NULL},
	[HOST] = {read_host, 0, NULL},
	[LENGTH] = {read_length, 1, &bad_length},
	[CODING] = {read_coding, sizeof(chunked) - 1, &bad_coding},
};

static const struct framing_fault *read_value(struct framing *framing, unsigned char c)
{
	if (c == '\r' && framing->position < values[framing->field].least)
		return values[framing->field].too_short;
	if (c == '\r')
		return enter(framing, VALUE_LF);
	if (c == '\n')
		return &bad_line_end;
	if (!is_blank(c))
		return values[framing->field].read(framing, c);
	framing->is_value_over = framing->position > 0;
	/* libmicrohttpd takes it for a part of the value, and no longer knows "chunked". */
	framing->drops = framing->is_value_over && (framing->field == LENGTH || framing->field == CODING);
	return NULL;
}

static const struct framing_fault *end_value(struct framing *framing, unsigned char c)
{
	return expect_lf(framing, c, LINE);
}

static int digit_of(unsigned char c)
{
	return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

static const struct framing_fault *read_size(struct framing *framing, unsigned char c)
{
	int digit = digit_of(c);
	framing->expects = false;
	if (framing->position == 0)
		framing->length = 0;
	framing->overhead++;
	if (digit >= 0) {
		framing->length = framing->length * 16 + (uint64_t)digit;
		return framing->position++ < SIZE_DIGITS ? NULL : &bad_size;
	}
	if (framing->position == 0 || (c != ';' && c != '\r'))
		return &bad_size;
	return enter(framing, c == ';' ? EXTENSION : SIZE_LF);
}

static const struct framing_fault *read_extension(struct framing *framing, unsigned char c)
{
	if (c == '\r')
		return enter(framing, SIZE_LF);
	if (c == '\n')
		return &bad_line_end;
	if (++framing->overhead > OVERHEAD_MAX)
		return &long_lines;
	return is_blank(c) ? NULL : read_any(framing, c);
}

/* Chunks of a few bytes are no attack; lines that are much longer than their data are. */
static const struct framing_fault *end_size(struct framing *framing, unsigned char c)
{
	const uint64_t size = framing->length, excused = LINE_EXCUSED + 2 * size;
	if (c != '\n')
		return &bad_line_end;
	framing->overhead -= (uint32_t)(excused < framing->overhead ? excused : framing->overhead);
	framing->left = size;
	framing->in_trailer = size == 0;
	return enter(framing, size ? DATA : LINE);
}

static const struct framing_fault *end_data(struct framing *framing, unsigned char c)
{
	return c == '\r' ? enter(framing, DATA_LF) : &bad_chunk;
}

static const struct framing_fault *end_chunk(struct framing *framing, unsigned char c)
{
	return c == '\n' ? enter(framing, SIZE) : &bad_chunk;
}

static const struct framing_fault *(*const readers[])(struct framing *framing, unsigned char c) = {
	[BEFORE] = begin,
	[EMPTY_LINE_LF] = end_empty_line,
	[METHOD] = read_method,
	[TARGET] = read_target,
	[VERSION] = read_version,
	[VERSION_LF] = end_version,
	[LINE] = begin_line,
	[NAME] = read_name,
	[VALUE] = read_value,
	[VALUE_LF] = end_value,
	[HEAD_LF] = end_head,
	[SIZE] = read_size,
	[EXTENSION] = read_extension,
	[SIZE_LF] = end_size,
	[DATA_CR] = end_data,
	[DATA_LF] = end_chunk,
};

/* Bytes of a body at the front of what has come. */
static size_t skip(struct framing *framing, size_t size)
{
	size_t skipped = size < framing->left ? size : (size_t)framing->left;
	framing->expects = false;
	framing->left -= skipped;
	if (framing->left > 0)
		return skipped;
	framing->requests += framing->state == BODY;
	enter(framing, framing->state == BODY ? BEFORE : DATA_CR);
	return skipped;
}

/* Whether one of eight bytes is a control character. A borrow may hit a byte wrongly, which is then looked at alone. */
static bool has_control(uint64_t bytes)
{
	const uint64_t each = UINT64_C(0x0101010101010101), high = each << 7, deletes = bytes ^ each * 0x7f;
	return (((bytes - each * ' ') & ~bytes) | ((deletes - each) & ~deletes)) & high;
}

/* Bytes of a value that nothing depends on; the first other one is read as such. */
static size_t count_plain(const char *data, size_t size)
{
	size_t count = 0;
	for (uint64_t eight; size - count >= sizeof(eight); count += sizeof(eight)) {
		memcpy(&eight, data + count, sizeof(eight));
		if (has_control(eight))
			break;
	}
	while (count < size && (unsigned char)data[count] >= ' ' && data[count] != 0x7f)
		count++;
	return count;
}

/* Bytes of a name that is none of those known; it may have no more than NAME_MAX. */
static size_t skip_name(struct framing *framing, const char *data, size_t size)
{
	const size_t most = (size_t)(NAME_MAX - framing->position);
	size_t count = 0;
	while (count < size && count < most && is_token((unsigned char)data[count]))
		count++;
	framing->position = (uint8_t)(framing->position + count);
	return count;
}

/* Bytes of a head that need no closer look; 0: the next one does. */
static size_t skip_some(struct framing *framing, const char *data, size_t size)
{
	if (framing->state == VALUE && framing->field == OTHER)
		return count_plain(data, size);
	return framing->state == NAME && !framing->candidates ? skip_name(framing, data, size) : 0;
}

/* Bytes of a body, some of a head, or one. */
static size_t read_some(struct framing *framing, const char *data, size_t size)
{
	if (framing->state == BODY || framing->state == DATA)
		return skip(framing, size);
	size_t skipped = skip_some(framing, data, size);
	if (skipped > 0)
		return skipped;
	framing->fault = readers[framing->state](framing, (unsigned char)*data);
	return 1;
}

size_t framing_read(struct framing *framing, char *data, size_t size)
{
	size_t kept = 0, complete = 0;
	for (size_t at = 0; at < size && !framing->fault;) {
		size_t step = read_some(framing, data + at, size - at);
		if (!framing->drops && kept != at)
			memmove(data + kept, data + at, step);
		kept += framing->drops ? 0 : step;
		framing->drops = false;
		at += step;
		if (framing->state == BEFORE && !framing->fault)
			complete = kept;
	}
	return framing->fault ? complete : kept;
}

bool framing_is_inside(const struct framing *framing)
{
	return framing->state > EMPTY_LINE_LF;
}

bool framing_awaits_continue(const struct framing *framing)
{
	return framing->expects && (framing->state == BODY || framing->state == SIZE);
}
