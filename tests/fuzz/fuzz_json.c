/*
 * parse/json: whatever the bytes, it takes them or refuses them; jansson agrees on what is JSON, and reads what is taken
 * the same way.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static json_t *read_json(struct sluice_bytes text)
{
	return json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
}

/* Whether a text of the event is what jansson has there: the string, or the number it was written as. */
static void require_text(struct sluice_bytes text, const json_t *value)
{
	if (json_is_string(value))
		require(text.size == json_string_length(value) &&
		        memcmp(text.data, json_string_value(value), text.size) == 0);
	else
		require(json_is_real(value) && strtod(text.data, NULL) == json_real_value(value));
}

static bool has(struct sluice_bytes body, const char *text, size_t size)
{
	return body.size && memmem(body.data, body.size, text, size);
}

/* jansson refuses keys with U+0000, and does not see a NUL that follows a number. */
static bool jansson_can_judge(struct sluice_bytes body)
{
	return !has(body, "\\u0000", 6) && !has(body, "\0", 1);
}

static void compare(const struct sluice_event *event, const json_t *body)
{
	require_text(event->message_id, json_object_get(body, "messageId"));
	require_text(event->event_type, json_object_get(body, "eventType"));
	json_t *payload = read_json(event->payload);
	require(payload && json_equal(payload, json_object_get(body, "payload")));
	json_decref(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char no_json[] = "the body: expected JSON, ";
	static struct harness *h;
	if (!h)
		h = harness_open(SLUICE_KIND_PARSE, "json", NULL);
	struct sluice_event *event = harness_event(h);
	harness_body(event, data, size);
	enum sluice_verdict verdict = harness_process(h, event);
	require(verdict == SLUICE_PASS || (verdict == SLUICE_REJECT && harness_status(event) == 400));
	json_t *body = read_json(event->body);
	if (jansson_can_judge(event->body)) {
		bool is_json = verdict == SLUICE_PASS ||
		               strncmp(harness_detail(event), no_json, sizeof(no_json) - 1) != 0;
		bool may_differ = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
		may_differ |= strstr(harness_detail(event), "levels of arrays") != NULL;
		require(may_differ || is_json == (body != NULL));
	}
	if (verdict == SLUICE_PASS && body)
		compare(event, body);
	json_decref(body);
	harness_free(event);
	return 0;
}
