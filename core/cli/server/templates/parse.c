/*
 * parse/@NAME@: takes the fields of an event out of the outermost members of a JSON object (RFC 8259).
 *
 * One pass proves that the body is JSON and counts the members, a second notes where they lie: the payload is the exact
 * bytes received, and no tree is built.
 */
#include <math.h>
#include <stdlib.h>

#include <sluice/stage.h>

enum { DEPTH_MAX = 64 };

struct config {
	struct sluice_strings message_id, event_type, payload, stream, sequence; /* sources: "/messageId" */
};

struct member {
	struct sluice_bytes key, value; /* the key unescaped, the value as it stands */
};

struct scan {
	struct sluice_event *event;
	const char *at, *end;
	int depth;
	struct member *members; /* of the outermost object; NULL in the first pass */
	size_t member_count;
};

static bool scan_value(struct scan *scan);

static char peek(const struct scan *scan)
{
	return scan->at < scan->end ? *scan->at : '\0';
}

static bool accept(struct scan *scan, char c)
{
	bool there = scan->at < scan->end && *scan->at == c;
	scan->at += there;
	return there;
}

static void skip_space(struct scan *scan)
{
	while (peek(scan) == ' ' || peek(scan) == '\t' || peek(scan) == '\r' || peek(scan) == '\n')
		scan->at++;
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t size = strlen(word);
	bool there = (size_t)(scan->end - scan->at) >= size && memcmp(scan->at, word, size) == 0;
	scan->at += there ? size : 0;
	return there;
}

static bool scan_digits(struct scan *scan)
{
	const char *first = scan->at;
	while (peek(scan) >= '0' && peek(scan) <= '9')
		scan->at++;
	return scan->at > first;
}

static bool scan_number(struct scan *scan)
{
	const char *first = scan->at;
	(void)accept(scan, '-');
	if (!accept(scan, '0') && !scan_digits(scan))
		return false;
	if (accept(scan, '.') && !scan_digits(scan))
		return false;
	if (accept(scan, 'e') || accept(scan, 'E')) {
		(void)(accept(scan, '+') || accept(scan, '-'));
		if (!scan_digits(scan))
			return false;
	}
	return isfinite(strtod(first, NULL)); /* ends at the latest at the NUL behind the body */
}

/* The four digits of \uXXXX, or -1. */
static long scan_unit(struct scan *scan)
{
	char digits[5] = {0};
	if (scan->end - scan->at < 4)
		return -1;
	memcpy(digits, scan->at, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return -1;
	scan->at += 4;
	return strtol(digits, NULL, 16);
}

/* What follows a backslash; a surrogate must have its other half. -1: it is no escape. */
static long scan_escape(struct scan *scan)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *letter = peek(scan) ? strchr(letters, peek(scan)) : NULL;
	if (letter) {
		scan->at++;
		return values[letter - letters];
	}
	if (!accept(scan, 'u'))
		return -1;
	long high = scan_unit(scan);
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || !scan_word(scan, "\\u"))
		return -1;
	long low = scan_unit(scan);
	return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : -1;
}

/* One character as UTF-8 has it: neither too long nor a surrogate nor above U+10FFFF. */
static long scan_character(struct scan *scan)
{
	static const long least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)*scan->at++;
	int more = first < 0x80             ? 0
	           : (first & 0xe0) == 0xc0 ? 1
	           : (first & 0xf0) == 0xe0 ? 2
	           : (first & 0xf8) == 0xf0 ? 3
	                                    : -1;
	if (more < 0 || scan->end - scan->at < more)
		return -1;
	long code = more ? first & (0x3f >> more) : first;
	for (int i = 0; i < more; i++) {
		unsigned char next = (unsigned char)*scan->at++;
		if ((next & 0xc0) != 0x80)
			return -1;
		code = code << 6 | (next & 0x3f);
	}
	return code >= least[more] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? code : -1;
}

