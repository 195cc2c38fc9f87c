/*
 * One row per type says how a field is read, written and described; the verbs look the row up.
 */
#include "yaml/option.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <sluice/error.h>

#include "base/secret.h"
#include "yaml/quantity.h"

struct type {
	size_t field_size;
	bool (*parse)(const struct sluice_option *option, void *field, const char *text, struct arena *arena);
	void (*print)(const struct sluice_option *option, const void *field, struct buffer *out);
	void (*describe)(const struct sluice_option *option, struct buffer *out);
};

enum { GOT_MAX = 80 /* bytes of a refused value that an error shows */ };

static bool is_bounded(const struct sluice_option *option)
{
	return option->min != 0 || option->max != 0;
}

static bool in_range(const struct sluice_option *option, int64_t value)
{
	return !is_bounded(option) || (value >= option->min && value <= option->max);
}

/* Whether every YAML reader takes the bare text for a text, in a list, too. */
static bool is_plain(const char *text)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	if (!isalpha((unsigned char)*text) && *text != '/' && *text != '_')
		return false;
	for (const char *c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("_-./", *c))
			return false;
	}
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

/* YAML text that reads back as `text`, wherever it stands. A dollar is doubled: ${…} in a file is replaced when it is
 * read. */
static void print_text(const char *text, struct buffer *out)
{
	bool escaped = has_control(text);
	const char *quote = is_plain(text) ? "" : escaped ? "\"" : "'";
	buffer_add_text(out, quote);
	for (const char *c = text; *c; c++) {
		if (*c == '$' || (!escaped && *c == '\''))
			buffer_printf(out, "%c%c", *c, *c);
		else if (escaped && (*c == '"' || *c == '\\'))
			buffer_printf(out, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			buffer_printf(out, "\\x%02x", (unsigned)(unsigned char)*c);
		else
			buffer_add(out, c, 1);
	}
	buffer_add_text(out, quote);
}

static bool parse_bool(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	(void)option, (void)arena;
	bool value = strcmp(text, "true") == 0;
	if (!value && strcmp(text, "false") != 0)
		return false;
	*(bool *)field = value;
	return true;
}

static void print_bool(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	buffer_add_text(out, *(const bool *)field ? "true" : "false");
}

static void describe_bool(const struct sluice_option *option, struct buffer *out)
{
	(void)option;
	buffer_add_text(out, "true or false");
}

static bool parse_int(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	(void)arena;
	int64_t value;
	if (!quantity_parse_int(text, &value) || !in_range(option, value))
		return false;
	*(int64_t *)field = value;
	return true;
}

static void print_int(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	buffer_printf(out, "%" PRId64, *(const int64_t *)field);
}

static void describe_int(const struct sluice_option *option, struct buffer *out)
{
	if (!is_bounded(option))
		buffer_printf(out, "a whole number%s", option->unit ? " of" : "");
	else if (option->max == INT64_MAX)
		buffer_printf(out, "at least %" PRId64, option->min);
	else
		buffer_printf(out, "%" PRId64 "..%" PRId64, option->min, option->max);
	if (option->unit)
		buffer_printf(out, " %s", option->unit);
}

static bool parse_size(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	(void)arena;
	uint64_t value;
	if (!quantity_parse_size(text, &value) || value > INT64_MAX || !in_range(option, (int64_t)value))
		return false;
	*(uint64_t *)field = value;
	return true;
}

static void print_size(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	quantity_print_size(*(const uint64_t *)field, out);
}

static void describe_size(const struct sluice_option *option, struct buffer *out)
{
	if (!is_bounded(option)) {
		buffer_add_text(out, "a size such as 64KiB or 1MiB");
		return;
	}
	buffer_add_text(out, "a size of ");
	quantity_print_size((uint64_t)option->min, out);
	buffer_add_text(out, option->max == INT64_MAX ? " or more" : "..");
	if (option->max != INT64_MAX)
		quantity_print_size((uint64_t)option->max, out);
}

static bool parse_duration(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	(void)arena;
	int64_t ns;
	if (!quantity_parse_duration(text, &ns) || !in_range(option, ns))
		return false;
	((struct sluice_duration *)field)->ns = ns;
	return true;
}

static void print_duration(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	quantity_print_duration(((const struct sluice_duration *)field)->ns, out);
}

static void describe_duration(const struct sluice_option *option, struct buffer *out)
{
	if (!is_bounded(option)) {
		buffer_add_text(out, "a duration such as 100ms, 65s or 5m");
		return;
	}
	buffer_add_text(out, "a duration of ");
	quantity_print_duration(option->min, out);
	buffer_add_text(out, option->max == INT64_MAX ? " or more" : "..");
	if (option->max != INT64_MAX)
		quantity_print_duration(option->max, out);
}

static bool parse_percent(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	(void)arena;
	double value;
	if (!quantity_parse_percent(text, &value))
		return false;
	double low = is_bounded(option) ? (double)option->min / 100 : 0;
	double high = is_bounded(option) ? (double)option->max / 100 : 1;
	if (value < low || value > high)
		return false;
	*(double *)field = value;
	return true;
}

static void print_percent(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	quantity_print_percent(*(const double *)field, out);
}

static void describe_percent(const struct sluice_option *option, struct buffer *out)
{
	bool bounded = is_bounded(option);
	buffer_printf(out, "a percentage of %" PRId64 "%%..%" PRId64 "%%", bounded ? option->min : 0,
	              bounded ? option->max : 100);
}

static bool parse_string(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	if (!in_range(option, (int64_t)strlen(text)))
		return false;
	(void)arena;
	*(const char **)field = text; /* a copy already */
	return true;
}

static void print_string(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	const char *text = *(const char *const *)field;
	if (text)
		print_text(text, out);
	else
		buffer_add_text(out, "null");
}

static void describe_string(const struct sluice_option *option, struct buffer *out)
{
	if (is_bounded(option) && option->max == INT64_MAX)
		buffer_printf(out, "text of at least %" PRId64 " byte%s", option->min, option->min == 1 ? "" : "s");
	else if (is_bounded(option))
		buffer_printf(out, "text of %" PRId64 "..%" PRId64 " bytes", option->min, option->max);
	else
		buffer_add_text(out, "text");
}

static bool parse_choice(const struct sluice_option *option, void *field, const char *text, struct arena *arena)
{
	(void)arena;
	for (int i = 0; option->choices[i]; i++) {
		if (strcmp(option->choices[i], text) == 0) {
			*(int *)field = i;
			return true;
		}
	}
	return false;
}

static void print_choice(const struct sluice_option *option, const void *field, struct buffer *out)
{
	print_text(option->choices[*(const int *)field], out);
}

static void describe_choice(const struct sluice_option *option, struct buffer *out)
{
	buffer_add_text(out, "one of: ");
	for (size_t i = 0; option->choices[i]; i++)
		buffer_printf(out, "%s%s", i ? ", " : "", option->choices[i]);
}

static void print_strings(const struct sluice_option *option, const void *field, struct buffer *out)
{
	(void)option;
	const struct sluice_strings *strings = field;
	buffer_add_text(out, "[");
	for (size_t i = 0; i < strings->count; i++) {
		if (i)
			buffer_add_text(out, ", ");
		print_text(strings->items[i], out);
	}
	buffer_add_text(out, "]");
}

static void describe_strings(const struct sluice_option *option, struct buffer *out)
{
	if (is_bounded(option) && option->max == INT64_MAX)
		buffer_printf(out, "a list of at least %" PRId64 " text%s", option->min, option->min == 1 ? "" : "s");
	else if (is_bounded(option))
		buffer_printf(out, "a list of %" PRId64 "..%" PRId64 " texts", option->min, option->max);
	else
		buffer_add_text(out, "a list of texts");
}

/* STRINGS has no parse: it alone takes several items. */
static const struct type types[] = {
	[SLUICE_TYPE_BOOL] = {sizeof(bool), parse_bool, print_bool, describe_bool},
	[SLUICE_TYPE_INT] = {sizeof(int64_t), parse_int, print_int, describe_int},
	[SLUICE_TYPE_SIZE] = {sizeof(uint64_t), parse_size, print_size, describe_size},
	[SLUICE_TYPE_DURATION] = {sizeof(struct sluice_duration), parse_duration, print_duration, describe_duration},
	[SLUICE_TYPE_PERCENT] = {sizeof(double), parse_percent, print_percent, describe_percent},
	[SLUICE_TYPE_STRING] = {sizeof(const char *), parse_string, print_string, describe_string},
	[SLUICE_TYPE_CHOICE] = {sizeof(int), parse_choice, print_choice, describe_choice},
	[SLUICE_TYPE_STRINGS] = {sizeof(struct sluice_strings), NULL, print_strings, describe_strings},
};

static const struct type *type_of(const struct sluice_option *option)
{
	assert(option->type > SLUICE_TYPE_END && (size_t)option->type < sizeof(types) / sizeof(types[0]));
	return &types[option->type];
}

static void *field_of(const struct sluice_option *option, void *config)
{
	return (char *)config + option->offset;
}

static const char *choice_at(const void *context, size_t i)
{
	return ((const char *const *)context)[i];
}

/* What most often is wrong with such a text; "" if that is not it. */
static const char *hint(const struct sluice_option *option, const char *text)
{
	int64_t number;
	if (option->type == SLUICE_TYPE_DURATION && quantity_parse_int(text, &number) && number != 0)
		return " without a unit (ns, us, ms, s, m, h)";
	if (option->type == SLUICE_TYPE_PERCENT && strspn(text, "0123456789.") == strlen(text))
		return " without a %";
	return "";
}

/* "expected …, got …" */
static bool refuse(const struct sluice_option *option, const char *text, struct sluice_error *error)
{
	struct buffer expected = {0};
	option_describe(option, &expected);
	const char *close = NULL;
	if (option->type == SLUICE_TYPE_CHOICE) {
		size_t count = 0;
		while (option->choices[count])
			count++;
		close = option_did_you_mean(text, count, choice_at, option->choices);
	}
	if (option->flags & SLUICE_OPTION_SECRET)
		sluice_error_set(error, "expected %s; the value is secret and not shown", expected.data);
	else if (!*text)
		sluice_error_set(error, "expected %s, got an empty text", expected.data);
	else
		sluice_error_set(error, "expected %s, got %.*s%s%s%s%s%s", expected.data, GOT_MAX, text,
		                 strlen(text) > GOT_MAX ? "…" : "", hint(option, text),
		                 close ? "; did you mean \"" : "", close ? close : "", close ? "\"?" : "");
	buffer_finish(&expected);
	return false;
}

/* A copy of the text; of a secret without what surrounds it. NULL and "item 2 ends in white space …" if it cannot be meant. */
static const char *copy_text(const struct sluice_option *option, const char *text, size_t item, struct arena *arena,
                             struct sluice_error *error)
{
	struct sluice_bytes bytes = {text, strlen(text)};
	struct sluice_error cause = {0};
	if ((option->flags & SLUICE_OPTION_SECRET) && !secret_trim(&bytes, &cause)) {
		if (item)
			sluice_error_set(error, "item %zu %s", item, cause.text);
		else
			sluice_error_set(error, "%s", cause.text);
		return NULL;
	}
	return arena_strndup(arena, bytes.data, bytes.size);
}

static bool parse_strings(const struct sluice_option *option, struct sluice_strings *field, const char *const *items,
                          size_t count, struct arena *arena, struct sluice_error *error)
{
	if (!in_range(option, (int64_t)count)) {
		struct buffer expected = {0};
		option_describe(option, &expected);
		sluice_error_set(error, "expected %s, got %zu", expected.data, count);
		buffer_finish(&expected);
		return false;
	}
	const char **copy = arena_must(arena, (count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		copy[i] = copy_text(option, items[i], i + 1, arena, error);
		if (!copy[i])
			return false;
	}
	field->count = count;
	field->items = copy;
	return true;
}

bool option_parse(const struct sluice_option *option, void *config, const char *const *items, size_t count,
                  struct arena *arena, struct sluice_error *error)
{
	void *field = field_of(option, config);
	if (option->type == SLUICE_TYPE_STRINGS)
		return parse_strings(option, field, items, count, arena, error);
	assert(count == 1);
	const char *text = items[0];
	if (option->type == SLUICE_TYPE_STRING && !(text = copy_text(option, text, 0, arena, error)))
		return false;
	return type_of(option)->parse(option, field, text, arena) || refuse(option, text, error);
}

/* A list written in one text, "a, b": how fallbacks and option_set() have it. */
static bool parse_joined(const struct sluice_option *option, void *config, const char *text, struct arena *arena,
                         struct sluice_error *error)
{
	if (option->type != SLUICE_TYPE_STRINGS)
		return option_parse(option, config, &text, 1, arena, error);
	size_t count = 1;
	for (const char *c = text; *c; c++)
		count += *c == ',';
	const char **items = arena_must(arena, count * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		text += strspn(text, " ");
		size_t size = strcspn(text, ",");
		const char *rest = text + size + 1;
		while (size && text[size - 1] == ' ')
			size--;
		items[i] = arena_strndup(arena, text, size);
		text = rest;
	}
	return option_parse(option, config, items, count, arena, error);
}

bool option_fill_fallbacks(const struct sluice_option *options, void *config, struct arena *arena,
                           struct sluice_error *error)
{
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++) {
		struct sluice_error cause = {0};
		memset(field_of(option, config), 0, type_of(option)->field_size);
		if (option->fallback && !parse_joined(option, config, option->fallback, arena, &cause))
			return sluice_error_set(error, "%s: the stage's own default is wrong: %s", option->name,
			                        cause.text);
	}
	return true;
}

static const char *option_name_at(const void *context, size_t i)
{
	return ((const struct sluice_option *)context)[i].name;
}

bool option_set(const struct sluice_option *options, void *config, const char *name, const char *text,
                struct arena *arena, struct sluice_error *error)
{
	const struct sluice_option *option = option_find(options, name);
	if (!option) {
		size_t count = 0;
		while (options[count].type != SLUICE_TYPE_END)
			count++;
		const char *close = option_did_you_mean(name, count, option_name_at, options);
		return sluice_error_set(error, "unknown option %s%s%s%s", name, close ? "; did you mean \"" : "",
		                        close ? close : "", close ? "\"?" : "");
	}
	struct sluice_error cause = {0};
	if (!parse_joined(option, config, text, arena, &cause))
		return sluice_error_set(error, "%s: %s", name, cause.text);
	return true;
}

const struct sluice_option *option_find(const struct sluice_option *options, const char *name)
{
	for (; options->type != SLUICE_TYPE_END; options++) {
		if (strcmp(options->name, name) == 0)
			return options;
	}
	return NULL;
}

/* Whether there is something to hide. */
static bool is_set(const struct sluice_option *option, const void *field)
{
	switch (option->type) {
	case SLUICE_TYPE_STRING:
		return *(const char *const *)field != NULL;
	case SLUICE_TYPE_STRINGS:
		return ((const struct sluice_strings *)field)->count > 0;
	default:
		return true;
	}
}

void option_print(const struct sluice_option *option, const void *config, struct buffer *out)
{
	const void *field = (const char *)config + option->offset;
	if ((option->flags & SLUICE_OPTION_SECRET) && is_set(option, field))
		buffer_add_text(out, "'***'");
	else
		type_of(option)->print(option, field, out);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_texts(const struct sluice_strings *a, const struct sluice_strings *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; same && i < a->count; i++)
		same = same_text(a->items[i], b->items[i]);
	return same;
}

bool option_equal(const struct sluice_option *option, const void *config, const void *other)
{
	const void *a = (const char *)config + option->offset, *b = (const char *)other + option->offset;
	switch (option->type) {
	case SLUICE_TYPE_STRING:
		return same_text(*(const char *const *)a, *(const char *const *)b);
	case SLUICE_TYPE_STRINGS:
		return same_texts(a, b);
	default:
		return memcmp(a, b, type_of(option)->field_size) == 0;
	}
}

bool options_equal(const struct sluice_option *options, const void *config, const void *other)
{
	for (const struct sluice_option *option = options; option->type != SLUICE_TYPE_END; option++)
		if (!option_equal(option, config, other))
			return false;
	return true;
}

void option_describe(const struct sluice_option *option, struct buffer *out)
{
	type_of(option)->describe(option, out);
}
