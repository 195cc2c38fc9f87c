/*
 * The fields of an event; see mapping.h. A scanner says whether the body is JSON, and finds all sources on its way.
 */
#include "mapping.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "paths.h"
#include "source.h"
#include "span.h"

enum { SOURCES_MAX = 8 /* of one field */ };

enum { FIELD_MESSAGE_ID, FIELD_EVENT_TYPE, FIELD_PAYLOAD, FIELD_STREAM, FIELD_SEQUENCE, FIELD_COUNT };

#define SOURCES(field, least, otherwise, about)                                                                        \
	SLUICE_OPTION_STRINGS(struct mapping_config, field, .name = #field, .fallback = (otherwise), .min = (least),   \
	                      .max = SOURCES_MAX, .help = (about))

const struct sluice_option mapping_options[] = {
	SOURCES(message_id, 1, "/messageId",
                "sources of the idempotency key, tried in order: JSON Pointers, header:NAME, auth:id (the id that the signature covers)"),
	SOURCES(event_type, 0, "/eventType", "sources of the event type; an empty list: it has none"),
	SOURCES(payload, 1, "/payload", "JSON Pointers to the payload; an empty one is the whole body"),
	SOURCES(stream, 0, "/stream", "sources of the stream, whose events stay in order; it may be missing"),
	SOURCES(sequence, 0, "/sequence", "sources of the sender's number in the stream; it may be missing"),
	SLUICE_OPTION_INT(struct mapping_config, max_depth, .name = "max_depth", .fallback = "64", .min = 1,
                          .max = SCAN_DEPTH_MAX, .unit = "levels", .help = "how deep arrays and objects may be nested"),
	SLUICE_OPTION_BOOL(struct mapping_config, integer_texts, .name = "integer_texts", .fallback = "false",
                           .help = "accept an integer as message id, type or stream, in the digits it was sent in"),
	SLUICE_OPTION_END,
};

static const struct field_rule {
	const char *name;
	size_t sources; /* offset in the config */
	const char *expected;
	bool optional;
	size_t least; /* bytes of a text */
	size_t text;  /* offset in the event, of those that are a text */
} rules[FIELD_COUNT] = {
	[FIELD_MESSAGE_ID] = {.name = "message_id",
                              .expected = "a non-empty string",
                              .least = 1,
                              .sources = offsetof(struct mapping_config, message_id),
                              .text = offsetof(struct sluice_event, message_id)},
	[FIELD_EVENT_TYPE] = {.name = "event_type",
                              .expected = "a string",
                              .sources = offsetof(struct mapping_config, event_type),
                              .text = offsetof(struct sluice_event, event_type)},
	[FIELD_PAYLOAD] = {.name = "payload",
                           .expected = "a value",
                           .sources = offsetof(struct mapping_config, payload)},
	[FIELD_STREAM] = {.name = "stream",
                          .expected = "a non-empty string",
                          .optional = true,
                          .least = 1,
                          .sources = offsetof(struct mapping_config, stream),
                          .text = offsetof(struct sluice_event, stream)},
	[FIELD_SEQUENCE] = {.name = "sequence",
                            .expected = "a 64-bit integer",
                            .optional = true,
                            .sources = offsetof(struct mapping_config, sequence)},
};

/* The sources of all fields stand in one array, so that one pass over the body finds them all. */
struct state {
	struct source sources[FIELD_COUNT * SOURCES_MAX];
	size_t source_count;
	struct field {
		const struct field_rule *rule;
		size_t first, count; /* sources */
	} fields[FIELD_COUNT];
	size_t max_depth;
	bool integer_texts;
};

/* What a source gave. */
struct value {
	const struct source *source;
	enum span_type type; /* of other sources than pointers SPAN_STRING */
	struct sluice_bytes bytes;
};

static const char *const type_names[] = {
	[SPAN_NOTHING] = "nothing",  [SPAN_NULL] = "null",        [SPAN_BOOLEAN] = "a boolean",
	[SPAN_INTEGER] = "a number", [SPAN_REAL] = "a number",    [SPAN_STRING] = "a string",
	[SPAN_ARRAY] = "an array",   [SPAN_OBJECT] = "an object",
};

