/*
 * The fields of an event; see fields.h.
 */
#include "fields.h"

#include <string.h>

#include "scan.h"

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

static const char *const type_names[] = {
	[SPAN_NOTHING] = "nothing",  [SPAN_NULL] = "null",        [SPAN_BOOLEAN] = "a boolean",
	[SPAN_INTEGER] = "a number", [SPAN_REAL] = "a number",    [SPAN_STRING] = "a string",
	[SPAN_ARRAY] = "an array",   [SPAN_OBJECT] = "an object",
};

void fields_finish(struct fields *fields)
{
	for (size_t i = 0; i < fields->list.count; i++)
		source_finish(&fields->list.items[i]);
	fields->list.count = 0;
}

static bool add_recipe(struct fields *fields, const char *text, struct sluice_error *error)
{
	if (!recipe_parse(&fields->recipes[fields->recipe_count], text, &fields->list, error))
		return false;
	fields->recipe_count++;
	return true;
}

static bool check_sources(const struct fields *fields, const struct recipe *recipe, bool takes_forms,
                          struct sluice_error *error)
{
	for (size_t i = recipe->first; i < recipe->first + recipe->count; i++)
		if (fields->list.items[i].kind == SOURCE_FORM_FIELD && !takes_forms)
			return sluice_error_set(error, "\"%s\" is a field of a form, which parse: form takes",
			                        recipe->text);
	return true;
}

/* A payload is bytes of the body, or a field of a form. */
static bool is_place(const struct fields *fields, const struct recipe *recipe)
{
	enum source_kind kind = fields->list.items[recipe->first].kind;
	return !recipe->is_joined && !recipe->is_digest && (kind == SOURCE_POINTER || kind == SOURCE_FORM_FIELD);
}

static bool add_recipes(struct fields *fields, int which, const struct sluice_strings *texts, bool takes_forms,
                        struct sluice_error *error)
{
	for (size_t i = 0; i < texts->count; i++) {
		const struct recipe *recipe = &fields->recipes[fields->recipe_count];
		if (!add_recipe(fields, texts->items[i], error) || !check_sources(fields, recipe, takes_forms, error))
			return false;
		if (which == FIELD_PAYLOAD && !is_place(fields, recipe))
			return sluice_error_set(error, "expected a JSON Pointer, got \"%s\"", texts->items[i]);
	}
	return true;
}

bool fields_init(struct fields *fields, const struct mapping_config *config, bool takes_forms,
                 struct sluice_error *error)
{
	*fields = (struct fields){.takes_integers = config->integer_texts};
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct sluice_strings *texts = (const void *)((const char *)config + rules[i].sources);
		struct sluice_error cause = {0};
		fields->all[i] = (struct field){&rules[i], fields->recipe_count, texts->count};
		if (!add_recipes(fields, i, texts, takes_forms, &cause)) {
			fields_finish(fields);
			return sluice_error_set(error, "%s: %s", rules[i].name, cause.text);
		}
	}
	return true;
}

/* The first source of the field that has something. Of a request that may carry several events none gets its id from what
 * they have in common: all but the first would be duplicates. */
static struct value find_value(const struct fields *fields, int which, const struct reading *reading)
{
	const struct field *field = &fields->all[which];
	for (size_t i = field->first; i < field->first + field->count; i++) {
		const struct recipe *recipe = &fields->recipes[i];
		if (which == FIELD_MESSAGE_ID && reading->is_part && !recipe_is_of_part(recipe, &fields->list))
			continue;
		struct value value = recipe_read(recipe, reading, fields->takes_integers);
		if (value.label)
			return value;
	}
	return (struct value){.label = NULL};
}

/* Names the sources of a field that is in none of them. */
static enum sluice_verdict refuse_missing(const struct fields *fields, const struct field *field,
                                          struct sluice_event *event)
{
	const struct recipe *first = &fields->recipes[field->first];
	if (field->count == 1)
		return sluice_reject(event, 400, "%s: expected %s, got nothing", recipe_label(first, &fields->list),
		                     field->rule->expected);
	char labels[256] = "";
	for (size_t i = 0; i < field->count; i++) {
		size_t used = strlen(labels);
		(void)snprintf(labels + used, sizeof(labels) - used, "%s%s", i ? ", " : "",
		               recipe_label(&first[i], &fields->list));
	}
	return sluice_reject(event, 400, "%s: expected %s in one of %s, got nothing", field->rule->name,
	                     field->rule->expected, labels);
}

