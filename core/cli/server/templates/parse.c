/*
 * parse/@NAME@: takes the fields of an event out of the outermost members of a JSON object, with jansson: it reads
 * one key or value at a time and says where it ended, so that the payload is the exact bytes received.
 */
#include <errno.h>
#include <jansson.h>
#include <sluice/stage.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64, MESSAGE_ID = 0, EVENT_TYPE, STREAM, SEQUENCE, PAYLOAD, FIELDS };
enum { FLAGS = JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL };
static const char *const keys[FIELDS] = {"messageId", "eventType", "stream", "sequence", "payload"};

struct reader {
	const char *body, *copy, *at; /* `at` in the copy, which jansson reads */
	json_t *members;
	struct sluice_bytes spans[FIELDS]; /* of the values, in the body */
};

/* Replaces \u0000, which jansson takes in no key of an object, by U+FDD0; returns how deep the text is nested. */
static int prepare(char *at)
{
	int depth = 0, deepest = 0;
	for (bool in_string = false; *at; at++) {
		in_string ^= *at == '"';
		if (!in_string)
			depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
		else if (strncmp(at, "\\u0000", 6) == 0)
			memcpy(at, "\\ufdd0", 6);
		at += *at == '\\' && at[1];
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}

/* Skips the character if it is next, and the white space on both sides. */
static bool accept(struct reader *reader, char c)
{
	reader->at += strspn(reader->at, " \t\r\n");
	if (*reader->at != c)
		return false;
	reader->at += c ? 1 + strspn(reader->at + 1, " \t\r\n") : 0;
	return true;
}

/* A string, and so a key, is read from the body: only there it has its own characters. */
static json_t *read_value(struct reader *reader, struct sluice_bytes *span_out)
{
	json_error_t error;
	const char *in_body = reader->body + (reader->at - reader->copy);
	json_t *value = json_loads(*reader->at == '"' ? in_body : reader->at, FLAGS, &error);
	*span_out = (struct sluice_bytes){in_body, value ? (size_t)error.position : 0};
	reader->at += span_out->size;
	return value;
}

/* False: a syntax error, or a key that was there before. */
static bool read_member(struct reader *reader)
{
	struct sluice_bytes span;
	json_t *key = read_value(reader, &span);
	const char *name = json_string_value(key);
	size_t size = json_string_length(key);
	bool ok = name && accept(reader, ':') && !json_object_getn(reader->members, name, size) &&
	          json_object_setn_new(reader->members, name, size, read_value(reader, &span)) == 0;
	for (int i = 0; ok && i < FIELDS; i++)
		if (size == strlen(keys[i]) && memcmp(name, keys[i], size) == 0)
			reader->spans[i] = span;
	json_decref(key);
	return ok;
}

static enum sluice_verdict set_fields(const struct reader *reader, struct sluice_event *event)
{
	struct sluice_bytes *const texts[] = {&event->message_id, &event->event_type, &event->stream};
	for (int i = 0; i < SEQUENCE; i++) {
		const json_t *value = json_object_get(reader->members, keys[i]);
		const char *text = json_string_value(value);
		size_t size = json_string_length(value);
		if (i == STREAM && !value)
			continue;
		if (!text || size > SLUICE_NAME_MAX || (size == 0 && i != EVENT_TYPE) || strlen(text) < size)
			return sluice_reject(event, 400, "%s: expected a string of at most 255 bytes", keys[i]);
		*texts[i] = sluice_copy(event, text, size);
		if (!texts[i]->data)
			return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	}
	struct sluice_bytes number = reader->spans[SEQUENCE];
	char *end = NULL;
	errno = 0;
	event->has_sequence = number.data != NULL;
	event->sequence = number.data ? strtoll(number.data, &end, 10) : 0;
	if (number.data && (errno || end != number.data + number.size))
		return sluice_reject(event, 400, "sequence: expected a 64-bit integer");
	event->payload = reader->spans[PAYLOAD];
	return event->payload.data ? SLUICE_PASS : sluice_reject(event, 400, "payload: is missing");
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	(void)stage;
	struct sluice_bytes body = event->body;
	char *copy = (char *)sluice_alloc(event, body.size + 1);
	if (!copy)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	memcpy(copy, body.data, body.size + 1); /* a NUL follows it */
	struct reader reader = {.body = body.data, .copy = copy, .at = copy, .members = json_object()};
	bool ok = strlen(copy) == body.size && prepare(copy) <= DEPTH_MAX && accept(&reader, '{');
	for (bool is_first = true; ok && !accept(&reader, '}'); is_first = false)
		ok = (is_first || accept(&reader, ',')) && read_member(&reader);
	ok = ok && accept(&reader, '\0');
	enum sluice_verdict verdict = ok ? set_fields(&reader, event) : sluice_reject(event, 400, "not a JSON object");
	json_decref(reader.members);
	return verdict;
}

static const struct sluice_parse_ops ops = {.process = process};

SLUICE_STAGE(parse, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "takes the fields of an event out of a JSON object");
