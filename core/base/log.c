/*
 * The log; see log.h. A line is built in memory and handed over with one call, so lines never mix.
 */
#include "base/log.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/log_writer.h"

/* What a reader that has stopped may hold up. */
enum { FLUSH_MS = 100, LAST_LINES_MS = 1000 };

static struct {
	enum sluice_log_level level;
	enum log_format format;
	int fd;
	struct log_writer *writer; /* NULL: lines are written by who logs them */
} settings = {.level = SLUICE_LOG_INFO, .format = LOG_FORMAT_TEXT, .fd = STDERR_FILENO};

static const char *const level_names[] = {
	[SLUICE_LOG_DEBUG] = "debug",
	[SLUICE_LOG_INFO] = "info",
	[SLUICE_LOG_WARN] = "warn",
	[SLUICE_LOG_ERROR] = "error",
};

void log_setup(enum sluice_log_level level, enum log_format format, int fd)
{
	settings.level = level;
	settings.format = format;
	settings.fd = fd;
}

bool log_level_from_text(const char *text, enum sluice_log_level *level_out)
{
	for (int i = SLUICE_LOG_DEBUG; i <= SLUICE_LOG_ERROR; i++) {
		if (strcmp(text, level_names[i]) != 0)
			continue;
		*level_out = (enum sluice_log_level)i;
		return true;
	}
	return false;
}

bool log_format_from_text(const char *text, enum log_format *format_out)
{
	bool json = strcmp(text, "json") == 0;
	if (!json && strcmp(text, "text") != 0)
		return false;
	*format_out = json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	return true;
}

bool log_wants(enum sluice_log_level level)
{
	return level >= settings.level;
}

static bool needs_quotes(const char *text)
{
	const char *at = text;
	while ((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f && *at != '"' && *at != '=' && *at != '\\')
		at++;
	return at == text || *at;
}

static void text_value(struct buffer *out, const struct sluice_field *field)
{
	const char *text = field->text ? field->text : "-";
	if (field->type == SLUICE_FIELD_INT)
		buffer_printf(out, "%" PRId64, field->integer);
	else if (field->type == SLUICE_FIELD_REAL)
		buffer_printf(out, "%.3f", field->real);
	else if (needs_quotes(text))
		jsonw_text(&(struct json_writer){.out = out}, NULL, text);
	else
		buffer_add_text(out, text);
}

static void text_line(struct buffer *out, const char *time, enum sluice_log_level level, const char *source,
                      const char *name, const struct sluice_field *fields, size_t field_count)
{
	buffer_printf(out, "%s %-5s %s", time, level_names[level], name);
	if (source)
		buffer_printf(out, " stage=%s", source);
	for (size_t i = 0; i < field_count; i++) {
		buffer_printf(out, " %s=", fields[i].name);
		text_value(out, &fields[i]);
	}
}

static void json_line(struct buffer *out, const char *time, enum sluice_log_level level, const char *source,
                      const char *name, const struct sluice_field *fields, size_t field_count)
{
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "time", time);
	jsonw_text(&json, "level", level_names[level]);
	jsonw_text(&json, "event", name);
	if (source)
		jsonw_text(&json, "stage", source);
	for (size_t i = 0; i < field_count; i++) {
		const struct sluice_field *field = &fields[i];
		if (field->type == SLUICE_FIELD_INT)
			jsonw_int(&json, field->name, field->integer);
		else if (field->type == SLUICE_FIELD_REAL)
			jsonw_real(&json, field->name, field->real, 3);
		else
			jsonw_text(&json, field->name, field->text);
	}
	jsonw_end_object(&json);
}

static void make_line(struct buffer *out, enum sluice_log_level level, const char *source, const char *name,
                      const struct sluice_field *fields, size_t field_count)
{
	char time[CLOCK_TEXT_SIZE];
	clock_format_utc(clock_wall_ns(), time);
	if (settings.format == LOG_FORMAT_JSON)
		json_line(out, time, level, source, name, fields, field_count);
	else
		text_line(out, time, level, source, name, fields, field_count);
	buffer_add(out, "\n", 1);
}

/* It has nowhere to report its own failure. */
static void write_line(const struct buffer *line)
{
	if (settings.writer)
		log_writer_add(settings.writer, line->data, line->size);
	else
		(void)log_write_all(settings.fd, line->data, line->size);
}

void log_fields(enum sluice_log_level level, const char *source, const char *name, const struct sluice_field *fields,
                size_t field_count)
{
	if (!log_wants(level))
		return;
	struct buffer line = {0};
	make_line(&line, level, source, name, fields, field_count);
	write_line(&line);
	buffer_finish(&line);
}

void log_line(const char *text, size_t size)
{
	struct buffer line = {0};
	buffer_add(&line, text, size);
	buffer_add(&line, "\n", 1);
	write_line(&line);
	buffer_finish(&line);
}

static void note_dropped(uint64_t dropped, struct buffer *line)
{
	const struct sluice_field count = sluice_int("count", (int64_t)dropped);
	make_line(line, SLUICE_LOG_WARN, NULL, "log_lines_dropped", &count, 1);
}

bool log_start(void)
{
	settings.writer = log_writer_create(settings.fd, note_dropped);
	return settings.writer != NULL;
}

void log_flush(void)
{
	if (settings.writer)
		log_writer_flush(settings.writer, FLUSH_MS * NS_PER_MS);
}

void log_stop(void)
{
	if (settings.writer && log_writer_destroy(settings.writer, LAST_LINES_MS * NS_PER_MS))
		settings.writer = NULL;
}

uint64_t log_dropped(void)
{
	return settings.writer ? log_writer_dropped(settings.writer) : 0;
}