static size_t write_utf8(char *out, long code)
{
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
	int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	for (int i = more; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(lead[more] | code);
	return (size_t)more + 1;
}

/* A string; what it says goes to `out`, which has room for as many bytes as it takes in the body, or may be NULL. */
static bool scan_string(struct scan *scan, char *out, size_t *size_out)
{
	size_t size = 0;
	if (!accept(scan, '"'))
		return false;
	while (!accept(scan, '"')) {
		if (scan->at >= scan->end || (unsigned char)*scan->at < 0x20)
			return false;
		long code = accept(scan, '\\') ? scan_escape(scan) : scan_character(scan);
		if (code < 0)
			return false;
		size += out ? write_utf8(out + size, code) : 0;
	}
	*size_out = size;
	return true;
}

static bool scan_array(struct scan *scan)
{
	skip_space(scan);
	if (accept(scan, ']'))
		return true;
	do {
		if (!scan_value(scan))
			return false;
	} while (accept(scan, ','));
	return accept(scan, ']');
}

static bool scan_member(struct scan *scan, bool outermost)
{
	skip_space(scan);
	const char *key = scan->at;
	size_t key_size = 0;
	struct member *member = outermost && scan->members ? &scan->members[scan->member_count] : NULL;
	if (member) { /* the first pass has proved it: what is between the quotes has room for what it says */
		struct scan ahead = *scan;
		(void)scan_string(&ahead, NULL, &key_size);
		member->key = sluice_copy(scan->event, key, (size_t)(ahead.at - key));
		if (!member->key.data)
			return false;
	}
	if (!scan_string(scan, member ? (char *)member->key.data : NULL, &key_size))
		return false;
	skip_space(scan);
	if (!accept(scan, ':'))
		return false;
	skip_space(scan);
	const char *value = scan->at;
	if (!scan_value(scan))
		return false;
	if (member) {
		const char *last = scan->at;
		while (strchr(" \t\r\n", last[-1]))
			last--;
		member->key.size = key_size;
		member->value = (struct sluice_bytes){value, (size_t)(last - value)};
	}
	scan->member_count += outermost;
	return true;
}

static bool scan_object(struct scan *scan)
{
	bool outermost = scan->depth == 1;
	skip_space(scan);
	if (accept(scan, '}'))
		return true;
	do {
		if (!scan_member(scan, outermost))
			return false;
	} while (accept(scan, ','));
	return accept(scan, '}');
}

/* A value and the space around it. */
static bool scan_value(struct scan *scan)
{
	bool ok;
	size_t size;
	skip_space(scan);
	if (accept(scan, '{') || accept(scan, '[')) {
		bool object = scan->at[-1] == '{';
		ok = scan->depth++ < DEPTH_MAX && (object ? scan_object(scan) : scan_array(scan));
		scan->depth--;
	} else if (peek(scan) == '"') {
		ok = scan_string(scan, NULL, &size);
	} else {
		ok = scan_word(scan, "true") || scan_word(scan, "false") || scan_word(scan, "null") ||
		     scan_number(scan);
	}
	skip_space(scan);
	return ok;
}

static int compare_keys(const void *a, const void *b)
{
	struct sluice_bytes one = ((const struct member *)a)->key, other = ((const struct member *)b)->key;
	if (one.size != other.size)
		return one.size < other.size ? -1 : 1;
	return memcmp(one.data, other.data, one.size);
}

/* The outermost members, sorted by key. */
static enum sluice_verdict read_members(struct sluice_event *event, struct scan *scan)
{
	const char *end = event->body.data + event->body.size;
	*scan = (struct scan){.event = event, .at = event->body.data, .end = end};
	if (!scan_value(scan) || scan->at != end)
		return sluice_reject(event, 400,
		                     "the body: expected JSON, at most %d levels deep, got something else at byte %zu",
		                     DEPTH_MAX, (size_t)(scan->at - event->body.data));
	struct member *members = sluice_alloc(event, (scan->member_count + 1) * sizeof(*members));
	if (!members)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	*scan = (struct scan){.event = event, .at = event->body.data, .end = end, .members = members};
	if (!scan_value(scan))
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	qsort(members, scan->member_count, sizeof(*members), compare_keys);
	for (size_t i = 1; i < scan->member_count; i++) {
		if (compare_keys(&members[i - 1], &members[i]) == 0)
			return sluice_reject(event, 400,
			                     "the body: expected each key once in the outermost object, got one twice");
	}
	return SLUICE_PASS;
}

/* The first of the sources that is there and not null; else absent. */
static struct sluice_bytes find_value(const struct scan *scan, const struct sluice_strings *sources)
{
	for (size_t i = 0; i < sources->count && scan->member_count > 0; i++) {
		const char *name = sources->items[i] + 1;
		struct member key = {.key = {name, strlen(name)}};
		const struct member *found = bsearch(&key, scan->members, scan->member_count, sizeof(key),
		                                     compare_keys);
		if (found && (found->value.size != 4 || memcmp(found->value.data, "null", 4) != 0))
			return found->value;
	}
	struct sluice_bytes absent = {NULL, 0};
	return absent;
}

/* An integer of 64 bits, as JSON writes one. */
static bool read_integer(struct sluice_bytes text, int64_t *value_out)
{
	bool negative = text.data[0] == '-';
	*value_out = 0;
	for (size_t i = negative; i < text.size; i++) {
		int digit = text.data[i] - '0';
		if (digit < 0 || digit > 9 || __builtin_mul_overflow(*value_out, 10, value_out) ||
		    __builtin_add_overflow(*value_out, negative ? -digit : digit, value_out))
			return false;
	}
	return true;
}

static bool is_integer(struct sluice_bytes text)
{
	for (size_t i = text.data[0] == '-'; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	}
	return true;
}

static const char *first_of(const struct sluice_strings *sources)
{
	return sources->count ? sources->items[0] : "";
}

/* A string, or an integer as the text it is written in. */
static enum sluice_verdict set_text(struct sluice_event *event, const struct scan *members,
                                    const struct sluice_strings *sources, size_t least, bool optional,
                                    struct sluice_bytes *text_out)
{
	struct sluice_bytes value = find_value(members, sources);
	if (!value.data)
		return optional ? SLUICE_PASS
		                : sluice_reject(event, 400, "%s: expected a string, got nothing", first_of(sources));
	if (value.data[0] != '"' && !is_integer(value))
		return sluice_reject(event, 400, "%s: expected a string, got something else", first_of(sources));
	struct sluice_bytes text = sluice_copy(event, value.data, value.size);
	if (!text.data)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	struct scan scan = {.at = value.data, .end = value.data + value.size};
	if (value.data[0] == '"')
		(void)scan_string(&scan, (char *)text.data, &text.size);
	if (text.size < least || text.size > SLUICE_NAME_MAX || memchr(text.data, '\0', text.size))
		return sluice_reject(event, 400, "%s: expected %zu to %d bytes without U+0000", first_of(sources),
		                     least, SLUICE_NAME_MAX);
	*text_out = text;
	return SLUICE_PASS;
}

static enum sluice_verdict set_sequence(struct sluice_event *event, const struct scan *members,
                                        const struct sluice_strings *sources)
{
	struct sluice_bytes value = find_value(members, sources);
	if (!value.data)
		return SLUICE_PASS;
	event->has_sequence = read_integer(value, &event->sequence);
	return event->has_sequence ? SLUICE_PASS
	                           : sluice_reject(event, 400, "%s: expected an integer of 64 bits", first_of(sources));
}

static enum sluice_verdict set_payload(struct sluice_event *event, const struct scan *members,
                                       const struct sluice_strings *sources)
{
	struct sluice_bytes value = find_value(members, sources);
	if (!value.data)
		return sluice_reject(event, 400, "%s: expected a value, got nothing", first_of(sources));
	event->payload = value;
	return SLUICE_PASS;
}

/* application/json and all that call themselves JSON (RFC 6839); nothing at all is taken for it, too. */
static bool is_json(struct sluice_bytes type)
{
	const char *end = type.size ? memchr(type.data, ';', type.size) : NULL;
	size_t size = end ? (size_t)(end - type.data) : type.size;
	while (size > 0 && type.data[size - 1] == ' ')
		size--;
	return size == 0 || (size == 16 && strncasecmp(type.data, "application/json", 16) == 0) ||
	       (size > 5 && strncasecmp(type.data + size - 5, "+json", 5) == 0);
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	struct scan members;
	if (!is_json(sluice_get_header(event, "Content-Type")))
		return sluice_reject(event, 415,
		                     "Content-Type: expected application/json or a type that ends in +json");
	enum sluice_verdict verdict = read_members(event, &members);
	if (verdict == SLUICE_PASS)
		verdict = set_text(event, &members, &config->message_id, 1, false, &event->message_id);
	if (verdict == SLUICE_PASS)
		verdict = set_text(event, &members, &config->event_type, 0, false, &event->event_type);
	if (verdict == SLUICE_PASS)
		verdict = set_text(event, &members, &config->stream, 1, true, &event->stream);
	if (verdict == SLUICE_PASS)
		verdict = set_sequence(event, &members, &config->sequence);
	return verdict == SLUICE_PASS ? set_payload(event, &members, &config->payload) : verdict;
}

static bool check_sources(const char *option, const struct sluice_strings *sources, struct sluice_error *error)
{
	for (size_t i = 0; i < sources->count; i++) {
		const char *source = sources->items[i];
		if (source[0] != '/' || !source[1] || strpbrk(source + 1, "/~"))
			return sluice_error_set(error,
			                        "%s: expected /NAME, a member of the outermost object, got \"%s\"",
			                        option, source);
	}
	return true;
}

static bool check(const void *config_, struct sluice_error *error)
{
	const struct config *config = config_;
	return check_sources("message_id", &config->message_id, error) &&
	       check_sources("event_type", &config->event_type, error) &&
	       check_sources("payload", &config->payload, error) && check_sources("stream", &config->stream, error) &&
	       check_sources("sequence", &config->sequence, error);
}

#define SOURCES(field, least, otherwise, about)                                                                        \
	SLUICE_OPTION_STRINGS(struct config, field, .name = #field, .fallback = (otherwise), .min = (least), .max = 8, \
	                      .help = (about))

static const struct sluice_option options[] = {
	SOURCES(message_id, 1, "/messageId", "members that may be the idempotency key, tried in order"),
	SOURCES(event_type, 1, "/eventType", "members that may be the event type"),
	SOURCES(payload, 1, "/payload", "members whose exact bytes may be kept"),
	SOURCES(stream, 0, "/stream", "members that may name the stream, whose events stay in order"),
	SOURCES(sequence, 0, "/sequence", "members that may have the sender's number in the stream"),
	SLUICE_OPTION_END,
};

static const struct sluice_parse_ops ops = {.process = process};

SLUICE_STAGE(parse, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "takes the fields of an event out of the outermost members of a JSON object",
             .options = options, .config_size = sizeof(struct config), .check = check);