static enum sluice_verdict refuse_value(const struct field *field, const struct value *value,
                                        struct sluice_event *event)
{
	return sluice_reject(event, 400, "%s: expected %s, got %s", value->label, field->rule->expected,
	                     type_names[value->type]);
}

/* Whatever its type: PASS if the value can be looked at. */
static enum sluice_verdict check_value(const struct value *value, struct sluice_event *event)
{
	if (value->has_no_memory)
		return sluice_retry(event, 0, "out of memory for the event's fields");
	if (value->is_repeated)
		return sluice_reject(event, 400, "%s: expected it once in the form, got it again", value->label);
	return SLUICE_PASS;
}

static enum sluice_verdict check_text(const struct field_rule *rule, const struct value *value,
                                      struct sluice_bytes text, struct sluice_event *event)
{
	const char *label = value->label;
	if (text.size < rule->least)
		return sluice_reject(event, 400, "%s: expected %s, got an empty one", label, rule->expected);
	if (text.size > SLUICE_NAME_MAX)
		return sluice_reject(event, 400, "%s: expected at most %d bytes, got %zu", label, SLUICE_NAME_MAX,
		                     text.size);
	if (memchr(text.data, '\0', text.size))
		return sluice_reject(event, 400, "%s: expected %s without U+0000, got one with it", label,
		                     rule->expected);
	if (!value->is_span && !scan_is_utf8(text))
		return sluice_reject(event, 400, "%s: expected UTF-8, got other bytes", label);
	return SLUICE_PASS;
}

static enum sluice_verdict set_text(const struct fields *fields, int which, const struct reading *reading)
{
	const struct field *field = &fields->all[which];
	struct sluice_event *event = reading->event;
	struct value value = find_value(fields, which, reading);
	if (!value.label)
		return field->rule->optional || field->count == 0 ? SLUICE_PASS : refuse_missing(fields, field, event);
	enum sluice_verdict verdict = check_value(&value, event);
	if (verdict != SLUICE_PASS)
		return verdict;
	if (value.type != SPAN_STRING && !(value.type == SPAN_INTEGER && fields->takes_integers))
		return refuse_value(field, &value, event);
	struct sluice_bytes text = value_text(event, &value);
	if (!text.data)
		return sluice_retry(event, 0, "out of memory for the event's fields");
	verdict = check_text(field->rule, &value, text, event);
	if (verdict == SLUICE_PASS)
		*(struct sluice_bytes *)(void *)((char *)event + field->rule->text) = text;
	return verdict;
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

static enum sluice_verdict set_sequence(const struct fields *fields, const struct reading *reading)
{
	const struct field *field = &fields->all[FIELD_SEQUENCE];
	struct sluice_event *event = reading->event;
	struct value value = find_value(fields, FIELD_SEQUENCE, reading);
	if (!value.label)
		return SLUICE_PASS;
	enum sluice_verdict verdict = check_value(&value, event);
	if (verdict != SLUICE_PASS)
		return verdict;
	if (value.type != SPAN_INTEGER && value.is_span)
		return refuse_value(field, &value, event);
	event->has_sequence = read_integer(value.bytes, &event->sequence);
	return event->has_sequence ? SLUICE_PASS
	                           : sluice_reject(event, 400, "%s: expected %s, got something else", value.label,
	                                           field->rule->expected);
}

static enum sluice_verdict set_payload(const struct fields *fields, const struct reading *reading)
{
	struct sluice_event *event = reading->event;
	struct value value = find_value(fields, FIELD_PAYLOAD, reading);
	if (!value.label)
		return refuse_missing(fields, &fields->all[FIELD_PAYLOAD], event);
	enum sluice_verdict verdict = check_value(&value, event);
	if (verdict == SLUICE_PASS)
		event->payload = value.is_whole ? reading->whole : value.bytes;
	return verdict;
}

enum sluice_verdict fields_set(const struct fields *fields, const struct reading *reading)
{
	static const int texts[] = {FIELD_MESSAGE_ID, FIELD_EVENT_TYPE, FIELD_STREAM};
	enum sluice_verdict verdict = SLUICE_PASS;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && verdict == SLUICE_PASS; i++)
		verdict = set_text(fields, texts[i], reading);
	if (verdict == SLUICE_PASS)
		verdict = set_sequence(fields, reading);
	return verdict == SLUICE_PASS ? set_payload(fields, reading) : verdict;
}