static void state_finish(struct state *state)
{
	for (size_t i = 0; i < state->source_count; i++)
		source_finish(&state->sources[i]);
}

static bool add_source(struct state *state, const char *text, struct sluice_error *error)
{
	struct source *source = &state->sources[state->source_count];
	if (!source_parse(source, text, error))
		return false;
	state->source_count++;
	return true;
}

static bool state_init(struct state *state, const struct mapping_config *config, struct sluice_error *error)
{
	*state = (struct state){.max_depth = (size_t)config->max_depth, .integer_texts = config->integer_texts};
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct sluice_strings *texts = (const void *)((const char *)config + rules[i].sources);
		struct sluice_error cause = {0};
		state->fields[i] = (struct field){&rules[i], state->source_count, texts->count};
		for (size_t j = 0; j < texts->count && add_source(state, texts->items[j], &cause); j++) {
			if (i == FIELD_PAYLOAD && state->sources[state->source_count - 1].kind != SOURCE_POINTER)
				sluice_error_set(&cause, "expected a JSON Pointer, got \"%s\"", texts->items[j]);
		}
		if (cause.text[0]) {
			sluice_error_set(error, "%s: %s", rules[i].name, cause.text);
			state_finish(state);
			return false;
		}
	}
	return true;
}

bool mapping_check(const void *config, struct sluice_error *error)
{
	struct state state;
	if (!state_init(&state, config, error))
		return false;
	state_finish(&state);
	return true;
}

bool mapping_create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct state *state = malloc(sizeof(*state));
	if (!state)
		return sluice_error_set(error, "no memory");
	if (!state_init(state, stage->config, error)) {
		free(state);
		return false;
	}
	stage->state = state;
	return true;
}

void mapping_destroy(struct sluice_stage *stage)
{
	state_finish(stage->state);
	free(stage->state);
}

/* Absent, application/json, or anything that says it is JSON with another name (RFC 6839). */
/* The media type, without its parameters and the space before them. */
static struct sluice_bytes media_type(struct sluice_bytes header)
{
	const char *end = header.size ? memchr(header.data, ';', header.size) : NULL;
	struct sluice_bytes type = {header.data, end ? (size_t)(end - header.data) : header.size};
	while (type.size && type.data[type.size - 1] == ' ')
		type.size--;
	return type;
}

static bool ends_in(struct sluice_bytes text, const char *suffix)
{
	size_t size = strlen(suffix);
	return text.size >= size && strncasecmp(text.data + text.size - size, suffix, size) == 0;
}

static bool type_is(struct sluice_bytes type, const char *name)
{
	return type.size == strlen(name) && ends_in(type, name);
}

static bool starts_as_object(struct sluice_bytes body)
{
	size_t at = 0;
	while (at < body.size && strchr(" \t\r\n", body.data[at]) && body.data[at])
		at++;
	return at < body.size && body.data[at] == '{';
}

/* `curl -d` calls everything a form. A real one never starts with a brace, which it would have to escape. */
static bool is_json(const struct sluice_event *event)
{
	struct sluice_bytes type = media_type(sluice_get_header(event, "Content-Type"));
	if (type_is(type, "application/x-www-form-urlencoded"))
		return starts_as_object(event->body);
	return type.size == 0 || type_is(type, "application/json") || (type.size > 5 && ends_in(type, "+json"));
}

static enum sluice_verdict refuse_body(const struct scan *scan, struct sluice_event *event)
{
	static const char *const found[] = {
		[SCAN_SYNTAX] = "a syntax error",
		[SCAN_EARLY_END] = "an early end",
		[SCAN_MORE] = "more after its end",
		[SCAN_NUL] = "a NUL",
		[SCAN_ENCODING] = "bytes that are not UTF-8",
		[SCAN_RANGE] = "a number beyond the range of a double",
	};
	if (scan->fault == SCAN_NO_MEMORY)
		return sluice_retry(event, 0, "out of memory for the keys of the body");
	if (scan->fault == SCAN_DEPTH)
		return sluice_reject(event, 400,
		                     "the body: expected at most %zu levels of arrays and objects, got more",
		                     scan->max_depth);
	return sluice_reject(event, 400, "the body: expected JSON, got %s at byte %zu", found[scan->fault],
	                     scan->position);
}

