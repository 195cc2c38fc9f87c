/*
 * Reading and writing the lines of an input; see input.h. The members of a line are taken one by one, each by a row of
 * the table.
 */
#include "lab/load/input.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/json_writer.h"
#include "base/utf8.h"
#include "yaml/option.h"

enum { BLOCK_SIZE = 1 << 20 };

const char *const input_kind_names[INPUT_KINDS] = {
	[INPUT_NEW] = "new",
	[INPUT_DUPLICATE] = "duplicate",
	[INPUT_CONFLICT] = "conflict",
	[INPUT_BAD_SIGNATURE] = "bad_signature",
	[INPUT_MALFORMED] = "malformed",
};

void input_init(struct input *input)
{
	*input = (struct input){0};
	arena_init(&input->arena, BLOCK_SIZE, NULL);
}

void input_finish(struct input *input)
{
	arena_finish(&input->arena);
	free(input->events);
	*input = (struct input){0};
}

void input_empty(struct input *input)
{
	arena_empty(&input->arena);
	input->count = 0;
}

struct input_event *input_add(struct input *input)
{
	if (input->count == input->room) {
		input->room = input->room ? 2 * input->room : 64;
		input->events = must_realloc(input->events, input->room * sizeof(*input->events));
	}
	struct input_event *event = &input->events[input->count++];
	*event = (struct input_event){.id_at = SIZE_MAX};
	return event;
}

enum { LINE_MAX_SIZE = 64 << 20 /* bytes */ };

/* A line on its way to becoming an event; what a member says is judged when all of them are there. */
struct line {
	struct arena *arena;
	struct input_event *event;
	size_t bodies; /* how many of body and body_base64 it has */
	bool has_payload_size;
};

static bool take_text(struct line *line, const json_t *value, struct sluice_bytes *out, struct sluice_error *error)
{
	if (!json_is_string(value))
		return sluice_error_set(error, "expected a text");
	size_t size = json_string_length(value);
	*out = (struct sluice_bytes){arena_strndup(line->arena, json_string_value(value), size), size};
	return true;
}

static bool take_offset(const json_t *value, size_t *out, struct sluice_error *error)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return sluice_error_set(error, "expected a number of bytes, 0 or more");
	*out = (size_t)json_integer_value(value);
	return true;
}

static bool take_kind(struct line *line, const json_t *value, struct sluice_error *error)
{
	for (int kind = 0; kind < INPUT_KINDS; kind++) {
		const char *name = input_kind_names[kind];
		if (json_is_string(value) && json_string_length(value) == strlen(name) &&
		    strcmp(json_string_value(value), name) == 0) {
			line->event->kind = (enum input_kind)kind;
			return true;
		}
	}
	return sluice_error_set(error, "expected new, duplicate, conflict, bad_signature or malformed");
}

static bool take_message_id(struct line *line, const json_t *value, struct sluice_error *error)
{
	return take_text(line, value, &line->event->message_id, error);
}

static bool take_event_type(struct line *line, const json_t *value, struct sluice_error *error)
{
	return take_text(line, value, &line->event->event_type, error);
}

static bool take_stream(struct line *line, const json_t *value, struct sluice_error *error)
{
	return take_text(line, value, &line->event->stream, error);
}

static bool take_sequence(struct line *line, const json_t *value, struct sluice_error *error)
{
	if (!json_is_integer(value))
		return sluice_error_set(error, "expected a whole number");
	line->event->has_sequence = true;
	line->event->sequence = json_integer_value(value);
	return true;
}

static bool take_body(struct line *line, const json_t *value, struct sluice_error *error)
{
	line->bodies++;
	return take_text(line, value, &line->event->body, error);
}

static bool take_body_base64(struct line *line, const json_t *value, struct sluice_error *error)
{
	size_t size = json_string_length(value);
	uint8_t *bytes = arena_must(line->arena, size + 1);
	line->bodies++;
	if (!json_is_string(value) || !base64_read(BASE64_STANDARD, json_string_value(value), size, bytes, &size))
		return sluice_error_set(error, "expected base64, padded");
	line->event->body = (struct sluice_bytes){(const char *)bytes, size};
	return true;
}

static bool take_id_at(struct line *line, const json_t *value, struct sluice_error *error)
{
	return take_offset(value, &line->event->id_at, error);
}

static bool take_payload_at(struct line *line, const json_t *value, struct sluice_error *error)
{
	return take_offset(value, &line->event->payload_at, error);
}

static bool take_payload_size(struct line *line, const json_t *value, struct sluice_error *error)
{
	line->has_payload_size = true;
	return take_offset(value, &line->event->payload_size, error);
}

