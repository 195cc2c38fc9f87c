/*
 * Writes JSON (RFC 8259) into a buffer, commas and escapes included. Text that is not UTF-8 is written with U+FFFD.
 *
 *     struct json_writer json = {&buffer};
 *     json_object(&json, NULL);
 *     json_text(&json, "status", "ok");
 *     json_end_object(&json);
 *
 * `key` is NULL for the top value and inside arrays.
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

void json_object(struct json_writer *json, const char *key);
void json_end_object(struct json_writer *json);
void json_array(struct json_writer *json, const char *key);
void json_end_array(struct json_writer *json);
void json_text(struct json_writer *json, const char *key, const char *text); /* NULL: null */
void json_bytes(struct json_writer *json, const char *key, const char *data, size_t size);
void json_int(struct json_writer *json, const char *key, int64_t value);
void json_real(struct json_writer *json, const char *key, double value, int decimals); /* not finite: null */
void json_bool(struct json_writer *json, const char *key, bool value);
void json_null(struct json_writer *json, const char *key);

#endif