static enum sluice_verdict refuse_keys(enum keys_verdict verdict, struct sluice_event *event)
{
	if (verdict == KEYS_NO_MEMORY)
		return sluice_retry(event, 0, "out of memory for the keys of the body");
	return sluice_reject(event, 400, "the body: expected each key once in the outermost object, got a duplicate");
}

/* Sets the spans of the sources; PASS: the body is JSON as the contract has it. */
static enum sluice_verdict find_spans(const struct state *state, struct sluice_event *event, struct sluice_bytes *spans,
                                      bool (*scan_text)(struct scan *scan))
{
	struct paths paths;
	paths.sources = state->sources;
	paths.source_count = state->source_count;
	paths.spans = spans;
	paths_init(&paths, event);
	struct scan scan = {.text = event->body, .max_depth = state->max_depth, .paths = &paths};
	if (!scan_text(&scan))
		return refuse_body(&scan, event);
	enum keys_verdict verdict = keys_judge(&paths.keys);
	if (verdict != KEYS_UNIQUE)
		return refuse_keys(verdict, event);
	for (size_t i = 0; i < state->source_count; i++) {
		if (state->sources[i].pointer.count == 0)
			spans[i] = scan.root;
	}
	return SLUICE_PASS;
}

/* The first source of the field that has something but null, which the body as a whole may be. */
static struct value find_value(const struct state *state, const struct field *field, const struct sluice_event *event,
                               const struct sluice_bytes *spans)
{
	for (size_t i = field->first; i < field->first + field->count; i++) {
		const struct source *source = &state->sources[i];
		struct value value = {source, span_type(spans[i]), spans[i]};
		bool is_whole_body = source->kind == SOURCE_POINTER && source->pointer.count == 0;
		if (source->kind != SOURCE_POINTER) {
			value.bytes = source->kind == SOURCE_HEADER ? sluice_get_header(event, source->header)
			                                            : event->authenticated_id;
			value.type = value.bytes.size ? SPAN_STRING : SPAN_NOTHING;
		}
		if (is_whole_body || (value.type != SPAN_NOTHING && value.type != SPAN_NULL))
			return value;
	}
	return (struct value){NULL, SPAN_NOTHING, {NULL, 0}};
}

/* Names the sources of a field that is in none of them. */
static enum sluice_verdict refuse_missing(const struct state *state, const struct field *field,
                                          struct sluice_event *event)
{
	const struct source *first = &state->sources[field->first];
	if (field->count == 1)
		return sluice_reject(event, 400, "%s: expected %s, got nothing", first->label, field->rule->expected);
	char labels[256] = "";
	for (size_t i = 0; i < field->count; i++) {
		size_t used = strlen(labels);
		(void)snprintf(labels + used, sizeof(labels) - used, "%s%s", i ? ", " : "", first[i].label);
	}
	return sluice_reject(event, 400, "%s: expected %s in one of %s, got nothing", field->rule->name,
	                     field->rule->expected, labels);
}

static enum sluice_verdict refuse_value(const struct field *field, const struct value *value,
                                        struct sluice_event *event)
{
	return sluice_reject(event, 400, "%s: expected %s, got %s", value->source->label, field->rule->expected,
	                     type_names[value->type]);
}

/* The characters of a string; an integer counts as the text it is written in. */
static struct sluice_bytes read_text(struct sluice_event *event, const struct value *value)
{
	if (value->source->kind != SOURCE_POINTER || value->type == SPAN_INTEGER)
		return value->bytes;
	struct sluice_bytes inside = span_inside(value->bytes);
	if (inside.size == 0 || !memchr(inside.data, '\\', inside.size))
		return inside;
	char *text = sluice_alloc(event, inside.size);
	return (struct sluice_bytes){text, text ? span_unescape(inside, text) : 0};
}