/* RFC 9110: a name is a token; a value has no control characters but the tab. */
static bool header_fits(const char *name, const json_t *value)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	if (!*name || name[strspn(name, token)] || !json_is_string(value))
		return false;
	const char *text = json_string_value(value);
	for (size_t i = 0; i < json_string_length(value); i++) {
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == '\x7f')
			return false;
	}
	return true;
}

static bool take_headers(struct line *line, const json_t *value, struct sluice_error *error)
{
	struct input_header *headers = arena_must(line->arena, (json_object_size(value) + 1) * sizeof(*headers));
	const char *name;
	json_t *text;
	if (!json_is_object(value))
		return sluice_error_set(error, "expected an object of names and texts");
	json_object_foreach ((json_t *)(uintptr_t)value, name, text) {
		if (!header_fits(name, text))
			return sluice_error_set(error, "%s: expected a header's name and its value as text", name);
		headers[line->event->header_count++] = (struct input_header){
			arena_strdup(line->arena, name), arena_strdup(line->arena, json_string_value(text))};
	}
	line->event->headers = headers;
	return true;
}

static const struct member {
	const char *name;
	bool (*take)(struct line *line, const json_t *value, struct sluice_error *error);
} members[] = {
	{"kind", take_kind},
	{"message_id", take_message_id},
	{"event_type", take_event_type},
	{"stream", take_stream},
	{"sequence", take_sequence},
	{"id_at", take_id_at},
	{"payload_at", take_payload_at},
	{"payload_size", take_payload_size},
	{"headers", take_headers},
	{"body", take_body},
	{"body_base64", take_body_base64},
};

enum { MEMBER_COUNT = sizeof(members) / sizeof(members[0]) };

static const char *member_name(const void *context, size_t i)
{
	return ((const struct member *)context)[i].name;
}

static const struct member *find_member(const char *name)
{
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	}
	return NULL;
}

static bool take_member(struct line *line, const char *name, const json_t *value, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	const struct member *member = find_member(name);
	if (member)
		return member->take(line, value, &cause) || sluice_error_set(error, "%s: %s", name, cause.text);
	const char *close = option_did_you_mean(name, MEMBER_COUNT, member_name, members);
	return sluice_error_set(error, "%s: there is no such member%s%s", name, close ? "; did you mean " : "",
	                        close ? close : "");
}

/* What the members say of each other. */
static bool judge(const struct line *line, struct sluice_error *error)
{
	struct input_event *event = line->event;
	size_t size = event->body.size;
	if (line->bodies != 1)
		return sluice_error_set(error, "body: expected it, or body_base64 in its place");
	if (event->payload_at > size)
		return sluice_error_set(error, "payload_at: expected 0..%zu (the size of the body), got %zu", size,
		                        event->payload_at);
	if (!line->has_payload_size)
		event->payload_size = size - event->payload_at;
	if (event->payload_size > size - event->payload_at)
		return sluice_error_set(error, "payload_size: expected 0..%zu (what is left of the body), got %zu",
		                        size - event->payload_at, event->payload_size);
	if (event->id_at == SIZE_MAX)
		return true;
	if (!event->message_id.data)
		return sluice_error_set(error, "id_at: expected a message_id with it");
	if (event->id_at > size || event->message_id.size > size - event->id_at ||
	    memcmp(event->body.data + event->id_at, event->message_id.data, event->message_id.size) != 0)
		return sluice_error_set(error, "id_at: expected where the message_id stands in the body, got %zu",
		                        event->id_at);
	return true;
}

static bool take_object(struct line *line, const char *text, size_t size, struct sluice_error *error)
{
	json_error_t cause;
	json_t *object = json_loadb(text, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &cause);
	if (!object)
		return sluice_error_set(error, "expected a JSON object: %s at column %d", cause.text, cause.column);
	bool good = json_is_object(object) || sluice_error_set(error, "expected a JSON object");
	const char *name;
	json_t *json;
	json_object_foreach (object, name, json) {
		good = good && take_member(line, name, json, error);
	}
	json_decref(object);
	return good;
}

static bool take_line(struct input *input, const char *text, size_t size, struct sluice_error *error)
{
	struct line line = {.arena = &input->arena, .event = input_add(input)};
	return take_object(&line, text, size, error) && judge(&line, error);
}

static bool is_blank(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!strchr(" \t\r\n", text[i]) || !text[i])
			return false;
	}
	return true;
}

/* A line with its newline, if it has one, cut where it is longer than a line may be; false: there is none. */
static bool read_line(FILE *file, struct buffer *line)
{
	char piece[4096];
	size_t size = 0;
	int c = 0;
	buffer_empty(line);
	while (c != '\n' && line->size <= LINE_MAX_SIZE && (c = getc_unlocked(file)) != EOF) {
		piece[size++] = (char)c;
		if (size < sizeof(piece) && c != '\n')
			continue;
		buffer_add(line, piece, size);
		size = 0;
	}
	buffer_add(line, piece, size);
	return line->size > 0;
}

