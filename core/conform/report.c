/*
 * The report as text and as JSON.
 */
#include "conform/report.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "yaml/option.h"

/* Whatever is shorter is part of many a word. */
enum { SECRET_MIN = 4 };

/* The option that "name=value" sets, if that is secret; NULL otherwise. */
static const char *secret_value(const struct conform *conform, const char *given)
{
	const struct sluice_option *option = conform->plugin->ops.options;
	for (; option->type != SLUICE_TYPE_END; option++) {
		size_t size = strlen(option->name);
		if ((option->flags & SLUICE_OPTION_SECRET) && strncmp(given, option->name, size) == 0 &&
		    given[size] == '=')
			return given + size + 1;
	}
	return NULL;
}

/* A sentence stays one line, whatever it quotes. */
static void add_character(char c, struct buffer *out)
{
	if ((unsigned char)c >= 0x20 && c != 0x7f)
		buffer_add(out, &c, 1);
	else
		buffer_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
}

static void add_without_secrets(const struct conform *conform, const char *text, struct buffer *out)
{
	while (*text) {
		size_t hidden = 0;
		for (const char *const *given = conform->options; given && *given && !hidden; given++) {
			const char *value = secret_value(conform, *given);
			if (value && strlen(value) >= SECRET_MIN && strncmp(text, value, strlen(value)) == 0)
				hidden = strlen(value);
		}
		if (hidden)
			buffer_add_text(out, "***");
		else
			add_character(*text, out);
		text += hidden ? hidden : 1;
	}
}

static bool is_plain_word(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("_-./=:,@%+", *c))
			return false;
	}
	return *text != '\0';
}

/* As a shell takes it for one word. */
static void add_word(const char *text, struct buffer *out)
{
	if (is_plain_word(text)) {
		buffer_add_text(out, text);
		return;
	}
	buffer_add_text(out, "'");
	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			buffer_add_text(out, "'\\''");
		else
			buffer_add(out, c, 1);
	}
	buffer_add_text(out, "'");
}

static void add_command(const struct conform *conform, const char *only, struct buffer *out)
{
	buffer_add_text(out, "sluice conform ");
	add_word(conform->plugin->path, out);
	for (const char *const *given = conform->options; given && *given; given++) {
		const char *secret = secret_value(conform, *given);
		buffer_add_text(out, " --set ");
		if (secret)
			buffer_printf(out, "%.*s'***'", (int)(secret - *given), *given);
		else
			add_word(*given, out);
	}
	if (conform->request) {
		buffer_add_text(out, " --request ");
		add_word(conform->request, out);
	}
	if (conform->expect) {
		buffer_add_text(out, " --expect ");
		add_word(conform->expect, out);
	}
	if (conform->sources) {
		buffer_add_text(out, " --build ");
		add_word(conform->sources, out);
	}
	if (conform->scripts)
		buffer_printf(out, " --scripts %zu", conform->scripts);
	if (conform->seed != 1)
		buffer_printf(out, " --seed %llu", conform->seed);
	if (conform->replay) {
		buffer_add_text(out, " --replay ");
		add_word(conform->replay, out);
	}
	if (conform->effort == CONFORM_LONG)
		buffer_add_text(out, " --long");
	buffer_printf(out, " --only %s", only);
}

void report_head(const struct conform *conform, FILE *out)
{
	const struct plugin *plugin = conform->plugin;
	(void)fprintf(out, "%s/%s %s  %s  sha256 %.12s\n\n", kind_names[plugin->ops.kind], plugin->ops.name,
	              plugin->ops.version, plugin->path, plugin->sha256);
}

void report_result(const struct conform *conform, const struct check_result *result, FILE *out)
{
	const struct check_entry *entry = result->entry;
	struct buffer text = {0};
	buffer_printf(&text, "  %-8s %-22s %s\n", check_outcome_names[result->outcome], entry->name, entry->promise);
	if (result->sentence[0]) {
		buffer_printf(&text, "  %-8s %-22s ", "", "");
		add_without_secrets(conform, result->sentence, &text);
		buffer_add_text(&text, "\n");
	}
	if (result->outcome == CHECK_BROKEN) {
		buffer_printf(&text, "  %-8s %-22s reproduce: ", "", "");
		add_command(conform, entry->name, &text);
		buffer_add_text(&text, "\n");
	}
	(void)fwrite(text.data, 1, text.size, out);
	(void)fflush(out);
	buffer_finish(&text);
}

void report_totals(const struct conform_totals *totals, FILE *out)
{
	unsigned count = 0;
	for (int i = 0; i < CHECK_OUTCOMES; i++)
		count += totals->counts[i];
	(void)fprintf(out, "\n%u checks:", count);
	for (int i = 0; i < CHECK_OUTCOMES; i++)
		(void)fprintf(out, "%s %u %s", i ? "," : "", totals->counts[i], check_outcome_names[i]);
	(void)fprintf(out, "\n");
}

static void write_result(const struct conform *conform, const struct check_result *result, struct json_writer *json)
{
	jsonw_object(json, NULL);
	jsonw_text(json, "name", result->entry->name);
	jsonw_text(json, "promise", result->entry->promise);
	jsonw_text(json, "outcome", check_outcome_names[result->outcome]);
	jsonw_real(json, "seconds", (double)result->took_ns / (double)NS_PER_S, 3);
	if (result->sentence[0]) {
		struct buffer text = {0};
		add_without_secrets(conform, result->sentence, &text);
		jsonw_text(json, "why", text.data);
		buffer_finish(&text);
	}
	if (result->outcome == CHECK_BROKEN) {
		struct buffer command = {0};
		add_command(conform, result->entry->name, &command);
		jsonw_text(json, "reproduce", command.data);
		jsonw_text(json, "where", result->where[0] ? result->where : NULL);
		buffer_finish(&command);
	}
	jsonw_end_object(json);
}

void report_json(const struct conform *conform, const struct check_result *results, size_t count,
                 const struct conform_totals *totals, struct buffer *out)
{
	struct json_writer json = {.out = out};
	const struct plugin *plugin = conform->plugin;
	jsonw_object(&json, NULL);
	jsonw_text(&json, "kind", kind_names[plugin->ops.kind]);
	jsonw_text(&json, "name", plugin->ops.name);
	jsonw_text(&json, "version", plugin->ops.version);
	jsonw_text(&json, "file", plugin->path);
	jsonw_text(&json, "sha256", plugin->sha256);
	jsonw_bool(&json, "conforms", totals->counts[CHECK_BROKEN] == 0);
	jsonw_object(&json, "totals");
	for (int i = 0; i < CHECK_OUTCOMES; i++)
		jsonw_int(&json, check_outcome_names[i], totals->counts[i]);
	jsonw_end_object(&json);
	jsonw_array(&json, "checks");
	for (size_t i = 0; i < count; i++)
		write_result(conform, &results[i], &json);
	jsonw_end_array(&json);
	jsonw_end_object(&json);
}