static enum sluice_verdict set_text(const struct state *state, const struct field *field, struct sluice_event *event,
                                    const struct sluice_bytes *spans)
{
	const struct field_rule *rule = field->rule;
	struct value value = find_value(state, field, event, spans);
	if (!value.source)
		return rule->optional || field->count == 0 ? SLUICE_PASS : refuse_missing(state, field, event);
	const char *label = value.source->label;
	if (value.type != SPAN_STRING && !(value.type == SPAN_INTEGER && state->integer_texts))
		return refuse_value(field, &value, event);
	struct sluice_bytes text = read_text(event, &value);
	if (!text.data)
		return sluice_retry(event, 0, "out of memory for the event's fields");
	if (text.size < rule->least)
		return sluice_reject(event, 400, "%s: expected %s, got an empty one", label, rule->expected);
	if (text.size > SLUICE_NAME_MAX)
		return sluice_reject(event, 400, "%s: expected at most %d bytes, got %zu", label, SLUICE_NAME_MAX,
		                     text.size);
	if (memchr(text.data, '\0', text.size))
		return sluice_reject(event, 400, "%s: expected %s without U+0000, got one with it", label,
		                     rule->expected);
	if (value.source->kind != SOURCE_POINTER && !scan_is_utf8(text))
		return sluice_reject(event, 400, "%s: expected UTF-8, got other bytes", label);
	*(struct sluice_bytes *)(void *)((char *)event + rule->text) = text;
	return SLUICE_PASS;
}

/* Digits with a minus or without; false if that is no integer of 64 bits. */
static bool read_integer(struct sluice_bytes text, int64_t *value_out)
{
	bool negative = text.size && text.data[0] == '-';
	int64_t value = 0;
	for (size_t i = negative; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, text.data[i] - '0', &value))
			return false;
	}
	/* Counted downwards, as there is one more negative number. */
	if (text.size == (size_t)negative || (!negative && value == INT64_MIN))
		return false;
	*value_out = negative ? value : -value;
	return true;
}

static enum sluice_verdict set_sequence(const struct state *state, struct sluice_event *event,
                                        const struct sluice_bytes *spans)
{
	const struct field *field = &state->fields[FIELD_SEQUENCE];
	struct value value = find_value(state, field, event, spans);
	if (!value.source)
		return SLUICE_PASS;
	if (value.type != SPAN_INTEGER && value.source->kind == SOURCE_POINTER)
		return refuse_value(field, &value, event);
	event->has_sequence = read_integer(value.bytes, &event->sequence);
	return event->has_sequence ? SLUICE_PASS
	                           : sluice_reject(event, 400, "%s: expected %s, got something else",
	                                           value.source->label, field->rule->expected);
}

static enum sluice_verdict set_payload(const struct state *state, struct sluice_event *event,
                                       const struct sluice_bytes *spans)
{
	const struct field *field = &state->fields[FIELD_PAYLOAD];
	struct value value = find_value(state, field, event, spans);
	if (!value.source)
		return refuse_missing(state, field, event);
	event->payload = value.source->pointer.count ? value.bytes : event->body;
	return SLUICE_PASS;
}

static enum sluice_verdict inspect(const struct state *state, struct sluice_event *event, struct sluice_bytes *spans,
                                   bool (*scan)(struct scan *scan))
{
	struct sluice_bytes body = event->body;
	if (!is_json(event))
		return sluice_reject(event, 415, "Content-Type: expected application/json or a type ending in +json");
	if (body.size >= 3 && memcmp(body.data, "\xef\xbb\xbf", 3) == 0)
		return sluice_reject(event, 400, "the body: expected JSON without a byte order mark, got one");
	return find_spans(state, event, spans, scan);
}

enum sluice_verdict mapping_process(struct sluice_stage *stage, struct sluice_event *event,
                                    bool (*scan)(struct scan *scan))
{
	const struct state *state = stage->state;
	struct sluice_bytes spans[FIELD_COUNT * SOURCES_MAX];
	enum sluice_verdict verdict = inspect(state, event, spans, scan);
	if (verdict != SLUICE_PASS)
		return verdict;
	static const int texts[] = {FIELD_MESSAGE_ID, FIELD_EVENT_TYPE, FIELD_STREAM};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && verdict == SLUICE_PASS; i++)
		verdict = set_text(state, &state->fields[texts[i]], event, spans);
	if (verdict == SLUICE_PASS)
		verdict = set_sequence(state, event, spans);
	return verdict == SLUICE_PASS ? set_payload(state, event, spans) : verdict;
}
