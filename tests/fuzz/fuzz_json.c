/*
 * parse/json: whatever the bytes, it takes them or refuses them; and what it takes, jansson reads the same way.
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

static void compare(const struct sluice_event *event)
{
	json_t *body = read_json(event->body);
	if (!body)
		return; /* a key with U+0000, which jansson alone refuses */
	require_text(event->message_id, json_object_get(body, "messageId"));
	require_text(event->event_type, json_object_get(body, "eventType"));
	json_t *payload = read_json(event->payload);
	require(payload && json_equal(payload, json_object_get(body, "payload")));
	json_decref(payload);
	json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct harness *h;
	if (!h)
		h = harness_open(SLUICE_KIND_PARSE, "json", NULL);
	struct sluice_event *event = harness_event(h);
	harness_body(event, data, size);
	enum sluice_verdict verdict = harness_process(h, event);
	require(verdict == SLUICE_PASS || (verdict == SLUICE_REJECT && harness_status(event) == 400));
	if (verdict == SLUICE_PASS)
		compare(event);
	harness_free(event);
	return 0;
}
