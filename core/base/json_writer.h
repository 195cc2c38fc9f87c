/*
 * Writes JSON (RFC 8259) into a buffer, commas and escapes included. Text that is not UTF-8 is written with U+FFFD; controls,
 * C1 and marks of direction are escaped, so that it can be shown on a terminal.
 *
 *     struct json_writer json = {&buffer};
 *     jsonw_object(&json, NULL);
 *     jsonw_text(&json, "status", "ok");
 *     jsonw_end_object(&json);
 *
 * `key` is NULL for the top value and inside arrays. The names begin with jsonw_, because jansson, which reads JSON,
 * has taken json_.
 */
#ifndef BASE_JSON_WRITER_H
#define BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct json_writer {
	struct buffer *out;
	bool need_comma;
};

void jsonw_object(struct json_writer *json, const char *key);
void jsonw_end_object(struct json_writer *json);
void jsonw_array(struct json_writer *json, const char *key);
void jsonw_end_array(struct json_writer *json);
void jsonw_text(struct json_writer *json, const char *key, const char *text); /* NULL: null */
void jsonw_bytes(struct json_writer *json, const char *key, const char *data, size_t size);
void jsonw_int(struct json_writer *json, const char *key, int64_t value);
void jsonw_real(struct json_writer *json, const char *key, double value, int decimals); /* not finite: null */
void jsonw_bool(struct json_writer *json, const char *key, bool value);
void jsonw_null(struct json_writer *json, const char *key);

#endif
