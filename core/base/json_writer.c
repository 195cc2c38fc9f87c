/*
 * Writes JSON; see json_writer.h.
 */
#include "base/json_writer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/printable.h"
#include "base/utf8.h"

/* How many bytes at the start stand for themselves in a JSON text: most texts are of these alone. */
static size_t plain(const char *data, size_t size)
{
	size_t count = 0;
	while (count < size && data[count] >= 0x20 && data[count] < 0x7f && data[count] != '"' && data[count] != '\\')
		count++;
	return count;
}

static void quoted(struct buffer *out, const char *data, size_t size)
{
	buffer_add(out, "\"", 1);
	while (size > 0) {
		size_t run = plain(data, size);
		buffer_add(out, data, run);
		data += run;
		size -= run;
		if (size == 0)
			break;
		size_t length = utf8_character(data, size);
		unsigned char c = (unsigned char)*data;
		if (length == 0) {
			buffer_add_text(out, "\xef\xbf\xbd");
			length = 1;
		} else if (c == '"' || c == '\\') {
			buffer_add(out, (const char[]){'\\', *data}, 2);
		} else if (printable_commands(utf8_decode(data, length))) {
			buffer_printf(out, "\\u%04x", (unsigned)utf8_decode(data, length));
		} else {
			buffer_add(out, data, length);
		}
		data += length;
		size -= length;
	}
	buffer_add(out, "\"", 1);
}

static void before_value(struct json_writer *json, const char *key)
{
	if (json->need_comma)
		buffer_add(json->out, ",", 1);
	json->need_comma = true;
	if (!key)
		return;
	quoted(json->out, key, strlen(key));
	buffer_add(json->out, ":", 1);
}

static void open_bracket(struct json_writer *json, const char *key, const char *bracket)
{
	before_value(json, key);
	buffer_add(json->out, bracket, 1);
	json->need_comma = false;
}

static void close_bracket(struct json_writer *json, const char *bracket)
{
	buffer_add(json->out, bracket, 1);
	json->need_comma = true;
}

void jsonw_object(struct json_writer *json, const char *key)
{
	open_bracket(json, key, "{");
}

void jsonw_end_object(struct json_writer *json)
{
	close_bracket(json, "}");
}

void jsonw_array(struct json_writer *json, const char *key)
{
	open_bracket(json, key, "[");
}

void jsonw_end_array(struct json_writer *json)
{
	close_bracket(json, "]");
}

void jsonw_bytes(struct json_writer *json, const char *key, const char *data, size_t size)
{
	before_value(json, key);
	quoted(json->out, data, size);
}

void jsonw_text(struct json_writer *json, const char *key, const char *text)
{
	if (text)
		jsonw_bytes(json, key, text, strlen(text));
	else
		jsonw_null(json, key);
}

void jsonw_int(struct json_writer *json, const char *key, int64_t value)
{
	before_value(json, key);
	buffer_printf(json->out, "%" PRId64, value);
}

void jsonw_real(struct json_writer *json, const char *key, double value, int decimals)
{
	if (!isfinite(value)) {
		jsonw_null(json, key);
		return;
	}
	before_value(json, key);
	buffer_printf(json->out, "%.*f", decimals, value);
}

void jsonw_bool(struct json_writer *json, const char *key, bool value)
{
	before_value(json, key);
	buffer_add_text(json->out, value ? "true" : "false");
}

void jsonw_null(struct json_writer *json, const char *key)
{
	before_value(json, key);
	buffer_add_text(json->out, "null");
}