static bool read_lines(struct input *input, FILE *file, const char *path, EVP_MD_CTX *hash, struct sluice_error *error)
{
	struct buffer line = {0};
	bool good = true;
	for (size_t number = 1; good && read_line(file, &line); number++) {
		struct sluice_error cause = {0};
		size_t mark = number == 1 ? utf8_mark_size(line.data, line.size) : 0;
		(void)EVP_DigestUpdate(hash, line.data, line.size);
		if (line.size > LINE_MAX_SIZE)
			(void)sluice_error_set(&cause, "expected a line of at most %d MiB", LINE_MAX_SIZE >> 20);
		else if (!is_blank(line.data + mark, line.size - mark))
			(void)take_line(input, line.data + mark, line.size - mark, &cause);
		if (cause.text[0])
			good = sluice_error_set(error, "%s:%zu: %s", path, number, cause.text);
	}
	buffer_finish(&line);
	return good && (!ferror(file) || sluice_error_set(error, "%s: reading stopped before its end", path));
}

bool input_read(struct input *input, const char *path, struct sluice_error *error)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	if (!file)
		return sluice_error_set(error, "%s: cannot be read: %s", path, strerror(errno));
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool good = (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1) ||
	            sluice_error_set(error, "SHA-256 is not available in libcrypto");
	good = good && read_lines(input, file, path, hash, error);
	if (good && EVP_DigestFinal_ex(hash, digest, NULL) == 1)
		digest_hex(digest, input->sha256);
	EVP_MD_CTX_free(hash);
	if (!standard)
		(void)fclose(file);
	return good;
}

static void write_name(struct json_writer *json, const char *key, struct sluice_bytes text)
{
	if (text.data)
		jsonw_bytes(json, key, text.data, text.size);
}

static void write_body(struct json_writer *json, struct sluice_bytes body)
{
	if (utf8_valid(body.data, body.size)) {
		jsonw_bytes(json, "body", body.data, body.size);
		return;
	}
	struct buffer text = {0};
	buffer_add_base64(&text, body.data, body.size);
	jsonw_bytes(json, "body_base64", text.data, text.size);
	buffer_finish(&text);
}

void input_write(const struct input_event *event, struct buffer *out)
{
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "kind", input_kind_names[event->kind]);
	write_name(&json, "message_id", event->message_id);
	write_name(&json, "event_type", event->event_type);
	write_name(&json, "stream", event->stream);
	if (event->has_sequence)
		jsonw_int(&json, "sequence", event->sequence);
	if (event->id_at != SIZE_MAX)
		jsonw_int(&json, "id_at", (int64_t)event->id_at);
	if (event->payload_at > 0 || event->payload_size < event->body.size) {
		jsonw_int(&json, "payload_at", (int64_t)event->payload_at);
		jsonw_int(&json, "payload_size", (int64_t)event->payload_size);
	}
	if (event->header_count > 0) {
		jsonw_object(&json, "headers");
		for (size_t i = 0; i < event->header_count; i++)
			jsonw_text(&json, event->headers[i].name, event->headers[i].value);
		jsonw_end_object(&json);
	}
	write_body(&json, event->body);
	jsonw_end_object(&json);
	buffer_add(out, "\n", 1);
}

bool input_save(struct input *input, const char *path, struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	struct buffer text = {0};
	FILE *file = fopen(path, "we");
	bool ok = file != NULL;
	for (size_t i = 0; ok && i < input->count; i++) {
		buffer_empty(&text);
		input_write(&input->events[i], &text);
		ok = fwrite(text.data, 1, text.size, file) == text.size;
	}
	if (file && fclose(file) != 0)
		ok = false;
	buffer_finish(&text);
	if (!ok)
		return sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	if (!digest_file(path, digest, error))
		return false;
	digest_hex(digest, input->sha256);
	return true;
}

void input_write_body(const struct input_event *event, const char *prefix, struct buffer *out, size_t *payload_at_out)
{
	size_t length = strlen(prefix), id_at = event->id_at;
	*payload_at_out = event->payload_at;
	if (id_at == SIZE_MAX || length == 0) {
		buffer_add(out, event->body.data, event->body.size);
		return;
	}
	buffer_add(out, event->body.data, id_at);
	buffer_add(out, prefix, length);
	buffer_add(out, event->body.data + id_at, event->body.size - id_at);
	if (event->payload_at > id_at)
		*payload_at_out += length;
}
